"""Off-policy estimates against a truth that the simulator knows, and slates that cover interests. Of drift.py."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmarks._drift_worlds import Around
from genrec.diversity import calibrated, determinantal, spread
from genrec.evaluation.off_policy import Logged, doubly_robust, ips, snips
from genrec.exploring import Exploration, slot_chances
from genrec.interest.topics import Topics
from genrec.ragged import Int64, Ragged
from genrec.world.taste import TasteSpace

Float64 = npt.NDArray[np.float64]
SLATE = 10
WEIGHTS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7)
Picker = Callable[[int, float], Int64]


@dataclass(frozen=True)
class Pools:
    """The best items of every case, best first: items int64 [cases, pool], scores float64 beside them (of the policy
    that logs), and the scores of the policy in question."""

    items: Int64
    scores: Float64
    others: Float64


def true_interest(cases: Around, space: TasteSpace) -> Float64:
    """The weights of the themes on the viewer's mind at each case, float64 [cases, themes]."""
    labels = cases.viewers.world.labels
    segments = dict(zip(labels["user_id"].to_list(), labels["segments"].to_list(), strict=True))
    number = {theme: place for place, theme in enumerate(space.themes)}
    offsets, times = cases.viewers.items.offsets, cases.viewers.histories.times
    out = np.zeros((len(cases), len(space.themes)))
    for row, (user, place) in enumerate(zip(cases.users.tolist(), cases.places.tolist(), strict=True)):
        now = times[offsets[user] + place]
        held = next(
            one for one in segments[cases.viewers.histories.users[user]] if one["start"] <= now < one["end"]
        )  # fmt: skip
        out[row, [number[theme] for theme in held["themes"]]] = held["weights"]
    return out


def covered_runs(pools: Pools, chances: Float64, runs: int, showings: int) -> dict[str, int]:
    """Of so many simulated logs those whose 95 % interval holds the truth, by estimator.

    chances: of a click on each item of the pools, float64 [cases, pool]: the truth. The logging policy explores one
    place in five; the other takes its best. Only the first place is shown. The expectation that the doubly robust
    estimator needs is the mean reward by place in the pool, from a log of its own.
    """
    log = _first_slot(pools.scores, 0.2)
    other = _first_slot(pools.others, 0.0)
    truth = float((other * chances).sum(axis=1).mean())
    found = dict.fromkeys(("ips", "snips", "dr"), 0)
    model = _by_place(log, chances, np.random.default_rng(10_000), showings)
    for run in range(runs):
        rng = np.random.default_rng(run)
        rows = rng.integers(0, len(chances), showings)
        shown = _drawn(log[rows], rng)
        at = (rows, shown)
        logged = Logged((rng.random(showings) < chances[at]).astype(np.float64), log[at], other[at])
        intervals = {
            "ips": ips(logged), "snips": snips(logged),
            "dr": doubly_robust(logged, model[shown], (other[rows] * model).sum(axis=1)),
        }  # fmt: skip
        for name, one in intervals.items():
            found[name] += one.low <= truth <= one.high
    return found


def _first_slot(scores: Float64, rate: float) -> Float64:
    temperature = Exploration().temperature
    free = np.isfinite(scores)
    return np.stack([slot_chances(row, there, rate, temperature) for row, there in zip(scores, free, strict=True)])


def _drawn(chances: Float64, rng: np.random.Generator) -> Int64:
    picked: Int64 = (chances.cumsum(axis=1) < rng.random(len(chances))[:, None]).sum(axis=1)
    return np.asarray(np.minimum(picked, chances.shape[1] - 1))


def _by_place(log: Float64, chances: Float64, rng: np.random.Generator, showings: int) -> Float64:
    rows = rng.integers(0, len(log), showings)
    shown = _drawn(log[rows], rng)
    rewards = rng.random(showings) < chances[rows, shown]
    count = np.bincount(shown, minlength=log.shape[1])
    earned = np.bincount(shown, weights=rewards, minlength=log.shape[1])
    return np.asarray((earned + rewards.mean()) / (count + 1))


@dataclass(frozen=True)
class Trade:
    """Of a re-ranking, by case. touched: share of the person's interests with an item in the slate; covered: share of
    the interests covered in proportion, Σ min(wanted, slate's); missed: Kullback-Leibler divergence of the slate's
    shares from those wanted (Steck 2018); ndcg: NDCG@10."""

    touched: Float64
    covered: Float64
    missed: Float64
    ndcg: Float64


def traded(picker: Picker, weight: float, items: Int64, targets: Int64, interest: Float64, space: TasteSpace) -> Trade:
    """picker(case, weight) → places of the pool. An item is of the interests that it is at least half in, in equal
    parts, and of none where there is no such."""
    found = np.zeros((4, len(items)))
    for row in range(len(items)):
        slate = items[row, picker(row, weight)]
        wanted = np.flatnonzero(interest[row])
        shares = interest[row, wanted] / interest[row].sum()
        within = (space.affinity[np.ix_(slate, wanted)] >= 0.5).astype(np.float64)
        within /= np.maximum(within.sum(axis=1, keepdims=True), 1)
        slates = within.sum(axis=0) / len(slate)
        at = np.flatnonzero(slate == targets[row])
        found[:, row] = (
            (slates > 0).mean(), np.minimum(shares, slates).sum(),
            (shares * np.log(shares / (0.99 * slates + 0.01 * shares))).sum(),
            1 / np.log2(at[0] + 2) if len(at) else 0.0,
        )  # fmt: skip
    return Trade(*found)


def pickers(pools: Pools, topics: Topics, vectors: npt.NDArray[np.float32], histories: Ragged) -> dict[str, Picker]:
    """The three re-rankings."""
    wanted = [topics.interests(histories[row]) for row in range(len(histories))]
    within = [topics.within(shares, pools.items[row]) for row, shares in enumerate(wanted)]

    def calibrate(row: int, weight: float) -> Int64:
        return calibrated(pools.scores[row], within[row], wanted[row], SLATE, weight)

    def relevance(row: int, weight: float) -> Int64:
        return spread(pools.scores[row], vectors[pools.items[row]], SLATE, weight)

    def process(row: int, weight: float) -> Int64:
        return determinantal(pools.scores[row], vectors[pools.items[row]], SLATE, weight)

    return {"calibrated": calibrate, "mmr": relevance, "dpp": process}
