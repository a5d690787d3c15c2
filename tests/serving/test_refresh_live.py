"""The whole loop on a real server: interest shifts, an alarm is raised, the bundle is refreshed and taken over live."""

from __future__ import annotations

import contextlib
import io
import json
import runpy
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import httpx
import numpy as np
import pytest

from genrec import programs
from genrec.bundle import Bundle
from genrec.interest.drift import Detector, Usual
from genrec.interest.filtering import Filter
from genrec.interest.stored import FILE, save_detector
from genrec.interest.topics import Topics, TopicsConfig
from tests.helpers.running import ROOT, Done, Tiny
from tests.helpers.server import Server

CALM, SHIFTED, LENGTH = 60, 60, 6
SETTINGS = (
    "least=10", "valid=0.4", "explain=0", "lora.rank=4", "optimiser.epochs=4", "optimiser.learning_rate=0.01",
    "optimiser.evaluations=2",
)  # fmt: skip


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command's programs run in this process, which has imported already what takes longest."""

    def run(path: Path | str, words: Sequence[str]) -> str:
        out = io.StringIO()
        with mock.patch.object(sys, "argv", [str(path), *words]), contextlib.redirect_stdout(out):
            if isinstance(path, Path):
                runpy.run_path(str(path), run_name="__main__")
            else:
                runpy.run_module(path, run_name="__main__")
        return out.getvalue()

    monkeypatch.setattr(programs, "run_training", lambda name, words: run(ROOT / "training" / name, words))
    monkeypatch.setattr(programs, "run_serving", run)
    monkeypatch.setattr(programs, "ask_serving", run)


@contextlib.contextmanager
def asking(server: Server, history: list[str]) -> Iterator[list[tuple[int, bool]]]:
    """Requests one after another until the block ends: (status, degraded) of each."""
    found: list[tuple[int, bool]] = []
    ended = threading.Event()

    def ask() -> None:
        with server.http() as http:
            while not ended.is_set():
                answer = http.post("/v1/recommendations", json={"history": history, "k": 3, "explain": False})
                found.append((answer.status_code, bool(answer.json().get("degraded", True))))
                time.sleep(0.05)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield found
    finally:
        ended.set()
        thread.join()


def slate(http: httpx.Client, user: str) -> list[str]:
    answer = http.post("/v1/recommendations", json={"user_id": user, "k": 5, "explain": False})
    assert answer.status_code == 200
    return [item["id"] for item in answer.json()["items"]]


def posted(http: httpx.Client, events: list[dict[str, Any]]) -> None:
    for start in range(0, len(events), 500):
        answer = http.post("/v1/events/bulk", json={"events": events[start : start + 500]})
        assert answer.status_code == 200, answer.text


def wait_for(what: Callable[[], bool], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, "it does not come"
        time.sleep(0.1)


def with_detector(source: Path, out: Path, own: float = 0.75) -> Path:
    """The bundle with a detector of two topics, halves of its catalog, that nothing alarms. own: a topic's share of its
    own half."""
    bundle = Bundle.open(source)
    items = len(bundle.catalog)
    chances = np.full((2, items), 2 * (1 - own) / items)
    chances[0, : items // 2] = chances[1, items // 2 :] = 2 * own / items
    topics = Topics(TopicsConfig(), chances / chances.sum(axis=1, keepdims=True), np.full(items, 1 / items))
    usual = Usual(np.array([1.0, 50.0]), np.zeros(2), np.ones(2))
    detector = Detector(Filter(topics), usual, 1e6, 1e-4)
    bundle.extended(out, lambda folder: save_detector(detector, folder / FILE))
    return out


@pytest.mark.filterwarnings("ignore")  # the trainer's
@pytest.mark.usefixtures("here")
def test_interest_shifts_and_the_server_follows_without_a_restart(
    tiny: Tiny, tmp_path: Path, genrec_command: Callable[..., Done]
) -> None:
    bundle = with_detector(tiny.bundle, tmp_path / "bundle")
    store, catalog = f"sqlite:///{tmp_path}/events.db", Bundle.open(bundle).catalog
    settings = ["refresh_s=0.2", "cached=0", "limits.rate=100000", "limits.burst=100000", "drain_s=0",
                "engine.timeout_s=60"]  # fmt: skip
    ask = ("refresh", "--bundle", bundle, "--data", tiny.data, "--store", store, "--drift", "--calm", "50", "--quiet")
    with Server(bundle, store, settings) as server, server.http() as http:
        before, now = Bundle.open(bundle).version, int(time.time())
        engine, starts = server.engine(), server.metric("genrec_engine_starts_total")

        # Viewers who choose what stands first, then others whose choices are of one kind that no slate shows.
        calm = [{"user_id": f"calm{one}", "item_id": slate(http, f"calm{one}")[one % 3], "kind": "click"}
                for one in range(CALM)]  # fmt: skip
        posted(http, [event | {"timestamp": now + 100} for event in calm])
        waiting = genrec_command(*ask, *SETTINGS)
        assert (waiting.code, "not yet due" in waiting.out) == (0, True), waiting
        first = slate(http, "shifted0")
        rare = [item for item in catalog.item_ids if item not in {event["item_id"] for event in calm} | set(first)]
        path = rare[:LENGTH]
        for one in range(1, SHIFTED):
            slate(http, f"shifted{one}")
        posted(http, [
            {"user_id": f"shifted{one}", "item_id": path[place], "kind": "click",
             "timestamp": now + 200 + 15 * one + 100 * place}
            for one in range(SHIFTED) for place in range(LENGTH)
        ])  # fmt: skip
        old = slate(http, "shifted0")
        timeline = http.get("/v1/interests/shifted0").json()
        assert [one["choices"] for one in timeline["segments"]] == [LENGTH]
        assert (timeline["model"], timeline["false_alarms"]) == (before, 1e-4)
        assert http.get("/v1/interests/nobody").json()["segments"] == []
        covering = http.post("/v1/recommendations", json={"history": path, "k": 4, "cover": 0.5}).json()
        assert [item["rank"] for item in covering["items"]] == [1, 2, 3, 4]
        assert all(item["explanation"] for item in covering["items"])

        # Alarm, refresh, takeover: while requests go on.
        with asking(server, catalog.item_ids[:3]) as answers:
            done = genrec_command(*ask, *SETTINGS)
            assert done.code == 0, done
            assert "due by drift" in done.out
            assert "published as" in done.out, done
            child = Bundle.open(bundle)
            wait_for(lambda: child.version in [one["id"] for one in http.get("/v1/models").json()["data"]])
            new = slate(http, "shifted0")
        assert child.manifest.parent == before
        assert [step.parent for step in child.manifest.lineage] == [before]
        assert set(answers) == {(200, False)}
        assert new != old
        assert server.engine() == engine
        assert server.metric("genrec_engine_starts_total") == starts
        assert server.metric("genrec_bundles_total") == 1
        models = {row["model"] for row in http.get("/v1/metrics/online").json()["rows"]}
        assert models == {before, child.version}
        report = json.loads((tmp_path / "bundle-run" / "refresh.json").read_text("utf-8"))
        assert (report["published"], report["low"] > 0) == (True, True)

        # And back.
        assert genrec_command("refresh", "--bundle", bundle, "--undo").code == 0
        wait_for(lambda: before in [one["id"] for one in http.get("/v1/models").json()["data"]])
        assert slate(http, "shifted0") == old
