"""What another policy would have earned, from a log of what one policy showed with known chances: IPS, SNIPS, DR.

Sources: Horvitz & Thompson 1952 (IPS), Swaminathan & Joachims 2015 (SNIPS), Dudík, Langford & Li 2011 (DR). Intervals
are normal, from the variance of each estimator's terms and of z² showings more, of the largest weight and a usual
reward: rare heavy showings are just those that a log may lack, its variance with them (after Agresti & Coull 1998).
Knows only arrays: no items, no users, no models.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

from genrec.errors import ConfigError
from genrec.evaluation.bootstrap import Interval

Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Logged:
    """One row for each showing. rewards: what came of it; shown: chance with which the log's policy showed just that;
    wanted: chance with which the policy in question would have; float64 [showings] each.
    """

    rewards: Float64
    shown: Float64
    wanted: Float64

    def __post_init__(self) -> None:
        lengths = {len(self.rewards), len(self.shown), len(self.wanted)}
        if len(lengths) != 1 or not len(self.rewards):
            raise ConfigError("rewards and chances differ in length", value=sorted(lengths), allowed="one per showing")
        if not ((self.shown > 0) & (self.shown <= 1)).all():
            worst = float(self.shown[~((self.shown > 0) & (self.shown <= 1))][0])
            raise ConfigError(
                "a chance of showing is out of range", value=worst, allowed="over 0, at most 1",
                remedy="leave out what the policy could not have shown",
            )  # fmt: skip
        if not ((self.wanted >= 0) & (self.wanted <= 1)).all():
            raise ConfigError("a wanted chance is out of range", value=float(self.wanted.max()), allowed="0 to 1")

    @property
    def weights(self) -> Float64:
        """How many times as often the other policy would have shown it, float64 [showings]."""
        return np.asarray(self.wanted / self.shown)

    @property
    def effective(self) -> float:
        """How many showings of the other policy's own the log is worth (Kong 1992); few: trust no estimate."""
        total = float((self.weights**2).sum())
        return float(self.weights.sum() ** 2 / total) if total else 0.0


def ips(logged: Logged, level: float = 0.95) -> Interval:
    """Mean of the rewards, each times its weight: unbiased, of large variance where policies differ much."""
    return _interval(logged.rewards * logged.weights, logged.weights, logged.rewards, level)


def snips(logged: Logged, level: float = 0.95) -> Interval:
    """The same over the sum of the weights: slightly biased, of less variance. The variance is by the delta method."""
    total = float(logged.weights.sum())
    if not total:
        return _interval(np.zeros(len(logged.rewards)), logged.weights, logged.rewards, level)
    mean = float((logged.weights * logged.rewards).sum() / total)
    weights, errors = logged.weights / logged.weights.mean(), logged.rewards - mean
    half = _half(weights * errors, weights, errors, level)
    return Interval(mean, mean - half, mean + half, level)


def doubly_robust(logged: Logged, expected_shown: Float64, expected: Float64, level: float = 0.95) -> Interval:
    """A model's expectation, corrected by the weighted error that it made on what was shown.

    expected_shown: what a model expects of the item shown; expected: what it expects under the other policy (the sum
    over its items of chance times expectation); float64 [showings] each, of a model that has not seen these rewards.
    """
    if expected_shown.shape != logged.rewards.shape or expected.shape != logged.rewards.shape:
        shapes = (expected_shown.shape, expected.shape)
        raise ConfigError("expectations do not fit the log", value=shapes, allowed=f"{logged.rewards.shape} each")
    errors = logged.rewards - expected_shown
    return _interval(expected + logged.weights * errors, logged.weights, errors, level)


def _interval(terms: Float64, weights: Float64, errors: Float64, level: float) -> Interval:
    mean, half = float(terms.mean()), _half(terms, weights, errors, level)
    return Interval(mean, mean - half, mean + half, level)


def _half(terms: Float64, weights: Float64, errors: Float64, level: float) -> float:
    """Half the width. errors: what is weighed in each term."""
    if len(terms) < 2:
        return float("inf")
    n, quantile = len(terms), float(norm.ppf((1 + level) / 2))
    unseen = quantile**2 * float(weights.max()) ** 2 * float((errors**2).mean()) / n
    return quantile * float(np.sqrt((terms.var(ddof=1) + unseen) / n))
