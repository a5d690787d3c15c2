"""Overload and faults: refusals at once, slates without the engine, recovery by itself, a drain that drops nothing."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.helpers.running import Tiny
from tests.helpers.server import Server

ITEMS = [f"f{number:04}" for number in range(1, 640, 8)]
STRICT = ("engine.timeout_s=1", "engine.trips=2", "engine.rest_s=0.3", "limits.waiting=2", "cached=0",
          "limits.body_bytes=4096", "limits.rate=100000", "limits.burst=100000", "drain_s=0")  # fmt: skip


@pytest.fixture(scope="module")
def strict(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with little patience."""
    with Server(tiny.bundle, f"sqlite:///{tmp_path_factory.mktemp('strict')}/events.db", STRICT) as running:
        yield running


@pytest.fixture
def frozen(strict: Server) -> Iterator[Server]:
    """Its engine answers nothing until the test is over."""
    pid = strict.engine()
    os.kill(pid, signal.SIGSTOP)
    yield strict
    os.kill(pid, signal.SIGCONT)
    well(strict)


def ask(server: Server, **body: Any) -> httpx.Response:
    with server.http() as http:
        return http.post("/v1/recommendations", json={"history": ITEMS[:2], "k": 3, "explain": False, **body})


def well(server: Server, seconds: float = 10) -> float:
    """Seconds until a slate is the language model's again."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        if not ask(server).json()["degraded"]:
            return time.monotonic() - began
        time.sleep(0.05)
    raise AssertionError(f"still degraded after {seconds} s")


def test_a_killed_engine_costs_quality_for_a_moment(strict: Server) -> None:
    well(strict)
    os.kill(strict.engine(), signal.SIGKILL)
    answers = [ask(strict) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200] * 5
    slate = answers[0].json()
    assert slate["degraded"]
    assert "language model is not available" in slate["note"]
    assert len(slate["items"]) == 3
    assert not {item["id"] for item in slate["items"]} & set(ITEMS[:2])
    well(strict)


def test_filters_hold_without_the_engine(strict: Server) -> None:
    well(strict)
    os.kill(strict.engine(), signal.SIGKILL)
    rule = {"field": "year", "op": ">=", "value": 2000}
    slate = ask(strict, filters=[rule], k=50, exclude=ITEMS[70:72]).json()
    assert slate["degraded"]
    assert slate["items"]
    with strict.http() as http:
        years = [http.get(f"/v1/catalog/items/{item['id']}").json()["fields"]["year"] for item in slate["items"]]
    assert min(years) >= 2000
    assert not {item["id"] for item in slate["items"]} & set(ITEMS[70:72])
    well(strict)


def test_nobody_waits_long_for_an_engine_that_hangs(frozen: Server) -> None:
    times = []
    for _ in range(6):
        began = time.monotonic()
        assert ask(frozen).json()["degraded"]
        times.append(time.monotonic() - began)
    assert times[0] > 0.9  # it was waited for
    assert sorted(times)[2] < 0.5  # and then no longer


def test_explanations_say_later_without_the_engine(frozen: Server) -> None:
    with frozen.http() as http:
        answer = http.post("/v1/explanations", json={"history": ITEMS[:2], "items": ITEMS[5:6]})
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1


def test_more_than_the_queue_holds_is_refused_at_once(frozen: Server) -> None:
    waiting = [threading.Thread(target=ask, args=(frozen,)) for _ in range(2)]
    for one in waiting:
        one.start()
    time.sleep(0.4)
    began = time.monotonic()
    answer = ask(frozen)
    took = time.monotonic() - began
    for one in waiting:
        one.join()
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    assert took < 0.4  # the two in front wait a second


def test_large_bodies_are_refused(strict: Server) -> None:
    with strict.http() as http:
        long = http.post("/v1/recommendations", json={"history": ["x" * 200] * 30})
        assert long.status_code == 413

        def parts() -> Iterator[bytes]:
            yield from [b"x" * 1000] * 6

        assert http.post("/v1/recommendations", content=parts()).status_code == 413
        assert http.get("/healthz").status_code == 200


def test_a_key_has_its_rate(tiny: Tiny, tmp_path: Path) -> None:
    with Server(
        tiny.bundle, f"sqlite:///{tmp_path}/events.db", ["limits.rate=0.5", "limits.burst=3", "drain_s=0"]
    ) as it:
        with it.http() as http:
            statuses = [http.get("/v1/models") for _ in range(5)]
            assert [answer.status_code for answer in statuses] == [200, 200, 200, 429, 429]
            assert int(statuses[-1].headers["retry-after"]) >= 1
            assert http.get("/readyz").status_code == 200
        assert it.stop() == 0


def test_sigterm_drops_nothing(tiny: Tiny, tmp_path: Path) -> None:
    """Eight clients on kept connections, each of which goes when it is told that its connection closes."""
    settings = ["drain_s=1.5", "limits.rate=100000", "limits.burst=100000", "limits.waiting=64", "cached=0"]
    with Server(tiny.bundle, f"sqlite:///{tmp_path}/events.db", settings) as server:
        statuses: list[int] = []
        broken: list[Exception] = []

        def client(number: int) -> None:
            with server.http() as http:
                for turn in range(10_000):
                    body = {"history": ITEMS[number : number + 3 + turn % 3], "k": 3, "explain": False}
                    try:
                        answer = http.post("/v1/recommendations", json=body)
                    except Exception as error:
                        broken.append(error)
                        return
                    statuses.append(answer.status_code)
                    if answer.headers.get("connection") == "close":
                        return

        clients = [threading.Thread(target=client, args=(number,)) for number in range(8)]
        for one in clients:
            one.start()
        time.sleep(1)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        with server.http() as http:
            assert http.get("/readyz").status_code == 503
            assert http.get("/healthz").status_code == 200
        for one in clients:
            one.join(30)
        assert server.process.wait(40) == 0
    assert broken == []
    assert set(statuses) == {200}
    assert len(statuses) > 20


def test_a_slow_sender_does_not_hold_the_door(strict: Server) -> None:
    host, port = strict.url.removeprefix("http://").split(":")
    head = f"POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {strict.key}\r\nContent-Length: 100\r\n\r\n"
    with socket.create_connection((host, int(port))) as slow:
        slow.sendall(head.encode() + b"{")
        assert ask(strict).status_code == 200


def test_refusals_for_want_of_room_share_a_line_of_the_log(frozen: Server) -> None:
    before = len(frozen.lines)
    waiting = [threading.Thread(target=ask, args=(frozen,)) for _ in range(2)]
    for one in waiting:
        one.start()
    time.sleep(0.4)
    statuses = [ask(frozen).status_code for _ in range(30)]
    for one in waiting:
        one.join()
    assert statuses.count(503) >= 5  # now and then a second is over, and one is let in
    told = [line for line in frozen.lines[before:] if line["event"] == "requests are refused"]
    assert 1 <= len(told) <= 3
    assert all(line["busy"] >= 1 for line in told)
    assert frozen.metric("genrec_refused_total") >= 5
