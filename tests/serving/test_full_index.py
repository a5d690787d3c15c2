"""A catalog that has hardly a semantic ID left: a new item too many is refused or left out, what is there goes on."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from serving.store import EventStore
from tests.helpers.running import Tiny, trained_here
from tests.helpers.server import Server

NEW = {"title": "New", "genres": ["Drama"]}


@pytest.fixture(scope="module")
def full(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """80 films and 81 codes: the first new item takes the last one."""
    settings = ("items.codes.levels=1", "items.codes.size=81", "optimiser.epochs=1", "mixture.explain=0")
    return trained_here(tiny.data, tmp_path_factory.mktemp("full") / "bundle", *settings)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/events.db"


@pytest.fixture
def http(full: Path, url: str) -> Iterator[httpx.Client]:
    with Server(full, url, ["drain_s=0"]) as server, server.http() as client:
        yield client


def put(http: httpx.Client, name: str) -> httpx.Response:
    return http.put(f"/v1/catalog/items/{name}", json={"fields": NEW})


def slate(http: httpx.Client) -> tuple[bool, set[str]]:
    """Whether the priors alone ranked, and all items that may come."""
    found = http.post("/v1/recommendations", json={"history": ["f0001"], "k": 90, "explain": False}).json()
    return found["degraded"], {item["id"] for item in found["items"]}


def test_an_item_too_many_is_refused_and_costs_nothing(http: httpx.Client) -> None:
    assert put(http, "first").status_code == 200
    refused = put(http, "second")
    assert refused.status_code == 409
    error = refused.json()["error"]
    assert "no free semantic ID" in error["message"]
    assert (error["param"], error["found"]) == ("item_id", "'second'")
    assert "train a bundle anew with a larger items.codes.size" in error["remedy"]
    assert http.get("/v1/catalog/items/second").status_code == 404
    assert put(http, "first").status_code == 200  # it has one already
    degraded, items = slate(http)
    assert not degraded
    assert "first" in items


def test_of_two_at_once_one_gets_the_last(http: httpx.Client) -> None:
    with ThreadPoolExecutor(6) as pool:
        statuses = list(pool.map(lambda name: put(http, name).status_code, "abcdef"))
    assert sorted(statuses) == [200, *[409] * 5]
    degraded, items = slate(http)
    assert not degraded
    assert len(items & set("abcdef")) == 1


def test_what_nobody_can_tell_is_not_stored(full: Path, url: str) -> None:
    """The engine knows, and it hangs: refused for now, though this one would fit."""
    with Server(full, url, ["drain_s=0", "engine.timeout_s=0.5"]) as server, server.http() as http:
        os.kill(server.engine(), signal.SIGSTOP)
        refused = put(http, "first")
        assert refused.status_code == 503
        assert int(refused.headers["retry-after"]) >= 1
        assert http.get("/v1/catalog/items/first").status_code == 404
        os.kill(server.engine(), signal.SIGCONT)
        assert until(lambda: put(http, "first").status_code == 200)


def test_stored_edits_that_do_not_fit_are_left_out(full: Path, url: str) -> None:
    """As other replicas leave them, or a bundle with more room: the later one costs itself and no slate."""
    store = EventStore.open(url)
    store.put_item("before", NEW)
    store.put_item("too many", NEW)
    with Server(full, url, ["drain_s=0", "refresh_s=0.2"]) as server, server.http() as http:
        assert until(lambda: not slate(http)[0])
        assert slate(http)[1] & {"before", "too many"} == {"before"}
        assert http.get("/v1/catalog/items/too%20many").status_code == 404
        store.patch_item("before", {"title": "Before"})  # edits after it are followed
        assert until(lambda: http.get("/v1/catalog/items/before").json()["fields"]["title"] == "Before")
        assert not slate(http)[0]
    store.close()


def until(holds: Callable[[], bool], seconds: float = 20) -> bool:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if holds():
            return True
        time.sleep(0.1)
    return False
