"""What the server promises under load and under faults, measured on the real one over loopback.

    python benchmarks/service.py                              # some 12 minutes; needs the demo's bundle (make demo)
    python benchmarks/service.py --only overload faults       # these parts anew, the others' figures stay

A part that fails costs its own figures alone: it is named under `failed`, and the program ends with status 1.

Claims: service.{kill9_lost, kill9_doubled} (kill -9 at random moments of bulk ingestion over HTTP; SQLite),
service.overload_p99 (p99 of admitted requests at ten times the sustainable load over p99 at seven tenths of it),
service.refuse_ms (p99 of refusals meanwhile), service.sigterm_dropped (requests without an answer),
service.degraded_share (requests answered while the engine is dead), service.recovery_s,
service.fuzz_5xx (schemathesis), service.injection_bypasses (cases of tests/serving/test_injections.py that fail),
service.genre_moved (items of ten that three events of a new genre replace). Latencies, their growth with catalog and
history, and memory stand in `config`.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import uvloop

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks import _service_kill  # noqa: E402
from benchmarks._service_catalogs import bundle_of  # noqa: E402
from benchmarks._service_http import HttpTarget  # noqa: E402
from benchmarks._service_load import Client, closed, memory_mib, opened, quantile, summary  # noqa: E402
from genrec.benchmarking import RESULTS, Claim, claim, write_results  # noqa: E402
from genrec.bundle import Bundle  # noqa: E402
from tests.helpers.server import Server  # noqa: E402
from tests.serving.test_server_fuzz import fuzz  # noqa: E402

LATEST = 1.2  # seconds of ingestion before a kill at most
FREE = ("limits.rate=1000000", "limits.burst=1000000", "cached=0")
Found = tuple[dict[str, Any], list[Claim]]


def main() -> None:
    options = _options()
    parts: dict[str, Callable[[argparse.Namespace, Path], Found]] = {
        "latency": latency, "overload": overload, "faults": faults, "genre": genre, "kill9": kill9, "growth": growth,
        "fuzz": fuzzed, "injections": injections,
    }  # fmt: skip
    measure(options, parts)


def measure(options: argparse.Namespace, parts: Mapping[str, Callable[[argparse.Namespace, Path], Found]]) -> None:
    """The parts in turn; the result file is written after each. Exits with status 1 where one has failed."""
    config, claims = _before(options.out / "service.json") if options.only else ({}, {})
    config = {"bundle": str(options.bundle), **config, "failed": {}}
    for name in options.only or parts:
        try:
            config[name], found = _measured(parts[name], options)
            claims |= {one.id: one for one in found}
        except Exception as error:  # the other parts' figures are worth having
            traceback.print_exc()
            config["failed"][name] = f"{type(error).__name__}: {error}"[:500]
        print(name, config["failed"].get(name) or config[name], flush=True)
        write_results("service", config, list(claims.values()), options.out)
    if config["failed"]:
        sys.exit(f"failed: {', '.join(config['failed'])}")


def _measured(part: Callable[[argparse.Namespace, Path], Found], options: argparse.Namespace) -> Found:
    """What a part found, how long that took and what else the machine had to do."""
    before, began = os.getloadavg(), time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        figures, claims = part(options, Path(folder))
    took = {"took_s": round(time.monotonic() - began, 1), "load_average_before_after": [before, os.getloadavg()]}
    return {**figures, **took}, claims


def _before(path: Path) -> tuple[dict[str, Any], dict[str, Claim]]:
    """What an earlier run measured of the parts that this one leaves out."""
    if not path.is_file():
        return {}, {}
    data = json.loads(path.read_text(encoding="utf-8"))
    return data["config"], {one["id"]: Claim.model_validate(one) for one in data["claims"]}


def serving(bundle: Path, folder: Path, *settings: str) -> Server:
    return Server(bundle, f"sqlite:///{folder}/events-{time.monotonic_ns()}.db", [*FREE, *settings])


def bodies(bundle: Path, count: int, length: int, **more: Any) -> list[dict[str, Any]]:
    """Different histories of this length."""
    ids, rng = Bundle.open(bundle, verify=False).catalog.item_ids, np.random.default_rng(0)
    chosen = rng.integers(0, len(ids), (count, length)).tolist()
    return [{"history": [ids[item] for item in row], "k": 10, "explain": False, **more} for row in chosen]


def latency(options: argparse.Namespace, folder: Path) -> Found:
    """One request at a time, with and without reasons; and how many a second eight clients get."""
    found: dict[str, Any] = {}
    with serving(options.bundle, folder) as server:
        for name, explain, count in (("plain", False, 200), ("explained", True, 60)):
            asked = bodies(options.bundle, count, 20, explain=explain)
            found[name] = summary(uvloop.run(closed(Client(server.url, server.key), asked, 1, 40.0)))
        for name, clients in (("one_client", 1), ("eight_clients", 8)):
            shots = uvloop.run(closed(Client(server.url, server.key), bodies(options.bundle, 500, 20), clients, 10))
            found[f"per_second_{name}"] = round(sum(shot.status == 200 for shot in shots) / 10, 1)
        found["memory_mib"] = {"server": memory_mib(server.process.pid), "engine": memory_mib(server.engine())}
    claims = [
        claim(f"service.{name}_p99_ms", found[name]["p99_ms"], "ms", "<=", None, n=found[name]["sent"])
        for name in ("plain", "explained")
    ]
    return found, claims


def overload(options: argparse.Namespace, folder: Path) -> Found:
    """Sustainable: what as many clients as the engine takes in one pass get. Then 0.7 and 10 times as much, at random
    moments."""
    asked = bodies(options.bundle, 2000, 20)
    with serving(options.bundle, folder) as server:
        client = Client(server.url, server.key)
        uvloop.run(closed(Client(server.url, server.key), asked, 4, 3))
        full = uvloop.run(closed(Client(server.url, server.key), asked, 4, 15))
        rate = sum(shot.status == 200 for shot in full) / 15
        normal = uvloop.run(opened(Client(server.url, server.key), asked, 0.7 * rate, 30))
        before = memory_mib(server.process.pid)
        heavy = uvloop.run(opened(client, asked, 10 * rate, options.seconds))
        after = memory_mib(server.process.pid)
        later = uvloop.run(closed(Client(server.url, server.key), asked, 1, 3))
    admitted = [shot for shot in heavy if shot.status == 200]
    refused = [shot for shot in heavy if shot.status == 503]
    ratio = quantile(admitted, 0.99) / quantile([shot for shot in normal if shot.status == 200], 0.99)
    found = {
        "sustainable_per_second": round(rate, 1), "normal": summary(normal), "heavy": summary(heavy),
        "server_mib_before_after": [before, after], "after": summary(later),
    }  # fmt: skip
    claims = [
        claim("service.overload_memory_mib", after - before, "MiB", "<=", 64.0, note="growth in the heavy minute")
    ]
    if admitted:
        claims.append(claim("service.overload_p99", ratio, "ratio", "<=", 2.0, n=len(admitted)))
    if refused:
        claims.append(claim("service.refuse_ms", 1000 * quantile(refused, 0.99), "ms", "<=", 100.0, n=len(refused)))
    return found, claims


def faults(options: argparse.Namespace, folder: Path) -> Found:
    """The engine is killed five times under load; then the server is told to go under load, five times."""
    asked, recoveries, during = bodies(options.bundle, 500, 20), list[float](), list[Any]()
    with serving(options.bundle, folder) as server:
        for _ in range(5):
            os.kill(server.engine(), signal.SIGKILL)
            shots = uvloop.run(closed(Client(server.url, server.key), asked, 4, 8))
            down = [shot for shot in shots if shot.degraded or shot.status != 200]
            recoveries.append(max((shot.at + shot.seconds for shot in down), default=0.0))
            during += shots
    answered = sum(shot.status == 200 for shot in during) / len(during)
    drained = [_sigterm(options, folder, asked) for _ in range(5)]
    dropped, sent = sum(one[0] for one in drained), sum(one[1] for one in drained)
    found = {"kills": 5, "recoveries_s": [round(one, 2) for one in recoveries], "during": summary(during), "stops": 5}
    return found, [
        claim("service.degraded_share", answered, "share", ">=", 1.0, n=len(during)),
        claim("service.recovery_s", max(recoveries), "s", "<=", 10.0, n=5),
        claim("service.sigterm_dropped", dropped, "requests", "<=", 0.0, n=sent),
    ]


def _sigterm(options: argparse.Namespace, folder: Path, asked: list[dict[str, Any]]) -> tuple[int, int]:
    """(without an answer or refused by force, all)."""
    with serving(options.bundle, folder, "drain_s=1.5") as server:
        client = Client(server.url, server.key)
        timer = subprocess.Popen(["sh", "-c", f"sleep 1; kill -TERM {server.process.pid}"])
        shots = uvloop.run(closed(client, asked, 6, 30))
        timer.wait()
        assert client.closing, "the server never said that it goes"
        assert server.process.wait(40) == 0
    return sum(shot.status != 200 for shot in shots), len(shots)


def genre(options: argparse.Namespace, folder: Path) -> Found:
    """Viewers of one genre who then choose three films of another: how many of ten items change."""
    catalog = Bundle.open(options.bundle, verify=False).catalog
    genres = catalog.table["genres"].to_list()
    moved = []
    with serving(options.bundle, folder) as server, server.http() as http:
        for turn, (old, new) in enumerate([("Drama", "Horror"), ("Horror", "Romance"), ("Comedy", "Science Fiction"),
                                           ("War", "Comedy"), ("Romance", "Crime")]):  # fmt: skip
            first = [
                item for item, held in zip(catalog.item_ids, genres, strict=True) if old in held and new not in held
            ]
            then = [
                item for item, held in zip(catalog.item_ids, genres, strict=True) if new in held and old not in held
            ]
            user = f"viewer {turn}"
            slates = []
            for items in (first[:12], then[:3]):
                events = [{"user_id": user, "item_id": item, "kind": "view"} for item in items]
                http.post("/v1/events/bulk", json={"events": events}).raise_for_status()
                slate = http.post("/v1/recommendations", json={"user_id": user, "k": 10, "explain": False}).json()
                slates.append({item["id"] for item in slate["items"]} | set(then[:3]))
            moved.append(len(slates[1] - slates[0]))
    return {"moved_of_ten": moved}, [claim("service.genre_moved", min(moved), "items", ">=", 3.0, n=len(moved))]


def kill9(options: argparse.Namespace, folder: Path) -> Found:
    """The server, killed at random moments while it takes events in bulk."""
    url = f"sqlite:///{folder}/events.db"
    target = HttpTarget(options.bundle, url)
    done = _service_kill.run(target, url, options.kills, latest=LATEST)
    target.close()
    return vars(done) | {}, [
        claim("service.kill9_lost", done.lost, "events", "<=", 0.0, n=done.acknowledged, note=f"{done.kills} kills"),
        claim("service.kill9_doubled", done.doubled, "events", "<=", 0.0, n=done.acknowledged),
    ]


def growth(options: argparse.Namespace, folder: Path) -> Found:
    """Milliseconds of one client's requests without reasons."""
    found: dict[str, Any] = {"by_history": {}, "by_items": {}}
    with serving(options.bundle, folder) as server:
        for length in (1, 5, 10, 20, 50, 200):
            asked = bodies(options.bundle, 60, length)
            shots = uvloop.run(closed(Client(server.url, server.key), asked, 1, 5))
            found["by_history"][str(length)] = summary(shots)
    for items in options.items:
        place = folder / f"bundle-{items}"
        bundle_of(items, place)
        with serving(place, folder) as server:
            shots = uvloop.run(closed(Client(server.url, server.key), bodies(place, 60, 20), 1, 10))
            memory = {"server": memory_mib(server.process.pid), "engine": memory_mib(server.engine())}
            found["by_items"][str(items)] = summary(shots) | {"memory_mib": memory}
    return found, []


