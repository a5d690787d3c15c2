"""Ratings as tokens: the error of their mean beside matrix factorisation and means, and what they do to ranking.

Each user's newest fifth is held out, the tenth before it chooses; nothing of either is learnt or shown. Every system
sees the same training events and is asked about the same held-out ones. Matrix factorisation is LensKit's (alternating
least squares over damped means), its damping, factors and regularisation chosen on validation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from transformers import PreTrainedModel

from benchmarks._finetune_kinds import Figures, learn, learning, measured, over, tested, without_cases
from benchmarks._finetune_mixture import ALONE, BATCH, RATE, Ground
from genrec.benchmarking import Claim, claim
from genrec.decoding.engine import Float64
from genrec.errors import MissingExtra
from genrec.evaluation.bootstrap import difference_interval, mean_interval
from genrec.formats import Dataset, read
from genrec.interactions import Histories, Interactions
from genrec.judging import Answers, Judged, expected, median
from genrec.ragged import Int64, Ragged
from genrec.splitting import Cases, Split

GIVEN, MIXED = "ratings alone", "next item and ratings"
MEANS, FACTORS = "means", "matrix factorisation"
DAMPINGS, SIZES, WEIGHTS = (1.0, 2.0, 5.0, 10.0), (10, 50, 100), (0.1, 0.2, 0.4, 0.8)


@dataclass(frozen=True)
class Events:
    """Held-out ratings. items: places in the catalog."""

    users: list[str]
    items: Int64
    values: Float64


@dataclass(frozen=True)
class Held:
    """Next-item cases and ratings to predict, of the same events."""

    split: Split
    valid: Events
    test: Events


def held_out(data: Dataset, most: int) -> Held:
    """most: ratings of validation and of the test at most, drawn with a seed."""
    ids = data.catalog.item_ids
    count, place = pl.len().over("user_id"), pl.int_range(pl.len()).over("user_id")
    table = data.interactions.by_user(ids).with_columns(left=count - place, fifth=count // 5, tenth=count // 10)
    test, learnt = pl.col("left") <= pl.col("fifth"), pl.col("left") > pl.col("fifth") + pl.col("tenth")
    train = Interactions.from_table(table.filter(learnt))
    whole = data.interactions.histories(ids)
    fifth, tenth = (
        table.group_by("user_id", maintain_order=True).first()[name].to_numpy() for name in ("fifth", "tenth")
    )
    split = Split("newest fifth", train, _cases(whole, fifth + tenth, tenth > 0), _cases(whole, fifth, fifth > 0), ids)
    return Held(split, _events(table.filter(~learnt & ~test), most), _events(table.filter(test), most))


def _cases(whole: Histories, back: Int64, rows: np.ndarray[Any, Any]) -> Cases:
    """Of some users the event so far from the end as target, what came before it as history."""
    items, picked = whole.items, np.flatnonzero(rows)
    left = np.repeat(items.lengths, items.lengths) - items.places
    before = items.where(left > np.repeat(back, items.lengths)).take(picked)
    at = (items.offsets[1:] - back)[picked]
    targets = Ragged(np.arange(len(picked) + 1, dtype=np.int64), items.items[at])
    return Cases([whole.users[row] for row in picked], before, targets, whole.times[at])


def _events(table: pl.DataFrame, most: int) -> Events:
    rows = table.sample(min(most, len(table)), seed=0)
    values = rows["value"].to_numpy().astype(np.float64)
    return Events(rows["user_id"].to_list(), rows["item"].to_numpy().astype(np.int64), values)


def ratings(
    sets: Sequence[str], source: Path, people: int, most: int, passes: int, kept: Path
) -> tuple[Figures, list[Claim]]:
    """people: users at most, drawn with a seed; most: held-out ratings at most; passes: over the training events; kept:
    folder of what was measured before, which is not measured again."""
    figures: Figures = {"passes": passes, "rate": RATE, "batch": BATCH, "people": people}
    claims: list[Claim] = []
    for name in sets:
        figures[name], more = _of_set(name, _of_some(read(source / name), people), most, passes, kept)
        claims += more
    return figures, claims


def _of_some(data: Dataset, people: int) -> Dataset:
    users = pl.Series(data.interactions.users)
    drawn = users.sample(min(people, len(users)), seed=0)
    table = data.interactions.table.filter(pl.col("user_id").is_in(drawn.implode()))
    return replace(data, interactions=Interactions(table))


def _of_set(name: str, data: Dataset, most: int, passes: int, kept: Path) -> tuple[Figures, list[Claim]]:
    held = held_out(data, most)
    answers = Answers.found("rating", held.split.train)
    ground = Ground.of(data.catalog, held.split, [answers], 0.2, 0)
    steps: dict[str, Callable[[], Figures]] = {
        FACTORS: lambda: _counted(held, answers),
        GIVEN: lambda: _rated(ground, held, passes),
        MIXED: lambda: _ranked(ground, {"rating": 1}, passes, held),
        ALONE: lambda: _ranked(ground, {}, passes),
    }
    found = {}
    for step, measure in steps.items():
        found[step] = measured(kept / f"rating-{name}-{step.replace(' ', '-')}.json", measure)
        print(name, step, {key: one for key, one in found[step].items() if not isinstance(one, list)}, flush=True)
    return _told(name, held, found)


# The model


def _ranked(ground: Ground, tasks: dict[str, float], passes: int, held: Held | None = None) -> Figures:
    """A mixture with next items: its ranking, and its guesses where it learnt ratings."""
    model, figures = ground.learnt(tasks, passes)
    figures |= tested(ground.asking, ground.split.test, model)
    return figures if held is None else figures | _guesses(ground, held, model)


def _rated(ground: Ground, held: Held, passes: int) -> Figures:
    """Ratings as the only task."""
    model, (answers,) = ground.fresh(), ground.answers
    prompt = ground.judge(model, answers).prompt
    train = prompt.examples(answers.judged(held.split.train, held.split.item_ids))
    settings = learning(RATE, passes).model_copy(update={"batch_size": BATCH, "evaluations": 1})
    figures = learn(ground.asking, train, held.split.valid, model, settings)
    return {"seconds": figures["seconds"], **_guesses(ground, held, model)}


def _guesses(ground: Ground, held: Held, model: PreTrainedModel) -> Figures:
    (answers,) = ground.answers
    shown = answers.judged(held.split.train, held.split.item_ids)
    valid, test = (_chances(ground, model, shown, events) for events in (held.valid, held.test))
    return {
        "valid_rmse": _rmse(expected(valid, answers.values), held.valid),
        "means": expected(test, answers.values).tolist(), "medians": median(test, answers.values).tolist(),
    }  # fmt: skip


def _chances(ground: Ground, model: PreTrainedModel, shown: Judged, events: Events) -> Float64:
    judge, row_of = ground.judge(model, ground.answers[0]), {user: row for row, user in enumerate(shown.users)}
    prompts = []
    for user, item in zip(events.users, events.items.tolist(), strict=True):
        row = row_of[user]
        low, high = shown.items.offsets[row], shown.items.offsets[row + 1]
        prompts.append(judge.prompt.ids(shown.items[row], shown.said[low:high], item))
    return judge.chances(prompts)


# Those who count


def _counted(held: Held, answers: Answers) -> Figures:
    """Damped means and LensKit's factorisation over them, both chosen on validation."""
    try:
        from lenskit.als import BiasedMFConfig, BiasedMFScorer
        from lenskit.basic import BiasModel
        from lenskit.data import from_interactions_df
        from lenskit.training import TrainingOptions
    except ImportError as absent:
        raise MissingExtra("matrix factorisation needs LensKit", remedy="pip install 'genrec[compare]'") from absent
    table = held.split.train.by_user(held.split.item_ids).select("user_id", item_id="item", rating="value")
    learnt = from_interactions_df(table.to_pandas())
    low, high = float(answers.values[0]), float(answers.values[-1])

    def guesses(model: Any, events: Events) -> Float64:
        return np.clip(_guessed(model, events), low, high)

    def of_valid(model: Any) -> float:
        return _rmse(guesses(model, held.valid), held.valid)

    means = min((BiasModel.learn(learnt, damping) for damping in DAMPINGS), key=of_valid)
    tried = []
    for size, weight in product(SIZES, WEIGHTS):
        config = BiasedMFConfig(embedding_size=size, regularization=weight, damping=means.damping, epochs=20)
        model = BiasedMFScorer(config)
        model.train(learnt, TrainingOptions(rng=0))
        tried.append((of_valid(model), size, weight, model))
    best = min(tried, key=lambda one: one[0])
    return {
        "means": guesses(best[3], held.test).tolist(), "valid_rmse": best[0], "factors": best[1],
        "regularisation": best[2], "damping": means.damping, "means_alone": guesses(means, held.test).tolist(),
        "means_valid_rmse": of_valid(means), "global": [means.global_bias] * len(held.test.values),
    }  # fmt: skip


