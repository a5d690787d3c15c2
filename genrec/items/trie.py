"""The trie of all valid semantic IDs in flat arrays, with filters and priors over ranges of leaves.

Leaves are sorted by semantic ID, so every node is a contiguous range of leaves: a filter is a bitmap with
ranks and a prior a segment maximum. Immutable. Does not know tokens, models or what an item is.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save_file

from genrec.errors import IndexingError
from genrec.ragged import Int32, Int64

Codes = npt.NDArray[np.integer]
Float32 = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]
Uint64 = npt.NDArray[np.uint64]

MAX_CODE = 1 << 16


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

    codes: tuple[npt.NDArray[np.uint16], ...]
    starts: tuple[npt.NDArray[np.uint32], ...]
    items: npt.NDArray[np.uint32]

    @classmethod
    def build(cls, codes: Codes) -> Trie:
        """codes: semantic IDs of all items, integers [items, levels], each row distinct."""
        if codes.ndim != 2 or 0 in codes.shape:
            raise IndexingError("a trie needs at least one semantic ID", value=codes.shape, allowed="[items, levels]")
        if int(codes.min()) < 0 or int(codes.max()) >= MAX_CODE:
            raise IndexingError("a code is out of range", value=int(codes.max()), allowed=f"0 to {MAX_CODE - 1}")
        bits = [max(1, int(top).bit_length()) for top in codes.max(axis=0)]
        keys, items = _sorted_keys(codes, bits)
        if len(keys) > 1 and bool((keys[1:] == keys[:-1]).any()):
            twice = int(items[1:][keys[1:] == keys[:-1]][0])
            raise IndexingError("two items have one semantic ID", value=codes[twice].tolist(), remedy="add suffix codes")
        return cls(*_levels(keys, bits), items)

    def __len__(self) -> int:
        return len(self.items)

    @property
    def levels(self) -> int:
        return len(self.codes)

    @property
    def nbytes(self) -> int:
        return self.items.nbytes + sum(a.nbytes for a in (*self.codes, *self.starts))

    def children(self, level: int, nodes: Int64) -> Children:
        """All children of `nodes` of `level` (0 is the root), in order of their codes."""
        starts = self.starts[level]
        first = starts[nodes].astype(np.int64)
        counts = starts[nodes + 1].astype(np.int64) - first
        rows = np.repeat(np.arange(len(nodes)), counts)
        below = np.arange(len(rows)) - np.repeat(counts.cumsum() - counts, counts) + first[rows]
        return Children(rows, below, self.codes[level][below].astype(np.int64))

    def leaves(self, level: int, nodes: Int64) -> tuple[Int64, Int64]:
        """The range [low, high) of leaves below each node of `level`."""
        low, high = nodes, nodes + 1
        for starts in self.starts[level:]:
            low, high = starts[low].astype(np.int64), starts[high].astype(np.int64)
        return low, high

    @cached_property
    def leaf_starts(self) -> tuple[Int64, ...]:
        """For each level 0..L-1 the first leaf below each of its nodes (int64, ascending)."""
        return tuple(
            self.leaves(level, np.arange(len(starts) - 1))[0] for level, starts in enumerate(self.starts)
        )

    def save(self, path: Path) -> None:
        """One safetensors file, which `load` maps into memory."""
        arrays = {f"codes.{level}": a for level, a in enumerate(self.codes)}
        arrays |= {f"starts.{level}": a for level, a in enumerate(self.starts)}
        save_file(arrays | {"items": self.items}, str(path))

    @classmethod
    def load(cls, path: Path) -> Trie:
        arrays = _mapped(path)
        levels = range((len(arrays) - 1) // 2)
        return cls(
            tuple(arrays[f"codes.{level}"] for level in levels),
            tuple(arrays[f"starts.{level}"] for level in levels),
            arrays["items"],
        )


def _sorted_keys(codes: Codes, bits: list[int]) -> tuple[Uint64, npt.NDArray[np.uint32]]:
    """Packed semantic IDs in ascending order, and the item of each."""
    if sum(bits) > 64:
        raise IndexingError("semantic IDs do not pack into 64 bits", value=bits, remedy="fewer levels or codes")
    keys = np.zeros(len(codes), dtype=np.uint64)
    for level, width in enumerate(bits):
        np.left_shift(keys, np.uint64(width), out=keys)
        np.bitwise_or(keys, codes[:, level].astype(np.uint64), out=keys)
    room = max(1, (len(codes) - 1).bit_length())
    if sum(bits) + room > 64:
        order = np.argsort(keys, kind="stable")
        return keys[order], order.astype(np.uint32)
    # Key and item number in one word: a plain sort is several times faster than an argsort.
    np.left_shift(keys, np.uint64(room), out=keys)
    np.bitwise_or(keys, np.arange(len(codes), dtype=np.uint64), out=keys)
    keys.sort()
    items = (keys & np.uint64((1 << room) - 1)).astype(np.uint32)
    return np.right_shift(keys, np.uint64(room), out=keys), items


def _levels(
    keys: Uint64, bits: list[int]
) -> tuple[tuple[npt.NDArray[np.uint16], ...], tuple[npt.NDArray[np.uint32], ...]]:
    """Codes and child starts of every level, from the leaves up."""
    codes: list[npt.NDArray[np.uint16]] = []
    starts: list[npt.NDArray[np.uint32]] = []
    for width in reversed(bits):
        codes.append((keys & np.uint64((1 << width) - 1)).astype(np.uint16))
        parents = keys >> np.uint64(width)
        first = np.flatnonzero(np.concatenate([[True], parents[1:] != parents[:-1]]))
        starts.append(np.append(first, len(keys)).astype(np.uint32))
        keys = parents[first]
    return tuple(reversed(codes)), tuple(reversed(starts))


def _mapped(path: Path) -> dict[str, npt.NDArray[np.generic]]:
    """The arrays of a safetensors file, memory-mapped: 8 bytes of header length, a JSON header, the data."""
    size = int(np.fromfile(path, dtype="<u8", count=1)[0])
    with path.open("rb") as file:
        header = json.loads(file.read(8 + size)[8:])
    kinds = {"U16": np.uint16, "U32": np.uint32}
    return {
        name: np.memmap(
            path, dtype=kinds[entry["dtype"]], mode="r", offset=8 + size + entry["data_offsets"][0], shape=tuple(entry["shape"])
        )
        for name, entry in header.items()
        if name != "__metadata__"
    }


@dataclass(frozen=True)
class Filter:
    """Which leaves are allowed. words: bitmap, uint64 [items / 64, rounded up]; ranks: allowed leaves before each
    word, uint32 [words + 1]: 1.5 bit per item together.
    """

    words: Uint64
    ranks: npt.NDArray[np.uint32]

    @classmethod
    def of_words(cls, words: Uint64) -> Filter:
        ranks = np.empty(len(words) + 1, dtype=np.uint32)
        ranks[0] = 0
        np.cumsum(np.bitwise_count(words), dtype=np.uint32, out=ranks[1:])
        return cls(words, ranks)

    @classmethod
    def of_items(cls, trie: Trie, allowed: Bool) -> Filter:
        """allowed: bool [items], by item number."""
        bits = np.packbits(allowed[trie.items], bitorder="little")
        padded = np.zeros(-(-len(bits) // 8) * 8, dtype=np.uint8)
        padded[: len(bits)] = bits
        return cls.of_words(padded.view("<u8"))

    def __and__(self, other: Filter) -> Filter:
        return Filter.of_words(self.words & other.words)

    def __len__(self) -> int:
        """How many items are allowed."""
        return int(self.ranks[-1])

    @property
    def nbytes(self) -> int:
        return self.words.nbytes + self.ranks.nbytes

    def count(self, low: Int64, high: Int64) -> Int64:
        """Allowed leaves in each range [low, high)."""
        return self._rank(high) - self._rank(low)

    def _rank(self, leaf: Int64) -> Int64:
        word = leaf >> 6
        below = (np.uint64(1) << (leaf & 63).astype(np.uint64)) - np.uint64(1)
        # A range may end exactly at the last word's end: there the partial word is empty.
        partial = self.words[np.minimum(word, len(self.words) - 1)] & below
        return self.ranks[word].astype(np.int64) + np.bitwise_count(partial)


@dataclass(frozen=True)
class Bounds:
    """A prior in the trie. levels[l]: the best prior below each node of level l, float32; the last is the leaves'."""

    levels: tuple[Float32, ...]

    @classmethod
    def of_items(cls, trie: Trie, prior: Float32) -> Bounds:
        """prior: log-weights, float32 [items], by item number; −inf forbids."""
        leaves = prior[trie.items].astype(np.float32, copy=False)
        levels = [leaves]
        for starts in reversed(trie.starts):
            levels.append(np.maximum.reduceat(levels[-1], starts[:-1].astype(np.intp)))
        return cls(tuple(reversed(levels)))


