"""What every task of the mixture costs or adds: next items by the model alone, learnt with and without the others.

One film world, its viewers' last choices as cases. Every mixture starts from the same weights and passes over the same
histories as often; the time that its other tasks take is told, not taken off. In this world chance and how well a film
fits the mood decide what kind of event it meets; how far the model sees that is measured beside those who only count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from transformers import PreTrainedModel

from benchmarks._finetune_kinds import Figures, learn, learning, measured, over, tested, without_cases
from genrec.asking import NextItemPrompt
from genrec.benchmarking import Claim, claim
from genrec.catalog import Catalog
from genrec.decoding.engine import Float64
from genrec.evaluation.bootstrap import difference_interval, mean_interval
from genrec.indexing import build_index
from genrec.interactions import Interactions
from genrec.items.text import item_texts
from genrec.judging import Answers, Judge, Judged, JudgingPrompt
from genrec.model.base import ScratchConfig
from genrec.model.loading import engine_of
from genrec.model.vocabulary import Vocabulary
from genrec.prompting import load_prompts
from genrec.ragged import Int64
from genrec.resources import folder
from genrec.splitting import Split, leave_last_out
from genrec.tuning.mixture import judged_examples, mixture
from genrec.tuning.model import context_of, starting_model
from genrec.tuning.settings import ItemSettings, MixtureSettings, SftSettings
from genrec.world import WorldConfig, load_films, simulate

SHAPE = ScratchConfig(hidden=128, layers=2, heads=4, feed_forward=384, text_vocabulary=1024)
RATE, BATCH, EPOCHS, WINDOW, VARIANTS = 2e-3, 8, 6, 50, 4
ALONE = "next item alone"
NOTHING: dict[str, float] = {"item_to_id": 0, "id_to_item": 0, "explain": 0}
WORDS, REASONS, KINDS = {"item_to_id": 0.1, "id_to_item": 0.05}, {"explain": 300.0}, {"kind": 1.0}
MIXTURES: dict[str, dict[str, float]] = {
    ALONE: {}, "with words": WORDS, "with explanations": REASONS, "with kinds": KINDS,
    "with all": {**WORDS, **REASONS, **KINDS},
}  # fmt: skip
"""As training/configs/demo.yaml has them; kinds once an epoch."""


@dataclass(frozen=True)
class Ground:
    """What all mixtures start from: catalog, split, how it is asked, answers that have tokens."""

    catalog: Catalog
    split: Split
    asking: NextItemPrompt
    answers: tuple[Answers, ...]
    settings: SftSettings
    texts: list[str]

    @classmethod
    def of(cls, catalog: Catalog, split: Split, answers: Sequence[Answers], dropout: float, seed: int) -> Ground:
        histories = split.train.histories(split.item_ids)
        index = build_index(catalog, histories.items, ItemSettings(encoder="tfidf", collaborative=0.8)).index
        prompts, texts = load_prompts(folder("prompts"), "en"), item_texts(catalog, None)
        settings = SftSettings(scratch=SHAPE.model_copy(update={"shared": 0, "dropout": dropout}))
        settings = settings.model_copy(update={"optimiser": settings.optimiser.model_copy(update={"seed": seed})})
        _, vocabulary = starting_model(settings, index, prompts, texts, dropout, answers)
        asking = NextItemPrompt(prompts, vocabulary, index, WINDOW)
        return cls(catalog, split, asking, tuple(answers), settings, texts)

    def fresh(self) -> PreTrainedModel:
        """The same weights each time."""
        torch.manual_seed(self.settings.optimiser.seed)
        index, prompts = self.asking.index, self.asking.prompts
        model, _ = starting_model(self.settings, index, prompts, self.texts, 0.0, self.answers)
        assert isinstance(model, PreTrainedModel)
        return model

    def learnt(self, tasks: Mapping[str, float], epochs: int = EPOCHS) -> tuple[PreTrainedModel, Figures]:
        """A model of this mixture; passes, examples and seconds of the processor."""
        model, seed = self.fresh(), self.settings.optimiser.seed
        chosen = MixtureSettings.model_validate({**NOTHING, **tasks, "variants": VARIANTS})
        histories = self.split.train.histories(self.split.item_ids)
        asked = [one for one in self.answers if tasks.get(one.task)]
        judged = judged_examples(self.asking, asked, self.split.train, context_of(model))
        train = mixture(self.asking, self.catalog, histories, chosen, seed, judged=judged)
        settings = learning(RATE, epochs).model_copy(update={"batch_size": BATCH, "seed": seed})
        found = learn(self.asking, train, self.split.valid, model, settings, VARIANTS)
        return model, {"tokens": len(train.inputs.items) // VARIANTS, **found}

    def judge(self, model: PreTrainedModel, answers: Answers) -> Judge:
        assert isinstance(self.asking.vocabulary, Vocabulary)
        model.train(False)  # as `eval`, which transformers leaves untyped
        engine = engine_of(model, self.asking.vocabulary, context_of(model))
        return Judge(engine, JudgingPrompt(self.asking, answers, context_of(model)))


def tasks(viewers: int, seeds: Sequence[int], kept: Path) -> tuple[Figures, list[Claim]]:
    """kept: folder of what was measured before, which is not measured again."""
    runs = [_measured_all(viewers, seed, kept) for seed in seeds]
    rows = {name: _joined([run[name] for run in runs]) for name in MIXTURES}
    for name, row in rows.items():
        if name != ALONE:
            row["over_alone"] = over(row["each"], rows[ALONE]["each"], row["users"])
    n = len(rows[ALONE]["each"])
    figures = {
        "viewers": viewers, "cases": n, "seeds": list(seeds), "epochs": EPOCHS, "rate": RATE,
        "rows": {name: without_cases(row) for name, row in rows.items()},
    }  # fmt: skip
    note = f"film world, {viewers} viewers, their last choices, model alone, NDCG@10 less that of next item alone"
    claims = [
        claim(f"finetune.mixture.{name.removeprefix('with ')}", gain["value"], "NDCG@10", ">=", None, n=n,
              low=gain["low"], high=gain["high"], note=note)
        for name, row in rows.items() if (gain := row.get("over_alone"))
    ]  # fmt: skip
    seen = rows["with kinds"]["kinds"]["over_counting"]
    return figures, [
        *claims,
        claim("finetune.kinds_over_counting", seen["value"], "nats", "<=", None, n=n, low=seen["low"],
              high=seen["high"], note="log loss of the kind that follows, less that of counting the viewer's own"),
    ]  # fmt: skip


def _measured_all(viewers: int, seed: int, kept: Path) -> dict[str, Figures]:
    catalog = load_films()
    log = simulate(catalog, WorldConfig(users=viewers)).interactions
    split = leave_last_out(log, catalog.item_ids)
    ground = Ground.of(catalog, split, [Answers.found("kind", split.train)], 0.2, seed)
    found = {}
    for name in MIXTURES:
        path = kept / f"mixture-{seed}-{name.replace(' ', '-')}.json"
        found[name] = measured(path, partial(_one, ground, log, name))
        print(seed, name, without_cases(found[name]), flush=True)
    return found


def _one(ground: Ground, log: Interactions, name: str) -> Figures:
    model, figures = ground.learnt(MIXTURES[name])
    row = figures | tested(ground.asking, ground.split.test, model)
    return row | ({"kinds": _kinds(ground, log, model)} if "kind" in MIXTURES[name] else {})


def _joined(rows: Sequence[Figures]) -> Figures:
    """Of several seeds: means, and each case's mean."""
    each = np.mean([row["each"] for row in rows], axis=0)
    interval = mean_interval(each, rows[0]["users"])
    kinds = {"kinds": rows[0]["kinds"]} if "kinds" in rows[0] else {}
    return {
        "ndcg@10": {"value": interval.mean, "low": interval.low, "high": interval.high},
        "seconds": float(np.mean([row["seconds"] for row in rows])), "tokens": rows[0]["tokens"],
        "of_seeds": [row["ndcg@10"]["value"] for row in rows], "each": each.tolist(), "users": rows[0]["users"],
        **kinds,
    }  # fmt: skip


