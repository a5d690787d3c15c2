"""When it is time to refresh, and what the store then gives: counts, hours, and how choices stood in slates."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from genrec.catalog import Catalog
from genrec.formats import dataset
from genrec.formats.report import Tally
from genrec.interactions import Interactions
from serving.collecting import collected, edited
from serving.due import alarm, due, losses
from serving.store import CatalogChange, EventStore, NewEvent, ShownItem, Slate

MANIFEST = {"base": "scratch", "window": 5, "context": 9, "split": "none", "data_hash": "", "seed": 0, "files": {}}


@pytest.fixture
def store(tmp_path: Path) -> EventStore:
    return EventStore.open(f"sqlite:///{tmp_path}/events.db")


def shown(store: EventStore, user: str, model: str, items: str, at: int) -> None:
    places = tuple(ShownItem(item_id=item, slot=slot) for slot, item in enumerate(items, 1))
    store.record(Slate(recommendation_id=f"{user}{at}", user_id=user, model=model, items=places, shown_at=at))


def chose(store: EventStore, user: str, item: str, at: int, kind: str = "click") -> None:
    store.append([NewEvent(user_id=user, item_id=item, kind=kind, timestamp=at)])


def test_the_loss_of_a_choice_is_its_place_in_the_slate_before_it(store: EventStore) -> None:
    chose(store, "ann", "a", 5)  # before any slate
    shown(store, "ann", "m", "abc", 10)
    chose(store, "ann", "b", 10)
    shown(store, "ann", "m", "bcd", 20)
    chose(store, "ann", "d", 25)
    chose(store, "ann", "z", 26)  # stood in none
    shown(store, "bob", "other", "abc", 30)
    chose(store, "bob", "a", 31)  # a slate of another model
    chose(store, "ann", "a", 40, "impression")  # no choice
    np.testing.assert_allclose(losses(store.places("m")), np.log2([3.0, 4.0, 5.0]))
    np.testing.assert_allclose(losses(store.places("m", newest=2)), np.log2([5.0]))
    assert store.places("nobody").is_empty()


def test_an_alarm_where_losses_rise_and_none_where_they_do_not() -> None:
    calm = np.log2(1.0 + np.random.default_rng(0).integers(1, 6, 600))
    assert alarm(calm, 300) is None
    assert alarm(calm[:100], 300) is None
    raised = alarm(np.concatenate([calm[:400], np.full(200, np.log2(12.0))]), 300)
    assert raised is not None
    assert 400 < raised < 500


@pytest.mark.parametrize(
    ("words", "reasons"),
    [({}, []), ({"events": 2}, ["events"]), ({"events": 3}, []), ({"hours": 0.0}, ["hours"]), ({"hours": 5.0}, [])],
)
def test_by_count_and_by_time(words: dict[str, float], reasons: list[str], store: EventStore, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps(MANIFEST), encoding="utf-8")
    chose(store, "ann", "a", 5)
    chose(store, "ann", "b", 6)
    asked = {"bundle": tmp_path, "events": None, "hours": None, "drift": False, "calm": 50, "since": None}
    since = {"since": int(time.time()) - 60}
    found = due(store, argparse.Namespace(**(asked | since | words)))
    assert (found["reasons"], found["due"], found["events"]) == (reasons, bool(reasons), 2)


def test_collected_data_hold_both_logs_once_and_no_dislikes() -> None:
    old = pl.DataFrame({"user_id": ["ann"], "item_id": ["a"], "timestamp": [1]})
    items = pl.DataFrame({"item_id": ["a", "b"], "title": ["A", "B"]})
    data = dataset(Interactions.from_table(old), items, Tally("old"))
    new = pl.DataFrame({
        "user_id": ["ann", "ann", "ann"], "item_id": ["a", "b", "a"], "timestamp": [1, 2, 3],
        "kind": ["click", "click", "dislike"], "value": [None, None, None],
    }, schema_overrides={"value": pl.Float64})  # fmt: skip
    found = collected(data, new, [])
    assert found.interactions.table["item_id"].to_list() == ["a", "b"]


def test_an_edit_that_fits_no_field_costs_only_itself() -> None:
    catalog = Catalog.from_table(pl.DataFrame({"item_id": ["a"], "title": ["A"]}))
    made = [
        CatalogChange(1, "x", {"colour": "red", "title": "X"}, True, True, False, 0),
        CatalogChange(2, "y", {"title": "Y"}, True, True, False, 0),
    ]
    assert edited(catalog, made).item_ids == ["a", "y"]