def _guessed(model: Any, events: Events) -> Float64:
    """Of means, and of factors over them; who or what is new to the model adds nothing."""
    means = getattr(model, "bias", model)
    user, item = (
        means.users.numbers(events.users, missing="negative"),
        means.items.numbers(events.items, missing="negative"),
    )
    found = (
        means.global_bias
        + np.where(user < 0, 0, means.user_biases[user])
        + np.where(item < 0, 0, means.item_biases[item])
    )
    if means is not model:
        known = (user >= 0) & (item >= 0)
        found = found + np.where(known, (model.user_embeddings[user] * model.item_embeddings[item]).sum(axis=1), 0)
    return np.asarray(found, dtype=np.float64)


def _rmse(guesses: Float64, events: Events) -> float:
    return float(np.sqrt(((guesses - events.values) ** 2).mean()))


# What is told


def _told(name: str, held: Held, found: dict[str, Figures]) -> tuple[Figures, list[Claim]]:
    counted = found[FACTORS]
    guesses = {"one mean for all": counted["global"], MEANS: counted["means_alone"], FACTORS: counted["means"]}
    guesses |= {step: found[step]["means"] for step in (GIVEN, MIXED)}
    rows = {row: _errors(np.array(one), held.test) for row, one in guesses.items()}
    for step in (GIVEN, MIXED):
        rows[step]["mae_of_median"] = _errors(np.array(found[step]["medians"]), held.test)["mae"]
    for step in (MEANS, GIVEN, MIXED):
        rows[step]["squared_over_factors"] = _over(np.array(guesses[step]), np.array(guesses[FACTORS]), held.test)
    mixed, alone = found[MIXED], found[ALONE]
    ranking = {
        step: {key: value for key, value in without_cases(found[step]).items() if not isinstance(value, list)}
        for step in (ALONE, MIXED)
    }
    gain = over(mixed["each"], alone["each"], alone["users"])
    figures = {
        "ratings": {"learnt": len(held.split.train), "valid": len(held.valid.values), "test": len(held.test.values)},
        "rows": rows, "chosen": {key: counted[key] for key in ("factors", "regularisation", "damping")},
        "valid_rmse": {step: one["valid_rmse"] for step, one in found.items() if "valid_rmse" in one},
        "ranking": ranking, "ranking_cases": len(alone["each"]), "ranking_gain": gain,
    }  # fmt: skip
    return figures, list(_claims(name, rows, gain, len(held.test.values), len(alone["each"])))


