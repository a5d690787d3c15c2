"""Learning from a dense teacher through the trie: its distribution over items gives every code an exact soft target.

The teacher's chances, summed over the leaves below each node, are its distribution of the next code given the codes
before: a step then learns from the whole catalog and not from one item (Hinton et al. 2015, through the trie of the
semantic IDs). Does not know what the teacher is, nor trainers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from genrec.examples import IGNORED
from genrec.items.trie import Trie
from genrec.ragged import Int64


class Teacher(Protocol):
    """A model whose log-weight of an item is a dot product.

    vectors: float32 [items, d], where the language model trains; states: of windows, item numbers, int64 [rows, places]
    with −1 on the left, what every real place says of the item that follows, float32 [real places, d].
    """

    @property
    def vectors(self) -> Tensor: ...

    def states(self, windows: Tensor) -> Tensor: ...


_AT_ONCE = 64
"""Targets whose logits are looked at together: a few MB, so that they stay in the processor's cache."""
_AT_ONCE_ON_GPU = 4096
"""The same on a GPU, where a launch costs more than a pass over the memory."""


def at_once(device: torch.device) -> int:
    return _AT_ONCE if device.type == "cpu" else _AT_ONCE_ON_GPU


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
    def of(cls, trie: Trie, codes: Int64, sizes: Sequence[int], device: str = "cpu") -> SoftTargets:
        """codes: semantic IDs by item, int64 [items, levels]; device: where chances will be."""
        leaves = np.arange(len(trie))
        low, high = np.zeros((2, len(trie), trie.levels), dtype=np.int64)
        high[:, 0] = len(trie)
        for level in range(1, trie.levels):
            first, after = trie.leaves(level, np.arange(len(trie.codes[level - 1])))
            node = np.searchsorted(first, leaves, side="right") - 1
            low[:, level], high[:, level] = first[node], after[node]
        by_leaf = codes[trie.items.astype(np.int64)]
        spelt, *bounds = (torch.from_numpy(part).to(device) for part in (by_leaf, low, high))
        return cls(spelt, bounds[0], bounds[1], tuple(sizes))

    def at(self, level: int, chances: Tensor, truth: Tensor) -> Tensor:
        """The teacher's distribution of the code at `level`, given the true codes before it.

        chances: float32 [cases, leaves]; truth: the true leaf, int64 [cases] → float32 [cases, codes]; rows sum to 1.
        """
        if level == 0:
            mass = chances.new_zeros(self.sizes[0], len(chances)).index_add_(0, self.codes[:, 0], chances.T).T
        else:
            low, high = self.low[truth, level, None], self.high[truth, level, None]
            places = low + torch.arange(int((high - low).max()) if len(truth) else 0, device=low.device)
            inside = places < high
            places = torch.where(inside, places, 0)
            below = torch.where(inside, chances.gather(1, places), 0.0)
            mass = chances.new_zeros(len(chances), self.sizes[level])
            mass.scatter_add_(1, self.codes[places, level], below)
        # A prefix that the teacher thinks impossible teaches nothing beside the truth.
        total = mass.sum(1, keepdim=True)
        return torch.where(total > 0, mass / total.clamp_min(1e-30), 0.0)


class Lesson(NamedTuple):
    """Targets to learn. places: which of the learnt ones, in reading order; soft: chances of the tokens from `first`
    on, each row's sum being the teacher's share of the target, or None."""

    places: Tensor
    soft: Tensor | None = None
    first: int = 0


@dataclass(frozen=True)
class Said:
    """The teacher's chances of every leaf, or, where one code is an item's own, of every code.

    Its vectors lie in that order, so that no chance has to be moved; what no item stands for has the bias −inf.
    """

    teacher: Teacher
    vectors: Tensor
    bias: Tensor

    @classmethod
    def of(cls, teacher: Teacher, trie: Trie, codes: Int64, size: int) -> Said:
        items = torch.from_numpy(trie.items.astype(np.int64)).to(teacher.vectors.device)
        by_leaf = teacher.vectors.detach()[items]
        if trie.levels > 1:
            return cls(teacher, by_leaf, by_leaf.new_zeros(len(items)))
        own = torch.from_numpy(codes).to(items.device)[items, 0]
        vectors, bias = by_leaf.new_zeros(size, by_leaf.shape[1]), by_leaf.new_full((size,), -torch.inf)
        vectors[own], bias[own] = by_leaf, 0.0
        return cls(teacher, vectors, bias)

    def states(self, windows: Tensor) -> Tensor:
        return self.teacher.states(windows)

    def chances(self, states: Tensor) -> Tensor:
        """float32 [states, leaves or codes]."""
        return torch.softmax(torch.addmm(self.bias, states, self.vectors.T), dim=1)


