"""Learning from another language model: at every learnt place its chances of all tokens are soft targets.

Of a model that writes semantic IDs these are its exact distribution over the trie, code after code, and of words the
same (Hinton et al. 2015). Both models read the same tokens, so they share a vocabulary. Does not know trainers.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from genrec.examples import IGNORED
from genrec.tuning.distilling import Lesson, Summed, at_once
from genrec.tuning.learnt import flattened


class Taught:
    """The loss of a trainer: (1 − weight) · cross-entropy + weight · cross-entropy to the teacher's chances.

    Called as transformers.Trainer calls its compute_loss_func, which is not told what the model read; so the learner
    is listened to (`listening`), and both run under `tuning.learnt.flattened`.
    """

    def __init__(self, teacher: PreTrainedModel, weight: float) -> None:
        self._teacher, self._weight = teacher.train(False).requires_grad_(False), weight
        self._read: dict[str, Tensor] = {}

    @contextmanager
    def listening(self, learner: nn.Module) -> Iterator[None]:
        """While this lasts, what the learner reads is known here; its states and the teacher's leave in one row."""
        hook = learner.register_forward_pre_hook(self._hear, with_kwargs=True)
        try:
            with flattened(learner), flattened(self._teacher):  # type: ignore[arg-type]
                yield
        finally:
            hook.remove()

    def _hear(self, learner: nn.Module, given: Any, named: dict[str, Any]) -> None:
        self._read = {name: named[name] for name in ("input_ids", "logits_to_keep")}

    def __call__(self, outputs: Any, labels: Tensor, num_items_in_batch: Tensor | int | None = None) -> Tensor:
        wanted = labels[:, 1:]
        truth = wanted[wanted != IGNORED]
        count = len(truth) if num_items_in_batch is None else num_items_in_batch
        summed: Tensor = Summed.apply(outputs.logits[0], truth, self._lessons(truth))  # type: ignore[no-untyped-call]
        return summed / count

    def _lessons(self, truth: Tensor) -> Iterator[Lesson]:
        parts = torch.split(torch.arange(len(truth), device=truth.device), at_once(truth.device))
        if not self._weight:
            yield from map(Lesson, parts)
            return
        with torch.no_grad():
            says = self._teacher.to(truth.device)(**self._read).logits[0]
        for few in parts:
            yield Lesson(few, torch.softmax(says[few].float(), dim=1).mul_(self._weight))
