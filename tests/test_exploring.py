"""Exploring slates say with which chance each place got its item, and the chances are true."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from genrec.exploring import Exploration, draw, slot_chances, uncertainty

SCORES = np.log(np.array([0.5, 0.3, 0.2]))


def test_the_chances_of_a_slot_by_hand() -> None:
    free = np.ones(3, dtype=bool)
    np.testing.assert_allclose(slot_chances(SCORES, free, 0.5, 1.0), [0.75, 0.15, 0.1])
    np.testing.assert_allclose(slot_chances(SCORES, np.array([False, True, True]), 0.5, 1.0), [0.0, 0.8, 0.2])


def test_without_exploration_the_order_stands() -> None:
    found = draw(SCORES, 3, 0.0, Exploration(), seed=1)
    assert (found.picks.tolist(), found.propensities.tolist()) == ([0, 1, 2], [1.0, 1.0, 1.0])


def test_the_logged_chance_is_the_frequency() -> None:
    exploration = Exploration(temperature=1.0)
    drawn = [draw(SCORES, 2, 0.6, exploration, seed) for seed in range(4000)]
    for first, second in ((0, 1), (1, 0), (2, 1)):
        those = [one for one in drawn if one.picks.tolist() == [first, second]]
        assert len(those) / len(drawn) == pytest.approx(float(those[0].propensities.prod()), abs=0.02)
    assert draw(SCORES, 2, 0.6, exploration, 3).picks.tolist() == drawn[3].picks.tolist()


def test_exploration_rises_with_uncertainty() -> None:
    exploration = Exploration(least=0.1, most=0.3)
    assert [exploration.rate(one) for one in (0.0, 0.5, 1.0, 7.0)] == pytest.approx([0.1, 0.2, 0.3, 0.3])
    assert uncertainty(np.array([0.0, 1.0, 0.0])) == 0
    assert uncertainty(np.full(4, 0.25)) == pytest.approx(1)
    assert uncertainty(np.empty(0)) == 1
    with pytest.raises(ValidationError, match="most must not be below least"):
        Exploration(least=0.5, most=0.1)
