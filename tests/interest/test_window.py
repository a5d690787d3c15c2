"""The window keeps what its policy says, in order, and says why of all the rest; checked against a plain reading."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from genrec.catalog import Catalog
from genrec.errors import DataError
from genrec.interest import REASONS, Block, Past, Window, WindowPolicy

SHOP = Catalog.from_table(pl.DataFrame({"item_id": list("abcdef"), "title": list("ABCDEF")}))
HOUR, DAY = 3600, 86400


def past(ids: str, times: list[int] | None = None, kinds: list[str] | None = None, **more: Any) -> Past:
    return Past.of(SHOP, list(ids), times, kinds, **more)


def shown(events: Past, block: Block | None = None, **policy: Any) -> str:
    return "".join(SHOP.item_ids[item] for item in Window.of(events, WindowPolicy(**policy), block).items)


def reasons(events: Past, block: Block | None = None, **policy: Any) -> list[str]:
    return [REASONS[why] for why in Window.of(events, WindowPolicy(**policy), block).why]


def test_by_count_the_newest_stay() -> None:
    assert shown(past("abcdef"), most=2) == "ef"
    assert reasons(past("abc"), most=2) == ["count", "shown", "shown"]
    assert shown(past("abc"), most=9) == "abc"


def test_an_empty_past() -> None:
    window = Window.of(past(""), WindowPolicy(max_age=1, sessions=1, half_life=1.0), Block(32, 5, 2))
    assert (window.items.tolist(), window.disliked.tolist(), window.seen.tolist(), window.counts) == ([], [], [], {})


def test_by_time_counted_from_the_newest_event() -> None:
    events = past("abc", [0, DAY, 3 * DAY])
    assert shown(events, max_age=2 * DAY) == "bc"
    assert shown(events, max_age=2 * DAY - 1) == "c"
    assert reasons(events, max_age=2 * DAY) == ["old", "shown", "shown"]


def test_by_session() -> None:
    events = past("abcdef", [0, 1800, 3601, 3700, 9 * HOUR, 9 * HOUR + 1800])
    assert events.sessions(1800).tolist() == [2, 2, 1, 1, 0, 0]
    assert shown(events, sessions=1) == "ef"
    assert shown(events, sessions=2) == "cdef"
    assert reasons(events, sessions=1)[:4] == ["session"] * 4


def test_by_weight_a_purchase_outlasts_later_clicks() -> None:
    events = past("abcd", [0, DAY, 2 * DAY, 3 * DAY], ["purchase", "click", "click", "click"])
    assert shown(events, most=2) == "cd"
    assert shown(events, most=2, half_life=2.0 * DAY, weights={"purchase": 4.0}) == "ad"
    assert shown(events, most=2, half_life=0.5 * DAY, weights={"purchase": 4.0}) == "cd"
    weights = Window.of(events, WindowPolicy(half_life=1.0 * DAY, weights={"purchase": 4.0})).weights
    assert weights.tolist() == [0.5, 0.25, 0.5, 1.0]


def test_of_equal_weights_the_newest_stay() -> None:
    assert shown(past("abc", [5, 5, 5]), most=2, half_life=10.0) == "bc"


def test_repeats() -> None:
    events = past("abbacb")
    assert shown(events, repeats="latest") == "acb"
    assert shown(events, repeats="collapse") == "abacb"
    assert shown(events, repeats="keep") == "abbacb"
    assert reasons(events) == ["repeated", "repeated", "repeated", "shown", "shown", "shown"]


def test_dislikes_stand_apart_with_all_that_was_chosen_of_them_before() -> None:
    events = past("abca", kinds=["click", "dislike", "click", "dislike"])
    window = Window.of(events, WindowPolicy())
    assert shown(events) == "c"
    assert window.disliked.tolist() == [0, 1]
    assert window.seen.tolist() == [0, 1, 2]
    assert window.counts == {"shown": 1, "disliked": 3}


def test_who_changes_their_mind_is_believed() -> None:
    events = past("aab", kinds=["dislike", "purchase", "skip"])
    window = Window.of(events, WindowPolicy())
    assert (shown(events), window.disliked.tolist()) == ("a", [1])
    assert reasons(events) == ["disliked", "shown", "disliked"]
    late = past("ab", [0, DAY], ["click", "click"])
    assert Window.of(late, WindowPolicy(max_age=1)).disliked.tolist() == []


def test_low_ratings_are_dislikes_where_the_policy_says_so() -> None:
    events = past("abc", kinds=["rating", "rating", "click"], values=[1.0, None, 0.5])
    assert shown(events) == "abc"
    assert shown(events, disliked_below=2.0) == "bc"


def test_items_that_left_the_catalog_are_told() -> None:
    events = past("aXbX", kinds=["click", "click", "click", "dislike"])
    assert reasons(events) == ["shown", "unknown", "shown", "unknown"]
    assert Window.of(events, WindowPolicy()).disliked.tolist() == []


def test_events_are_sorted_by_time_and_equal_times_keep_their_order() -> None:
    assert shown(past("dabc", [9, 1, 1, 2])) == "abcd"


def test_lists_of_one_history_are_equally_long() -> None:
    with pytest.raises(DataError, match="differ in length"):
        past("abc", [1, 2])


@pytest.mark.parametrize(("items", "fit"), [(50, 41), (42, 41), (41, 41), (40, 40), (10, 10), (100, 84)])
def test_the_block_trims_the_oldest(items: int, fit: int) -> None:
    """Head 5, 3 tokens an item: 41 items end at token 128, 84 at 257."""
    assert Block(size=128, head=5, levels=3).fitting(items, 1) == fit


def test_the_block_drops_no_more_than_the_policy_allows() -> None:
    events, block = past("abcdef"), Block(size=8, head=2, levels=2)  # 6 items: 14 tokens; 3 items: 8
    assert shown(events, block, trim=0.5) == "def"
    assert reasons(events, block)[:3] == ["block"] * 3
    assert shown(events, block, trim=0.4) == "abcdef"
    assert shown(past("abc"), block) == "abc"
    assert shown(past("ab"), block) == "ab"


def test_what_fell_out_is_the_profile_s_matter() -> None:
    events = past("aabXcdef", [0, 1, 2, 3, 4, 5, 6, 7], ["click", "like", "dislike", *["click"] * 5])
    items, weights = Window.of(events, WindowPolicy(most=3, weights={"like": 2.0})).fallen
    assert items.tolist() == [0, 2]
    assert weights.tolist() == [2.0, 1.0]


@pytest.mark.parametrize("wrong", [{"most": 0}, {"trim": 1.0}, {"weights": {"like": 0}}, {"repeats": "all"}, {"x": 1}])
def test_a_policy_is_checked(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        WindowPolicy.model_validate(wrong)


KINDS = ("click", "like", "purchase", "dislike", "skip", "rating")
EVENTS = st.lists(
    st.tuples(
        st.sampled_from("abcdefX"), st.integers(0, 40), st.sampled_from(KINDS), st.one_of(st.none(), st.integers(1, 5))
    ),
    max_size=25,
)
POLICIES = st.builds(
    WindowPolicy,
    most=st.integers(1, 12),
    max_age=st.one_of(st.none(), st.integers(1, 40)),
    session_gap=st.integers(1, 8),
    sessions=st.one_of(st.none(), st.integers(1, 4)),
    half_life=st.one_of(st.none(), st.floats(1, 20)),
    repeats=st.sampled_from(("latest", "collapse", "keep")),
    disliked_below=st.one_of(st.none(), st.just(3.0)),
    trim=st.floats(0, 0.9),
)
BLOCKS = st.one_of(st.none(), st.builds(Block, st.integers(4, 16), st.integers(1, 9), st.integers(1, 3)))


@given(EVENTS, POLICIES, BLOCKS)
def test_the_window_is_that_of_a_plain_reading(
    events: list[tuple[str, int, str, int | None]], policy: WindowPolicy, block: Block | None
) -> None:
    ids, times, kinds, values = ([event[part] for event in events] for part in range(4))
    window = Window.of(Past.of(SHOP, ids, times, kinds, values), policy, block)  # type: ignore[arg-type]
    assert [REASONS[why] for why in window.why] == plainly(sorted(events, key=lambda event: event[1]), policy, block)


@given(EVENTS, POLICIES, BLOCKS)
def test_what_holds_of_every_window(
    events: list[tuple[str, int, str, int | None]], policy: WindowPolicy, block: Block | None
) -> None:
    ids, times, kinds, values = ([event[part] for event in events] for part in range(4))
    window = Window.of(Past.of(SHOP, ids, times, kinds, values), policy, block)  # type: ignore[arg-type]
    assert sum(window.counts.values()) == len(events)
    assert len(window.items) <= policy.most
    assert not set(window.items.tolist()) & set(window.disliked.tolist())
    assert set(window.items.tolist()) | set(window.fallen[0].tolist()) <= set(window.seen.tolist())
    assert ((window.weights > 0) & np.isfinite(window.weights)).all()
    if policy.repeats == "latest":
        assert len(set(window.items.tolist())) == len(window.items)


def plainly(events: list[tuple[str, int, str, int | None]], policy: WindowPolicy, block: Block | None) -> list[str]:
    """The reasons, one event and one rule after another."""
    why = ["shown"] * len(events)

    def here() -> list[int]:
        return [place for place, reason in enumerate(why) if reason == "shown"]

    def negative(place: int) -> bool:
        _, _, kind, value = events[place]
        low = policy.disliked_below is not None and kind == "rating" and value is not None
        return kind in policy.negative or (low and value < policy.disliked_below)  # type: ignore[operator]

    for place in here():
        if events[place][0] == "X":
            why[place] = "unknown"
    for place in here():
        last = max(other for other, event in enumerate(events) if event[0] == events[place][0])
        if negative(place) or negative(last):
            why[place] = "disliked"
    left = here()
    for order, place in enumerate(left):
        later = left[order + 1 :] if policy.repeats == "latest" else left[order + 1 : order + 2]
        if policy.repeats != "keep" and events[place][0] in [events[other][0] for other in later]:
            why[place] = "repeated"
    for place in here():
        if policy.max_age is not None and events[place][1] < events[-1][1] - policy.max_age:
            why[place] = "old"
    for place in here():
        pauses = [b[1] - a[1] for a, b in zip(events[place:], events[place + 1 :], strict=False)]
        if policy.sessions is not None and sum(pause > policy.session_gap for pause in pauses) >= policy.sessions:
            why[place] = "session"
    left = here()
    if policy.half_life is not None:
        half_life = policy.half_life
        ages = {place: (events[place][1] - events[-1][1]) / half_life for place in left}
        left.sort(key=lambda place: policy.weights.get(events[place][2], 1.0) * float(np.exp2(ages[place])))
    for place in left[: max(0, len(left) - policy.most)]:
        why[place] = "count"
    left = here()
    if block is not None:
        for count in range(len(left), len(left) - int(policy.trim * len(left)) - 1, -1):
            tokens = block.head + count * block.levels
            if tokens >= block.size and tokens % block.size < block.levels:
                for place in left[: len(left) - count]:
                    why[place] = "block"
                break
    return why
