"""Semantic IDs as 64-bit words: sorted, then cut into the levels of a trie. Knows arrays only, no items or filters."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from genrec.errors import IndexingError

Codes = npt.NDArray[np.integer]
Uint16 = npt.NDArray[np.uint16]
Uint32 = npt.NDArray[np.uint32]
Uint64 = npt.NDArray[np.uint64]

MAX_CODE = 1 << 16


def code_bits(codes: Codes) -> list[int]:
    """Bits that the codes of each level need; codes: integers [items, levels].

    Raises IndexingError for a table without rows or levels, a code that is no uint16, more than 64 bits in all.
    """
    if codes.ndim != 2 or 0 in codes.shape:
        raise IndexingError("a trie needs at least one semantic ID", value=codes.shape, allowed="[items, levels]")
    lowest, tops = int(codes.min()), [int(codes[:, level].max()) for level in range(codes.shape[1])]
    if lowest < 0 or max(tops) >= MAX_CODE:
        wrong = lowest if lowest < 0 else max(tops)
        raise IndexingError(
            "a code is out of range", value=wrong, allowed=f"0 to {MAX_CODE - 1}", remedy="use smaller codebooks"
        )
    bits = [max(1, top.bit_length()) for top in tops]
    if sum(bits) > 64:
        raise IndexingError("semantic IDs do not pack into 64 bits", value=bits, remedy="fewer levels or codes")
    return bits


def sorted_keys(codes: Codes, bits: list[int]) -> tuple[Uint64, Uint32]:
    """Packed semantic IDs in ascending order, uint64 [items], and the item of each. Equal ones raise IndexingError."""
    keys = _packed(codes, bits)
    room = max(1, (len(codes) - 1).bit_length())
    keys, items = _sorted_words(keys, room) if sum(bits) + room <= 64 else _argsorted(keys)
    twice = np.flatnonzero(keys[1:] == keys[:-1])
    if len(twice):
        same = codes[int(items[twice[0]])].tolist()
        raise IndexingError("two items have one semantic ID", value=same, remedy="add suffix codes")
    return keys, items


def _packed(codes: Codes, bits: list[int]) -> Uint64:
    keys = np.zeros(len(codes), dtype=np.uint64)
    for level, width in enumerate(bits):
        np.left_shift(keys, np.uint64(width), out=keys)
        np.bitwise_or(keys, codes[:, level], out=keys, dtype=np.uint64, casting="unsafe")
    return keys


def _sorted_words(keys: Uint64, room: int) -> tuple[Uint64, Uint32]:
    """Key and item number in one word: a plain sort is several times faster than an argsort. Overwrites `keys`."""
    np.left_shift(keys, np.uint64(room), out=keys)
    np.bitwise_or(keys, np.arange(len(keys), dtype=np.uint64), out=keys)
    keys.sort()
    items = (keys & np.uint64((1 << room) - 1)).astype(np.uint32)
    return np.right_shift(keys, np.uint64(room), out=keys), items


def _argsorted(keys: Uint64) -> tuple[Uint64, Uint32]:
    order = np.argsort(keys, kind="stable")
    return keys[order], order.astype(np.uint32)


def cut_levels(keys: Uint64, bits: list[int]) -> tuple[tuple[Uint16, ...], tuple[Uint32, ...]]:
    """Codes and child starts of every level of a trie (see Trie) from ascending keys, made from the leaves up."""
    codes: list[Uint16] = []
    starts: list[Uint32] = []
    for width in reversed(bits):
        codes.append((keys & np.uint64((1 << width) - 1)).astype(np.uint16))
        parents = keys >> np.uint64(width)
        first = np.flatnonzero(np.concatenate([[True], parents[1:] != parents[:-1]]))
        starts.append(np.append(first, len(keys)).astype(np.uint32))
        keys = parents[first]
    return tuple(reversed(codes)), tuple(reversed(starts))
