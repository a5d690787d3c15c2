"""What came of slates under each setting of weights, read from the log."""

from __future__ import annotations

from serving.store import EventStore, NewEvent, ShownItem, Slate


def shown(store: EventStore, name: str, user: str, at: int, arm: str | None = "fresh") -> None:
    policy = {} if arm is None else {"arm": arm, "chance": 0.5}
    items = tuple(ShownItem(item_id=item, slot=place) for place, item in enumerate("abc", 1))
    store.record(Slate(recommendation_id=name, user_id=user, model="m", items=items, shown_at=at, policy=policy))


def event(store: EventStore, user: str, item: str, kind: str, slate: str) -> None:
    store.append([NewEvent(user_id=user, item_id=item, kind=kind, timestamp=999, recommendation_id=slate)])


def test_a_slate_has_won_when_its_user_chose_something_of_it(store: EventStore) -> None:
    for place, name in enumerate(("clicked", "bought", "seen", "elsewhere", "other item")):
        shown(store, name, "ann", 10 + place)
    shown(store, "clicked", "bob", 20, "own")
    shown(store, "bare", "ann", 21, None)
    event(store, "ann", "a", "click", "clicked")
    event(store, "ann", "b", "click", "clicked")
    event(store, "ann", "a", "purchase", "bought")
    event(store, "ann", "a", "impression", "seen")
    event(store, "bob", "a", "click", "elsewhere")
    event(store, "ann", "z", "click", "other item")
    event(store, "ann", "a", "click", "bare")
    found = store.outcomes(100, 50)
    assert found == [("fresh", True), ("fresh", True), ("fresh", False), ("fresh", False), ("fresh", False),
                     ("own", False)]  # fmt: skip
    assert store.outcomes(100, 2) == found[-2:]
    assert store.outcomes(12, 50) == found[:2]


def test_what_was_learnt_can_be_forgotten_and_goes_with_its_user(store: EventStore) -> None:
    shown(store, "old", "ann", 10)
    shown(store, "new", "ann", 20)
    shown(store, "new", "bob", 20)
    event(store, "ann", "a", "click", "new")
    store.forget_outcomes(15)
    assert sorted(store.outcomes(100, 50)) == [("fresh", False), ("fresh", True)]
    store.erase("ann")
    assert store.outcomes(100, 50) == [("fresh", False)]
    store.forget_outcomes(30)
    assert store.outcomes(100, 50) == []
    shown(store, "newer", "bob", 40, "own")
    assert store.outcomes(100, 50) == [("own", False)]
