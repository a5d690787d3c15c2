"""A user's data: all of it given out, and really gone when erased; what was shown, and how it fared."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError
from sqlalchemy import select, text

from serving.store import EventStore, NewEvent, OnlineRow, ShownItem, Slate
from serving.store.online import wilson
from serving.store.people import _PERSONAL
from serving.store.tables import metadata


def event(user: str, item: str, kind: str = "click", slate: str | None = None, at: int = 100) -> NewEvent:
    return NewEvent(user_id=user, item_id=item, kind=kind, timestamp=at, recommendation_id=slate)


def slate(name: str = "r1", user: str = "ann", items: str = "abc", model: str = "m1", at: int = 50) -> Slate:
    shown = tuple(ShownItem(item_id=item, slot=place, propensity=0.5) for place, item in enumerate(items, 1))
    return Slate(
        recommendation_id=name, user_id=user, model=model, items=shown, shown_at=at, policy={"weights": {"ease": 0.2}}
    )


def test_the_first_record_of_a_slate_stands(store: EventStore) -> None:
    assert store.record(slate())
    assert not store.record(slate(items="xyz"))
    assert store.record(slate(user="bob", items="xyz"))
    (shown,) = store.export("ann")["recommendations"]
    assert [place["item_id"] for place in shown["items"]] == ["a", "b", "c"]
    assert store.record(slate("empty", items=""))


def test_a_slate_shows_an_item_once() -> None:
    with pytest.raises(ValidationError, match="'b' stands twice"):
        slate(items="abcb")


@pytest.mark.parametrize("policy", [{"a": float("inf")}, {"a": "x" * 70_000}, {"a": "\ud800"}])
def test_a_policy_is_storable_json(policy: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=r"JSON|unicode|finite"):
        Slate.model_validate({"recommendation_id": "r", "user_id": "u", "model": "m", "items": [], "policy": policy})


def test_export_tells_everything(store: EventStore) -> None:
    store.append([NewEvent(user_id="ann", item_id="a", kind="rating", value=4.0, timestamp=7, key="k", slot=3)])
    store.append([event("bob", "b")])
    store.record(slate(items="ab"))
    told = store.export("ann")
    assert json.loads(json.dumps(told)) == told
    (only,) = told["events"]
    assert only.pop("received_at") > 0
    assert only.pop("seq") == 1
    assert only == {"item_id": "a", "kind": "rating", "value": 4.0, "timestamp": 7, "key": "k", "slot": 3,
                    "recommendation_id": None}  # fmt: skip
    (shown,) = told["recommendations"]
    assert shown == {
        "recommendation_id": "r1", "model": "m1", "shown_at": 50, "policy": {"weights": {"ease": 0.2}},
        "items": [{"item_id": "a", "slot": 1, "propensity": 0.5}, {"item_id": "b", "slot": 2, "propensity": 0.5}],
    }  # fmt: skip


def test_erase_leaves_nothing_of_the_user_and_all_of_others(store: EventStore) -> None:
    for user in ("ann", "bob"):
        store.append([event(user, item, slate="r1") for item in "ab"])
        store.record(slate(user=user))
    version = store.version("ann")
    kept = store.export("bob")
    assert store.erase("ann") == 3
    assert store.export("ann") == {"user_id": "ann", "events": [], "recommendations": []}
    assert store.history("ann").item_ids == []
    assert store.version("ann") > version
    assert store.export("bob") == kept
    assert store.erase("ann") == 0
    assert store.erase("nobody") == 0


def test_erase_knows_every_table_with_a_user(store: EventStore) -> None:
    assert {table for table in metadata.tables.values() if "user_id" in table.c} == set(_PERSONAL)
    store.append([event("ann", "a")])
    store.record(slate())
    store.erase("ann")
    for table in metadata.sorted_tables:
        rows = store.database.read(lambda connection, table=table: connection.execute(select(table)).all())
        assert "ann" not in str(rows)


def test_an_erased_user_is_not_in_the_files_of_sqlite(tmp_path: Path) -> None:
    store = EventStore.open(f"sqlite:///{tmp_path}/s.db")
    store.append([event("user-7f3a", f"i{number}") for number in range(500)])
    store.append([event("other", "i1")])
    store.record(slate(user="user-7f3a"))
    assert any(b"user-7f3a" in file.read_bytes() for file in tmp_path.iterdir())
    store.erase("user-7f3a")
    assert not any(b"user-7f3a" in file.read_bytes() for file in tmp_path.iterdir())
    assert store.history("other").item_ids == ["i1"]
    store.close()


def test_online_counts_each_item_of_a_slate_once(store: EventStore) -> None:
    store.record(slate("r1", "ann", "abc"))
    store.record(slate("r1", "bob", "abc"))
    store.record(slate("r2", "ann", "xy", model="m2"))
    store.append([event("ann", item, "impression", "r1") for item in "aab"])
    store.append([event("ann", "a", kind, "r1") for kind in ("click", "click", "purchase")])
    store.append([event("bob", "a", "dislike", "r1"), event("bob", "b", "view", "r1")])
    store.append([event("ann", "y", "like", "r2")])
    rows = {(row.model, row.slot): row for row in store.online()}
    counted = {place: (row.served, row.impressions, row.clicks, row.conversions) for place, row in rows.items()}
    assert counted == {("m1", 1): (2, 2, 1, 1), ("m1", 2): (2, 2, 1, 0), ("m1", 3): (2, 0, 0, 0),
                       ("m2", 1): (1, 0, 0, 0), ("m2", 2): (1, 1, 1, 1)}  # fmt: skip
    assert (rows["m1", 1].ctr, rows["m1", 1].cvr) == (0.5, 1.0)
    assert (rows["m1", 3].ctr, rows["m1", 3].ctr_low, rows["m1", 3].ctr_high) == (None, 0.0, 1.0)


def test_online_counts_only_what_the_slate_showed_to_that_user(store: EventStore) -> None:
    store.record(slate("r1", "ann", "ab"))
    store.append([event("ann", "z", "click", "r1"), event("bob", "a", "click", "r1"), event("ann", "a", "click")])
    store.append([event("ann", "a", "click", "unknown")])
    assert [(row.slot, row.impressions, row.clicks) for row in store.online()] == [(1, 0, 0), (2, 0, 0)]


def test_feedback_that_comes_before_its_slate_counts(store: EventStore) -> None:
    store.append([event("ann", "a", "click", "r1")])
    assert store.online() == []
    store.record(slate(items="a"))
    assert [row.clicks for row in store.online()] == [1]


def test_online_goes_by_the_time_of_the_slate(store: EventStore) -> None:
    store.record(slate("r1", at=10))
    store.record(slate("r2", at=20))
    store.append([event("ann", "a", "click", name, at=99) for name in ("r1", "r2")])
    clicks = [sum(row.clicks for row in store.online(*span)) for span in ((10, 20), (10, 21), (11, None), (None, 10))]
    assert clicks == [1, 2, 1, 0]


def test_wilson_is_that_of_the_books() -> None:
    """Newcombe 1998 (Statistics in Medicine 17, 857), table I, method 3."""
    known = {
        (81, 263): (0.2553, 0.3662),
        (15, 148): (0.0624, 0.1605),
        (0, 20): (0.0, 0.1611),
        (1, 29): (0.0061, 0.1718),
    }
    assert {pair: tuple(round(bound, 4) for bound in wilson(*pair)) for pair in known} == known
    assert wilson(0, 0) == (0.0, 1.0)
    assert wilson(29, 29)[1] == 1.0


def test_rates_of_a_row() -> None:
    row = OnlineRow.of("m", 1, 100, 50, 10, 5)
    assert (row.ctr, row.cvr) == (0.2, 0.5)
    assert row.ctr_low < 0.2 < row.ctr_high
    assert (row.cvr_low, row.cvr_high) == wilson(5, 10)


def test_online_reads_feedback_by_index(store: EventStore) -> None:
    if store.database.is_sqlite:
        query = (
            "EXPLAIN QUERY PLAN SELECT * FROM slates s JOIN slate_items i USING (user_id, recommendation_id) LEFT JOIN"
            " events e ON e.recommendation_id = i.recommendation_id AND e.user_id = i.user_id AND e.item_id = i.item_id"
        )
        plan = str(store.database.read(lambda connection: connection.execute(text(query)).all()))
        assert "events_of_slate" in plan
