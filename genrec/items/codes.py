"""Vectors → codes by residual k-means, and distinct semantic IDs from codes that collide.

Works on arrays alone: does not know texts, tokens or users. Source of the scheme: residual quantisation as in
TIGER (Rajput et al. 2023) with k-means in place of the RQ-VAE (DESIGN §5).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field
from sklearn.cluster import KMeans

from genrec.errors import IndexingError
from genrec.ragged import Int64

Float32 = npt.NDArray[np.float32]
FAR = np.float32(1e6)
"""Where codes lie that no item uses: nothing is ever nearest to them."""
_FIT_ROWS = 256  # vectors per code that k-means looks at: more change the centroids little


class CodesConfig(BaseModel):
    """How items become semantic IDs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    levels: int | None = Field(None, ge=1, le=8)
    """Codes per semantic ID, coarse to fine; None: one up to 32,768 items, three for more."""
    size: int | None = Field(None, ge=2, le=65536)
    """Codes per level; None sizes it to the catalog: 256, more for very large ones; a code for every item, and some to
    spare, where there is one level."""
    collisions: Literal["nearest", "suffix"] = "nearest"
    """What separates items of equal codes: the nearest free code of the last level, or a suffix code of their own."""
    seed: int = 0
    """Seed of k-means."""


def code_levels(items: int) -> int:
    """Levels that fit the catalog: in a small one every item can have a code of its own, which is learnt best."""
    return 1 if items <= 32768 else 3


