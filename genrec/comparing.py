"""A bundle beside tuned baselines on the test cases of its own split: what demo, `genrec evaluate` and benchmarks show.

Everything is fitted on training events and tuned on validation; the test is looked at once, at the end. Does not know
how the bundle was trained.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

from rich.table import Table
from rich.text import Text

from genrec.errors import ConfigError
from genrec.evaluation.baselines import Ease, Popularity, ease, item_knn, recent_popularity, sasrec
from genrec.evaluation.baselines.sasrec import SasrecConfig, fitting_drawn, fitting_dropout, fitting_length
from genrec.evaluation.generative import GenerativeRanker
from genrec.evaluation.protocol import Result, evaluate_both
from genrec.evaluation.ranker import Ranker, Scorer, ScoreRanker
from genrec.evaluation.report import differences, table, to_json
from genrec.formats import Dataset
from genrec.priors import Mix, MixScorer, Sequential, text_vectors
from genrec.recommender import Recommender
from genrec.splitting import Cases, Split
from genrec.tuning.lifting import lift_alone
from genrec.tuning.result import WEIGHED, data_hash, sample
from genrec.tuning.settings import SplitSettings
from genrec.tuning.splits import split_of
from genrec.tuning.weighing import weights_alone

ALONE, FUSED, PRIORS = "genrec, generative alone", "genrec", "genrec, priors alone"
_METRICS = ("ndcg@10", "recall@10")
Say = Callable[[str], object]


@dataclass(frozen=True)
class Comparison:
    """results: every system in both masking variants, in the order of the table, on these cases of the split."""

    split: Split
    cases: Cases
    results: list[Result]
    notes: list[str]

    def result(self, name: str, *, mask_seen: bool = True) -> Result:
        """One system's result; raises ConfigError for a name that was not compared."""
        for one in self.results:
            if one.name == name and one.mask_seen == mask_seen:
                return one
        raise ConfigError("no such system", value=name, allowed=", ".join(self.names))

    @property
    def names(self) -> list[str]:
        return list(dict.fromkeys(one.name for one in self.results))

    def differences(self, ours: str) -> dict[str, dict[str, dict[str, float]]]:
        """Other system → metric → {mean, low, high}: `ours` minus it, paired by case, seen items masked."""
        others = [self.result(name) for name in self.names if name != ours]
        return differences(self.result(ours), others, _METRICS)


def compare(
    recommender: Recommender,
    data: Dataset,
    *,
    sasrec_seconds: float | None = 60.0,
    most: int | None = None,
    part: Literal["test", "valid"] = "test",
    seed: int = 0,
    simple: bool = True,
    say: Say = lambda text: None,
) -> Comparison:
    """Baselines, the priors without the model, the generative model alone and with priors.

    SASRec is the bundle's own, which was fitted on the same events and chosen on validation; where the bundle holds
    none, one is trained for `sasrec_seconds` at most, and None leaves it out.
    most: cases at most, drawn with the seed; part: which cases; `valid` flatters whatever was tuned on it; simple:
    whether popularity, item-kNN and EASE are among them, which say the same of the same events for any bundle.
    Raises SplitError when the data has no test cases.
    """
    manifest = recommender.bundle.manifest
    settings = SplitSettings.model_validate(manifest.split_settings)
    split = split_of(settings, data.interactions, recommender.catalog.item_ids)
    same = data_hash(split.train) == manifest.data_hash
    notes = [] if same else [_OTHER_DATA]
    own = own_sasrec(recommender) if same else None
    rankers: list[Ranker] = [ScoreRanker(one) for one in _baselines(split, own, sasrec_seconds, notes, simple, say)]
    alone = recommender.fusion.alone()
    if recommender.fusion.mix.priors:
        say("priors without the model, weighed on validation")
        rankers.append(ScoreRanker(priors_alone(recommender.fusion.mix, split, seed)))
    rankers += [GenerativeRanker(alone, ALONE), GenerativeRanker(recommender.fusion, FUSED)]
    whole = split.test if part == "test" else split.valid
    cases = whole if most is None else sample(whole, most, seed)
    results: list[Result] = []
    for ranker in rankers:
        say(f"{part}: {ranker.name}, {len(cases):,} cases")
        results += evaluate_both(ranker, cases)
    return Comparison(split, cases, results, notes)


