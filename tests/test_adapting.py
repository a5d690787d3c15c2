"""Rankings of the whole history, its present part and the newest choice, joined."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from genrec.adapting import AdaptiveFusion, joined
from genrec.fusing import Ranking
from genrec.interest.adapting import Adapter, AdaptPolicy
from genrec.ragged import Ragged
from tests.helpers.toyworld import fusion, grid
from tests.interest.test_drift import HALF, ITEMS, people, written_down


def ranking(**chances: float) -> Ranking:
    items = np.array([int(name[1:]) for name in chances])
    scores = np.log(np.array(list(chances.values())))
    return Ranking(items, scores, scores)


def test_the_join_by_hand() -> None:
    """Item 2 stands in both: √(.25 · .4); of the others each has a nat less than the last in the ranking without it."""
    found = joined([(ranking(i1=0.75, i2=0.25), 0.5), (ranking(i2=0.4, i7=0.6), 0.5)], 3)
    by_hand = {1: 0.75 * 0.4 / np.e, 2: 0.25 * 0.4, 7: 0.6 * 0.25 / np.e}
    assert found.items.tolist() == sorted(by_hand, key=lambda item: -by_hand[item])
    np.testing.assert_allclose(np.exp(found.scores), np.sqrt(sorted(by_hand.values())[::-1]))
    assert found.logprobs.tolist() == [np.log(0.75), np.log(0.4), np.log(0.6)]


@pytest.mark.parametrize(("share", "order"), [(0.0, [1, 2]), (1.0, [7, 2])])
def test_a_part_that_has_it_all_decides_alone(share: float, order: list[int]) -> None:
    parts = [(ranking(i1=0.75, i2=0.25), 1 - share), (ranking(i7=0.6, i2=0.4), share)]
    assert joined(parts, 2).items.tolist() == order


def test_a_part_that_finds_nothing_says_nothing() -> None:
    nothing = ranking()
    assert joined([(ranking(i1=0.75, i2=0.25), 0.5), (nothing, 0.5)], 3).items.tolist() == [1, 2]
    assert joined([(nothing, 0.9), (nothing, 0.1)], 3).items.tolist() == []


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


def test_the_newest_choice_counts_twice_and_one_choice_is_the_whole_history() -> None:
    plain = fusion(grid(ITEMS), same_half)
    ours = AdaptiveFusion(plain, Adapter.of(written_down(), AdaptPolicy(on=True, most=0.0, latest=0.6)))
    histories = Ragged.from_lists([[0, 1, 2, HALF], [0]])
    odd, single = ours.rank(histories, 5, allowed=[None, None])
    assert (odd.items >= HALF).all()
    assert single.scores.tolist() == plain.rank(histories, 5, allowed=[None, None])[1].scores.tolist()
    with pytest.raises(ValidationError, match="1 at most"):
        AdaptPolicy(most=0.8, latest=0.3)
