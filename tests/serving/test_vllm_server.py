"""`genrec serve --engine vllm`: the real server on a bundle with a LoRA adapter, against the torch engine."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from genrec.bundle import Bundle
from genrec.recommender import Recommender
from tests.helpers.server import Server
from tests.helpers.small_bundles import adapted_model, small_world, written

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(300)]
BLOCK = 32


def ready(server: Server, starts: int = 1) -> None:
    """Waits for the so-manieth start of the engine."""
    for _ in range(600):
        if sum(line["event"] == "the engine is up" for line in server.lines) >= starts:
            return
        time.sleep(0.25)
    raise AssertionError(f"{server.lines[-5:]} {server.said[-20:]}")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Its index can place new items: codebooks of as many rows as a level has codes, the rest far away."""
    index, vocabulary = small_world()
    books = np.random.default_rng(5).normal(size=(3, max(index.sizes), 4)).astype(np.float32)
    for book, size in zip(books, index.sizes, strict=True):
        book[size:] = 1e3
    index = replace(index, codebooks=books)
    return written(tmp_path_factory.mktemp("vllm") / "bundle", adapted_model(vocabulary, seed=1), vocabulary, index)


@pytest.fixture(scope="module")
def server(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = ["engine.cache_gib=0.25", "engine.threads=1", "engine.width=8", "drain_s=0", "engine.timeout_s=60"]
    store = f"sqlite:///{tmp_path_factory.mktemp('store') / 'events.db'}"
    with Server(bundle.folder, store, ["engine.kind=vllm", *settings], patience=280) as running:
        ready(running)
        yield running


@pytest.fixture
def http(server: Server) -> Iterator[httpx.Client]:
    with server.http() as client:
        yield client


@pytest.fixture(scope="module")
def torch_side(bundle: Bundle) -> Recommender:
    """The same bundle by torch, its prompts cut to vLLM's blocks."""
    found = Recommender.open(bundle, width=8)
    asking = replace(found.fusion.asking, block=BLOCK)
    return replace(found, fusion=replace(found.fusion, asking=asking))


def ask(http: httpx.Client, **body: Any) -> dict[str, Any]:
    answer = http.post("/v1/recommendations", json={"explain": False, **body})
    assert answer.status_code == 200, answer.text
    slate: dict[str, Any] = answer.json()
    assert not slate["degraded"], slate["note"]
    return slate


def ids(slate: dict[str, Any]) -> list[str]:
    return [item["id"] for item in slate["items"]]


@pytest.mark.parametrize("length", [2, 9, 22])
def test_slates_are_those_of_torch(http: httpx.Client, torch_side: Recommender, length: int) -> None:
    """The long history is cut to a block of the cache, and the window says so."""
    history = torch_side.catalog.item_ids[5 : 5 + length]
    mine, other = ask(http, history=history, k=5), torch_side.recommend(history, 5, explain=False)
    assert ids(mine) == [item.id for item in other.items]
    np.testing.assert_allclose([i["score"] for i in mine["items"]], [i.score for i in other.items], atol=1e-3)
    assert (mine["window"]["shown"], mine["window"]["left_out"]) == (other.window.shown, other.window.left_out)
    assert mine["window"]["reasons"].get("block", 0) == other.window.left_out
    assert (other.window.left_out > 0) == (length == 22)


def test_an_event_a_stock_flip_and_a_new_item_count_at_once(http: httpx.Client, bundle: Bundle) -> None:
    item_ids = bundle.catalog.item_ids
    for item in item_ids[:3]:
        assert http.post("/v1/events", json={"user_id": "ann", "item_id": item, "kind": "like"}).status_code == 200
    before = ids(ask(http, user_id="ann", k=3))
    http.patch(f"/v1/catalog/items/{before[0]}", json={"available": False}).raise_for_status()
    after = ids(ask(http, user_id="ann", k=3))
    assert before[0] not in after
    assert after[:2] == before[1:]
    http.patch(f"/v1/catalog/items/{before[0]}", json={"available": True}).raise_for_status()
    assert ids(ask(http, user_id="ann", k=3)) == before
    http.put("/v1/catalog/items/new", json={"fields": {"title": "Title 61", "genre": "g9"}}).raise_for_status()
    only = [{"field": "genre", "op": "=", "value": "g9"}]
    assert ids(ask(http, user_id="ann", k=3, filters=only)) == ["new"]


def test_chat_and_reasons(http: httpx.Client) -> None:
    message = [{"role": "user", "content": "I liked “Title 3”"}]
    answer = http.post("/v1/chat/completions", json={"model": "genrec", "messages": message, "k": 2}).json()
    assert len(answer["items"]) == 2
    assert not answer["degraded"]
    assert all(item["explanation"] for item in answer["items"])


def test_metrics_are_those_of_the_engine(server: Server, http: httpx.Client) -> None:
    for item in ("i4", "i5"):  # what the first costs is told before the second is answered
        ask(http, history=[item], k=4)
    for name in ("beam_step_seconds_count", "mask_seconds_count", "prefix_tokens_total", "candidates_rescored_total"):
        assert server.metric(f"genrec_{name}") > 0, name
    assert server.metric("genrec_catalog_info") == 1
    assert server.metric("genrec_engine_up") == 1


@pytest.mark.slow
def test_when_vllms_own_process_dies_the_engine_is_started_again(server: Server, http: httpx.Client) -> None:
    """And nothing is left of the one before."""
    worker = server.engine()
    started = children(worker)
    assert started
    for one in started:
        os.kill(one, signal.SIGKILL)
    http.post("/v1/recommendations", json={"history": ["i7", "i9"], "k": 2, "explain": False})
    ready(server, 2)
    assert server.engine() != worker
    assert not any(Path(f"/proc/{one}").exists() for one in (worker, *started))
    assert len(ids(ask(http, history=["i7", "i9"], k=3))) == 3


def children(process: int) -> list[int]:
    found = [task.read_text().split() for task in Path(f"/proc/{process}/task").glob("*/children")]
    return [int(child) for task in found for child in task]
