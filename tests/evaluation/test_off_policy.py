"""Off-policy estimates on logs whose answer is derivable, and their intervals over many simulated logs."""

from __future__ import annotations

import numpy as np
import pytest

from genrec.errors import ConfigError
from genrec.evaluation.off_policy import Logged, doubly_robust, ips, snips


def array(*values: float) -> np.ndarray:
    return np.array(values)


def test_by_hand() -> None:
    logged = Logged(array(1, 0, 1, 0), array(0.5, 0.5, 0.25, 0.25), array(1, 0, 0.5, 0.5))
    assert logged.weights.tolist() == [2, 0, 2, 2]
    assert ips(logged).mean == pytest.approx((2 + 2) / 4)
    assert snips(logged).mean == pytest.approx(4 / 6)
    assert doubly_robust(logged, np.full(4, 0.5), np.full(4, 0.5)).mean == pytest.approx(0.5 + (1 + 1 - 1) / 4)
    assert logged.effective == pytest.approx(36 / 12)


def test_a_policy_judged_by_its_own_log_has_its_mean() -> None:
    rewards = array(1, 0, 0, 1, 1)
    own = Logged(rewards, np.full(5, 0.3), np.full(5, 0.3))
    for one in (ips(own), snips(own), doubly_robust(own, np.zeros(5), np.zeros(5))):
        assert one.mean == pytest.approx(0.6)
        assert one.low < 0.6 < one.high


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """Two items with rewards .2 and .6; the log shows the second one time in five, the other policy four in five."""
    truth, held = 0.2 * 0.2 + 0.8 * 0.6, np.zeros(3)
    for seed in range(200):
        rng = np.random.default_rng(seed)
        second = rng.random(800) < 0.2
        rewards = (rng.random(800) < np.where(second, 0.6, 0.2)).astype(float)
        logged = Logged(rewards, np.where(second, 0.2, 0.8), np.where(second, 0.8, 0.2))
        expected = np.where(second, 0.5, 0.3)
        found = ips(logged), snips(logged), doubly_robust(logged, expected, np.full(800, 0.2 * 0.3 + 0.8 * 0.5))
        held += [one.low <= truth <= one.high for one in found]
    assert (held >= 180).all()
    assert (held <= 199).all()


def test_intervals_know_of_heavy_showings_that_a_log_may_lack() -> None:
    """An item shown one time in a hundred that the other policy always shows: 300 showings hold three of it or so."""
    held = np.zeros(2)
    for seed in range(200):
        rng = np.random.default_rng(seed)
        rare = rng.random(300) < 0.01
        rewards = (rng.random(300) < 0.5).astype(float)
        logged = Logged(rewards, np.where(rare, 0.01, 0.99), np.where(rare, 1.0, 0.0))
        plain = logged.rewards * logged.weights
        half = 1.96 * plain.std(ddof=1) / np.sqrt(300)
        one = ips(logged)
        held += [one.low <= 0.5 <= one.high, abs(plain.mean() - 0.5) <= half]
    assert held[0] >= 150
    assert held[0] > held[1]


def test_what_it_refuses() -> None:
    with pytest.raises(ConfigError, match="differ in length"):
        Logged(array(1, 0), array(1.0), array(1.0))
    with pytest.raises(ConfigError, match=r"out of range \(found 0"):
        Logged(array(1), array(0.0), array(1.0))
    with pytest.raises(ConfigError, match="do not fit the log"):
        doubly_robust(Logged(array(1), array(0.5), array(1.0)), array(1, 2), array(1.0))
