"""From scores to ranked lists: what a recommender under evaluation must offer, and the one way to rank dense scores.

Does not know metrics, splits or any model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from genrec.errors import EngineError
from genrec.progress import along
from genrec.ragged import Int32, Int64, Ragged

Float32 = npt.NDArray[np.float32]

_CELLS = 8_000_000  # scores held at once by a batch: 64 MB as 8-byte sort keys


class Ranker(Protocol):
    """Anything that answers histories with ranked lists."""

    @property
    def name(self) -> str: ...

    def rank(self, histories: Ragged, k: int, *, mask_seen: bool) -> Int32:
        """int32 [cases, k]: item numbers, best first, −1 where nothing is left."""
        ...


class Scorer(Protocol):
    """A dense model: one number for each item."""

    @property
    def name(self) -> str: ...

    @property
    def n_items(self) -> int: ...

    def scores(self, histories: Ragged) -> Float32:
        """float32 [cases, n_items]; −inf means never."""
        ...


@dataclass(frozen=True)
class ScoreRanker:
    """The Ranker of a Scorer. It scores in batches, so that memory does not grow with the number of cases."""

    scorer: Scorer

    @property
    def name(self) -> str:
        return self.scorer.name

    def rank(self, histories: Ragged, k: int, *, mask_seen: bool) -> Int32:
        size = at_once(self.scorer.n_items)
        out = np.full((len(histories), k), -1, dtype=np.int32)
        for start in along(self.name, len(histories), size):
            part = histories.take(np.arange(start, min(start + size, len(histories))))
            out[start : start + size] = rank_scores(self.scorer.scores(part), part, k, mask_seen)
        return out


def rank_scores(scores: Float32, histories: Ragged, k: int, mask_seen: bool) -> Int32:
    """The k best items of every row: int32 [cases, k], best first, −1 where only −inf is left.

    scores: float32 [cases, n_items], left as it is. Equal scores are ordered by item number, so that a ranking
    depends on nothing but its scores. mask_seen takes the items of the history out of the candidates.
    Raises EngineError for a score that is not a number.
    """
    refuse_nan(scores, "rank_scores")
    keys = _sort_keys(scores)
    if mask_seen:
        keys[histories.rows, histories.items] = _NEVER
    best = _largest(keys, min(k, keys.shape[1]))
    items = np.where(best >> 32 > _NEVER_HIGH, scores.shape[1] - 1 - (best & 0xFFFFFFFF), -1)
    out = np.full((len(scores), k), -1, dtype=np.int32)
    out[:, : items.shape[1]] = items
    return out


def at_once(n_items: int) -> int:
    """Cases whose scores of all items are held together."""
    return max(1, _CELLS // max(1, n_items))


def refuse_nan(scores: Float32, where: str) -> None:
    """Raises EngineError for a score that is not a number."""
    if np.isnan(scores).any():
        raise EngineError("a score is not a number", value="NaN", where=where, remedy="check the model")


def _ordered(scores: Float32) -> Int64:
    """float32 bits as integers of the same order; −0 and 0 are one."""
    bits = (scores.astype(np.float32) + np.float32(0)).view(np.int32)
    return (bits ^ ((bits >> 31) & np.int32(0x7FFFFFFF))).astype(np.int64)


def _sort_keys(scores: Float32) -> Int64:
    """One integer per score: the score's order in the high half, the item counted from the back in the low half."""
    keys = _ordered(scores) << 32
    keys |= np.arange(scores.shape[1] - 1, -1, -1, dtype=np.int64)
    return keys


def _largest(keys: Int64, k: int) -> Int64:
    """The k largest of every row, largest first."""
    top = np.partition(keys, keys.shape[1] - k, axis=1)[:, keys.shape[1] - k :]
    return np.sort(top, axis=1)[:, ::-1]


_NEVER_HIGH = int(_ordered(np.array([-np.inf], dtype=np.float32))[0])
_NEVER = _NEVER_HIGH << 32
