"""QLoRA, LoRA and prefix adapters of one base, asked for by name of one real server; more put there and taken away."""

from __future__ import annotations

import math
import os
import queue
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from genrec import Recommender
from genrec.bundle import Bundle
from genrec.changing import ItemChange
from genrec.errors import BundleError, ConfigError
from genrec.sharing import copy_bundle
from serving.beside import Beside, lying, opened
from serving.engine.messages import Change, Done, Failed, Hold, Rank, packed
from serving.engine.worker import Desk
from serving.live import Live
from serving.settings import EngineSettings, settings_of
from tests.helpers.running import Tiny
from tests.helpers.server import Server
from tests.helpers.small_bundles import of_kind, small_world, written
from tests.helpers.tiny import small_index

pytestmark = pytest.mark.filterwarnings("ignore")  # peft's and bitsandbytes' own

HISTORY = ["i3", "i14", "i15"]
NAMES = ("lora", "prefix", "qlora")


@dataclass(frozen=True)
class Made:
    main: Path
    beside: Path
    later: Path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    place = tmp_path_factory.mktemp("beside")
    index, vocabulary = small_world()
    of_kind("full", place / "main", vocabulary, index)
    for seed, name in enumerate(NAMES, 1):
        of_kind(name, place / "beside" / name, vocabulary, index, seed=seed)
    of_kind("ia3", place / "later", vocabulary, index, seed=9)
    return Made(place / "main", place / "beside", place / "later")


@pytest.fixture(scope="module")
def server(made: Made) -> Iterator[Server]:
    settings = [f"beside={made.beside}", "refresh_s=0.2", "limits.rate=100000", "limits.burst=100000", "drain_s=0"]
    with Server(made.main, f"sqlite:///{made.main.parent}/events.db", settings) as running:
        yield running


def alone(bundle: Path) -> list[tuple[str, float]]:
    """What a bundle says by itself."""
    slate = Recommender.open(bundle, device="cpu").recommend(HISTORY, 8, explain=False)
    return [(item.id, item.score) for item in slate.items]


def asked(http: httpx.Client, name: str, **more: Any) -> dict[str, Any]:
    answer = http.post(
        "/v1/recommendations", json={"history": HISTORY, "k": 8, "explain": False, "model": name, **more}
    )
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    assert not found["degraded"], found["note"]
    return found


def ids(slate: dict[str, Any]) -> list[str]:
    return [item["id"] for item in slate["items"]]


def models(http: httpx.Client) -> dict[str, dict[str, Any]]:
    return {one["id"]: one for one in http.get("/v1/models").json()["data"]}