def fuzzed(options: argparse.Namespace, folder: Path) -> Found:
    with serving(options.bundle, folder, "engine.timeout_s=60") as server:
        cases = fuzz(server, folder, 120, "examples,coverage,fuzzing")
        failures = sum(line["event"] == "a request failed" for line in server.lines)
        failures += sum(line.get("status", 0) >= 500 for line in server.lines)
    return {"cases": cases}, [claim("service.fuzz_5xx", failures, "answers", "<=", 0.0, n=cases)]


def injections(options: argparse.Namespace, folder: Path) -> Found:
    """The test's own cases, on its small bundle."""
    words = [sys.executable, "-m", "pytest", "-q", "tests/serving/test_injections.py", "-p", "no:cacheprovider"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    counts = {word: int(number) for number, word in re.findall(r"(\d+) (passed|failed|error)", done.stdout)}
    failed = counts.get("failed", 0) + counts.get("error", 0)
    cases = failed + counts.get("passed", 0)
    if not cases:
        raise RuntimeError(f"no case has run: {done.stdout[-300:]}")
    return {"cases": cases}, [claim("service.injection_bypasses", failed, "cases", "<=", 0.0, n=cases)]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, default=Path("demo/bundle"))
    parser.add_argument("--only", nargs="*", help="parts; all without it")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60, help="of the heavy load")
    parser.add_argument("--items", type=int, nargs="*", default=[1_000, 10_000, 100_000, 1_000_000])
    parser.add_argument("--out", type=Path, default=RESULTS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
