"""A bundle → a smaller one that says nearly the same: the parts that training/shrink.py puts in order.

Semantic IDs, words, prompts and priors stay; the weights are fewer, so the priors are weighed anew. Does not know
trainers, nor who serves.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from genrec.asking import NextItemPrompt
from genrec.bundle import Bundle
from genrec.evaluation.generative import GenerativeRanker
from genrec.evaluation.protocol import evaluate
from genrec.examples import Examples
from genrec.fusing import Fusion
from genrec.judging import Answers
from genrec.model.base import SCRATCH
from genrec.model.dropout import add_dropout
from genrec.model.loading import engine_of
from genrec.model.pruning import importance, pruned
from genrec.model.vocabulary import Vocabulary
from genrec.priors import Mix, text_vectors
from genrec.priors.stored import load_mix
from genrec.splitting import Split
from genrec.tuning.card import model_card
from genrec.tuning.learnt import Padded
from genrec.tuning.model import context_of, small_model
from genrec.tuning.result import WEIGHED, data_hash, fitted_mix, sample, write_weights
from genrec.tuning.settings import ShrinkSettings
from genrec.tuning.weighing import weighed

_BATCH = 16


def smaller(
    teacher: PreTrainedModel, asking: NextItemPrompt, examples: Examples, settings: ShrinkSettings, dropout: float
) -> PreTrainedModel:
    """The model that is to learn. dropout: of one from nothing, and of a pruned one that came from nothing."""
    assert isinstance(asking.vocabulary, Vocabulary)
    seed = settings.optimiser.seed
    if settings.way == "distilled":
        rows = int(teacher.config.vocab_size)
        dropped = dropout if settings.scratch.dropout is None else settings.scratch.dropout
        return small_model(settings.scratch, asking.vocabulary, asking.index, dropped, seed, rows)
    drawn = np.random.default_rng(seed).permutation(len(examples))[: settings.looked_at]
    felt = importance(teacher, _batches(examples.take(np.sort(drawn)), asking.vocabulary.pad_id))
    found = pruned(teacher, felt, settings.heads, settings.channels)
    add_dropout(found, dropout)  # type: ignore[arg-type]
    return found


def _batches(examples: Examples, pad_id: int) -> Iterator[dict[str, Tensor]]:
    columns = examples.columns()
    rows = [
        {"input_ids": inputs, "labels": labels}
        for inputs, labels in zip(columns["input_ids"], columns["labels"], strict=True)
    ]
    for start in range(0, len(rows), _BATCH):
        batch = Padded(pad_id)(rows[start : start + _BATCH])
        yield {name: batch[name] for name in ("input_ids", "labels")}


def save(
    out: Path,
    parent: Bundle,
    model: torch.nn.Module,
    asking: NextItemPrompt,
    split: Split,
    settings: ShrinkSettings,
    answers: Sequence[Answers] = (),
) -> Bundle:
    """Writes the child over a copy of the parent; a voice that reads requests by an adapter of the old weights is left
    out. answers: of the tasks that it has learnt. Raises BundleError, StorageError."""
    histories, seed = split.train.histories(split.item_ids), settings.optimiser.seed
    valid = sample(split.valid, WEIGHED, seed)
    fusion = _weighed(parent, model, asking, split)
    measured = evaluate(GenerativeRanker(fusion), valid, (10,), mask_seen=True).intervals(("recall@10", "ndcg@10"))
    base = parent.manifest.base if settings.way == "pruned" else SCRATCH
    stated = {
        "base": base, "revision": parent.manifest.revision if base == parent.manifest.base else None,
        "parent": parent.version, "adapter": None, "context": context_of(model), "seed": seed,
        "prior_weights": dict(fusion.mix.weights), "model_ranks": fusion.mix.model, "data_hash": data_hash(split.train),
        "privacy": None, "answers": {one.task: one.names for one in answers},
        "chat": None if parent.manifest.chat == "lora" else parent.manifest.chat,
        "metrics": {
            f"validation {name}": {"value": one.mean, "low": one.low, "high": one.high}
            for name, one in measured.items()
        },
    }  # fmt: skip
    card = model_card(
        parent.manifest.model_copy(update=stated), len(split.train), len(histories), len(split.item_ids)
    )  # fmt: skip

    def fill(new: Path) -> None:
        for name in ("model", "adapter", "priors", *(["chat"] if parent.manifest.chat == "lora" else [])):
            shutil.rmtree(new / name, ignore_errors=True)
        write_weights(new, model, asking.vocabulary, fusion.mix.priors, fusion.mix.fresh)  # type: ignore[arg-type]
        (new / "README.md").write_text(card, encoding="utf-8")

    return parent.extended(out, fill, **stated)


def _weighed(parent: Bundle, model: torch.nn.Module, asking: NextItemPrompt, split: Split) -> Fusion:
    """The smaller model with the parent's priors, weighed on validation."""
    assert isinstance(asking.vocabulary, Vocabulary)
    valid = sample(split.valid, WEIGHED, 0)
    engine = engine_of(model.eval(), asking.vocabulary, context_of(model))
    kept = load_mix(parent.folder / "priors", parent.manifest.prior_weights)
    fusion, vectors = Fusion(engine, asking, Mix(kept.priors, {})), text_vectors(kept.priors)
    if vectors is None:
        mix = weighed(fusion, valid)
    else:
        known = split.train.histories(split.item_ids).chosen(len(split.item_ids))
        mix = fitted_mix(fusion, vectors, known, valid)
    return Fusion(engine, asking, mix)
