"""Events: stored once, durable, in order, seen at once, whoever writes and however often."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import pytest
from pydantic import ValidationError
from sqlalchemy import inspect, text

from genrec.errors import DataError, EventConflict
from serving.store import IMPRESSION, MOST_EVENTS, Appended, EventStore, NewEvent


def event(user: str = "ann", item: str = "tea", at: int | None = 100, kind: str = "click", **more: object) -> NewEvent:
    return NewEvent.model_validate({"user_id": user, "item_id": item, "timestamp": at, "kind": kind, **more})


def test_the_next_read_sees_the_event(store: EventStore) -> None:
    assert store.history("ann").item_ids == []
    assert store.append([event(value=4.5)]) == Appended(1, 0)
    found = store.history("ann")
    assert (found.item_ids, found.timestamps, found.kinds, found.values) == (["tea"], [100], ["click"], [4.5])
    assert len(found) == 1


def test_the_history_is_in_the_order_of_time_then_of_arrival(store: EventStore) -> None:
    store.append([event(item="b", at=5), event(item="d", at=7), event(item="c", at=5)])
    store.append([event(item="a", at=1), event(item="e", at=7)])
    assert store.history("ann").item_ids == ["a", "b", "c", "d", "e"]
    assert store.history("ann", most=2).item_ids == ["d", "e"]
    assert store.history("ann", most=0).item_ids == []
    with pytest.raises(DataError, match="shorter than nothing"):
        store.history("ann", most=-1)


def test_users_are_apart(store: EventStore) -> None:
    store.append([event("ann"), event("Ann"), event("ann ", item="pot")])
    assert [store.history(user).item_ids for user in ("ann", "Ann", "ann ", "b")] == [["tea"], ["tea"], ["pot"], []]


def test_an_impression_is_no_choice(store: EventStore) -> None:
    store.append([event()])
    before = store.history("ann")
    store.append([event(item="pot", at=200, kind=IMPRESSION)])
    assert store.history("ann") == before
    assert [row["item_id"] for row in store.export("ann")["events"]] == ["tea", "pot"]


def test_the_same_key_counts_once(store: EventStore) -> None:
    batch = [event(key="k1"), event(item="pot", key="k2")]
    assert store.append(batch) == Appended(2, 0)
    version = store.version("ann")
    assert store.append([*batch, event(item="cup", key="k3")]) == Appended(1, 2)
    assert store.append([event(item="jug", key="k4")] * 3) == Appended(1, 2)
    assert store.append(batch) == Appended(0, 2)
    assert store.history("ann").item_ids == ["tea", "pot", "cup", "jug"]
    assert store.version("ann") == version + 2


def test_events_without_a_key_all_count(store: EventStore) -> None:
    assert store.append([event(), event()]) == Appended(2, 0)
    assert store.append([]) == Appended(0, 0)
    assert len(store.history("ann")) == 2


@pytest.mark.parametrize(
    "other",
    [{"user": "bob"}, {"item": "pot"}, {"at": 101}, {"kind": "like"}, {"value": 1.0}, {"recommendation_id": "r"},
     {"slot": 2}],
)  # fmt: skip
def test_a_key_with_other_content_is_refused_and_nothing_of_the_batch_stored(
    store: EventStore, other: dict[str, object]
) -> None:
    store.append([event(key="k")])
    changed = event(**other, key="k")  # type: ignore[arg-type]
    with pytest.raises(EventConflict, match="another"):
        store.append([event("carl"), changed])
    with pytest.raises(EventConflict, match="event 2"):
        store.append([event("carl"), event(key="n"), changed.model_copy(update={"key": "n"})])
    assert store.history("carl").item_ids == []
    assert store.history("ann").item_ids == ["tea"]


def test_the_store_dates_what_has_no_time_and_a_repetition_may_come_later(
    store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = int(time.time())
    store.append([event(at=None, key="k")])
    assert before <= store.history("ann").timestamps[0] <= time.time()
    monkeypatch.setattr(time, "time", lambda: before + 500.0)
    assert store.append([event(at=None, key="k")]) == Appended(0, 1)
    with pytest.raises(EventConflict, match="item_id"):
        store.append([event(at=None, item="pot", key="k")])


@pytest.mark.parametrize(
    ("wrong", "said"),
    [({"user_id": ""}, "at least 1"), ({"user_id": "a\0b"}, "NUL"), ({"user_id": "\ud800"}, "unicode"),
     ({"item_id": "x" * 257}, "at most 256"), ({"timestamp": 1_700_000_000_000}, "less than"),
     ({"timestamp": -1}, "greater than"), ({"kind": "glance"}, "impression"), ({"value": float("nan")}, "finite"),
     ({"slot": 0}, "greater than"), ({"mood": "good"}, "Extra inputs")],
)  # fmt: skip
def test_what_cannot_be_stored_is_refused_before(wrong: dict[str, object], said: str) -> None:
    right = {"user_id": "ann", "item_id": "tea", "kind": "click"}
    with pytest.raises(ValidationError, match=said):
        NewEvent.model_validate(right | wrong)


def test_any_text_comes_back_as_it_went_in(store: EventStore) -> None:
    odd = ["'; DROP TABLE events; --", "%s %(a)s :b ?", "茶 🍵 \u202e", "a\nb\t\x01", '"{}"\\', "x" * 256]
    store.append([event(user, item=item, key=item) for user in odd for item in [user + "!" if len(user) < 9 else user]])
    for user in odd:
        assert store.history(user).item_ids == [user + "!" if len(user) < 9 else user]


def test_the_version_rises_with_every_event_and_never_returns(store: EventStore) -> None:
    seen = [store.version("ann")]
    for number in range(3):
        store.append([event(at=number)])
        assert store.history("ann").version == store.version("ann")
        seen.append(store.version("ann"))
        other = store.version("bob")
        store.append([event("carl")])
        assert store.version("ann") == seen[-1]
        assert store.version("bob") == other
    store.erase("ann")
    seen.append(store.version("ann"))
    store.append([event()])
    seen.append(store.version("ann"))
    assert seen == sorted(set(seen))


def test_a_batch_as_large_as_allowed(store: EventStore) -> None:
    batch = [
        event(f"u{number % 5_500}", item=f"i{number}", at=number, key=f"k{number}") for number in range(MOST_EVENTS)
    ]
    assert store.append(batch) == Appended(MOST_EVENTS, 0)
    assert store.append(batch) == Appended(0, MOST_EVENTS)
    assert store.history("u7").item_ids == ["i7", "i5507"]
    with pytest.raises(DataError, match="too many"):
        store.append([*batch, event()])


def test_many_threads_append_and_repeat(store: EventStore) -> None:
    """Eight threads send the same 40 keys of four users, in their own order, each between events of its own."""
    shared = [event(f"u{number % 4}", item=f"i{number}", at=number, key=f"k{number}") for number in range(40)]
    counts: list[Appended] = []
    failures: list[BaseException] = []

    def work(thread: int) -> None:
        try:
            for number in range(40):
                own = event(f"u{thread % 4}", item=f"own{thread}-{number}", at=1_000)
                counts.append(store.append([own, shared[(number * (2 * thread + 1)) % 40]]))
        except BaseException as error:
            failures.append(error)

    _together(work, range(8))
    assert failures == []
    assert sum(count.stored for count in counts) == 40 + 8 * 40
    items = [item for user in range(4) for item in store.history(f"u{user}").item_ids]
    assert len(items) == len(set(items)) == 40 + 8 * 40


def test_a_version_names_one_history(store: EventStore) -> None:
    """Whoever reads beside writers and erasures: versions rise, and one version is one history."""
    done = threading.Event()
    read: list[list[tuple[int, tuple[str, ...]]]] = [[], []]

    def reader(place: int) -> None:
        while not done.is_set():
            found = store.history("ann")
            read[place].append((found.version, tuple(found.item_ids)))

    def writer(place: int) -> None:
        for number in range(40):
            store.append([event(item=f"{place}-{number}", at=number)])
            if number % 13 == 12:
                store.erase("ann")

    readers = [threading.Thread(target=reader, args=[place]) for place in range(2)]
    for thread in readers:
        thread.start()
    try:
        _together(writer, range(3))
    finally:
        done.set()
        for thread in readers:
            thread.join()
    for pairs in read:
        assert [version for version, _ in pairs] == sorted(version for version, _ in pairs)
    names: dict[int, tuple[str, ...]] = {}
    for version, items in read[0] + read[1]:
        assert names.setdefault(version, items) == items


def _together(work: object, places: Sequence[int]) -> None:
    threads = [threading.Thread(target=work, args=[place]) for place in places]  # type: ignore[arg-type]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_reads_use_indexes(store: EventStore) -> None:
    """No read of one user goes through the whole table."""
    if not store.database.is_sqlite:
        assert {"events_of_user", "events_of_slate"} <= {
            index["name"] for index in inspect(store.database.engine).get_indexes("events")
        }
        return
    query = (
        "SELECT item_id FROM events WHERE user_id = 'a' AND in_history IS 1 ORDER BY timestamp DESC, seq DESC LIMIT 9"
    )
    plan = store.database.read(lambda connection: connection.execute(text(f"EXPLAIN QUERY PLAN {query}")).all())
    assert "events_of_user" in str(plan)
    assert "TEMP B-TREE" not in str(plan)
