"""The trie of all valid semantic IDs in flat arrays, with filters and priors over ranges of leaves.

Leaves are sorted by semantic ID, so every node is a contiguous range of leaves: a filter is a bitmap with
ranks and a prior a segment maximum. Immutable. Does not know tokens, models or what an item is.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save_file

from genrec.errors import IndexingError
from genrec.items.packing import MAX_CODE, Codes, Uint16, Uint32, Uint64, code_bits, cut_levels, sorted_keys
from genrec.ragged import Int64

Float32 = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]


class Children(NamedTuple):
    """The children of some nodes, flat. rows: which of the given nodes; nodes, codes: child and its code."""

    rows: Int64
    nodes: Int64
    codes: Int64


@dataclass(frozen=True)
class Trie:
    """codes[l]: code of every node of level l + 1, uint16. starts[l]: where the children of node i of level l
    begin among the nodes of level l + 1, uint32 [nodes + 1]; level 0 is the root alone. items: the item number
    of every leaf, uint32 [items].
    """

    codes: tuple[Uint16, ...]
    starts: tuple[Uint32, ...]
    items: Uint32

    @classmethod
    def build(cls, codes: Codes) -> Trie:
        """codes: semantic IDs of all items, integers [items, levels], each row distinct.

        Raises IndexingError for no items, equal rows, codes that are no uint16 and rows of more than 64 bits.
        """
        bits = code_bits(codes)
        keys, items = sorted_keys(codes, bits)
        return cls(*cut_levels(keys, bits), items)

    def __len__(self) -> int:
        return len(self.items)

    @property
    def levels(self) -> int:
        return len(self.codes)

    @property
    def nbytes(self) -> int:
        return self.items.nbytes + sum(a.nbytes for a in self.codes) + sum(a.nbytes for a in self.starts)

    def children(self, level: int, nodes: Int64) -> Children:
        """All children of `nodes` of `level` (0 is the root), in order of their codes."""
        starts = self.starts[level]
        first = starts[nodes].astype(np.int64)
        counts = starts[nodes + 1].astype(np.int64) - first
        rows = np.repeat(np.arange(len(nodes)), counts)
        below = np.arange(len(rows)) - np.repeat(counts.cumsum() - counts - first, counts)
        return Children(rows, below, self.codes[level][below].astype(np.int64))

    def leaves(self, level: int, nodes: Int64) -> tuple[Int64, Int64]:
        """The range [low, high) of leaves below each node of `level`."""
        low, high = nodes, nodes + 1
        for starts in self.starts[level:]:
            low, high = starts[low].astype(np.int64), starts[high].astype(np.int64)
        return low, high

    def save(self, path: Path) -> None:
        """One safetensors file, which `load` maps into memory."""
        arrays: dict[str, npt.NDArray[Any]] = {"items": self.items}
        arrays |= {f"codes.{level}": a for level, a in enumerate(self.codes)}
        arrays |= {f"starts.{level}": a for level, a in enumerate(self.starts)}
        save_file(arrays, str(path))

    @classmethod
    def load(cls, path: Path) -> Trie:
        arrays = _mapped(path)
        levels = range((len(arrays) - 1) // 2)
        return cls(
            tuple(arrays[f"codes.{level}"] for level in levels),
            tuple(arrays[f"starts.{level}"] for level in levels),
            arrays["items"],
        )


def _mapped(path: Path) -> dict[str, npt.NDArray[Any]]:
    """The arrays of a safetensors file, memory-mapped: 8 bytes of header length, a JSON header, the data."""
    whole = np.memmap(path, dtype=np.uint8, mode="r").view(np.ndarray)
    begin = 8 + int(whole[:8].view("<u8")[0])
    header = json.loads(whole[8:begin].tobytes())
    kinds = {"U16": np.uint16, "U32": np.uint32}
    return {
        name: whole[slice(*(begin + offset for offset in entry["data_offsets"]))].view(kinds[entry["dtype"]])
        for name, entry in header.items()
        if name != "__metadata__"
    }


@dataclass(frozen=True)
class Filter:
    """Which leaves are allowed. words: bitmap, uint64 [items / 64, rounded up]; ranks: allowed leaves up to the end
    of each word, uint32 [words]: 1.5 bit per item together, up to the rounding.
    """

    words: Uint64
    ranks: Uint32

    @classmethod
    def of_words(cls, words: Uint64) -> Filter:
        """words: the bitmap; bits beyond the last leaf are 0."""
        return cls(words, np.cumsum(np.bitwise_count(words), dtype=np.uint32))

    @classmethod
    def of_items(cls, trie: Trie, allowed: Bool) -> Filter:
        """allowed: bool [items], by item number."""
        _check_length(trie, allowed)
        padded = np.zeros(-(-len(trie) // 64) * 64, dtype=bool)
        np.take(allowed, trie.items, out=padded[: len(trie)])
        return cls.of_words(np.packbits(padded, bitorder="little").view("<u8"))

    def __and__(self, other: Filter) -> Filter:
        return Filter.of_words(self.words & other.words)

    def __len__(self) -> int:
        """How many items are allowed."""
        return int(self.ranks[-1])

    @property
    def nbytes(self) -> int:
        return self.words.nbytes + self.ranks.nbytes

    def count(self, low: Int64, high: Int64) -> Int64:
        """Allowed leaves in each range [low, high), int64."""
        return self._rank(high) - self._rank(low)

    def leaves(self, count: int) -> Bool:
        """Of each of the first `count` leaves whether it is allowed."""
        return np.unpackbits(self.words.view(np.uint8), count=count, bitorder="little").view(np.bool_)

    def _rank(self, leaf: Int64) -> Int64:
        """Allowed leaves before each leaf; the end of the last word is one, too."""
        word = np.minimum(leaf >> 6, len(self.words) - 1)
        from_leaf_on = self.words[word] >> (leaf - (word << 6)).astype(np.uint64)
        below: Int64 = self.ranks[word].astype(np.int64) - np.bitwise_count(from_leaf_on)
        return below


@dataclass(frozen=True)
class Bounds:
    """A prior in the trie. levels[l]: the best prior below each node of level l, float32; the last is the leaves'."""

    levels: tuple[Float32, ...]

    @classmethod
    def of_items(cls, trie: Trie, prior: Float32) -> Bounds:
        """prior: log-weights, float32 [items], by item number; −inf forbids."""
        _check_length(trie, prior)
        wrong = ~(prior < np.inf)
        if wrong.any():
            item = int(wrong.argmax())
            raise IndexingError(
                "a prior is no log-weight", value=float(prior[item]), where=f"item {item}", allowed="−inf or finite"
            )
        return cls.of_leaves(trie, prior.take(trie.items).astype(np.float32, copy=False))

    @classmethod
    def of_leaves(cls, trie: Trie, prior: Float32) -> Bounds:
        """prior: log-weights, float32 [items], by leaf."""
        levels = [prior]
        for starts in reversed(trie.starts):
            # fmax is the quicker one: it need not carry NaN on, and there is none
            levels.append(np.fmax.reduceat(levels[-1], starts[:-1].astype(np.intp)))
        return cls(tuple(reversed(levels)))


