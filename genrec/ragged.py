"""Lists of item numbers of unequal length in two flat arrays (CSR). Knows only arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Int64 = npt.NDArray[np.int64]
Int32 = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Ragged:
    """Row r is `items[offsets[r]:offsets[r + 1]]`. offsets: int64 [rows + 1]; items: int32 [total]."""

    offsets: Int64
    items: Int32

    @classmethod
    def from_lists(cls, rows: Sequence[Sequence[int] | npt.NDArray[np.integer]]) -> Ragged:
        lengths = np.array([len(row) for row in rows], dtype=np.int64)
        flat = np.concatenate([np.asarray(row, dtype=np.int32) for row in rows]) if len(rows) else np.empty(0)
        return cls(np.concatenate([[0], lengths.cumsum()]).astype(np.int64), flat.astype(np.int32))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> Int32:
        return self.items[self.offsets[row] : self.offsets[row + 1]]

    @property
    def lengths(self) -> Int64:
        return np.diff(self.offsets)

    @property
    def rows(self) -> Int64:
        """The row number of every entry of `items`, int64 [total]."""
        return np.repeat(np.arange(len(self)), self.lengths)

    @property
    def places(self) -> Int64:
        """The place of every entry within its row, int64 [total]."""
        return np.arange(len(self.items)) - np.repeat(self.offsets[:-1], self.lengths)

    def take(self, rows: Int64) -> Ragged:
        """The rows named, in that order."""
        lengths = self.lengths[rows]
        offsets = np.concatenate([[0], lengths.cumsum()]).astype(np.int64)
        within = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
        return Ragged(offsets, self.items[np.repeat(self.offsets[rows], lengths) + within])

    def where(self, keep: npt.NDArray[np.bool_]) -> Ragged:
        """The same rows with only the entries where `keep` (bool [total]) is true."""
        kept = np.concatenate([[0], keep.cumsum()]).astype(np.int64)
        return Ragged(kept[self.offsets], self.items[keep])

    def last(self, length: int) -> Ragged:
        """The last `length` entries of each row."""
        keep = np.repeat(self.lengths, self.lengths) - self.places <= length
        lengths = np.minimum(self.lengths, length)
        return Ragged(np.concatenate([[0], lengths.cumsum()]).astype(np.int64), self.items[keep])

    def padded(self, length: int, fill: int = -1) -> Int32:
        """int32 [rows, length], the last `length` entries of each row, right-aligned, `fill` on the left."""
        short = self.last(length)
        out = np.full((len(self), length), fill, dtype=np.int32)
        out[short.rows, length - np.repeat(short.lengths, short.lengths) + short.places] = short.items
        return out
