"""A bundle and new interactions → a child that is better, or nothing: the parts that training/refresh.py puts in order.

The newest of the new interactions decide: nothing is learnt from them, and the child takes the parent's place only
where a paired interval says that it ranks them better. Does not know trainers, nor who serves.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from peft import PeftModel

from genrec.asking import NextItemPrompt
from genrec.bundle import Bundle, Refreshed
from genrec.catalog import Catalog
from genrec.changing import ItemChange
from genrec.errors import ConfigError, SplitError
from genrec.evaluation.baselines import recent_popularity
from genrec.evaluation.bootstrap import Interval
from genrec.evaluation.generative import GenerativeRanker
from genrec.evaluation.protocol import Result, evaluate
from genrec.examples import Examples, answered, chosen_items, joined, next_item
from genrec.explaining.words import explain_examples
from genrec.fusing import Fusion
from genrec.interactions import Histories, Interactions
from genrec.model.adapters import kind_of
from genrec.model.loading import engine_of
from genrec.model.vocabulary import Vocabulary
from genrec.priors import Collaborative, Mix, Popular, Recent, Sequential, text_vectors
from genrec.priors.stand_ins import StandIns, means
from genrec.priors.stored import Stored
from genrec.recommender import Recommender
from genrec.renewing import changed
from genrec.splitting import Cases, global_time
from genrec.tuning.card import model_card
from genrec.tuning.evolving import Taught
from genrec.tuning.model import context_of
from genrec.tuning.newcomers import NEAREST
from genrec.tuning.result import data_hash, fit_priors, sample, write_weights
from genrec.tuning.settings import RefreshSettings
from genrec.tuning.weighing import weighed

Bool = npt.NDArray[np.bool_]
NDCG = "ndcg@10"
_LONGEST = 160  # tokens of an explanation


@dataclass(frozen=True)
class Block:
    """What is new. since: UTC seconds; train: all interactions before the cut, old and new; fit, judged: cases after
    it, for the weights and for the verdict; held: share of all events after the cut."""

    since: int
    train: Interactions
    fit: Cases
    judged: Cases
    item_ids: list[str]
    held: float

    @classmethod
    def of(cls, interactions: Interactions, item_ids: Sequence[str], since: int, settings: RefreshSettings) -> Block:
        """Raises SplitError where too little is new."""
        new = len(interactions.since(since))
        cases = None
        if new:
            held = settings.valid * new / len(interactions)
            split = global_time(interactions, item_ids, valid=0.0, test=held)
            cases = sample(split.test, settings.cases, settings.optimiser.seed)
        if cases is None or len(cases) < settings.least or not len(split.train.since(since)):
            found = 0 if cases is None else len(cases)
            raise SplitError(
                "too little is new to decide by", value=f"{new} interactions, {found} cases",
                where=f"since {since}", allowed=f"{settings.least} cases or more",
                remedy="wait for more interactions, or lower `least` or raise `valid`",
            )  # fmt: skip
        order = np.random.default_rng(settings.optimiser.seed).permutation(len(cases))
        halves = [cases.take(np.sort(order[half::2])) for half in (0, 1)]
        return cls(since, split.train, halves[0], halves[1], list(item_ids), held)

    @property
    def fresh(self) -> Interactions:
        return self.train.since(self.since)

    def histories(self) -> Histories:
        return self.train.histories(self.item_ids)

    def taught(self, asking: NextItemPrompt, catalog: Catalog, settings: RefreshSettings) -> Taught:
        """What the strategies learn from."""
        histories = self.histories()
        new: Bool = histories.times >= self.since
        seed, items = settings.optimiser.seed, histories.items
        words = _words(asking, catalog, histories, settings)

        def fresh() -> Examples:
            return chosen_items(items, new, asking.head, asking.semantic, asking.window)

        def old(times: float) -> Examples:
            whole = next_item(items.where(~new), asking.head, asking.semantic, asking.window)
            many = min(len(whole), round(times * len(fresh())))
            return whole.take(np.sort(np.random.default_rng(seed).choice(len(whole), many, replace=False)))

        def everything() -> Examples:
            return joined([next_item(items, asking.head, asking.semantic, asking.window), *words])

        return Taught(
            lambda: joined([fresh(), *words]), lambda: joined([fresh(), old(settings.replay), *words]),
            lambda: old(1 + settings.replay), everything,
        )  # fmt: skip


def beginning(bundle: Bundle, settings: RefreshSettings) -> int:
    """UTC seconds from which interactions are new to a bundle; raises ConfigError where neither says it."""
    if settings.since is not None:
        return settings.since
    if bundle.manifest.learnt_until is None:
        raise ConfigError(
            "the bundle does not say until when it has learnt", value=bundle.version, where="since",
            remedy="name the first new second: since=1700000000",
        )  # fmt: skip
    return bundle.manifest.learnt_until + 1


def grown(recommender: Recommender, catalog: Catalog) -> Recommender:
    """The bundle as a server has it: new items after the old ones, with free semantic IDs near their text."""
    known = recommender.catalog
    fields = [name for name in known.table.columns if name != "item_id" and name in catalog.table.columns]
    same = catalog.table.select("item_id", *fields)
    before = {row["item_id"]: row for row in known.table.select("item_id", *fields).iter_rows(named=True)}
    changes = [
        ItemChange(row.pop("item_id"), row, whole=False)
        for row in same.iter_rows(named=True) if before.get(row["item_id"]) != row
    ]  # fmt: skip
    return changed(recommender, changes, 0) if changes else recommender


@dataclass(frozen=True)
class Child:
    """Refreshed weights with the priors that go with them."""

    model: torch.nn.Module
    fusion: Fusion

    @classmethod
    def of(cls, parent: Recommender, model: torch.nn.Module, block: Block, settings: RefreshSettings) -> Child:
        """parent: over the child's catalog."""
        before = parent.fusion
        assert isinstance(before.asking.vocabulary, Vocabulary)
        engine = engine_of(model.eval(), before.asking.vocabulary, context_of(model))
        mix = renewed(before.mix, block, settings)
        fusion = Fusion(engine, before.asking, mix, before.width, before.rescued)
        if settings.priors != "kept":
            fusion = replace(fusion, mix=weighed(fusion, block.fit))
        return cls(model, fusion)


