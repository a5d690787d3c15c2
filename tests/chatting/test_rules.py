"""Rules on a catalog of five items whose masks can be read off."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrec import Catalog
from genrec.chatting.rules import Rule, allowed, relaxed
from genrec.errors import ConfigError

CATALOG = Catalog.from_table(
    pl.DataFrame(
        {
            "item_id": ["a", "b", "c", "d", "e"],
            "title": ["Alpha", "Beta", "Gamma", "Delta", "Epsilon"],
            "year": [1980, 1990, 2000, 2010, None],
            "price": [1.5, 2.0, 2.5, None, 3.0],
            "shelf": ["Tea", "tea", "Coffee", None, "Milk"],
            "tags": [["Hot", "Green"], ["Hot"], [], None, ["Cold"]],
            "ripe": [True, False, None, True, False],
        }
    )
)


def rule(field: str, op: Any, value: Any) -> Rule:
    return Rule(field=field, op=op, value=value)


@pytest.mark.parametrize(
    ("one", "wanted"),
    [
        (rule("year", "=", 1990), "b"),
        (rule("year", "=", "1990"), "b"),
        (rule("year", "!=", 1990), "acde"),
        (rule("year", "<", 1990), "a"),
        (rule("year", "<=", 1990), "ab"),
        (rule("year", ">", 1990), "cd"),
        (rule("year", ">=", 1990), "bcd"),
        (rule("year", "between", (1990, 2000)), "bc"),
        (rule("year", "in", (1980, 2010)), "ad"),
        (rule("year", "not in", (1980, 2010)), "bce"),
        (rule("price", "<", 2.5), "ab"),
        (rule("shelf", "=", "TEA"), "ab"),
        (rule("shelf", "!=", "tea"), "cde"),
        (rule("shelf", "in", ("tea", "milk")), "abe"),
        (rule("tags", "=", "hot"), "ab"),
        (rule("tags", "!=", "hot"), "cde"),
        (rule("tags", "in", ("green", "cold")), "ae"),
        (rule("tags", "not in", ("green", "cold")), "bcd"),
        (rule("title", "=", "gamma"), "c"),
        (rule("item_id", "in", ("a", "e")), "ae"),
        (rule("ripe", "=", True), "ad"),
    ],
    ids=str,
)
def test_each_operator(one: Rule, wanted: str) -> None:
    assert "".join(np.array(CATALOG.item_ids)[allowed(CATALOG, [one])]) == wanted


def test_rules_hold_together_and_none_allows_all() -> None:
    both = [rule("shelf", "=", "tea"), rule("year", ">", 1985)]
    assert allowed(CATALOG, both).tolist() == [False, True, False, False, False]
    assert allowed(CATALOG, []).all()


@pytest.mark.parametrize(
    ("one", "message"),
    [
        (rule("colour", "=", "red"), "no such field"),
        (rule("year", "=", "soon"), "not a number"),
        (rule("year", "between", (1,)), "do not fit"),
        (rule("year", "=", (1, 2)), "do not fit"),
        (rule("year", "in", ()), "do not fit"),
    ],
)
def test_rules_that_do_not_fit_the_catalog(one: Rule, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        allowed(CATALOG, [one])


def test_the_smallest_relaxation() -> None:
    """No item is tea after 1995: without the year two are left, without the shelf two; the first that leaves most."""
    rules = [rule("shelf", "=", "tea"), rule("year", ">", 1995), rule("price", "<", 10)]
    everything = np.ones(5, dtype=bool)
    assert relaxed(CATALOG, rules, everything) == [rules[1]]
    assert relaxed(CATALOG, rules[:1], everything) == []
    assert relaxed(CATALOG, [], everything) == []
    assert relaxed(CATALOG, rules, np.zeros(5, dtype=bool)) == []


VALUES = st.one_of(st.text(max_size=8), st.integers(), st.floats(allow_nan=False), st.booleans())


@given(
    st.sampled_from([*CATALOG.table.columns]),
    st.sampled_from(["=", "!=", "<", "<=", ">", ">=", "between", "in", "not in"]),
    st.one_of(VALUES, st.lists(VALUES, max_size=3).map(tuple)),
)
def test_any_rule_is_a_mask_or_a_taught_error(field: str, op: Any, value: Any) -> None:
    taught = ""
    try:
        mask = allowed(CATALOG, [rule(field, op, value)])
    except ConfigError as error:
        taught = error.allowed
    assert taught or (mask.shape == (5,) and mask.dtype == bool)


def test_masks_are_kept_for_one_catalog_and_not_shared_out() -> None:
    other = CATALOG.select([0, 1])
    assert allowed(CATALOG, [rule("year", "<", 1995)]).tolist() == [True, True, False, False, False]
    assert allowed(other, [rule("year", "<", 1995)]).tolist() == [True, True]
    allowed(CATALOG, [rule("year", "<", 1995)])[:] = False
    assert allowed(CATALOG, [rule("year", "<", 1995)]).sum() == 2
    assert allowed(CATALOG, [rule("ripe", "=", True)]).sum() == 2
    assert allowed(CATALOG, [rule("ripe", "=", 1)]).sum() == 0