class TrieDistillation:
    """The loss of a trainer: (1 − weight) · cross-entropy + weight · cross-entropy to the teacher's soft targets.

    Called as transformers.Trainer calls its compute_loss_func, with logits of the learnt places alone, [1, learnt,
    tokens] in reading order (see tuning.learnt). The histories are read from the labels, so every semantic ID of a row
    is a target given those before it; the first of a row, and words, have cross-entropy alone.
    """

    def __init__(self, teacher: Teacher, trie: Trie, codes: Int64, code_ids: Sequence[Int64], weight: float) -> None:
        device = teacher.vectors.device
        self._weight = weight
        self._at_once = at_once(device)
        self._targets = SoftTargets.of(trie, codes, [len(level) for level in code_ids], str(device))
        self._said = Said.of(teacher, trie, codes, len(code_ids[0]))
        self._items = torch.from_numpy(trie.items.astype(np.int64)).to(device)
        self._code_ids = [torch.from_numpy(level).to(device) for level in code_ids]
        self._code_of = torch.full([1 + max(int(level.max()) for level in code_ids)], -1, device=device)
        for level in self._code_ids:
            self._code_of[level] = torch.arange(len(level), device=device)
        self._keys = self._key(self._targets.codes)

    def __call__(self, outputs: Any, labels: Tensor, num_items_in_batch: Tensor | int | None = None) -> Tensor:
        wanted = labels[:, 1:]
        learnt = wanted != IGNORED
        count = learnt.sum() if num_items_in_batch is None else num_items_in_batch
        summed: Tensor = Summed.apply(outputs.logits[0], wanted[learnt], self._lessons(wanted, learnt))  # type: ignore[no-untyped-call]
        return summed / count

    def _lessons(self, wanted: Tensor, learnt: Tensor) -> Iterator[Lesson]:
        """Every target of a batch, a chunk at a time: first those without a teacher's word."""
        named = self._named(wanted)
        taught = torch.zeros_like(named.rows, dtype=torch.bool)
        taught[1:] = named.rows[1:] == named.rows[:-1]
        taught &= self._weight > 0
        place = learnt.flatten().cumsum(0).view_as(learnt) - 1
        first = place[named.rows[taught], named.columns[taught]]
        plain = torch.ones(int(learnt.sum()), dtype=torch.bool, device=learnt.device)
        for level in range(len(self._code_ids)):
            plain[first + level] = False
        for places in torch.split(plain.nonzero()[:, 0], self._at_once):
            yield Lesson(places)
        if taught.any():
            yield from self._from_the_teacher(named, taught, first)

    def _from_the_teacher(self, named: Named, taught: Tensor, first: Tensor) -> Iterator[Lesson]:
        states = self._said.states(_windows(self._items[named.leaves], named.rows))
        parts = (states, first, named.leaves[taught])
        for state, places, leaves in zip(*(torch.split(part, self._at_once) for part in parts), strict=True):
            chances = self._said.chances(state)
            for level, tokens in enumerate(self._code_ids):
                soft = chances if len(self._code_ids) == 1 else self._targets.at(level, chances, leaves)
                yield Lesson(places + level, soft.mul_(self._weight), int(tokens[0]))

    def _named(self, wanted: Tensor) -> Named:
        rows, columns = torch.isin(wanted, self._code_ids[0]).nonzero(as_tuple=True)
        tokens = torch.stack([wanted[rows, columns + level] for level in range(len(self._code_ids))], dim=1)
        return Named(rows, columns, torch.searchsorted(self._keys, self._key(self._code_of[tokens])))

    def _key(self, codes: Tensor) -> Tensor:
        """One number per semantic ID, rising along the leaves; int64 [rows]."""
        key = torch.zeros(len(codes), dtype=torch.int64, device=codes.device)
        for level, size in enumerate(self._targets.sizes):
            key = key * size + codes[:, level]
        return key


class Summed(torch.autograd.Function):
    """Σ over targets of log Σ exp(logits) − t · logits, where t mixes the truth and the teacher's chances.

    Its gradient, softmax − t, is at hand where the sum is made, so the logits are passed over once, a cache's worth at
    a time; autograd would hold and pass over a dozen tensors of their size.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, wanted: Tensor, lessons: Iterator[Lesson]) -> Tensor:
        gradient = torch.empty_like(logits) if ctx.needs_input_grad[0] else None
        total = logits.new_zeros((), dtype=torch.float32)
        for places, soft, first in lessons:
            says = torch.log_softmax(logits[places].float(), dim=1)
            truth = wanted[places, None]
            share = says.new_ones(len(says), 1) if soft is None else 1 - soft.sum(1, keepdim=True)
            total -= (share * says.gather(1, truth)).sum()
            if soft is not None:
                total -= (soft * says[:, first : first + soft.shape[1]]).sum()
            if gradient is not None:
                gradient[places] = _less(says.exp_(), truth, share, soft, first).to(gradient.dtype)
        ctx.save_for_backward(gradient)
        return total

    @staticmethod
    def backward(ctx: Any, grown: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient.mul_(grown), None, None


def _less(chances: Tensor, truth: Tensor, share: Tensor, soft: Tensor | None, first: int) -> Tensor:
    """chances − (share of the truth + soft), in place."""
    chances.scatter_add_(1, truth, -share)
    if soft is not None:
        chances[:, first : first + soft.shape[1]] -= soft
    return chances


def _windows(items: Tensor, rows: Tensor) -> Tensor:
    """All but the last item of each row, int64 [rows with two or more, most], −1 on the left."""
    _, counts = torch.unique_consecutive(rows, return_counts=True)
    ends = counts.cumsum(0)
    shown = counts - 1
    kept = shown > 0
    most = int(shown.max())
    column = torch.arange(most, device=items.device)
    places = (ends - 1)[kept, None] - most + column
    inside = column >= most - shown[kept, None]
    return torch.where(inside, items[torch.where(inside, places, 0)], -1)