_OTHER_DATA = (
    "the bundle was trained on other events than the training part of this data, so it may have seen what it is "
    "tested on here"
)


def priors_alone(mix: Mix, split: Split, seed: int) -> MixScorer:
    """The priors without the model, weighed anew on the split's validation."""
    valid, items = sample(split.valid, WEIGHED, seed), len(split.item_ids)
    alone = Mix(mix.priors, weights_alone(mix, valid, items), mix.fresh, model=False)
    vectors = text_vectors(mix.priors)
    if mix.fresh is not None and vectors is not None:
        known = split.train.histories(split.item_ids).chosen(items)
        alone = replace(alone, fresh=replace(mix.fresh, lift=lift_alone(alone, vectors, known, valid)))
    return MixScorer(alone, items, PRIORS)


def own_sasrec(recommender: Recommender) -> sasrec.Sasrec | None:
    """The one that is a prior of the bundle."""
    return next((prior.model for prior in recommender.fusion.mix.priors if isinstance(prior, Sequential)), None)


def _baselines(
    split: Split, own: sasrec.Sasrec | None, sasrec_seconds: float | None, notes: list[str], simple: bool, say: Say
) -> list[Scorer]:
    models = _simple(split, notes, say) if simple else []
    if own is not None:
        models.append(own)
    elif sasrec_seconds is not None:
        models.append(_sasrec(split, sasrec_seconds, say))
    return models


def _simple(split: Split, notes: list[str], say: Say) -> list[Scorer]:
    train, items = split.train.histories(split.item_ids), len(split.item_ids)
    say("baselines: popularity, item-kNN, EASE, tuned on validation")
    models: list[Scorer] = [
        Popularity.fit(train, items),
        recent_popularity.tune(train, split.valid, items).model,
        item_knn.tune(train, split.valid, items).model,
    ]
    try:
        models.append(_ease(split))
    except ConfigError as error:
        notes.append(f"EASE is left out: {error}")
    return models


def _sasrec(split: Split, seconds: float, say: Say) -> sasrec.Sasrec:
    say(f"baselines: SASRec, {seconds:.0f} s at most")
    train, items = split.train.histories(split.item_ids), len(split.item_ids)
    config = SasrecConfig(
        max_seconds=seconds, dropout=fitting_dropout(train, items), length=fitting_length(train),
        drawn=fitting_drawn(items),
    )  # fmt: skip
    return sasrec.Sasrec.fit(train, split.valid, items, config)


def _ease(split: Split) -> Ease:
    return ease.tune(split.train.histories(split.item_ids), split.valid, len(split.item_ids)).model


def render(done: Comparison) -> list[Table | Text]:
    """The table of systems, and what the generative model alone gains over each other, with intervals."""
    parts: list[Table | Text] = [table(done.results, title=f"test, split by {done.split.name}")]
    gains = Table(title=f"{ALONE} minus the other, paired by case (seen masked)")
    gains.add_column("other system")
    for name in _METRICS:
        gains.add_column(f"{name}, 95 % interval", justify="right")
    for other, values in done.differences(ALONE).items():
        gains.add_row(other, *(_gain(values[name]) for name in _METRICS))
    parts.append(gains)
    return parts + [Text(f"note: {note}", style="yellow") for note in done.notes]


def _gain(one: dict[str, float]) -> Text:
    sure = one["low"] > 0 or one["high"] < 0
    style = ("green" if one["low"] > 0 else "red") if sure else ""
    return Text(f"{one['mean']:+.4f} [{one['low']:+.4f}, {one['high']:+.4f}]", style=style)


def results_json(done: Comparison) -> dict[str, Any]:
    """Everything measured as plain data: results, paired differences of both genrec systems, notes."""
    return {
        **to_json(done.results),
        "split": done.split.name,
        "differences": {name: done.differences(name) for name in (ALONE, FUSED)},
        "notes": done.notes,
    }
