"""Strata by hand, and that they part the cases."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from genrec.evaluation.strata import strata
from genrec.interactions import Histories
from genrec.ragged import Ragged
from genrec.splitting import Cases


def log(counts: list[int]) -> Histories:
    items = [item for item, count in enumerate(counts) for _ in range(count)]
    return Histories(["u"], Ragged.from_lists([items]), np.arange(len(items), dtype=np.int64))


def asked(*targets: int) -> Cases:
    users = [f"u{row}" for row in range(len(targets))]
    empty, wanted = Ragged.from_lists([[] for _ in targets]), Ragged.from_lists([[item] for item in targets])
    return Cases(users, empty, wanted, np.zeros(len(targets), dtype=np.int64))


def test_by_hand() -> None:
    """Of ten events item 1 has four and item 3 three: the two are the fewest that hold half."""
    found = strata(log([2, 4, 1, 3, 0]), asked(4, 0, 1, 2, 3), 5)
    assert {name: np.flatnonzero(rows).tolist() for name, rows in found.items()} == {
        "cold": [0], "tail": [1, 3], "head": [2, 4],
    }  # fmt: skip


@given(st.lists(st.integers(0, 9), min_size=1, max_size=12))
def test_every_case_is_in_one(counts: list[int]) -> None:
    found = np.stack(list(strata(log(counts), asked(*range(len(counts))), len(counts)).values()))
    assert (found.sum(axis=0) == 1).all()
