"""Rankings of the whole and the present part of a history, mixed."""

from __future__ import annotations

import numpy as np
import pytest

from genrec.adapting import AdaptiveFusion, mixed
from genrec.fusing import Ranking
from genrec.interest.adapting import Adapter, AdaptPolicy
from genrec.ragged import Ragged
from tests.helpers.toyworld import fusion, grid
from tests.interest.test_drift import HALF, ITEMS, people, written_down


def ranking(**chances: float) -> Ranking:
    items = np.array([int(name[1:]) for name in chances])
    scores = np.log(np.array(list(chances.values())))
    return Ranking(items, scores, scores)


def test_the_mixture_by_hand() -> None:
    found = mixed(ranking(i1=0.75, i2=0.25), ranking(i2=0.4, i7=0.6), 0.5, 1.0, 3)
    assert found.items.tolist() == [1, 2, 7]
    np.testing.assert_allclose(np.exp(found.scores), [0.375, 0.325, 0.3])


@pytest.mark.parametrize(("chance", "order"), [(0.0, [1, 2]), (1.0, [7, 2])])
def test_a_certain_mixture_is_one_of_the_two(chance: float, order: list[int]) -> None:
    assert mixed(ranking(i1=0.75, i2=0.25), ranking(i7=0.6, i2=0.4), chance, 2.0, 2).items.tolist() == order


def same_half(history: list[int]) -> list[float]:
    """A model that goes by the majority of all that it reads."""
    second = np.mean([item >= HALF for item in history]) if history else 0.5
    chances = np.where(np.arange(ITEMS) < HALF, 0.01 + (second < 0.5), 0.01 + (second >= 0.5))
    return list(chances / chances.sum())


def test_a_changed_history_is_ranked_by_its_present_part_and_a_stable_one_as_ever() -> None:
    plain = fusion(grid(ITEMS), same_half)
    ours = AdaptiveFusion(plain, Adapter.of(written_down(), AdaptPolicy(on=True)))
    histories = Ragged.from_lists([people(1, ((0, 12), (1, 5)), seed=1)[0], people(1, ((0, 12),), seed=1)[0]])
    free = [np.isin(np.arange(ITEMS), histories[row], invert=True) for row in range(2)]
    moved, stable = ours.rank(histories, 5, allowed=free)
    assert (moved.items >= HALF).all()
    assert (plain.rank(histories, 5, allowed=free)[0].items < HALF).all()
    assert stable.items.tolist() == plain.rank(histories, 5, allowed=free)[1].items.tolist()
    off = AdaptiveFusion(plain, Adapter.of(written_down(), AdaptPolicy(on=False)))
    assert (off.rank(histories, 5, allowed=free)[0].items < HALF).all()
