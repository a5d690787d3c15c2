"""A bundle and what people preferred → a child that ranks better, or nothing: the parts that training/dpo.py orders.

Candidates are drawn and learnt from in rounds. Half of the validation cases choose the round and weigh the priors, the
other half decide; neither they nor the test are learnt from. Does not know trainers, nor who serves.
"""

from __future__ import annotations

import logging
import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import PeftModel
from transformers import PreTrainedModel, Qwen3ForCausalLM

from genrec.bundle import Bundle, Refreshed
from genrec.errors import ConfigError, SplitError
from genrec.evaluation.bootstrap import Interval
from genrec.evaluation.generative import GenerativeRanker
from genrec.evaluation.protocol import Result, evaluate
from genrec.fusing import Fusion
from genrec.model.adapters import kind_of
from genrec.model.dropout import add_dropout
from genrec.model.loading import engine_of, weights
from genrec.model.vocabulary import Vocabulary
from genrec.recommender import Recommender
from genrec.splitting import Cases, Split
from genrec.tuning.align_settings import AlignSettings
from genrec.tuning.card import model_card
from genrec.tuning.model import context_of
from genrec.tuning.preferences import Choices, compared
from genrec.tuning.preferring import Objective, Preferred, Rewarded, learn
from genrec.tuning.result import data_hash, sample, write_weights
from genrec.tuning.settings import SplitSettings
from genrec.tuning.trainer import processes
from genrec.tuning.weighing import weighed

log = logging.getLogger("genrec.align")
Weights = PreTrainedModel | PeftModel
NDCG, HITS = "ndcg@10", "recall@50"
_LOOKED_AT = 1000  # cases that choose the round


def separated(bundle: Bundle, settings: AlignSettings) -> SplitSettings:
    """How training and validation are separated."""
    return settings.split or SplitSettings.model_validate(bundle.manifest.split_settings)


@dataclass(frozen=True)
class Deciding:
    """Validation cases. fit: choose the round and weigh the priors; judged: decide."""

    fit: Cases
    judged: Cases

    @classmethod
    def of(cls, split: Split, settings: AlignSettings) -> Deciding:
        """Raises SplitError where there are too few."""
        cases = sample(split.valid, settings.judged, settings.seed)
        if len(cases) < settings.least:
            raise SplitError(
                "too few validation cases to decide by", value=len(cases), allowed=f"{settings.least} or more",
                remedy="lower `least`, or set aside more: split.valid",
            )  # fmt: skip
        order = np.random.default_rng(settings.seed).permutation(len(cases))
        fit, judged = (cases.take(np.sort(order[half::2])) for half in (0, 1))
        return cls(fit, judged)


@dataclass(frozen=True)
class Aligner:
    """Learns from choices, round by round. run: folder of logs; objective: what is learnt by, as the settings say
    where it is left out."""

    parent: Recommender
    settings: AlignSettings
    run: Path
    objective: Objective | None = None

    def aligned(self, choices: Choices, watched: Cases) -> tuple[Weights, list[float]]:
        """The weights of the best round, and NDCG@10 of the model alone on the watched cases: before, and after each.
        Raises ConfigError for several processes."""
        if processes().num_processes > 1:
            raise ConfigError("alignment runs in one process", value=int(processes().num_processes), remedy="start one")
        settings, model = self.settings, opened(self.parent.bundle, self.settings.dropout)
        until = time.monotonic() + (settings.max_seconds or float("inf"))
        figures, best = [self._quality(self.parent.fusion, watched)], _state(model)
        for turn in range(settings.rounds):
            if time.monotonic() > until:
                break
            now = self.spoken(model)
            drawn = choices.drawn(settings.cases, settings.seed + turn)
            pairs = compared(drawn, now, self.parent.fusion.engine if turn else None, settings, settings.seed + turn)
            loss = learn(
                model, pairs, self._objective(), settings, self.run, pad_id=self._vocabulary.pad_id, turn=turn,
                until=until,
            )  # fmt: skip
            figures.append(self._quality(self.spoken(model), watched))
            log.info("round %d: loss %.4f, NDCG@10 of the model alone %.4f", turn + 1, loss, figures[-1])
            if figures[-1] == max(figures[1:]):
                best = _state(model)
        model.load_state_dict(best, strict=False)
        return model, figures

    def spoken(self, model: Weights) -> Fusion:
        """The parent's fusion with these weights, as they now are."""
        engine = engine_of(model.eval(), self._vocabulary, context_of(model))
        return replace(self.parent.fusion, engine=engine)

    def child(self, model: Weights, fit: Cases) -> Fusion:
        """The same with the priors weighed anew."""
        fusion = self.spoken(model)
        return replace(fusion, mix=weighed(fusion, fit))

    @property
    def _vocabulary(self) -> Vocabulary:
        found = self.parent.fusion.asking.vocabulary
        assert isinstance(found, Vocabulary)
        return found

    def _objective(self) -> Objective:
        if self.objective is not None:
            return self.objective
        return (Preferred if self.settings.method == "preferences" else Rewarded)(self.settings.beta)

    def _quality(self, fusion: Fusion, cases: Cases) -> float:
        few = sample(cases, _LOOKED_AT, self.settings.seed)
        return evaluate(GenerativeRanker(fusion.alone()), few, (10,), mask_seen=True).mean(NDCG)


