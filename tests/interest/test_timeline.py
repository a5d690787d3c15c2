"""A timeline tells segments in the catalog's words, and a person's edits reach every item that they name."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from genrec.catalog import Catalog
from genrec.errors import ConfigError
from genrec.explaining.facts import Facts
from genrec.interest.past import Past
from genrec.interest.profile import Profiler
from genrec.interest.timeline import Edit, TimelineMaker, edited
from tests.interest.test_drift import HALF, ITEMS, detector, people

FILMS = Catalog.from_table(
    pl.DataFrame(
        {
            "item_id": [f"i{item}" for item in range(ITEMS)],
            "title": [f"T{item}" for item in range(ITEMS)],
            "genres": [["Western"] if item < HALF else ["Horror"] for item in range(ITEMS)],
        }
    )
)
DAY = 86_400


def past(*spans: tuple[int, int], seed: int = 4) -> Past:
    items = people(1, spans, seed)[0].tolist()
    return Past.of(FILMS, [f"i{item}" for item in items], [place * DAY for place in range(len(items))])


def test_segments_in_words_with_how_sure_they_are() -> None:
    found = TimelineMaker(detector(), Profiler.of(FILMS)).timeline(past((0, 15), (1, 15)))
    first, second = found.segments
    assert (first.words, second.words) == ("genres: Western", "genres: Horror")
    assert (first.start, first.confidence, first.noticed) == (0, None, None)
    assert second.start == 15 * DAY <= (second.noticed or 0) <= second.end == 29 * DAY
    assert first.choices + second.choices == 30
    assert second.confidence is not None
    assert second.confidence > 0.9
    assert second.facts == [("genres", "Horror")]
    assert found.false_alarms == detector().rate


def test_an_interest_that_comes_back_is_recognised() -> None:
    found = TimelineMaker(detector(), Profiler.of(FILMS)).timeline(past((0, 12), (1, 12), (0, 14)))
    assert [one.returns_to for one in found.segments] == [None, None, 0]


def test_a_short_past_is_one_segment_and_an_empty_one_none() -> None:
    maker = TimelineMaker(detector(), Profiler.of(FILMS))
    assert [one.choices for one in maker.timeline(past((0, 2))).segments] == [2]
    assert maker.timeline(Past.of(FILMS, [])).segments == []


def test_edits_lower_what_they_name_and_rule_out_what_must_never_come() -> None:
    facts = Facts.of(FILMS)
    less = edited(facts, ITEMS, [Edit(field="genres", value="Horror")], penalty=2.0)
    assert less.tolist() == [0.0] * HALF + [-2.0] * HALF
    never = edited(facts, ITEMS, [Edit(field="genres", value="Western", never=True)])
    assert np.isneginf(never[:HALF]).all()
    assert not never[HALF:].any()
    with pytest.raises(ConfigError, match=r"no such fact.*genres: Musical"):
        edited(facts, ITEMS, [Edit(field="genres", value="Musical")])
