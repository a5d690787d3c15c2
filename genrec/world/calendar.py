"""When viewers watch: joining, evenings, and several films in one evening.

Knows time only; knows no film and no taste.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from genrec.ragged import Int64

DAY = 86_400
EVENING_FILMS = 4  # at most this many films in one session
SHORTEST_STAY = 0.2  # of the whole period
STAYS_ON = 0.6  # share of viewers still there at the end

Bool = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Calendar:
    """The events of user u are `offsets[u]:offsets[u + 1]`, oldest first.

    times: UTC seconds, int64 [events]; opens: bool [events], the first film of an evening.
    """

    offsets: Int64
    times: Int64
    opens: Bool

    @property
    def users(self) -> Int64:
        """The user number of every event, int64 [events]."""
        return np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))


def draw_lengths(users: int, mean: float, least: int, most: int, rng: np.random.Generator) -> Int64:
    """Events of each user, int64 [users]: heavy-tailed (log-normal above `least`), cut at `most`."""
    spread = 1.0
    extra = rng.lognormal(np.log(max(mean - least, 1e-9)) - spread**2 / 2, spread, users)
    return np.minimum(least + np.round(extra), most).astype(np.int64)


def draw_calendar(lengths: Int64, start: int, days: int, rng: np.random.Generator) -> Calendar:
    """Times for `lengths[u]` events of each user within `days` days from `start` (UTC seconds)."""
    offsets = np.concatenate([[0], lengths.cumsum()]).astype(np.int64)
    opens = _opens(offsets, rng)
    evening = opens.cumsum() - 1
    evenings = np.add.reduceat(opens.astype(np.int64), offsets[:-1])
    clock = rng.normal(20.0, 1.2, int(evenings.sum())).clip(17.0, 23.0) * 3600
    begins = start + _evening_days(evenings, days, rng) * DAY + clock.astype(np.int64)
    pauses = np.where(opens, 0, rng.integers(95 * 60, 160 * 60, len(opens)))
    elapsed = pauses.cumsum()
    return Calendar(offsets, begins[evening] + elapsed - elapsed[np.flatnonzero(opens)][evening], opens)


def _opens(offsets: Int64, rng: np.random.Generator) -> Bool:
    opens = rng.random(offsets[-1]) < 0.55
    opens[offsets[:-1]] = True
    firsts = np.flatnonzero(opens)
    place = np.arange(len(opens)) - firsts[opens.cumsum() - 1]
    return np.asarray(place % EVENING_FILMS == 0)


def _evening_days(evenings: Int64, days: int, rng: np.random.Generator) -> Int64:
    """The day of every evening, int64 [evenings]: within a user rising by one at least, in bursts and lulls."""
    joined, stay = _stays(evenings, days, rng)
    firsts = np.concatenate([[0], evenings.cumsum()[:-1]]).astype(np.int64)
    user = np.repeat(np.arange(len(evenings)), evenings)
    gaps = rng.gamma(0.6, 1.0, len(user)) + 1e-6
    before = gaps.cumsum() - gaps
    share = (before - before[firsts][user]) / np.add.reduceat(gaps, firsts)[user]
    spare = np.floor(share * (stay - evenings)[user]).astype(np.int64)
    return np.asarray(joined[user] + np.arange(len(user)) - firsts[user] + spare)


def _stays(evenings: Int64, days: int, rng: np.random.Generator) -> tuple[Int64, Int64]:
    """Day of joining and days of stay of each user; a stay has room for all evenings."""
    least = np.maximum(int(SHORTEST_STAY * days), np.ceil(1.2 * evenings).astype(np.int64))
    joined = np.floor(rng.beta(1.0, 1.6, len(evenings)) * (days - least + 1)).astype(np.int64)
    left = joined + least + np.floor(rng.random(len(evenings)) * (days - joined - least + 1)).astype(np.int64)
    left = np.where(rng.random(len(evenings)) < STAYS_ON, days, left)
    return joined, left - joined
