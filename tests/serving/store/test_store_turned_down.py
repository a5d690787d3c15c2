"""What users turned down, as the store tells it: dislikes, and what stood above a choice."""

from __future__ import annotations

from pathlib import Path

import pytest

from serving.store import EventStore, NewEvent, ShownItem, Slate


@pytest.fixture
def store(tmp_path: Path) -> EventStore:
    return EventStore.open(f"sqlite:///{tmp_path}/events.db")


def shown(store: EventStore, user: str, items: str, at: int) -> None:
    places = tuple(ShownItem(item_id=item, slot=slot) for slot, item in enumerate(items, 1))
    store.record(Slate(recommendation_id=f"{user}{at}", user_id=user, model="m", items=places, shown_at=at))


def did(store: EventStore, user: str, item: str, at: int, kind: str = "click") -> None:
    store.append([NewEvent(user_id=user, item_id=item, kind=kind, timestamp=at)])


def test_dislikes_and_what_stood_above_a_choice(store: EventStore) -> None:
    shown(store, "ann", "abcd", 10)
    did(store, "ann", "c", 12)  # above it a and b
    did(store, "ann", "b", 15)  # later chosen after all: no refusal; above it a again
    shown(store, "ann", "efg", 20)  # nothing chosen of it
    did(store, "ann", "z", 21)  # stood nowhere
    did(store, "ann", "d", 22, "dislike")
    shown(store, "bob", "xy", 30)
    did(store, "bob", "x", 31)  # nothing above
    did(store, "bob", "q", 32, "impression")
    found = store.turned_down(["dislike", "skip"])
    assert found.rows() == [("ann", "a", 12), ("ann", "a", 15), ("ann", "d", 22)]


def test_an_empty_store_has_nothing(store: EventStore) -> None:
    assert store.turned_down(["dislike"]).is_empty()