def _claims(name: str, rows: dict[str, Figures], gain: Figures, n: int, cases: int) -> Sequence[Claim]:
    made = partial(claim, op="<=", target=None, n=n)
    short = {FACTORS: "factors", MEANS: "means", GIVEN: "alone", MIXED: "mixed"}
    note = "each user's newest fifth, predicted from the rest; mean rating"
    found = [
        made(f"finetune.rating.{name}.{word}", rows[row]["rmse"]["value"], "RMSE", low=rows[row]["rmse"]["low"],
             high=rows[row]["rmse"]["high"], note=note)
        for row, word in short.items()
    ]  # fmt: skip
    return [
        *found,
        claim(f"finetune.mixture.ratings.{name}", gain["value"], "NDCG@10", ">=", None, n=cases, low=gain["low"],
              high=gain["high"], note="next item, model alone, learnt with ratings less without"),
    ]  # fmt: skip


def _errors(guesses: Float64, events: Events) -> Figures:
    """RMSE and MAE with intervals by user."""
    squared, absolute = (guesses - events.values) ** 2, np.abs(guesses - events.values)
    mean, plain = mean_interval(squared, events.users), mean_interval(absolute, events.users)
    root = {"value": mean.mean**0.5, "low": mean.low**0.5, "high": mean.high**0.5}
    return {"rmse": root, "mae": {"value": plain.mean, "low": plain.low, "high": plain.high}}


def _over(mine: Float64, theirs: Float64, events: Events) -> Figures:
    """The paired interval of the mean squared error less the other's."""
    found = difference_interval((mine - events.values) ** 2, (theirs - events.values) ** 2, events.users)
    return {"value": found.mean, "low": found.low, "high": found.high}
