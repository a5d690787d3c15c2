"""Edits of the catalog: what an item is after all of them, and that they outlive the server."""

from __future__ import annotations

import threading

import pytest

from genrec.errors import DataError, UnknownItem
from serving.store import CatalogChange, EventStore


def state(change: CatalogChange) -> tuple[str, dict[str, object], bool, bool, bool]:
    return change.item_id, change.fields, change.whole, change.available, change.deleted


def test_an_item_put_patched_and_deleted(store: EventStore) -> None:
    assert store.catalog_version() == 0
    assert store.catalog_changes() == []
    versions = [store.put_item("a", {"title": "Tea", "price": 3})]
    versions.append(store.patch_item("a", {"price": None, "tags": ["x", "茶"]}, available=False))
    assert [state(change) for change in store.catalog_changes()] == [
        ("a", {"title": "Tea", "price": None, "tags": ["x", "茶"]}, True, False, False)
    ]
    versions.append(store.patch_item("a", {"price": 4}))
    assert store.catalog_changes()[0].available is False
    versions.append(store.delete_item("a"))
    assert [state(change) for change in store.catalog_changes()] == [("a", {}, True, False, True)]
    with pytest.raises(UnknownItem, match="deleted"):
        store.patch_item("a", {"price": 5})
    assert store.catalog_version() == versions[-1]
    versions.append(store.put_item("a", {"title": "Tea again"}))
    assert store.catalog_changes()[0].available
    assert versions == sorted(set(versions))


def test_a_patch_lies_over_the_bundle(store: EventStore) -> None:
    store.patch_item("a", {"price": 4})
    store.patch_item("a", available=False)
    assert [state(change) for change in store.catalog_changes()] == [("a", {"price": 4}, False, False, False)]


def test_changes_since_a_version(store: EventStore) -> None:
    first = store.put_item("a", {"title": "A"})
    store.put_item("b", {"title": "B"})
    last = store.patch_item("a", {"price": 1})
    assert [change.item_id for change in store.catalog_changes()] == ["b", "a"]
    assert [change.item_id for change in store.catalog_changes(since=first)] == ["b", "a"]
    assert [change.item_id for change in store.catalog_changes(since=last - 1)] == ["a"]
    assert store.catalog_changes(since=last) == []


def test_a_restarted_server_has_them(url: str) -> None:
    for number in range(2):
        store = EventStore.open(url)
        store.put_item(f"i{number}", {"title": str(number)})
        store.close()
    store = EventStore.open(url)
    assert [change.item_id for change in store.catalog_changes()] == ["i0", "i1"]
    store.close()


def test_fields_are_storable_json(store: EventStore) -> None:
    for fields in ({"price": float("nan")}, {"text": "x" * 70_000}):
        with pytest.raises(DataError, match=r"JSON|finite"):
            store.put_item("a", fields)
    with pytest.raises(DataError, match="NUL"):
        store.delete_item("a\0")
    assert store.catalog_version() == 0
    store.put_item("a", {"text": "\0\x01 茶 \\ '"})
    assert store.catalog_changes()[0].fields == {"text": "\0\x01 茶 \\ '"}


def test_a_reader_that_catches_up_misses_nothing(store: EventStore) -> None:
    """Whoever asks for the changes since the last version seen ends with every item, however edits interleave."""

    def edit(place: int) -> None:
        for number in range(30):
            store.put_item(f"{place}-{number}", {"title": "x"})

    writers = [threading.Thread(target=edit, args=[place]) for place in range(3)]
    for thread in writers:
        thread.start()
    seen: set[str] = set()
    since, alive = 0, True
    while alive:
        alive = any(thread.is_alive() for thread in writers)
        for change in store.catalog_changes(since):
            seen.add(change.item_id)
            since = change.version
    assert seen == {f"{place}-{number}" for place in range(3) for number in range(30)}