def wait_for(what: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not what():
        assert time.monotonic() < until, "it does not come"
        time.sleep(0.1)


def test_each_name_gets_the_slates_of_its_own_bundle(server: Server, made: Made) -> None:
    with server.http() as http:
        slates = {name: asked(http, name) for name in ("genrec", *NAMES)}
        for name, slate in slates.items():
            folder = made.main if name == "genrec" else made.beside / name
            wanted = alone(folder)
            assert ids(slate) == [item for item, _ in wanted]
            assert [item["score"] for item in slate["items"]] == pytest.approx([score for _, score in wanted], abs=1e-4)
            assert slate["model"] == Bundle.open(folder).version
            assert ids(asked(http, slate["model"])) == ids(slate)
        assert len({tuple(ids(slate)) for slate in slates.values()}) == 4


def test_models_says_who_answers_to_which_name(server: Server, made: Made) -> None:
    with server.http() as http:
        said = models(http)
        version = Bundle.open(made.main).version
        assert list(said) == ["genrec", version, *NAMES]
        assert {name: said[name]["adapter"] for name in said} == {"genrec": None, version: None} | {
            name: name for name in NAMES
        }
        assert all(one["ready"] for one in said.values())


def test_an_unknown_name_is_refused_with_those_that_there_are(server: Server) -> None:
    chat = {"messages": [{"role": "user", "content": "hello"}]}
    with server.http() as http:
        for route, body in (
            ("recommendations", {"history": HISTORY}), ("explanations", {"history": HISTORY, "items": ["i1"]}),
            ("chat/completions", chat),
        ):  # fmt: skip
            answer = http.post(f"/v1/{route}", json={**body, "model": "lorra"})
            assert answer.status_code == 404
            error = answer.json()["error"]
            assert (error["param"], error["found"]) == ("model", "'lorra'")
            assert error["allowed"] == "genrec, lora, prefix, qlora"
            assert "/v1/models" in error["remedy"]


def test_reasons_and_chat_by_name(server: Server, made: Made) -> None:
    with server.http() as http:
        version = Bundle.open(made.beside / "prefix").version
        slate = asked(http, "prefix", explain=True)
        assert all(item["explanation"] for item in slate["items"])
        said = http.post(
            "/v1/explanations", json={"history": HISTORY, "items": ids(slate)[:2], "model": "prefix"}
        ).json()
        assert said["model"] == version
        assert [one["explanation"] for one in said["items"]] == [one["explanation"] for one in slate["items"]][:2]
        body = {"model": "prefix", "messages": [{"role": "user", "content": "give me 8"}], "history": HISTORY}
        answer = http.post("/v1/chat/completions", json=body).json()
        assert (answer["model"], ids(answer)) == (version, ids(slate))


def test_an_edit_of_the_catalog_counts_for_all(server: Server) -> None:
    with server.http() as http:
        before = {name: ids(asked(http, name)) for name in NAMES}
        gone = {slate[0] for slate in before.values()}
        try:
            for item in gone:
                assert http.patch(f"/v1/catalog/items/{item}", json={"available": False}).status_code == 200
            for name in NAMES:
                assert not gone & set(ids(asked(http, name)))
        finally:
            for item in gone:
                http.patch(f"/v1/catalog/items/{item}", json={"available": True})
        assert {name: ids(asked(http, name)) for name in NAMES} == before


def test_one_comes_another_takes_its_place_and_it_goes_without_a_restart(server: Server, made: Made) -> None:
    engine, place = server.engine(), made.beside / "late"
    with server.http() as http:
        copy_bundle(made.later, place)
        wait_for(lambda: models(http).get("late", {}).get("ready", False))
        assert ids(asked(http, "late")) == [item for item, _ in alone(made.later)]
        shutil.rmtree(place)
        copy_bundle(made.beside / "lora", place)
        version = Bundle.open(place).version
        wait_for(lambda: models(http).get("late", {}).get("version") == version)
        assert ids(asked(http, "late")) == ids(asked(http, "lora"))
        shutil.rmtree(place)
        wait_for(lambda: "late" not in models(http))
        assert http.post("/v1/recommendations", json={"history": HISTORY, "model": "late"}).status_code == 404
        assert ids(asked(http, "prefix")) == [item for item, _ in alone(made.beside / "prefix")]
    assert server.engine() == engine


def test_an_engine_that_died_comes_back_with_all_of_them(server: Server) -> None:
    with server.http() as http:
        before, starts = ids(asked(http, "qlora")), server.metric("genrec_engine_starts_total")
        os.kill(server.engine(), signal.SIGKILL)
        wait_for(lambda: server.metric("genrec_engine_starts_total") > starts)
        wait_for(lambda: all(one["ready"] for one in models(http).values()))
        assert ids(asked(http, "qlora")) == before


def test_a_new_item_is_recommended_by_those_that_are_there_and_those_that_come(tiny: Tiny, tmp_path: Path) -> None:
    """At the engine's desk, whose bundles differ in version only."""
    bundle = Bundle.open(tiny.bundle)
    (tmp_path / "beside").mkdir()
    twin = bundle.extended(tmp_path / "beside" / "twin", lambda new: (new / "note").touch())
    late = bundle.extended(tmp_path / "beside" / "late", lambda new: (new / "later").touch())
    shutil.move(late.folder, tmp_path / "late")
    waiting: queue.SimpleQueue[Any] = queue.SimpleQueue()
    settings = EngineSettings(device="cpu", threads=1).model_dump()
    desk = Desk({**settings, "bundle": str(tiny.bundle), "beside": str(tmp_path / "beside")}, waiting)
    assert list(desk.beside) == [twin.version]
    edit = Change((ItemChange("new", {"title": "A new film"}),), 1)
    assert list(desk.work([edit])) == []
    folders = {twin.version: str(twin.folder), late.version: str(tmp_path / "late")}
    assert list(desk.work([Hold(1, folders, (edit,), math.inf)])) == []
    assert list(desk.work([waiting.get(timeout=60)])) == [Done(1, None)]

    items = len(bundle.catalog) + 1
    only = packed(np.arange(items) == items - 1)
    history = tuple(bundle.catalog.item_ids[:3])
    versions = ["", bundle.version, twin.version, late.version]
    asks = [
        Rank(n, history, 3, only, items, None, False, math.inf, 1, "", version=one) for n, one in enumerate(versions)
    ]
    replies = list(desk.work([*asks]))
    assert [[item.id for item in reply.value.items] for reply in replies] == [["new"]] * 4
    assert {reply.number: reply.value.model for reply in replies} == dict(enumerate([bundle.version, *versions[1:]]))

    (reply,) = desk.work([Rank(9, history, 3, only, items, None, False, math.inf, 1, "", version="of nobody")])
    assert isinstance(reply, Failed)
    assert list(desk.work([Hold(2, {late.version: ""}, (), math.inf)])) == []
    assert list(desk.work([waiting.get(timeout=60)])) == [Done(2, None)]
    assert list(desk.beside) == [late.version]
    (reply,) = desk.work([asks[2]])  # in work when its bundle went
    assert [item.id for item in reply.value.items] == ["new"]


def test_what_cannot_be_served_by_name(made: Made, tmp_path: Path) -> None:
    catalog = Bundle.open(made.main).catalog
    with pytest.raises(BundleError, match=r"name cannot be asked for.*genrec"):
        opened(copy_bundle(made.later, tmp_path / "genrec").folder, catalog)
    with pytest.raises(BundleError, match="name cannot be asked for"):
        opened(copy_bundle(made.later, tmp_path / "with space").folder, catalog)
    index, vocabulary = small_index(40), small_world()[1]
    model = Recommender.open(made.later, device="cpu").fusion.engine.model.merge_and_unload()  # type: ignore[attr-defined]
    other = written(tmp_path / "other", model, vocabulary, index)
    with pytest.raises(BundleError, match=r"of another catalog.*train --start"):
        opened(other.folder, catalog)
    assert sorted(lying(tmp_path)) == ["genrec", "other", "with space"]
    assert lying(tmp_path / "nowhere") == lying(None) == {}


def test_what_comes_later_and_does_not_fit_leaves_the_others(made: Made, tmp_path: Path) -> None:
    main = Live.open(Bundle.open(made.main))
    copy_bundle(made.later, tmp_path / "good")
    beside = Beside.open(tmp_path, main)
    copy_bundle(made.later, tmp_path / "bad name")
    (tmp_path / "torn").mkdir()
    shutil.copy(made.later / "manifest.json", tmp_path / "torn")
    assert list(beside.found(main)) == ["good"]
    shutil.rmtree(tmp_path / "torn")
    copy_bundle(made.later, tmp_path / "torn")  # it was a copy under way
    assert list(beside.found(main)) == ["good", "torn"]
    assert beside.of("good") is beside.of(Bundle.open(made.later).version)
    assert beside.of("bad name") is None


def test_vllm_serves_none_by_name(made: Made) -> None:
    with pytest.raises(ConfigError, match=r"engine\.kind=torch"):
        settings_of(None, [f"bundle={made.main}", f"beside={made.beside}", "engine.kind=vllm"], {})