def codebook_size(items: int, levels: int) -> int:
    """256, or the power of two that leaves four times the room needed; with one level room for new items, too."""
    if levels == 1:
        return items + max(items // 4, 256)
    comfortable = min(256, _power_of_two(items))
    return max(8, comfortable, _power_of_two((4 * items) ** (1 / levels)))


def _power_of_two(least: float) -> int:
    return 1 << max(1, int(np.ceil(np.log2(max(least, 2)))))


@dataclass(frozen=True)
class Quantizer:
    """Residual codebooks: float32 [levels, codes, dimensions]."""

    codebooks: Float32

    @classmethod
    def fit(cls, vectors: Float32, config: CodesConfig | None = None) -> Quantizer:
        """vectors: float32 [items, dimensions]. Each level clusters what the levels above left over."""
        config = config or CodesConfig()
        if not len(vectors):
            raise IndexingError("the catalog is empty", value=vectors.shape, remedy="give at least one item")
        _check_finite(vectors)
        levels = config.levels or code_levels(len(vectors))
        size = config.size or codebook_size(len(vectors), levels)
        residual = _sample(vectors, size * _FIT_ROWS, config.seed).copy()
        books = np.zeros((levels, size, vectors.shape[1]), dtype=np.float32)
        for level in range(levels):
            # Unused codes lie far away, so that no vector is ever nearest to them.
            books[level] = FAR
            centres = _centres(residual, size, config.seed + level)
            books[level, : len(centres)] = centres
            residual -= books[level, _nearest(residual, books[level])]
        return cls(books)

    @property
    def size(self) -> int:
        return int(self.codebooks.shape[1])

    def encode(self, vectors: Float32) -> tuple[Int64, Float32]:
        """Codes int64 [items, levels], and the residual before the last level, float32 [items, dimensions]."""
        if vectors.ndim != 2 or vectors.shape[1] != self.codebooks.shape[2]:
            allowed = f"[items, {self.codebooks.shape[2]}]"
            raise IndexingError("vectors of another shape than the codebooks'", value=vectors.shape, allowed=allowed)
        _check_finite(vectors)
        residual = vectors.astype(np.float32, copy=True)
        codes = np.empty((len(vectors), len(self.codebooks)), dtype=np.int64)
        for level, book in enumerate(self.codebooks):
            before = residual.copy() if level == len(self.codebooks) - 1 else residual
            codes[:, level] = _nearest(residual, book)
            residual -= book[codes[:, level]]
        return codes, before


def _check_finite(vectors: Float32) -> None:
    broken = ~np.isfinite(vectors).all(axis=1)
    if broken.any():
        where = f"item {int(broken.argmax())}"
        raise IndexingError("a vector is not finite", where=where, remedy="drop or repair the item's vector")


def _sample(vectors: Float32, most: int, seed: int) -> Float32:
    if len(vectors) <= most:
        return vectors.astype(np.float32)
    chosen = np.random.default_rng(seed).choice(len(vectors), most, replace=False)
    return vectors[np.sort(chosen)].astype(np.float32)


def _centres(vectors: Float32, size: int, seed: int) -> Float32:
    _, first = np.unique(vectors.round(4), axis=0, return_index=True)  # the same but for rounding is the same
    if len(first) <= size:
        return vectors[np.sort(first)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # sklearn speaks up when it finds fewer clusters than asked
        fitted = KMeans(size, n_init=1, max_iter=50, random_state=seed).fit(vectors)
    centres: Float32 = fitted.cluster_centers_.astype(np.float32)
    return centres


def _nearest(vectors: Float32, book: Float32, rows: int = 65536) -> Int64:
    norms = (book.astype(np.float64) ** 2).sum(axis=1)
    chunks = [vectors[start : start + rows] for start in range(0, len(vectors), rows)]
    found = [np.argmin(norms - 2 * (chunk @ book.T), axis=1) for chunk in chunks]
    return np.concatenate(found) if found else np.empty(0, dtype=np.int64)


def separate(
    codes: Int64, residual: Float32, quantizer: Quantizer, *, taken: Int64 | None = None, suffixed: bool = False
) -> Int64:
    """Distinct semantic IDs, int64 [items, levels or levels + 1], none of them among `taken`.

    With `suffixed`, equal codes are told apart by one more code; otherwise the item nearest to its code keeps it
    and the others take the nearest free code of the last level, or where that bucket is full of the bucket next to it.
    """
    return _suffixed(codes, taken) if suffixed else _nearest_free(codes, residual, quantizer, taken)


def _suffixed(codes: Int64, taken: Int64 | None) -> Int64:
    levels = codes.shape[1]
    before = np.empty((0, levels), dtype=np.int64) if taken is None else taken[:, :levels]
    everyone = np.concatenate([before, codes])
    order = np.lexsort((np.arange(len(everyone)), *everyone.T[::-1]))
    grouped = everyone[order]
    fresh = np.concatenate([[True], (grouped[1:] != grouped[:-1]).any(axis=1)])
    first = np.flatnonzero(fresh)
    suffix = np.empty(len(everyone), dtype=np.int64)
    suffix[order] = np.arange(len(everyone)) - np.repeat(first, np.diff(np.append(first, len(everyone))))
    if taken is not None and len(taken):  # a removed item may have left a gap: start above the highest in use
        suffix += _gaps(everyone, suffix, taken)
    return np.column_stack([codes, suffix[len(before) :]])


def _gaps(everyone: Int64, suffix: Int64, taken: Int64) -> Int64:
    _, group = np.unique(everyone, axis=0, return_inverse=True)
    group = group.reshape(-1)
    highest = np.full(group.max() + 1, -1)
    np.maximum.at(highest, group[: len(taken)], taken[:, -1] - suffix[: len(taken)])
    return np.maximum(highest, 0)[group]


def _nearest_free(codes: Int64, residual: Float32, quantizer: Quantizer, taken: Int64 | None) -> Int64:
    book = quantizer.codebooks[-1]
    gap = np.linalg.norm(residual - book[codes[:, -1]], axis=1)
    out, free = codes.copy(), _first_of_each(codes, gap)
    used = {tuple(row) for row in (taken.tolist() if taken is not None else [])}
    if used:
        free &= np.array([tuple(row) not in used for row in codes.tolist()])
    used |= {tuple(row) for row in codes[free].tolist()}
    for item in np.flatnonzero(~free):  # only the items that collide
        out[item] = _free_code(codes[item], residual[item], quantizer, used)
        used.add(tuple(out[item].tolist()))
    return out


def _first_of_each(codes: Int64, gap: Float32) -> npt.NDArray[np.bool_]:
    """Of the items with equal codes the one with the smallest gap."""
    order = np.lexsort((gap, *codes.T[::-1]))
    grouped = codes[order]
    first = np.zeros(len(codes), dtype=bool)
    first[order[np.concatenate([[True], (grouped[1:] != grouped[:-1]).any(axis=1)])]] = True
    return first


def _free_code(codes: Int64, residual: Float32, quantizer: Quantizer, used: set[tuple[int, ...]]) -> Int64:
    """The nearest semantic ID not in `used`: last level first, then the neighbours one level above."""
    books = quantizer.codebooks
    above = books[-2] if len(books) > 1 else np.zeros((1, books.shape[2]), dtype=np.float32)
    start = residual + above[codes[-2]] if len(books) > 1 else residual
    for parent in np.argsort(np.linalg.norm(start - above, axis=1), kind="stable"):
        for code in np.argsort(np.linalg.norm(start - above[parent] - books[-1], axis=1), kind="stable"):
            found = (*codes[:-2].tolist(), int(parent), int(code)) if len(books) > 1 else (int(code),)
            if found not in used:
                return np.array(found, dtype=np.int64)
    raise IndexingError(
        "no free semantic ID is left near an item",
        value=codes.tolist(),
        remedy="refit with a larger size or more levels",
    )