def _check_length(trie: Trie, by_item: npt.NDArray[Any]) -> None:
    if by_item.shape != (len(trie),):
        raise IndexingError(
            "a filter or prior does not fit the trie",
            value=by_item.shape,
            allowed=f"one value for each of {len(trie)} items",
        )


@dataclass(frozen=True)
class View:
    """What one request may see of a trie: a filter and a prior, each optional."""

    trie: Trie
    filter: Filter | None = None
    bounds: Bounds | None = None

    @classmethod
    def of(cls, trie: Trie, *, allowed: Bool | None = None, prior: Float32 | None = None) -> View:
        """allowed: bool [items]; prior: float32 [items], where −inf forbids too."""
        return cls(
            trie,
            None if allowed is None else Filter.of_items(trie, allowed),
            None if prior is None else Bounds.of_items(trie, prior),
        )

    @property
    def allowed(self) -> int:
        """How many items the view allows."""
        return int(self.permits(self.trie.levels, np.arange(len(self.trie))).sum())

    def permits(self, level: int, nodes: Int64) -> Bool:
        """Whether an allowed item stands below each node."""
        if self.bounds is not None:
            return self.bound(level, nodes) > -np.inf
        if self.filter is not None:
            return self.filter.count(*self.trie.leaves(level, nodes)) > 0
        return np.ones(len(nodes), dtype=bool)

    def bound(self, level: int, nodes: Int64) -> Float32:
        """The best prior of an allowed item below each node, float32; 0 where there is no prior."""
        return np.zeros(len(nodes), dtype=np.float32) if self.bounds is None else self._joint.levels[level][nodes]

    @cached_property
    def _joint(self) -> Bounds:
        """The prior with what the filter forbids at −inf: node by node the two could contradict each other."""
        assert self.bounds is not None
        if self.filter is None:
            return self.bounds
        held = np.where(self.filter.leaves(len(self.trie)), self.bounds.levels[-1], np.float32(-np.inf))
        return Bounds.of_leaves(self.trie, held)


__all__ = ["MAX_CODE", "Bounds", "Children", "Filter", "Trie", "View"]