# Which kind of event the last choices meet


def _kinds(ground: Ground, log: Interactions, model: PreTrainedModel) -> Figures:
    """Log loss of the kind of every viewer's last event, after all events before it: of the model, of the shares of
    kinds in training, and of the viewer's own counts beside those shares, weighed on the events before the last."""
    answers = ground.answers[0]
    whole, judge = answers.judged(log, ground.split.item_ids), ground.judge(model, answers)
    last, before = (_cut(whole, back) for back in (1, 2))
    shares = np.bincount(answers.judged(ground.split.train, ground.split.item_ids).said, minlength=len(answers.names))
    shares = shares / shares.sum()
    weight = min(
        (1.0, 3.0, 10.0, 30.0, 100.0), key=lambda one: float(_loss(_counted(before, shares, one), before).mean())
    )
    losses = {
        "model": _loss(judge.chances(_prompts(judge, last)), last),
        "shares": _loss(np.tile(shares, (len(last.said), 1)), last),
        "counting": _loss(_counted(last, shares, weight), last),
    }
    gain = difference_interval(losses["model"], losses["counting"], whole.users)
    told = {name: mean_interval(one, whole.users) for name, one in losses.items()}
    return {
        "log_loss": {name: {"value": one.mean, "low": one.low, "high": one.high} for name, one in told.items()},
        "over_counting": {"value": gain.mean, "low": gain.low, "high": gain.high},
        "names": answers.names, "shares": shares.tolist(), "weight_of_shares": weight,
    }  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """One event of every user, with all before it. said: its answer, int64 [users]."""

    before: Judged
    items: Int64
    said: Int64


def _cut(whole: Judged, back: int) -> Asked:
    """The event `back` from the end of each history."""
    at = whole.items.offsets[1:] - back
    kept = np.repeat(whole.items.lengths, whole.items.lengths) - whole.items.places > back
    before = Judged(whole.users, whole.items.where(kept), whole.said[kept])
    return Asked(before, whole.items.items[at].astype(np.int64), whole.said[at])


def _prompts(judge: Judge, asked: Asked) -> list[list[int]]:
    items, offsets = asked.before.items, asked.before.items.offsets
    return [
        judge.prompt.ids(items[row], asked.before.said[offsets[row] : offsets[row + 1]], int(item))
        for row, item in enumerate(asked.items)
    ]


def _counted(asked: Asked, shares: Float64, weight: float) -> Float64:
    """(the user's counts + weight · shares) over their sum, float64 [users, answers]."""
    rows, width = asked.before.items.rows, len(shares)
    counts = np.bincount(rows * width + asked.before.said, minlength=len(asked.said) * width)
    mixed = counts.reshape(-1, width) + weight * shares
    return np.asarray(mixed / mixed.sum(axis=1, keepdims=True))


def _loss(chances: Float64, asked: Asked) -> Float64:
    return np.asarray(-np.log(chances[np.arange(len(asked.said)), asked.said]))
