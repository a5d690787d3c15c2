"""The profile says what the left-out part has more of than the catalog, in the catalog's words."""

from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from genrec.catalog import Catalog
from genrec.interest import Past, ProfilePolicy, Profiler, Window, WindowPolicy

FILMS = Catalog.from_table(
    pl.DataFrame(
        {
            "item_id": [f"f{number}" for number in range(20)],
            "title": [f"Film {number}" for number in range(20)],
            "genres": [["Horror", "Common"]] * 3 + [["Space", "Common"]] * 5 + [["Drama", "Common"]] * 12,
            "director": ["Ann", "Ann", "Bob", "Bob", "Cem", "Cem", *["Dan", "Eve"] * 7],
        }
    )
)
PROFILER = Profiler.of(FILMS)


def said(items: list[int], weights: list[float] | None = None, **policy: int) -> str:
    weight = np.ones(len(items)) if weights is None else np.array(weights)
    return PROFILER.profile(np.array(items, dtype=np.int64), weight, ProfilePolicy(**policy)).text


def test_what_is_more_frequent_than_usual_is_told() -> None:
    assert said([0, 1, 2, 3]) == "genres: Horror; director: Ann, Bob"
    assert said([3, 4, 5, 6, 7]) == "genres: Space; director: Cem"


def test_nothing_left_out_says_nothing() -> None:
    assert said([]) == ""
    assert said([0]) == ""  # one item makes no taste
    assert said([0], least=1) == "director: Ann; genres: Horror"
    assert said([0, 0, 0]) == ""


def test_what_all_have_is_not_told() -> None:
    assert "Common" not in said(list(range(20)))
    assert said(list(range(20))) == ""  # the whole catalog: nothing is more frequent than usual


def test_weights_move_the_profile() -> None:
    few_spaces = [0, 1, 3, 4, 10, 11, 12, 13]
    heavy = PROFILER.profile(np.array(few_spaces), np.array([9.0, 9.0, *[0.1] * 6]), ProfilePolicy())
    assert heavy.facts[0].value in ("Horror", "Ann")
    assert heavy.facts[0].share > 0.9
    assert "Space" not in heavy.text


def test_a_fact_says_its_numbers() -> None:
    fact = next(
        fact for fact in PROFILER.profile(np.array([0, 1, 2, 3]), np.ones(4), ProfilePolicy()).facts
        if fact.value == "Horror"
    )  # fmt: skip
    assert (fact.field, fact.items, fact.share, fact.usual) == ("genres", 3, 0.75, 3 / 20)


def test_the_policy_limits_it() -> None:
    assert said([0, 1, 2, 3], of_field=1) == "genres: Horror; director: Ann"
    assert said([0, 1, 2, 3], facts=1) == "genres: Horror"
    assert said([0, 1, 2, 3], characters=20) == "genres: Horror"
    assert said([0, 1, 2, 3], characters=3) == ""


def test_the_window_s_rest_becomes_the_profile() -> None:
    ids = ["f0", "f1", "f2", "f9", "f10", "f11"]
    window = Window.of(Past.of(FILMS, ids), WindowPolicy(most=3))
    assert PROFILER.profile(*window.fallen, ProfilePolicy()).text == "genres: Horror; director: Ann"


@given(st.lists(st.integers(0, 19), max_size=40), st.integers(1, 60))
def test_every_word_is_a_fact_of_what_was_left_out(items: list[int], characters: int) -> None:
    policy = ProfilePolicy(characters=characters)
    profile = PROFILER.profile(np.array(items, dtype=np.int64), np.ones(len(items)), policy)
    assert len(profile.text) <= characters
    assert len(profile.facts) <= policy.facts
    for fact in profile.facts:
        having = [item for item in set(items) if fact.value in FILMS.facts(item)[fact.field]]
        assert len(having) == fact.items >= policy.least
        assert fact.share > fact.usual
        assert fact.value in profile.text


def test_a_catalog_without_facts() -> None:
    bare = Catalog.from_table(pl.DataFrame({"item_id": ["a", "b"], "title": ["A", "B"]}))
    assert Profiler.of(bare).profile(np.array([0, 1]), np.ones(2), ProfilePolicy()).text == ""
