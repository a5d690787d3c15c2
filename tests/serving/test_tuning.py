"""Weights that learn from clicks: what was learnt outlives the server, and can be forgotten."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest

from genrec.bundle import Bundle
from genrec.errors import ConfigError
from genrec.priors.stored import load_mix
from serving.settings import TuneSettings, settings_of
from serving.store import EventStore, NewEvent, ShownItem, Slate
from serving.tuning import Tuner
from tests.helpers.running import Tiny
from tests.helpers.server import Server

ARMS = ["tune.arms={popular: {popularity: 3.0}}", "tune.settle_s=0", "tune.every_s=0.1", "refresh_s=0.1",
        "limits.rate=100000", "limits.burst=100000", "drain_s=0"]  # fmt: skip
USERS = 120


def learnt(http: httpx.Client) -> dict[str, Any]:
    answer = http.get("/v1/tuning")
    assert answer.status_code == 200, answer.text
    return {arm["name"]: arm for arm in answer.json()["arms"]}


def arm_of(http: httpx.Client, user: str) -> str:
    (shown,) = http.get(f"/v1/exports/{user}").json()["recommendations"]
    assert 0 < shown["policy"]["chance"] <= 1
    return str(shown["policy"]["arm"])


def test_what_was_learnt_outlives_the_server(tiny: Tiny, tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/events.db"
    with Server(tiny.bundle, store, ARMS) as server, server.http() as http:
        assert learnt(http)["popular"] == {"name": "popular", "weights": {"popularity": 3.0}, "shown": 0, "won": 0,
                                           "chance": pytest.approx(0.5, abs=0.06)}  # fmt: skip
        shown = {f"u{one}": _slate(http, f"u{one}") for one in range(USERS)}
        arms = {user: arm_of(http, user) for user in shown}
        assert set(arms.values()) == {"own", "popular"}
        clicks = [{"user_id": user, "item_id": slate["items"][0]["id"], "kind": "click",
                   "recommendation_id": slate["id"], "key": f"click {user}"}
                  for user, slate in shown.items() if arms[user] == "popular"]  # fmt: skip
        for _ in range(2):  # what comes twice counts once
            assert http.post("/v1/events/bulk", json={"events": clicks}).status_code == 200
        before = learnt(http)
        assert before["popular"]["won"] == pytest.approx(len(clicks), rel=0.02)
        assert before["own"]["won"] == 0
        assert before["popular"]["chance"] > 0.9
        # Without an arm: weights of the request's own, and histories that nobody's feedback can be tied to.
        given = http.post("/v1/recommendations", json={"user_id": "given", "weights": {}, "explain": False})
        assert given.status_code == 200
        assert "arm" not in http.get("/v1/exports/given").json()["recommendations"][0]["policy"]

    with Server(tiny.bundle, store, ARMS) as server, server.http() as http:
        assert learnt(http) == before
        later = {f"later{one}": _slate(http, f"later{one}") for one in range(40)}
        assert Counter(arm_of(http, user) for user in later)["popular"] > 30
        http.delete(f"/v1/users/{clicks[0]['user_id']}")
        assert learnt(http)["popular"]["won"] == pytest.approx(len(clicks) - 1, rel=0.02)
        forgotten = http.delete("/v1/tuning").json()["arms"]
        assert [(arm["shown"], arm["won"]) for arm in forgotten] == [(0, 0), (0, 0)]


def _slate(http: httpx.Client, user: str) -> dict[str, Any]:
    answer = http.post("/v1/recommendations", json={"user_id": user, "k": 3, "explain": False})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_arms_are_what_the_bundle_has(tiny: Tiny, tmp_path: Path) -> None:
    bundle = Bundle.open(tiny.bundle)
    mix = load_mix(bundle.folder / "priors", bundle.manifest.prior_weights)
    unknown = TuneSettings(arms={"odd": {"astrology": 1.0}, "popular": {"popularity": 2.0}})
    with pytest.raises(ConfigError, match=r"tune\.arms\.odd.*astrology"):
        Tuner.of(unknown, mix)
    resting = Tuner(unknown)
    resting.fit(mix)
    assert resting.bandit is not None
    assert [arm.name for arm in resting.bandit.arms] == ["own", "popular"]
    assert Tuner.of(TuneSettings(), mix).draw("ann", 1) is None
    with pytest.raises(ConfigError, match="own"):
        settings_of(None, [f"bundle={tmp_path}", "tune.arms={own: {popularity: 1.0}}"], {})
    with pytest.raises(ConfigError, match="below 1"):
        settings_of(None, [f"bundle={tmp_path}", "tune.arms={other: {popularity: 1.0}}", "tune.floor=0.5"], {})


def test_a_slate_counts_once_it_had_its_time(tiny: Tiny, tmp_path: Path) -> None:
    bundle = Bundle.open(tiny.bundle)
    mix = load_mix(bundle.folder / "priors", bundle.manifest.prior_weights)
    store, now = EventStore.open(f"sqlite:///{tmp_path}/store.db"), int(time.time())
    tuner = Tuner.of(TuneSettings(arms={"popular": {"popularity": 2.0}}, settle_s=100), mix)
    for at in (now - 500, now - 10):
        store.record(Slate(recommendation_id=f"r{at}", user_id="ann", model="m", shown_at=at,
                           items=(ShownItem(item_id="a", slot=1),), policy={"arm": "popular"}))  # fmt: skip
        store.append([NewEvent(user_id="ann", item_id="a", kind="click", recommendation_id=f"r{at}")])
    due = [tuner.due]
    tuner.take(tuner.learnt(store))
    assert [*due, tuner.due] == [True, False]
    assert tuner.bandit is not None
    assert [(arm.shown, arm.won) for arm in tuner.bandit.arms] == [(0, 0), (1, 1)]
    drawn = tuner.draw("ann", 3)
    assert drawn is not None
    assert drawn == tuner.draw("ann", 3)
    arms = [drawn[0].name for user in range(30) if (drawn := tuner.draw(f"u{user}", 3))]
    assert set(arms) == {"own", "popular"}
    store.close()