@dataclass(frozen=True)
class View:
    """What one request may see of a trie: a filter and a prior, each optional."""

    trie: Trie
    filter: Filter | None = None
    bounds: Bounds | None = None

    @classmethod
    def of(cls, trie: Trie, *, allowed: Bool | None = None, prior: Float32 | None = None) -> View:
        """allowed: bool [items]; prior: float32 [items], where −inf forbids too."""
        if prior is not None and bool(np.isnan(prior).any()):
            raise IndexingError("a prior is not a number", value=int(np.isnan(prior).argmax()), remedy="drop NaN")
        bounds = None if prior is None else Bounds.of_items(trie, prior)
        return cls(trie, None if allowed is None else Filter.of_items(trie, allowed), bounds)

    @property
    def allowed(self) -> int:
        """How many items the view allows."""
        return int(self.permits(self.trie.levels, np.arange(len(self.trie))).sum())

    def permits(self, level: int, nodes: Int64) -> Bool:
        """Whether an allowed item stands below each node."""
        permitted = np.ones(len(nodes), dtype=bool)
        if self.filter is not None:
            permitted &= self.filter.count(*self.trie.leaves(level, nodes)) > 0
        if self.bounds is not None:
            permitted &= self._joint(level, nodes) > -np.inf
        return permitted

    def bound(self, level: int, nodes: Int64) -> Float32:
        """The best prior of an allowed item below each node, float32; 0 where there is no prior."""
        return np.zeros(len(nodes), dtype=np.float32) if self.bounds is None else self._joint(level, nodes)

    def _joint(self, level: int, nodes: Int64) -> Float32:
        return self._filtered.levels[level][nodes]

    @cached_property
    def _filtered(self) -> Bounds:
        """The prior with what the filter forbids at −inf: node by node the two could contradict each other."""
        assert self.bounds is not None
        if self.filter is None:
            return self.bounds
        leaves = np.arange(len(self.trie))
        held = self.filter.count(leaves, leaves + 1) > 0
        by_leaf = np.where(held, self.bounds.levels[-1], -np.inf).astype(np.float32)
        by_item = np.empty_like(by_leaf)
        by_item[self.trie.items] = by_leaf
        return Bounds.of_items(self.trie, by_item)


__all__ = ["Bounds", "Children", "Filter", "Trie", "View"]
