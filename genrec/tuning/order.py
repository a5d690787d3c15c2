"""In which order examples are learnt: shuffled, those of like length in one batch, anew in each epoch.

The order hangs on seed and epoch alone. transformers' own draws it from the global dice, which dropout has thrown
differently in every process and before every resume: processes would see other data twice, and a resumed run another
order. Does not know what the examples are.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch.utils.data import Sampler
from transformers import Trainer
from transformers.trainer_pt_utils import get_length_grouped_indices
from trl.trainer.sft_trainer import SFTTrainer

Lengths = list[int]


class ByLength(Sampler[int]):
    """lengths: tokens of each example; together: examples of one update, over all processes and accumulated steps."""

    def __init__(self, lengths: Lengths, together: int, seed: int) -> None:
        self._lengths, self._together, self._seed, self._epoch = lengths, together, seed, 0

    def set_epoch(self, epoch: int) -> None:
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._lengths)

    def __iter__(self) -> Iterator[int]:
        dice = torch.Generator().manual_seed(self._seed + 1_000_003 * self._epoch)
        found: list[int] = get_length_grouped_indices(self._lengths, self._together, generator=dice)  # type: ignore[no-untyped-call]
        return iter(found)


class _Ordered:
    """A trainer in this order. lengths: of its training examples."""

    args: Any

    def __init__(self, *given: Any, lengths: Lengths, **named: Any) -> None:
        self.lengths = lengths
        super().__init__(*given, **named)

    def _get_train_sampler(self, train_dataset: Any = None) -> ByLength:
        together = self.args.train_batch_size * self.args.gradient_accumulation_steps * self.args.world_size
        return ByLength(self.lengths, together, self.args.data_seed)


class OrderedTrainer(_Ordered, Trainer):
    """transformers' trainer."""


class OrderedSFTTrainer(_Ordered, SFTTrainer):
    """trl's."""
