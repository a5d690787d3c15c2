"""Whether a person's interest has changed, and since when: a sequential test whose false-alarm rate is calibrated.

At every choice the long window (all since the last change) is set against every short one (since some later place):
the statistic is the Shiryaev-Roberts sum of their likelihood ratios (Roberts 1966), and an alarm is raised where it
exceeds a threshold. The threshold is measured, not assumed: it is the one at which histories known or made to be
stationary raise at most `rate` alarms per choice, however long a history is looked at. `posterior` asks the milder
question how likely each place is to be where the present interest began (Adams & MacKay 2007). Knows arrays only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from genrec.errors import ConfigError
from genrec.interest.filtering import Filter
from genrec.interest.topics import Float64
from genrec.ragged import Int64, Ragged

_KNOTS = 40


@dataclass(frozen=True)
class Change:
    """since: place of the first choice of the new interest, as far as can be told; noticed: place of the choice that
    raised the alarm; strength: log of the statistic there."""

    since: int
    noticed: int
    strength: float


@dataclass(frozen=True)
class Usual:
    """What the statistic is in stationary histories, by place: it grows as a person uses up what there is to like.

    places: where it was measured, rising; middle: its median there; high: its 99 % quantile, float64 [places] each.
    """

    places: Float64
    middle: Float64
    high: Float64

    @classmethod
    def of(cls, stationary: Sequence[Float64], least: int = 300) -> Usual:
        """stationary: statistics of many histories; places are pooled until `least` values lie together."""
        values = np.concatenate([one[1:] for one in stationary])
        places = np.concatenate([np.arange(1, len(one)) for one in stationary])
        order = np.argsort(places, kind="stable")
        bins = max(1, min(_KNOTS, len(order) // least))
        parts = np.array_split(order, bins) if bins < 4 else _pooled(places, order, least)
        middle = np.array([np.median(values[part]) for part in parts])
        high = np.array([np.quantile(values[part], 0.99) for part in parts])
        at = np.array([places[part].mean() for part in parts])
        return cls(at, np.maximum.accumulate(middle), np.maximum.accumulate(np.maximum(high, middle + 0.1)))

    def scaled(self, values: Float64, first: int = 0) -> Float64:
        """The statistic at places from `first` on, so that 0 is its median there and 1 its 99 % quantile."""
        at = np.arange(first, first + len(values))
        middle, high = np.interp(at, self.places, self.middle), np.interp(at, self.places, self.high)
        return np.asarray((values - middle) / (high - middle))


@dataclass(frozen=True)
class Detector:
    """threshold: on the statistic scaled by what is usual; rate: alarms per stationary choice it was calibrated for."""

    filter: Filter
    usual: Usual
    threshold: float
    rate: float

    @classmethod
    def calibrated(cls, filter: Filter, stationary: Ragged, rate: float = 1e-4, *, margin: float = 0.6) -> Detector:
        """The lowest threshold with at most rate · margin alarms per choice of these histories.

        stationary: histories without a change, as `shuffled` makes them from real ones. margin: a safety, because the
        threshold is itself an estimate. Raises ConfigError where there are too few choices to see the rate at all.
        """
        enough(len(stationary.items), rate, margin)
        evidence = filter.evidence(stationary)
        values = [statistic(one) for one in evidence]
        usual, allowed = Usual.of(values), int(len(stationary.items) * rate * margin)
        highest = np.array([usual.scaled(one).max(initial=-np.inf) for one in values])
        # One alarm a history to begin with; those after a restart are counted as the threshold rises.
        first = float(np.sort(highest)[::-1][min(allowed, len(highest) - 1)])
        found = cls(filter, usual, first, rate)
        near = [one for one, high in zip(evidence, highest, strict=True) if high > first]
        while sum(len(found.changes(one)) for one in near) > allowed:
            found = replace(found, threshold=found.threshold + 0.02)
        return found

    def detect(self, histories: Ragged) -> list[list[Change]]:
        """The changes of each history, oldest first."""
        return [self.changes(one) for one in self.filter.evidence(histories)]

    def changes(self, evidence: Float64) -> list[Change]:
        """evidence: of one history, as `Filter.evidence` gives it. After an alarm the test begins anew where the new
        interest did, so that it can be left, too."""
        found: list[Change] = []
        start, place = 0, 0
        while place < len(evidence):
            values, since = _since(evidence, start)
            scaled = self.usual.scaled(values, start)
            over = np.flatnonzero(scaled[place - start :] > self.threshold)
            if not len(over):
                break
            place += int(over[0])
            found.append(Change(start + int(since[place - start]), place, float(values[place - start])))
            start, place = found[-1].since, place + 1
        return found


def enough(choices: int, rate: float, margin: float = 0.6) -> None:
    """Raises ConfigError where so few stationary choices cannot show the rate at all."""
    least = 1 / (rate * margin)
    if choices < least:
        raise ConfigError(
            "too few stationary choices to calibrate with", value=choices, allowed=f"{least:,.0f} or more",
            remedy="give more histories, or a higher rate",
        )  # fmt: skip


def statistic(evidence: Float64) -> Float64:
    """Log of the Shiryaev-Roberts sum at every place of one history, float64 [n]; −inf at the first."""
    return _since(evidence, 0)[0]


def posterior(evidence: Float64, hazard: float) -> Float64:
    """At [place, since] the probability that the interest at `place` began at `since`, float64 [n, n], rows sum to 1.

    hazard: chance that a choice is the first of a new interest.
    """
    n = len(evidence)
    out = np.zeros((n, n))
    weights = np.full(n, -np.inf)
    for place in range(n):
        total = np.logaddexp.reduce(weights[:place]) if place else 0.0
        weights[:place] += np.log1p(-hazard)
        weights[place] = total + np.log(hazard) if place else 0.0
        weights[: place + 1] += evidence[: place + 1, place]
        weights[: place + 1] -= np.logaddexp.reduce(weights[: place + 1])
        out[place, : place + 1] = np.exp(weights[: place + 1])
    return out


def shuffled(histories: Ragged, sessions: Int64, copies: int = 1, seed: int = 0) -> Ragged:
    """Histories made stationary: each person's sessions in a random order, `copies` times.

    sessions: number of every choice's session, int64 [choices], rising within a person; within a session the order
    stays, for what follows what there is no change of interest. What a person chose in changing times is then mixed,
    which makes these histories broader than stable people's, and the threshold rather high than low.
    """
    rng = np.random.default_rng(seed)
    parts = []
    for _ in range(copies):
        _, group = np.unique(histories.rows * (int(sessions.max(initial=0)) + 1) + sessions, return_inverse=True)
        chance = rng.random(int(group.max(initial=0)) + 1)[group.reshape(-1)]
        parts.append(histories.items[np.lexsort((histories.places, chance, histories.rows))])
    lengths = np.tile(histories.lengths, copies)
    return Ragged(np.concatenate([[0], lengths.cumsum()]).astype(np.int64), np.concatenate(parts))


def _pooled(places: Int64, order: Int64, least: int) -> list[Int64]:
    """Values in the order of their places, in groups that double in width of place and hold `least` or more."""
    edges = np.unique(np.round(np.geomspace(2, int(places.max()) + 1, _KNOTS)).astype(np.int64))
    ends = np.searchsorted(places[order], edges)
    cuts = [0]
    for end in ends.tolist():
        if end - cuts[-1] >= least and len(order) - end >= least:
            cuts.append(end)
    return [order[low:high] for low, high in zip(cuts, [*cuts[1:], len(order)], strict=True)]


def _since(evidence: Float64, start: int) -> tuple[Float64, Int64]:
    """From `start` on: the log statistic at every place, and the likeliest begin of the short window, from `start`."""
    own = evidence[start:, start:]
    n = len(own)
    gained = np.where(np.triu(np.ones((n, n), dtype=bool)), (own - own[:1]).cumsum(axis=1), -np.inf)
    gained[0] = -np.inf
    # What stands before `since` in a row of differences is not the short window's.
    before = (np.tril(own - own[:1], -1)).sum(axis=1)
    gained -= before[:, None]
    with np.errstate(divide="ignore"):
        values = np.logaddexp.reduce(gained, axis=0) if n else np.empty(0)
    return np.asarray(values), gained.argmax(axis=0)


def sessions_of(times: Int64, histories: Ragged, gap: int = 6 * 3600) -> Int64:
    """The session of every choice, int64 [choices]: a pause of more than `gap` seconds begins another."""
    pause = np.diff(times, prepend=times[:1]) > gap
    pause[histories.offsets[:-1][histories.lengths > 0]] = False
    summed = pause.cumsum()
    return np.asarray(summed - np.repeat(summed[histories.offsets[:-1].clip(max=len(times) - 1)], histories.lengths))