def renewed(mix: Mix, block: Block, settings: RefreshSettings) -> Mix:
    """The parent's priors, over the child's catalog, as the settings want them. The model knows every item now; a prior
    that is not fitted anew takes those that it never learnt for their likes."""
    vectors, fresh = text_vectors(mix.priors), mix.fresh
    if settings.priors == "kept":
        return mix if fresh is None else replace(mix, fresh=replace(fresh, late=0))
    priors = _recounted(mix.priors, block, settings)  # type: ignore[arg-type]
    if fresh is None or vectors is None:
        return replace(mix, priors=priors)
    stale = (Sequential,) if settings.priors == "fitted" else (Sequential, Collaborative)
    rows = means(vectors, fresh.known(len(vectors)), NEAREST)
    told = tuple(one.likened(rows) if isinstance(one, stale) else one for one in priors)
    chosen = block.histories().chosen(len(block.item_ids))
    return replace(mix, priors=told, fresh=StandIns.of(vectors, chosen, fresh.lift))


def _recounted(priors: tuple[Stored, ...], block: Block, settings: RefreshSettings) -> tuple[Stored, ...]:
    """Popularity and recent popularity anew, or all but the sequence prior."""
    histories, items = block.histories(), len(block.item_ids)
    if settings.priors == "fitted":
        told = text_vectors(priors)
        vectors = np.zeros((items, 1), dtype=np.float32) if told is None else told
        return (
            *fit_priors(histories, block.fit, items, vectors), *(one for one in priors if isinstance(one, Sequential)),
        )  # fmt: skip
    counted: tuple[Stored, ...] = (
        Popular.fit(histories, items),
        Recent.of_baseline(recent_popularity.tune(histories, block.fit, items).model),
    )
    return (*counted, *(one for one in priors if not isinstance(one, Popular | Recent)))


