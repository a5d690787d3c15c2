"""Learning from a dense teacher through the trie: its distribution over items gives every code an exact soft target.

The teacher's chances, summed over the leaves below each node, are its distribution of the next code given the codes
before: a step then learns from the whole catalog and not from one item (Hinton et al. 2015, through the trie of the
semantic IDs). Does not know what the teacher is, nor trainers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from genrec.examples import IGNORED
from genrec.items.trie import Trie
from genrec.ragged import Int64

Teacher = Callable[[Tensor], Tensor]
"""Item numbers of windows, int64 [rows, places] with −1 on the left → log-weights of the item that follows every real
place, float32 [real places, items]."""


class Named(NamedTuple):
    """Semantic IDs among the labels, in reading order. rows, columns: where they begin; leaves: which leaf each is."""

    rows: Tensor
    columns: Tensor
    leaves: Tensor


@dataclass(frozen=True)
class SoftTargets:
    """Chances by leaf → chances by code. All in the order of the trie's leaves.

    codes: int64 [leaves, levels]; low, high: int64 [leaves, levels], the leaves below the node that stands above each
    leaf at each level (level 0: the root); sizes: codes per level.
    """

    codes: Tensor
    low: Tensor
    high: Tensor
    sizes: tuple[int, ...]

    @classmethod
    def of(cls, trie: Trie, codes: Int64, sizes: Sequence[int]) -> SoftTargets:
        """codes: semantic IDs by item, int64 [items, levels]."""
        leaves = np.arange(len(trie))
        low, high = np.zeros((2, len(trie), trie.levels), dtype=np.int64)
        high[:, 0] = len(trie)
        for level in range(1, trie.levels):
            first, after = trie.leaves(level, np.arange(len(trie.codes[level - 1])))
            node = np.searchsorted(first, leaves, side="right") - 1
            low[:, level], high[:, level] = first[node], after[node]
        by_leaf = codes[trie.items.astype(np.int64)]
        return cls(torch.from_numpy(by_leaf), torch.from_numpy(low), torch.from_numpy(high), tuple(sizes))

    def at(self, level: int, chances: Tensor, truth: Tensor) -> Tensor:
        """The teacher's distribution of the code at `level`, given the true codes before it.

        chances: float32 [cases, leaves]; truth: the true leaf, int64 [cases] → float32 [cases, codes]; rows sum to 1.
        """
        if level == 0:
            mass = chances.new_zeros(self.sizes[0], len(chances)).index_add_(0, self.codes[:, 0], chances.T).T
        else:
            low, high = self.low[truth, level, None], self.high[truth, level, None]
            places = low + torch.arange(int((high - low).max()) if len(truth) else 0)
            inside = places < high
            places = torch.where(inside, places, 0)
            below = torch.where(inside, chances.gather(1, places), 0.0)
            mass = chances.new_zeros(len(chances), self.sizes[level])
            mass.scatter_add_(1, self.codes[places, level], below)
        # A prefix that the teacher thinks impossible teaches nothing beside the truth.
        total = mass.sum(1, keepdim=True)
        return torch.where(total > 0, mass / total.clamp_min(1e-30), 0.0)


class TrieDistillation:
    """The loss of a trainer: (1 − weight) · cross-entropy + weight · cross-entropy to the teacher's soft targets.

    Called as transformers.Trainer calls its compute_loss_func. The histories are read from the labels, so every
    semantic ID of a row is a target given those before it; the first of a row, and words, have cross-entropy alone.
    """

    def __init__(self, teacher: Teacher, trie: Trie, codes: Int64, code_ids: Sequence[Int64], weight: float) -> None:
        self._teacher, self._weight = teacher, weight
        self._targets = SoftTargets.of(trie, codes, [len(level) for level in code_ids])
        self._items = torch.from_numpy(trie.items.astype(np.int64))
        self._code_ids = [torch.from_numpy(level) for level in code_ids]
        self._code_of = torch.full([1 + max(int(level.max()) for level in code_ids)], -1)
        for level in self._code_ids:
            self._code_of[level] = torch.arange(len(level))
        self._keys = self._key(self._targets.codes)

    def __call__(self, outputs: Any, labels: Tensor, num_items_in_batch: Tensor | int | None = None) -> Tensor:
        wanted = labels[:, 1:]
        learnt = wanted != IGNORED
        logprobs = torch.log_softmax(outputs.logits[:, :-1][learnt].float(), dim=-1)
        losses = -logprobs.gather(1, wanted[learnt][:, None])[:, 0]
        total = losses.sum()
        named = self._named(wanted)
        taught = torch.zeros_like(named.rows, dtype=torch.bool)
        taught[1:] = named.rows[1:] == named.rows[:-1]
        if taught.any():
            place = (torch.cumsum(learnt.flatten(), 0) - 1).view(learnt.shape)[named.rows, named.columns][taught]
            total = total + self._weight * self._corrections(logprobs, losses, place, named, taught).sum()
        return total / (learnt.sum() if num_items_in_batch is None else num_items_in_batch)

    def _corrections(self, logprobs: Tensor, losses: Tensor, place: Tensor, named: Named, taught: Tensor) -> Tensor:
        """What the soft targets change of the loss of each taught code, float32 [levels, taught]."""
        with torch.no_grad():
            chances = torch.softmax(self._teacher(_windows(self._items[named.leaves], named.rows)), dim=1)
            chances = chances[:, self._items]
        truth = named.leaves[taught]
        found = []
        for level, tokens in enumerate(self._code_ids):
            soft = self._targets.at(level, chances, truth)
            says = logprobs[place + level][:, tokens]
            sure = soft.sum(1)  # 0 where the teacher has nothing to say
            found.append(-(soft * says).sum(1) - sure * losses[place + level])
        return torch.stack(found)

    def _named(self, wanted: Tensor) -> Named:
        rows, columns = torch.isin(wanted, self._code_ids[0]).nonzero(as_tuple=True)
        tokens = torch.stack([wanted[rows, columns + level] for level in range(len(self._code_ids))], dim=1)
        return Named(rows, columns, torch.searchsorted(self._keys, self._key(self._code_of[tokens])))

    def _key(self, codes: Tensor) -> Tensor:
        """One number per semantic ID, rising along the leaves; int64 [rows]."""
        key = torch.zeros(len(codes), dtype=torch.int64)
        for level, size in enumerate(self._targets.sizes):
            key = key * size + codes[:, level]
        return key


def _windows(items: Tensor, rows: Tensor) -> Tensor:
    """All but the last item of each row, int64 [rows with two or more, most], −1 on the left."""
    _, counts = torch.unique_consecutive(rows, return_counts=True)
    ends = counts.cumsum(0)
    shown = counts - 1
    kept = shown > 0
    most = int(shown.max())
    places = (ends - 1)[kept, None] - most + torch.arange(most)
    inside = torch.arange(most) >= most - shown[kept, None]
    return torch.where(inside, items[torch.where(inside, places, 0)], -1)
