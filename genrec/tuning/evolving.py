"""A bundle's weights and new examples → refreshed weights, by one of four strategies. Knows no files but checkpoints.

`evolving`: one adapter goes on, held near what it was (PESO, Yoo et al. 2026). `two`: a long-term adapter learns what
came before the block and is merged; a short-term one, fresh for every block, lies over it (LSAT, Shi et al. 2024).
`continued`: all weights learn on. `cumulative`: weights from nothing over everything, what a refresh is to save.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, PreTrainedModel

from genrec.examples import Examples
from genrec.items.index import ItemIndex
from genrec.model.adapters import merged, unadapted, with_lora
from genrec.model.dropout import add_dropout
from genrec.model.shared_rows import merge_rows, share_rows
from genrec.model.vocabulary import Vocabulary
from genrec.tuning import watching
from genrec.tuning.learnt import cross_entropy, flattened
from genrec.tuning.proximal import Proximal
from genrec.tuning.settings import RefreshSettings
from genrec.tuning.trainer import Loss, trainer

Weights = PreTrainedModel | PeftModel


@dataclass(frozen=True)
class Taught:
    """fresh: examples of the new block; replayed: old ones, drawn, to go with them; before: those that the long-term
    adapter learns; everything: all there is. Functions, because each strategy needs but some."""

    fresh: Callable[[], Examples]
    replayed: Callable[[], Examples]
    before: Callable[[], Examples]
    everything: Callable[[], Examples]


@dataclass(frozen=True)
class Refresher:
    """valid: cases on which training stops; run: folder of checkpoints; scratch: whether weights can begin anew;
    dropout: share dropped while all weights learn; shared: width of what rows of codes share then."""

    settings: RefreshSettings
    vocabulary: Vocabulary
    index: ItemIndex
    valid: Examples
    run: Path
    scratch: bool = True
    dropout: float = 0.2
    shared: int = 64

    def refreshed(self, model: Weights, taught: Taught) -> Weights:
        """The weights after the block; the given ones are used up."""
        ways = {
            "evolving": self._evolving, "two": self._two, "continued": self._continued, "cumulative": self._cumulative,
        }  # fmt: skip
        return ways[self.settings.strategy](model, taught)

    def _evolving(self, model: Weights, taught: Taught) -> Weights:
        adapted = model if isinstance(model, PeftModel) else self._adapted(model)
        loss = Proximal.of(cross_entropy, adapted, self.settings.proximal)
        self._train(adapted, taught.replayed(), "evolving", loss if self.settings.proximal.weight else cross_entropy)
        return adapted

    def _two(self, model: Weights, taught: Taught) -> Weights:
        """The parent's short-term adapter is taken off: its block is by now among what came before."""
        whole = unadapted(model) if isinstance(model, PeftModel) else model
        long = self._adapted(whole)
        self._train(long, taught.before(), "long")
        short = self._adapted(merged(long))
        self._train(short, taught.fresh(), "short")
        return short

    def _continued(self, model: Weights, taught: Taught) -> Weights:
        whole = merged(model) if isinstance(model, PeftModel) else model
        whole.requires_grad_(True)
        if self.scratch:
            add_dropout(whole, self.dropout)  # type: ignore[arg-type]
        self._train(whole, taught.replayed(), "continued")
        return whole

    def _cumulative(self, model: Weights, taught: Taught) -> Weights:
        whole = unadapted(model) if isinstance(model, PeftModel) else model
        anew = self._anew(whole) if self.scratch else self._adapted(whole)
        self._train(anew, taught.everything(), "cumulative")
        merge_rows(anew)
        return anew

    def _anew(self, like: PreTrainedModel) -> PreTrainedModel:
        torch.manual_seed(self.settings.optimiser.seed)
        model: PreTrainedModel = AutoModelForCausalLM.from_config(like.config)  # type: ignore[no-untyped-call]
        if self.shared and not like.config.tie_word_embeddings:
            share_rows(model, self.vocabulary, self.index, self.shared)
        add_dropout(model, self.dropout)  # type: ignore[arg-type]
        return model

    def _adapted(self, model: PreTrainedModel) -> PeftModel:
        return with_lora(model, self.settings.lora, [int(one) for level in self.vocabulary.code_ids for one in level])

    def _train(self, model: Weights, train: Examples, name: str, loss: Loss = cross_entropy) -> None:
        """Best weights on validation; at least one step is tried."""
        optimiser = self.settings.optimiser
        shutil.rmtree(self.run / name, ignore_errors=True)
        made = trainer(
            model, self.vocabulary.tokenizer, train, self.valid, optimiser, self.run / name, passes=optimiser.epochs,
            loss=loss,
        )  # fmt: skip
        with flattened(model):
            watching.run(made, name, optimiser.max_seconds)
