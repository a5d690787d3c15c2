"""kill -9 at random moments during bulk ingestion: is what was acknowledged stored, each event once, batches whole?

A client sends batches of events, each with its idempotency key, and after every death sends the batch without an answer
again, as a client should. What answers is a *target*: here the store alone in a process of its own, whose death is also
SQLite's, or the whole server over HTTP. Knows neither claims nor result files: benchmarks/service.py makes those.

    python benchmarks/_service_kill.py --kills 200 [--store postgresql://…] [--bundle B]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import httpx  # noqa: E402
from sqlalchemy import func, select  # noqa: E402

from genrec.machine import describe  # noqa: E402
from serving.keys import add, new  # noqa: E402
from serving.store import EventStore, NewEvent  # noqa: E402
from serving.store.tables import events  # noqa: E402

LATEST = 0.4
"""Seconds from a target's first breath to its last at most; some twenty batches."""
LARGEST = 400
"""Events of a batch at most."""
USERS = 50

Batch = list[dict[str, Any]]


class Gone(Exception):
    """The target died before it answered."""


class Target(Protocol):
    """What takes batches and dies."""

    def start(self) -> subprocess.Popen[Any]:
        """Begins to start and returns the process to kill."""

    def ready(self) -> None:
        """Returns once it takes batches; raises Gone."""

    def send(self, batch: Batch) -> None:
        """Returns when the batch is acknowledged; raises Gone."""


