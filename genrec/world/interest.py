"""What viewers want and when it changes: the truth behind the log, in segments of constant interest.

Knows themes by number only; knows no film.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from genrec.ragged import Int64
from genrec.world.calendar import DAY, Calendar

Float64 = npt.NDArray[np.float64]

STABLE, ABRUPT, GRADUAL, RECURRING = KINDS = ("stable", "abrupt", "gradual", "recurring")
MOVE_STEPS = (0.2, 0.4, 0.6, 0.8)  # the new interest's share on the way of a gradual move


@dataclass(frozen=True)
class Interest:
    """One user's truth: segment s holds from `bounds[s]` to before `bounds[s + 1]` (UTC seconds).

    weights: [segments, themes], rows sum to 1; changes: when the interest changed (for `gradual`: when the move
    began and when it was over).
    """

    kind: str
    bounds: list[int]
    weights: Float64
    changes: list[int]


def draw_kinds(users: int, shares: Sequence[float], rng: np.random.Generator) -> list[str]:
    """The kind of each user; `shares` in the order of KINDS are met exactly, up to rounding."""
    edges = np.round(np.cumsum(shares) * users).astype(np.int64)
    kinds = np.searchsorted(edges, np.arange(users), side="right").clip(max=len(KINDS) - 1)
    return [KINDS[number] for number in rng.permutation(kinds)]


def draw_interest(kind: str, times: Int64, kinship: Float64, rng: np.random.Generator) -> Interest:
    """times: the user's event times, rising; kinship: [themes, themes], so that a change leads somewhere else."""
    old = _taste(np.ones(len(kinship), dtype=bool), rng)
    new = _taste(_strangers(kinship, old), rng)
    first, over = int(times[0]), int(times[-1]) + 1
    if kind == STABLE:
        return Interest(kind, [first, over], old[None], [])
    if kind == ABRUPT:
        change = _middle(times, rng)
        return Interest(kind, [first, change, over], np.stack([old, new]), [change])
    if kind == GRADUAL:
        return _gradual(times, old, new, rng)
    pieces = int(np.clip(round((over - first) / DAY / rng.uniform(60, 120)), 3, 8))
    bounds = np.linspace(first, over, pieces + 1).astype(np.int64).tolist()
    turns = np.stack([old, new])[np.arange(pieces) % 2]
    return Interest(kind, bounds, turns, bounds[1:-1])


def weights_at(interests: Sequence[Interest], calendar: Calendar) -> tuple[Int64, Float64]:
    """Every event's segment, int64 [events], and the theme weights of all segments, [segments, themes]."""
    begins = np.concatenate([one.bounds[:-1] for one in interests])
    owner = np.repeat(np.arange(len(interests)), [len(one.weights) for one in interests])
    base, width = int(begins.min()), int(calendar.times.max() - begins.min()) + 1
    keys = owner * width + begins - base
    segment = np.searchsorted(keys, calendar.users * width + calendar.times - base, side="right") - 1
    return segment, np.concatenate([one.weights for one in interests])


def labels_table(user_ids: Sequence[str], interests: Sequence[Interest], themes: Sequence[str]) -> pl.DataFrame:
    """user_id, kind, change_points: list of UTC seconds, segments: list of {start, end, themes, weights}."""
    part = pl.Struct({"start": pl.Int64, "end": pl.Int64, "themes": pl.List(pl.String), "weights": pl.List(pl.Float64)})
    return pl.DataFrame(
        {
            "user_id": user_ids,
            "kind": [one.kind for one in interests],
            "change_points": [one.changes for one in interests],
            "segments": [_segments(one, themes) for one in interests],
        },
        schema={"user_id": pl.String, "kind": pl.String, "change_points": pl.List(pl.Int64), "segments": pl.List(part)},
    )


def _segments(one: Interest, themes: Sequence[str]) -> list[dict[str, object]]:
    rows = zip(one.bounds[:-1], one.bounds[1:], one.weights, strict=True)
    return [
        {
            "start": start,
            "end": end,
            "themes": [theme for theme, weight in zip(themes, weights, strict=True) if weight > 0],
            "weights": weights[weights > 0].tolist(),
        }
        for start, end, weights in rows
    ]


def _taste(allowed: npt.NDArray[np.bool_], rng: np.random.Generator) -> Float64:
    """One to three themes with weights, [themes], sum 1."""
    count = min(int(rng.choice(3, p=(0.3, 0.45, 0.25))) + 1, int(allowed.sum()))
    chosen = rng.choice(np.flatnonzero(allowed), count, replace=False)
    weights = np.zeros(len(allowed))
    weights[chosen] = np.round(rng.dirichlet(np.full(count, 3.0)), 3)
    return np.asarray(weights / weights.sum())


def _strangers(kinship: Float64, taste: Float64) -> npt.NDArray[np.bool_]:
    """The half of the themes that is least akin to a taste."""
    closeness = kinship[taste > 0].max(axis=0)
    return np.asarray(closeness <= np.median(closeness))


def _middle(times: Int64, rng: np.random.Generator) -> int:
    """A time with about a third of the user's events before it and a third after it, or more."""
    return int(times[int(rng.uniform(0.35, 0.7) * len(times))])


def _gradual(times: Int64, old: Float64, new: Float64, rng: np.random.Generator) -> Interest:
    first, over = int(times[0]), int(times[-1]) + 1
    reach = min(rng.uniform(30, 75) * DAY, 0.3 * (over - first))
    centre = float(np.clip(_middle(times, rng), first + 1.1 * reach, over - 1.1 * reach))
    steps = np.linspace(centre - reach, centre + reach, len(MOVE_STEPS) + 1).astype(np.int64).tolist()
    share = np.array([0.0, *MOVE_STEPS, 1.0])[:, None]
    return Interest(GRADUAL, [first, *steps, over], (1 - share) * old + share * new, [steps[0], steps[-1]])
