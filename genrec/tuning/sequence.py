"""The SASRec beside the language model: fitted for this run, or taken over from the bundle that it goes on from.

Does not know the language model.
"""

from __future__ import annotations

import hashlib
import logging
import math
from pathlib import Path

import numpy as np

from genrec.bundle import Bundle
from genrec.evaluation.baselines.sasrec import Epoch, Sasrec, SasrecConfig, fitting_drawn, fitting_dropout
from genrec.interactions import Histories
from genrec.priors import Sequential
from genrec.priors.stored import load_priors
from genrec.progress import At, bar
from genrec.splitting import Split
from genrec.tuning.settings import SftSettings
from genrec.tuning.trainer import processes

log = logging.getLogger("genrec.sft")


def sequence_prior(
    settings: SftSettings, train: Histories, split: Split, length: int, cache: Path, parent: Bundle | None = None
) -> Sequential | None:
    """length: items of a history that it reads; cache: folder that keeps it, by settings and data, for other runs.

    None where the settings want none and there is no parent's, or where no history has two events to learn from.
    """
    if not settings.sequence.fitted or train.items.lengths.max(initial=0) < 2:
        return None if parent is None else _inherited(parent, split.item_ids)
    config = sequence_config(settings, train, len(split.item_ids), length)
    kept = cache / f"sasrec-{_fingerprint(config, train, split)}.safetensors"
    if kept.is_file():
        return Sequential.of(Sasrec.load(kept), train)
    with bar("SASRec") as at:
        model = Sasrec.fit(
            train, split.valid, len(split.item_ids), config, report=lambda epoch: _say(epoch, config, at)
        )
    if processes().is_main_process:
        cache.mkdir(parents=True, exist_ok=True)
        model.save(aside := kept.with_suffix(".part"))
        aside.rename(kept)
    return Sequential.of(model, train)


def sequence_config(settings: SftSettings, train: Histories, items: int, length: int) -> SasrecConfig:
    """The network's settings for these data."""
    chosen = settings.sequence
    dropout = fitting_dropout(train, items) if chosen.dropout is None else chosen.dropout
    return SasrecConfig(
        width=chosen.width,
        dropout=dropout,
        drawn=fitting_drawn(items),
        length=length,
        epochs=chosen.epochs,
        max_seconds=chosen.max_seconds,
        seed=settings.optimiser.seed,
    )


def _fingerprint(config: SasrecConfig, train: Histories, split: Split) -> str:
    """Of everything that its weights come from."""
    found = hashlib.sha256(f"{config.model_dump_json(exclude_none=True)} {len(split.item_ids)}".encode())
    for lists in (train.items, split.valid.histories, split.valid.targets):
        found.update(lists.offsets.tobytes() + lists.items.tobytes())
    return found.hexdigest()[:24]


def _inherited(parent: Bundle, item_ids: list[str]) -> Sequential | None:
    """The parent's, for the items of this catalog; those that it does not know are left to the other priors."""
    for prior in load_priors(parent.folder / "priors"):
        if isinstance(prior, Sequential):
            places = {item_id: place for place, item_id in enumerate(parent.index.item_ids)}
            return prior.select(np.array([places.get(item_id, -1) for item_id in item_ids], dtype=np.int64))
    return None


def _say(epoch: Epoch, config: SasrecConfig, at: At) -> None:
    at(max(epoch.number / config.epochs, epoch.seconds / (config.max_seconds or math.inf)))
    log.info("SASRec epoch %d: validation NDCG@10 %.4f after %.0f s", epoch.number, epoch.valid_ndcg, epoch.seconds)