def opened(bundle: Bundle, dropout: float) -> Weights:
    """The bundle's weights, all of them or its adapter to be learnt on."""
    model = weights(bundle, trainable=True)
    if not isinstance(model, PeftModel):
        model.requires_grad_(True)
        if isinstance(model, Qwen3ForCausalLM):
            add_dropout(model, dropout)
    return model


def _state(model: Weights) -> dict[str, torch.Tensor]:
    """What learns, copied."""
    return {name: weight.detach().clone() for name, weight in model.named_parameters() if weight.requires_grad}


@dataclass(frozen=True)
class Verdict:
    """before, after: results of parent and child on the cases that decide, seen items masked; lost: share of the hits
    among fifty that may be lost."""

    before: Result
    after: Result
    lost: float

    @classmethod
    def of(cls, parent: Fusion, child: Fusion, cases: Cases, lost: float) -> Verdict:
        before, after = (evaluate(GenerativeRanker(one), cases, (10, 50), mask_seen=True) for one in (parent, child))
        return cls(before, after, lost)

    @property
    def gain(self) -> Interval:
        """Of NDCG@10, paired, 95 %."""
        return self.after.difference(self.before, NDCG)

    @property
    def hits(self) -> float:
        """Change of the hit rate among fifty, as a share of what it was."""
        return self.after.mean(HITS) / max(self.before.mean(HITS), 1e-9) - 1

    @property
    def better(self) -> bool:
        return self.gain.low > 0 and self.hits >= -self.lost

    @property
    def coverage(self) -> tuple[int, int]:
        """Distinct items among all first tens, before and after."""
        before, after = (len(np.unique(one.ranked[:, :10])) for one in (self.before, self.after))
        return before, after

    def __str__(self) -> str:
        gain, (before, after) = self.gain, self.coverage
        return (
            f"NDCG@10 {self.before.mean(NDCG):.4f} → {self.after.mean(NDCG):.4f} on {len(self.before.users):,} cases, "
            f"difference {gain.mean:+.4f} ({gain.low:+.4f} to {gain.high:+.4f}); hits among fifty {self.hits:+.1%}; "
            f"items shown {before:,} → {after:,}"
        )

    def figures(self) -> dict[str, Any]:
        gain, (before, after) = self.gain, self.coverage
        return {
            "cases": len(self.before.users), "before": self.before.mean(NDCG), "after": self.after.mean(NDCG),
            "low": gain.low, "high": gain.high, "hits_before": self.before.mean(HITS),
            "hits_after": self.after.mean(HITS), "items_before": before, "items_after": after,
        }  # fmt: skip


def save(
    out: Path, parent: Recommender, model: Weights, child: Fusion, split: Split, choices: Choices, verdict: Verdict,
    settings: AlignSettings,
) -> Bundle:  # fmt: skip
    """Writes the child over a copy of the parent; a voice that reads requests by an adapter of the old weights is left
    out. Raises BundleError, StorageError."""
    bundle, gain = parent.bundle, verdict.gain
    step = Refreshed(
        parent=bundle.version, strategy=settings.method, since=int(choices.times.min()), until=int(choices.times.max()),
        events=len(choices), before=verdict.before.mean(NDCG), after=verdict.after.mean(NDCG), low=gain.low,
        high=gain.high,
    )  # fmt: skip
    found = verdict.after.intervals(("recall@10", NDCG))
    stated: dict[str, Any] = {
        "parent": bundle.version, "lineage": (*bundle.manifest.lineage, step), "seed": settings.seed,
        "learnt_until": int(split.train.table["timestamp"][-1]), "data_hash": data_hash(split.train),
        "split": split.name, "split_settings": separated(bundle, settings).model_dump(),
        "adapter": kind_of(model) if isinstance(model, PeftModel) else None,
        "prior_weights": dict(child.mix.weights), "model_ranks": child.mix.model,
        "privacy": None,
        "chat": None if bundle.manifest.chat == "lora" else bundle.manifest.chat,
        "metrics": {
            f"validation {name}": {"value": one.mean, "low": one.low, "high": one.high} for name, one in found.items()
        },
    }  # fmt: skip
    users = len(split.train.users)
    card = model_card(bundle.manifest.model_copy(update=stated), len(split.train), users, len(parent.catalog))

    def fill(new: Path) -> None:
        for name in ("model", "adapter", "priors", *(["chat"] if bundle.manifest.chat == "lora" else [])):
            shutil.rmtree(new / name, ignore_errors=True)
        write_weights(new, model, child.asking.vocabulary, child.mix.priors, child.mix.fresh)  # type: ignore[arg-type]
        (new / "README.md").write_text(card, encoding="utf-8")

    return bundle.extended(out, fill, **stated)