@dataclass
class StoreTarget:
    """The store in a process of its own, one line of JSON for a batch, one for its answer."""

    url: str
    _process: subprocess.Popen[str] | None = None

    def start(self) -> subprocess.Popen[str]:
        command = [sys.executable, __file__, "--serve", self.url]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        return self._process

    def ready(self) -> None:
        self._answer()

    def send(self, batch: Batch) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(batch) + "\n")
            self._process.stdin.flush()
        except OSError:
            raise Gone from None
        self._answer()

    def _answer(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.endswith("\n"):
            raise Gone
        if "failed" in line:
            raise RuntimeError(line)


@dataclass
class HttpTarget:
    """The whole server, a batch as one POST /v1/events/bulk. command: starts it on `url`; key: opens that route.

    It takes events as soon as it answers, while the engine may still be loading.
    """

    command: Sequence[str]
    url: str
    key: str
    patience: float = 60.0
    _process: subprocess.Popen[Any] | None = None
    _http: httpx.Client | None = None

    def start(self) -> subprocess.Popen[Any]:
        if self._http is not None:
            self._http.close()
        self._http = httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {self.key}"}, timeout=30)
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        quiet = subprocess.DEVNULL
        self._process = subprocess.Popen(self.command, cwd=ROOT, env=environment, stdout=quiet, stderr=quiet)
        return self._process

    def ready(self) -> None:
        until = time.monotonic() + self.patience
        while time.monotonic() < until:
            assert self._process is not None
            assert self._http is not None
            if self._process.poll() is not None:
                raise RuntimeError(f"the server ended with status {self._process.returncode} before it answered")
            try:
                self._http.get("/healthz")
                return
            except httpx.TransportError:
                time.sleep(0.02)
        raise RuntimeError(f"the server does not answer after {self.patience:g} s")

    def send(self, batch: Batch) -> None:
        assert self._http is not None
        try:
            answer = self._http.post("/v1/events/bulk", json={"events": batch})
        except httpx.TransportError:
            raise Gone from None
        if answer.status_code != 200 or answer.json()["stored"] + answer.json()["duplicates"] != len(batch):
            raise RuntimeError(f"{answer.status_code}: {answer.text[:500]}")


@dataclass
class Client:
    """Sends numbered events for ever; event n is item `i<n>` of user `u<n mod 50>` with key `k<n>`.

    acknowledged: numbers of events that were answered for; pending: a batch without an answer yet, which a death may
    have left.
    """

    target: Target
    chance: random.Random
    latest: float = LATEST
    acknowledged: list[int] = field(default_factory=list)
    pending: range = range(0)
    _next: int = 0

    def life(self) -> None:
        """One life of the target, from its start to a random moment of its ingesting."""
        process = self.target.start()
        killer = threading.Timer(0, process.kill)
        try:
            self.target.ready()
            killer = threading.Timer(self.chance.uniform(0, self.latest), process.kill)
            killer.start()
            while True:
                self._one()
        except Gone:
            pass
        finally:
            killer.cancel()
            _end(process)

    def settle(self) -> None:
        """A last life that nobody ends before the batch without an answer is sent again."""
        process = self.target.start()
        try:
            self.target.ready()
            self._one()
        finally:
            _end(process)

    def _one(self) -> None:
        if not self.pending:
            self.pending = range(self._next, self._next + self.chance.randint(1, LARGEST))
            self._next = self.pending.stop
        self.target.send([event(number) for number in self.pending])
        self.acknowledged.extend(self.pending)
        self.pending = range(0)


@dataclass(frozen=True)
class Outcome:
    """lost: acknowledged and not stored; doubled: stored more than once; torn: batches stored in part, seen before the
    unanswered ones were sent again; unanswered: batches that a death left open; kept: of these, those that were stored,
    so that sending them again had to find them there."""

    kills: int
    acknowledged: int
    lost: int
    doubled: int
    torn: int
    unanswered: int
    kept: int
    seconds: float


def run(
    target: Target,
    url: str,
    kills: int,
    seed: int = 0,
    told: Callable[[int], None] = lambda life: None,
    latest: float = LATEST,
) -> Outcome:
    """`kills` lives of the target over the store at `url`, which must be empty; told: hears the number of each life."""
    client, started = Client(target, random.Random(seed), latest), time.monotonic()
    open_batches: list[tuple[int, int]] = []  # events, and how many of them stand in the store
    for life in range(kills):
        client.life()
        if client.pending:
            open_batches.append((len(client.pending), sum(stored(url, client.pending).values())))
        told(life)
    client.settle()
    found = stored(url)
    return Outcome(
        kills=kills,
        acknowledged=len(client.acknowledged),
        lost=sum(number not in found for number in client.acknowledged),
        doubled=sum(count > 1 for count in found.values()),
        torn=sum(0 < there < sent for sent, there in open_batches),
        unanswered=len(open_batches),
        kept=sum(there == sent for sent, there in open_batches),
        seconds=time.monotonic() - started,
    )


def _end(process: subprocess.Popen[Any]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError):  # what was left in it has no reader any more
                pipe.close()


def event(number: int) -> dict[str, Any]:
    return {
        "user_id": f"u{number % USERS}", "item_id": f"i{number}", "kind": "click", "timestamp": number,
        "key": f"k{number}",
    }  # fmt: skip


def stored(url: str, within: range | None = None) -> Counter[int]:
    """How often each event stands in the store, by its item: keys would hide what is doubled."""
    wanted = [] if within is None else [events.c.timestamp.between(within.start, within.stop - 1)]
    query = select(events.c.item_id, func.count()).where(*wanted).group_by(events.c.item_id)
    store = EventStore.open(url)
    try:
        rows = store.database.read(lambda connection: connection.execute(query).all())
        return Counter({int(item[1:]): count for item, count in rows})
    finally:
        store.close()


def serve(url: str) -> None:
    """The target's process: a batch in, durably stored, an answer out."""
    store = EventStore.open(url)
    print("ready", flush=True)
    for line in sys.stdin:
        try:
            store.append([NewEvent(**one) for one in json.loads(line)])
        except Exception as error:  # told, not hidden: the run must fail
            print(f"failed {error!r}", flush=True)
            return
        print("stored", flush=True)


def server(bundle: Path, url: str, folder: Path) -> HttpTarget:
    """`python -m serving` over this store, with a key of its own and a port that is free now."""
    secret, key = new("kill", ["events"])
    add(folder / "keys.json", key)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "serving", "--bundle", str(bundle), "--store", url, "--port", str(port)]
    command += ["--keys", str(folder / "keys.json"), "--", "limits.rate=100000", "limits.burst=100000"]
    return HttpTarget(command, f"http://127.0.0.1:{port}", secret)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--kills", type=int, default=200)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--store", help="an empty store; a new SQLite file without it")
    options.add_argument("--bundle", type=Path, help="kill the whole server with this bundle, not the store alone")
    options.add_argument("--serve", help=argparse.SUPPRESS)
    words = options.parse_args()
    if words.serve:
        return serve(words.serve)
    with tempfile.TemporaryDirectory() as folder:
        url = words.store or f"sqlite:///{folder}/kill.db"
        target = server(words.bundle.resolve(), url, Path(folder)) if words.bundle else StoreTarget(url)
        outcome = run(target, url, words.kills, words.seed, lambda life: print(f"\r{life + 1}", end="", flush=True))
    print(f"\r{json.dumps(vars(outcome) | describe(), default=str)}")


if __name__ == "__main__":
    main()
