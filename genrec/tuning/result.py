"""What a finished run leaves: priors weighed on validation, a first look at quality, the bundle with its card.

Looks at validation cases only; the test is `genrec evaluate`'s.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from peft import PeftModel

from genrec.asking import NextItemPrompt
from genrec.bundle import Bundle, Manifest
from genrec.errors import ConfigError, DataError
from genrec.evaluation.baselines import recent_popularity
from genrec.evaluation.baselines.ease import GRID, tune
from genrec.evaluation.generative import GenerativeRanker
from genrec.evaluation.metrics.ndcg import ndcg
from genrec.evaluation.protocol import evaluate
from genrec.evaluation.ranker import rank_scores
from genrec.following import FollowConfig, learn
from genrec.formats import Dataset
from genrec.fusing import Bool, Fusion
from genrec.indexing import Built
from genrec.interactions import Histories, Interactions
from genrec.interest.drift import Detector
from genrec.interest.stored import FILE, save_detector
from genrec.interest.topics import TopicsConfig
from genrec.items.codes import Float32
from genrec.items.text import encoder_name
from genrec.judging import Answers
from genrec.model.adapters import unadapted
from genrec.model.loading import engine_of
from genrec.model.vocabulary import Vocabulary
from genrec.priors import Collaborative, Content, Mix, Popular, Prior, Recent, Sequential
from genrec.priors.stand_ins import StandIns
from genrec.priors.stored import Stored, save_priors
from genrec.splitting import Cases, Split
from genrec.tuning.card import Ran, model_card
from genrec.tuning.lifting import fitted_lift, lift_alone
from genrec.tuning.model import context_of
from genrec.tuning.settings import SftSettings
from genrec.tuning.weighing import from_beam, weighed

log = logging.getLogger("genrec.sft")
HALF_LIVES = (1.0, 2.0, 4.0, 8.0, 1e6)
"""Events until a choice counts half for the collaborative and the content prior; the last hardly forgets."""
TRIED = 600
"""Validation cases that half-lives are chosen on."""
WEIGHED = 2000
"""Validation cases that weights are fitted on."""
FOLLOWED = 30_000
"""Items up to which a detector of changes is learnt with a bundle: every item is compared with every other."""
_METRICS = ("recall@10", "ndcg@10")
P = TypeVar("P", bound=Prior)


def save(
    out: Path,
    settings: SftSettings,
    model: torch.nn.Module,
    asking: NextItemPrompt,
    data: Dataset,
    split: Split,
    built: Built,
    hashed: str,
    sequence: Sequential | None = None,
    parent: Bundle | None = None,
    ran: Ran | None = None,
    carried: Bundle | None = None,
    answers: Sequence[Answers] = (),
) -> Bundle:
    """Writes the bundle, with prior weights chosen and metrics measured on validation; hashed: `data_hash` of the
    training events; ran: for its card; carried: the base, where that is a bundle of another catalog; answers: of the
    tasks that have tokens."""
    assert isinstance(asking.vocabulary, Vocabulary)
    histories = split.train.histories(split.item_ids)
    valid = sample(split.valid, WEIGHED, settings.optimiser.seed)
    priors = fit_priors(histories, valid, len(data.catalog), built.described)
    priors = priors if sequence is None else (*priors, sequence)
    engine = engine_of(model, asking.vocabulary, context_of(model))
    known = histories.chosen(len(data.catalog))
    mix = fitted_mix(Fusion(engine, asking, Mix(priors, {})), built.described, known, valid)
    if not mix.model:
        log.info("the model adds nothing to the priors on validation: they rank without it")
    ranker = GenerativeRanker(Fusion(engine, asking, mix))
    intervals = evaluate(ranker, valid, (10,), mask_seen=True).intervals(_METRICS)
    metrics = {name: {"value": one.mean, "low": one.low, "high": one.high} for name, one in intervals.items()}
    before = parent or carried
    manifest = Manifest(
        base=settings.base if before is None else before.manifest.base,
        revision=settings.revision if before is None else before.manifest.revision,
        parent=None if before is None else before.version,
        learnt_until=int(split.train.table["timestamp"][-1]),
        lineage=() if parent is None else parent.manifest.lineage,
        adapter=None if settings.adapter == "full" else settings.adapter,
        encoder=encoder_name(settings.items.encoder) if parent is None else parent.manifest.encoder,
        language=asking.prompts.language,
        reasons_in=tuple(asking.prompts.beside),
        window=asking.window,
        context=context_of(model),
        prior_weights=dict(mix.weights),
        model_ranks=mix.model,
        split=split.name,
        split_settings=settings.split.model_dump(),
        data_hash=hashed,
        seed=settings.optimiser.seed,
        answers={one.task: one.names for one in answers},
        metrics={f"validation {name}": values for name, values in metrics.items()},
    )
    detector = _detector(settings, histories, built)
    return Bundle.write(
        out,
        manifest,
        catalog=data.catalog,
        index=built.index,
        space=built.space,
        prompts=asking.prompts,
        weights=lambda folder: _write(folder, model, asking.vocabulary, priors, mix.fresh, detector),
        card=model_card(
            manifest, len(split.train), len(histories), len(data.catalog), cases=len(valid), settings=settings, ran=ran
        ),
    )


def fitted_mix(fusion: Fusion, vectors: Float32, known: Bool, valid: Cases) -> Mix:
    """The fusion's priors weighed and its fresh items lifted on validation. vectors: of the items' texts, float32
    [items, d]; known: bool [items], those that somebody chose in training."""
    fresh = StandIns.of(vectors, known)
    beam = from_beam(fusion, valid.histories)
    mix = weighed(replace(fusion, mix=replace(fusion.mix, fresh=fresh)), valid, beam)
    if mix.spoken:
        lift = fitted_lift(replace(fusion, mix=mix), vectors, known, valid, beam)
    else:
        lift = lift_alone(mix, vectors, known, valid)
    return replace(mix, fresh=replace(fresh, lift=lift))


def fit_priors(
    histories: Histories,
    valid: Cases,
    items: int,
    text_vectors: Float32,
) -> tuple[Stored, ...]:
    """Popularity, recent popularity and content for every catalog; collaborative where EASE's matrix fits into memory.

    Each with the half-life that is best on validation by itself.
    """
    few = sample(valid, TRIED, 0)
    recent = Recent.of_baseline(recent_popularity.tune(histories, few, items).model)
    alike = _best([Content(text_vectors, events) for events in HALF_LIVES], few)
    priors: tuple[Stored, ...] = (Popular.fit(histories, items), recent, alike)
    try:
        ease = tune(histories, few, items, GRID).model
    except ConfigError:  # too many items for a dense matrix: the other priors have to do
        return priors
    fitted = Collaborative.of_ease(ease)
    return (*priors, _best([replace(fitted, half_life=events) for events in HALF_LIVES], few))


def _best(tried: Sequence[P], valid: Cases) -> P:
    return max(tried, key=lambda prior: _quality(prior, valid))


def _quality(prior: Prior, valid: Cases) -> float:
    """NDCG@10 of a prior alone, seen items masked."""
    ranked = rank_scores(prior.values(valid.histories), valid.histories, 10, True)
    return float(ndcg(ranked, valid.targets, 10).mean())


def sample(cases: Cases, most: int, seed: int) -> Cases:
    """At most `most` cases, drawn with a seed, in their order."""
    if len(cases) <= most:
        return cases
    rows = np.sort(np.random.default_rng(seed).choice(len(cases), most, replace=False))
    return cases.take(rows)


def data_hash(interactions: Interactions) -> str:
    """A hash of the training events, in their order; the same with every version of every library."""
    found = hashlib.sha256()
    for rows in interactions.table.select("user_id", "item_id", "timestamp").iter_slices(100_000):
        found.update(rows.write_csv(include_header=False).encode())
    return found.hexdigest()[:16]


def _detector(settings: SftSettings, histories: Histories, built: Built) -> Detector | None:
    """What notices that a person's interest moves; None where the log is too small to calibrate it, or the catalog too
    large."""
    if not settings.follow or len(built.index) > FOLLOWED:
        return None
    try:
        return learn(histories, built.index, FollowConfig(topics=TopicsConfig(most=100_000)))
    except (ConfigError, DataError) as error:
        log.info("no detector of changes: %s", error.problem)
        return None


def _write(
    folder: Path,
    model: torch.nn.Module,
    vocabulary: object,
    priors: Sequence[Stored],
    fresh: StandIns | None,
    detector: Detector | None,
) -> None:
    write_weights(folder, model, vocabulary, priors, fresh)
    if detector is not None:
        save_detector(detector, folder / FILE)


def write_weights(
    folder: Path, model: torch.nn.Module, vocabulary: object, priors: Sequence[Stored], fresh: StandIns | None
) -> None:
    """model/ as transformers loads it, adapter/ as peft does, priors/."""
    assert isinstance(vocabulary, Vocabulary)
    if isinstance(model, PeftModel):
        model.save_pretrained(str(folder / "adapter"))
        base: torch.nn.Module = unadapted(model)
    else:
        base = model
    base.save_pretrained(str(folder / "model"), safe_serialization=True)  # type: ignore[operator]
    vocabulary.tokenizer.save_pretrained(str(folder / "model"))
    save_priors(folder / "priors", tuple(priors), fresh)
