"""The verifier of benchmarks/chat.py: on four items whose answers can be read off, it sees what it should see."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks._chat_verify import Tally
from genrec.chatting.rules import Rule

ROWS: dict[str, dict[str, Any]] = {
    "a": {"year": 1980, "tags": ["Hot", "Green"]},
    "b": {"year": 1990, "tags": ["Hot"]},
    "c": {"year": 2000, "tags": []},
    "d": {"year": None, "tags": None},
}
HOT, COLD = Rule(field="tags", op="=", value="hot"), Rule(field="tags", op="=", value="cold")
LATE = Rule(field="year", op=">", value=1995)


def test_a_slate_that_obeys_counts_nothing() -> None:
    tally = Tally()
    tally.slate(ROWS, ["b", "a"], [HOT], {"c"})
    assert (tally.rules, tally.broken, tally.unknown, tally.doubled, tally.unwanted) == (2, 0, 0, 0, 0)


def test_whatever_is_wrong_with_a_slate_is_counted() -> None:
    tally = Tally()
    tally.slate(ROWS, ["b", "c", "c", "z"], [HOT], {"b"})
    assert (tally.broken, tally.unknown, tally.doubled, tally.unwanted) == (2, 1, 1, 1)


@pytest.mark.parametrize(
    ("rules", "banned", "relax", "left", "unhelped", "missed"),
    [
        ([HOT, LATE], (), [LATE], 2, 0, 0),
        ([HOT, LATE], (), [HOT], 1, 0, 0),  # one rule fewer is enough, either
        ([HOT, LATE], (), [LATE], 3, 1, 0),  # says a wrong number
        ([HOT, LATE], (), [HOT, LATE], 4, 1, 0),  # gives up more than it has to
        ([HOT, LATE], (), [], 0, 1, 0),
        ([COLD, HOT, LATE], ("c",), [COLD, LATE], 2, 0, 0),
        ([HOT], (), [HOT], 4, 1, 1),  # was not impossible at all
        ([HOT], tuple(ROWS), [], 0, 0, 0),  # nothing is left to relax to
    ],
)
def test_no_match_has_to_help(
    rules: list[Rule], banned: tuple[str, ...], relax: list[Rule], left: int, unhelped: int, missed: int
) -> None:
    tally = Tally()
    tally.nothing(ROWS, rules, banned, relax, left)
    assert (tally.infeasible, tally.unhelped, tally.missed) == (1, unhelped, missed)
