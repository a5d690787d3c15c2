"""Items that nobody chose yet: what is said of the known items most like them stands for them.

A prior that counts choices gives such an item its lowest number, or none, and a weighted sum of several then never
shows it, however well its text fits; who chose it is read as if they had not. Does not know any prior, nor the model.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from genrec.items.text import unit
from genrec.ragged import Int64, Ragged

Bool = npt.NDArray[np.bool_]
Float32 = npt.NDArray[np.float32]
NEAREST = 20
"""Known items that a new one takes after."""
SHARPNESS = 20.0
"""Weights are exp(sharpness · cosine): an item that is twice as near counts far more than twice."""
_AT_ONCE = 4096  # new items compared with all known ones together


@dataclass(frozen=True)
class StandIns:
    """items: those nobody chose, int64 [fresh]; near: known ones like them, int64 [fresh, nearest]; weights of these,
    float32 [fresh, nearest], rows sum to 1; lift: what each fresh item gets on top, in units of log-probability (a mean
    of several is seldom as high as the best known item, see tuning.lifting); late: how many of them, the last ones,
    came after training."""

    items: Int64
    near: Int64
    weights: Float32
    lift: float = 0.0
    late: int = 0

    @classmethod
    def of(cls, vectors: Float32, known: Bool, lift: float = 0.0) -> StandIns:
        """vectors: of the items' texts, float32 [items, d]; known: bool [items], those that somebody chose."""
        fresh = np.flatnonzero(~known)
        return cls(fresh, *likes(vectors, known, fresh), lift)

    def known(self, items: int) -> Bool:
        """Which of so many items are not fresh, bool [items]."""
        out = np.ones(items, dtype=bool)
        out[self.items] = False
        return out

    def filled(self, values: Float32) -> Float32:
        """float32 [histories, items], the columns of fresh items replaced; the lift is not in it."""
        if not len(self.items):
            return values
        out = values.copy()
        out[:, self.items] = self._means(values.shape[1]).dot(values.T).T
        return out

    def lifted(self, total: Float32) -> Float32:
        """The lift on top, in place: float32 [histories, items]."""
        total[:, self.items] += np.float32(self.lift)
        return total

    def as_known(self, histories: Ragged, *, late: bool = False) -> Ragged:
        """Histories in which the likest known item stands for each fresh one; late: for the late ones alone."""
        first = len(self.items) - self.late if late else 0
        items = self.items[first:]
        if not len(items):
            return histories
        place = np.minimum(np.searchsorted(items, histories.items), len(items) - 1)
        likest = self._likest[first:][place].astype(histories.items.dtype)
        return Ragged(histories.offsets, np.where(items[place] == histories.items, likest, histories.items))

    @cached_property
    def _likest(self) -> Int64:
        """The known item most like each fresh one, int64 [fresh]; found once, for every ranking asks."""
        return np.asarray(self.near[np.arange(len(self.items)), self.weights.argmax(axis=1)])

    def grown(self, vectors: Float32, before: int) -> StandIns:
        """With the items from number `before` on, which came after training; vectors: float32 [all items, d]."""
        known = np.pad(self.known(before), (0, len(vectors) - before))
        new = np.arange(before, len(vectors))
        near, weights = likes(vectors, known, new)
        return replace(
            self, items=np.concatenate([self.items, new]), near=np.concatenate([self.near, near]),
            weights=np.concatenate([self.weights, weights]), late=self.late + len(new),
        )  # fmt: skip

    def late_ones(self, which: Bool) -> StandIns:
        """Those of `which`, bool [items], alone, as if they had come after training."""
        rows = which[self.items]
        return replace(
            self, items=self.items[rows], near=self.near[rows], weights=self.weights[rows], late=int(rows.sum())
        )

    def told(self, items: Int64) -> Int64:
        """What a model that knows no late item is asked in place of `items`: the others, and the likes of the late."""
        rows = self._late_rows(items)
        return np.unique(np.concatenate([items[rows < 0], self.near[rows[rows >= 0]].ravel()]))

    def said(self, items: Int64, told: Int64, logprobs: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Of `items`, float64, from those of `told`: a late item has the mean of its likes."""
        rows = self._late_rows(items)
        late, out = rows >= 0, np.empty(len(items))
        out[~late] = logprobs[np.searchsorted(told, items[~late])]
        likes_of = logprobs[np.searchsorted(told, self.near[rows[late]])]
        out[late] = (likes_of * self.weights[rows[late]]).sum(axis=1)
        return out

    def _late_rows(self, items: Int64) -> Int64:
        """Where each of the items stands among the fresh ones if it is late, else −1."""
        late = self.items[len(self.items) - self.late :]
        place = np.searchsorted(late, items)
        found = (place < len(late)) & (late[np.minimum(place, len(late) - 1)] == items) if len(late) else place < 0
        return np.where(found, place + len(self.items) - self.late, -1)

    def _means(self, items: int) -> csr_matrix:
        """float32 [fresh, items]."""
        rows = np.arange(len(self.items) + 1) * self.near.shape[1]
        return csr_matrix((self.weights.ravel(), self.near.ravel(), rows), shape=(len(self.items), items))

    def tensors(self) -> dict[str, npt.NDArray[np.number]]:
        return {
            "stand_ins.items": self.items, "stand_ins.near": self.near.astype(np.int32),
            "stand_ins.weights": self.weights, "stand_ins.lift": np.array([self.lift], dtype=np.float32),
        }  # fmt: skip

    @classmethod
    def read(cls, tensors: dict[str, npt.NDArray[np.number]]) -> StandIns:
        items, near, weights, lift = (tensors[f"stand_ins.{part}"] for part in ("items", "near", "weights", "lift"))
        return cls(items.astype(np.int64), near.astype(np.int64), weights.astype(np.float32), float(lift[0]))


def means(vectors: Float32, known: Bool, nearest: int) -> csr_matrix:
    """What makes rows of all items of those of known ones: float32 [items, items]; a row of a known item is its own."""
    fresh = np.flatnonzero(~known)
    near, weights = likes(vectors, known, fresh, nearest)
    rows = np.concatenate([np.flatnonzero(known), np.repeat(fresh, near.shape[1])])
    columns = np.concatenate([np.flatnonzero(known), near.ravel()])
    values = np.concatenate([np.ones(int(known.sum()), dtype=np.float32), weights.ravel()])
    return csr_matrix((values, (rows, columns)), shape=(len(known), len(known)))


def likes(vectors: Float32, known: Bool, fresh: Int64, nearest: int = NEAREST) -> tuple[Int64, Float32]:
    """The nearest known items of each fresh one, int64 [fresh, nearest], and their weights, which sum to 1."""
    old = np.flatnonzero(known)
    scaled = unit(vectors)
    most = min(nearest, len(old))
    near, weights = [np.zeros((0, most), dtype=np.int64)], [np.zeros((0, most), dtype=np.float32)]
    for start in range(0, len(fresh), _AT_ONCE):
        cosine = scaled[fresh[start : start + _AT_ONCE]] @ scaled[old].T
        best = np.argpartition(-cosine, most - 1, axis=1)[:, :most]
        found = np.exp(SHARPNESS * (np.take_along_axis(cosine, best, axis=1) - cosine.max(axis=1, keepdims=True)))
        near.append(old[best])
        weights.append(found / found.sum(axis=1, keepdims=True))
    return np.concatenate(near), np.concatenate(weights).astype(np.float32)