@dataclass(frozen=True)
class Verdict:
    """before, after: NDCG@10 of parent and child; difference: paired, 95 %."""

    before: float
    after: float
    difference: Interval
    cases: int

    @property
    def better(self) -> bool:
        return self.difference.low > 0

    def __str__(self) -> str:
        found = self.difference
        return (
            f"NDCG@10 {self.before:.4f} → {self.after:.4f} on {self.cases:,} later cases, difference {found.mean:+.4f} "
            f"({found.low:+.4f} to {found.high:+.4f})"
        )


def judged(parent: Fusion, child: Fusion, cases: Cases) -> Verdict:
    """Both on the same cases, with their priors, seen items masked."""
    before, after = (_measured(fusion, cases) for fusion in (parent, child))
    return Verdict(before.mean(NDCG), after.mean(NDCG), after.difference(before, NDCG), len(cases))


def save(
    out: Path, parent: Recommender, child: Child, block: Block, verdict: Verdict, settings: RefreshSettings
) -> Bundle:
    """Writes the child over a copy of the parent; a voice that reads requests by an adapter of the old weights is left
    out. Raises BundleError, StorageError."""
    bundle, model, asking = parent.bundle, child.model, child.fusion.asking
    until = int(block.train.table["timestamp"][-1])
    step = Refreshed(
        parent=bundle.version, strategy=settings.strategy, since=block.since, until=until, events=len(block.fresh),
        before=verdict.before, after=verdict.after, low=verdict.difference.low, high=verdict.difference.high,
    )  # fmt: skip
    found = _measured(child.fusion, block.judged).intervals(("recall@10", NDCG))
    stated = {
        "parent": bundle.version, "lineage": (*bundle.manifest.lineage, step), "learnt_until": until,
        "adapter": kind_of(model) if isinstance(model, PeftModel) else None,
        "prior_weights": dict(child.fusion.mix.weights), "model_ranks": child.fusion.mix.model,
        "privacy": None, "answers": {} if settings.strategy == "cumulative" else bundle.manifest.answers,
        "data_hash": data_hash(block.train), "seed": settings.optimiser.seed, "split": "global time",
        "split_settings": {"kind": "global_time", "valid": block.held / 2, "test": block.held / 2},
        "chat": None if bundle.manifest.chat == "lora" else bundle.manifest.chat,
        "metrics": {
            f"validation {name}": {"value": one.mean, "low": one.low, "high": one.high} for name, one in found.items()
        },
    }  # fmt: skip
    card = model_card(
        bundle.manifest.model_copy(update=stated), len(block.train), len(block.histories()), len(block.item_ids)
    )

    def fill(new: Path) -> None:
        for name in ("model", "adapter", "priors", *(["chat"] if bundle.manifest.chat == "lora" else [])):
            shutil.rmtree(new / name, ignore_errors=True)
        write_weights(new, model, asking.vocabulary, child.fusion.mix.priors, child.fusion.mix.fresh)  # type: ignore[arg-type]
        parent.catalog.table.write_parquet(new / "catalog.parquet")
        asking.index.save(new / "index")
        (new / "README.md").write_text(card, encoding="utf-8")

    return bundle.extended(out, fill, **stated)


def _measured(fusion: Fusion, cases: Cases) -> Result:
    return evaluate(GenerativeRanker(fusion), cases, (10,), mask_seen=True)


def _words(asking: NextItemPrompt, catalog: Catalog, histories: Histories, settings: RefreshSettings) -> list[Examples]:
    if not settings.explain:
        return []
    rendered = explain_examples(catalog, histories.items, asking.prompts, settings.explain, settings.optimiser.seed)
    return [answered(asking.vocabulary, *rendered, longest=_LONGEST)]
