"""Whether many people's choices together have become harder to predict: Page-Hinkley and ADWIN on a stream of losses.

For a shop, a country, a week's newcomers: streams of thousands of losses, such as log2(1 + rank) of what was chosen.
One person's forty choices are too few for either; see `drift`. Thresholds come from a stationary stretch of the same
stream.
Sources: Page 1954; Bifet & Gavaldà 2007. Knows numbers only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from genrec.errors import ConfigError
from genrec.interest.past import Float64

_BLOCK = 32  # losses of one bucket: ADWIN compares windows that end between buckets
_LEAST = 5  # buckets of a window


@dataclass(frozen=True)
class PageHinkley:
    """threshold: on the cumulated rise of the loss above `mean` + `slack`, which is where stationary losses lie."""

    mean: float
    slack: float
    threshold: float

    @classmethod
    def calibrated(cls, stationary: Float64, every: int = 10_000, seed: int = 0) -> PageHinkley:
        """A false alarm in `every` losses or more, as 200 reordered copies of these losses have it."""
        mean, slack = float(stationary.mean()), 0.05 * float(stationary.std())
        rng, plain = np.random.default_rng(seed), cls(mean, slack, float("inf"))
        highest = [plain.statistic(rng.choice(stationary, every)).max() for _ in range(200)]
        return cls(mean, slack, float(np.quantile(highest, np.exp(-1))))  # no alarm in `every` has chance 1/e

    def statistic(self, losses: Float64) -> Float64:
        """float64 [losses]: how far the sum has risen above its lowest point."""
        summed = np.cumsum(losses - self.mean - self.slack)
        return np.asarray(summed - np.minimum(np.minimum.accumulate(summed), 0.0))

    def alarm(self, losses: Float64) -> int | None:
        """Place of the first alarm."""
        over = np.flatnonzero(self.statistic(losses) > self.threshold)
        return int(over[0]) if len(over) else None


@dataclass(frozen=True)
class Adwin:
    """threshold: on the largest difference of two windows' means in standard errors, which finds falls as well as
    rises; windows end between blocks of 32 losses."""

    deviation: float
    threshold: float

    @classmethod
    def calibrated(cls, stationary: Float64, every: int = 10_000, seed: int = 0) -> Adwin:
        """As `PageHinkley.calibrated`; the union bound of the paper would be looser. Raises ConfigError for losses
        that are all alike."""
        deviation = float(stationary.std())
        if not deviation:
            raise ConfigError("losses that are all alike calibrate nothing", value=float(stationary[0]))
        rng, plain = np.random.default_rng(seed), cls(deviation, float("inf"))
        highest = [plain.statistic(rng.choice(stationary, every)).max(initial=0.0) for _ in range(100)]
        return cls(deviation, float(np.quantile(highest, np.exp(-1))))

    def statistic(self, losses: Float64) -> Float64:
        """float64 [blocks]: at every block's end the largest difference of any two windows up to there."""
        blocks = len(losses) // _BLOCK
        summed = np.concatenate([[0.0], losses[: blocks * _BLOCK].reshape(blocks, _BLOCK).sum(axis=1).cumsum()])
        out = np.zeros(blocks)
        for end in range(2 * _LEAST, blocks + 1):
            cut = np.arange(_LEAST, end - _LEAST + 1)
            old, new = summed[cut] / cut, (summed[end] - summed[cut]) / (end - cut)
            error = self.deviation * np.sqrt((1 / cut + 1 / (end - cut)) / _BLOCK)
            out[end - 1] = (np.abs(new - old) / error).max()
        return out

    def alarm(self, losses: Float64) -> int | None:
        """Place of the last loss before the first alarm."""
        over = np.flatnonzero(self.statistic(losses) > self.threshold)
        return int((over[0] + 1) * _BLOCK - 1) if len(over) else None
