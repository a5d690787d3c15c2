"""The lift of fresh items: which one is free by hand, and fits on a world whose text tells what is wanted."""

import numpy as np
import pytest

from genrec.priors import Mix
from genrec.ragged import Ragged
from genrec.splitting import Cases
from genrec.tuning.lifting import LIFTS, best_free, fitted_lift, lift_alone
from genrec.tuning.weighing import from_beam
from tests.helpers.toyworld import Said, fusion, grid

FRESH = np.array([False, False, True])
EVERY = np.arange(3)
SCORES = np.array([1.0, 0.0, -3.25])
"""Item 0 stands before 1, and both before the fresh item 2."""


def free(targets: list[int]) -> float:
    return best_free([EVERY] * len(targets), [SCORES] * len(targets), FRESH, np.array(targets))


def test_a_lift_that_passes_an_item_nobody_wants_is_free() -> None:
    """From 3.5 on the fresh item passes item 1, from 4.5 on item 0, too, which 100 cases want."""
    assert free([0] * 100 + [2] * 5) == 3.5


def test_where_no_fresh_item_is_wanted_none_is_lifted() -> None:
    assert free([0] * 50 + [1] * 50) == 0


def test_where_fresh_items_are_wanted_they_pass_everything() -> None:
    assert free([2] * 50 + [0] * 5) == 4.5


def test_a_target_that_is_no_candidate_says_nothing() -> None:
    candidates = [EVERY] * 105 + [np.array([0, 1])] * 200
    scores = [SCORES] * 105 + [SCORES[:2]] * 200
    targets = np.array([0] * 100 + [2] * 5 + [2] * 200)
    assert best_free(candidates, scores, FRESH, targets) == 3.5


ITEMS = 200
KNOWN = np.arange(ITEMS) < ITEMS - 10
POPULAR = Said("popularity", tuple(np.random.default_rng(2).normal(size=ITEMS)))
VECTORS = np.random.default_rng(0).normal(size=(ITEMS // 2, 16)).repeat(2, axis=0).astype(np.float32)
"""Items 2 p and 2 p + 1 have the same text."""


def cases() -> Cases:
    """Who has item i takes the other of its text."""
    items = np.arange(ITEMS)
    targets = Ragged.from_lists([[int(item)] for item in items ^ 1])
    users, histories = [f"u{item}" for item in items], Ragged.from_lists([[item] for item in items.tolist()])
    return Cases(users, histories, targets, np.zeros(ITEMS, dtype=np.int64))


def even(history: list[int]) -> list[float]:
    return [1 / ITEMS] * ITEMS


@pytest.mark.parametrize("weight", [0.0, 0.5])
def test_it_is_one_of_those_tried_and_the_same_again(weight: float) -> None:
    asked = fusion(grid(ITEMS), even, (POPULAR,), {"popularity": weight})
    found = fitted_lift(asked, VECTORS, KNOWN, cases())
    assert found in LIFTS
    assert found == fitted_lift(asked, VECTORS, KNOWN, cases())


def test_the_beam_may_be_there_already() -> None:
    asked = fusion(grid(ITEMS), even, (POPULAR,), {"popularity": 0.5})
    beam = from_beam(asked, cases().histories)
    assert fitted_lift(asked, VECTORS, KNOWN, cases(), beam) == fitted_lift(asked, VECTORS, KNOWN, cases())


def test_of_the_priors_alone() -> None:
    assert lift_alone(Mix((POPULAR,), {"popularity": 1.0}), VECTORS, KNOWN, cases()) in LIFTS
