"""Who chose these also chose those: EASE, its strongest weights kept, read with the newest choices first.

Source: Steck 2019 (see evaluation.baselines.ease). Does not know text.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from genrec.evaluation.baselines.ease import Ease, EaseConfig
from genrec.evaluation.baselines.matrix import history_matrix
from genrec.interactions import Histories
from genrec.priors.mix import Float32
from genrec.ragged import Ragged


@dataclass(frozen=True)
class Collaborative:
    """weights: sparse float32 [items, items], row: item chosen; half_life: events until a choice counts half."""

    weights: csr_matrix
    half_life: float = 8.0
    name: str = "collaborative"

    @classmethod
    def fit(
        cls, train: Histories, items: int, *, penalty: float = 100.0, kept: int = 200, half_life: float = 8.0
    ) -> Collaborative:
        """kept: weights of largest size that each item keeps, so that large catalogs stay small on disk."""
        return cls.of_ease(Ease.fit(train, items, EaseConfig(penalty=penalty)), kept=kept, half_life=half_life)

    @classmethod
    def of_ease(cls, ease: Ease, *, kept: int = 200, half_life: float = 8.0) -> Collaborative:
        """The prior of an EASE that is fitted already."""
        return cls(csr_matrix(_strongest(ease.weights, kept)), half_life)

    def values(self, histories: Ragged) -> Float32:
        """Sums of the weights from the history's items, the newest counting most."""
        summed = history_matrix(histories, self.weights.shape[0], self.half_life) @ self.weights
        return np.asarray(summed.todense(), dtype=np.float32)

    def likened(self, means: csr_matrix) -> Collaborative:
        """With weights from and to every item, those without as means of others: float32 [items, items]."""
        return replace(self, weights=csr_matrix(means @ self.weights @ means.T))

    def tensors(self) -> dict[str, npt.NDArray[np.number]]:
        return {
            "collaborative.data": self.weights.data.astype(np.float32),
            "collaborative.indices": self.weights.indices.astype(np.int32),
            "collaborative.indptr": self.weights.indptr.astype(np.int64),
            "collaborative.half_life": np.array([self.half_life], dtype=np.float32),
        }

    @classmethod
    def of(cls, tensors: dict[str, Float32]) -> Collaborative:
        parts = tuple(tensors[f"collaborative.{part}"] for part in ("data", "indices", "indptr"))
        items = len(parts[2]) - 1
        return cls(csr_matrix(parts, shape=(items, items)), float(tensors["collaborative.half_life"][0]))


def _strongest(weights: Float32, kept: int) -> Float32:
    """The weights with all but the `kept` largest sizes of each row set to zero."""
    if weights.shape[1] <= kept:
        return weights
    sizes = np.abs(weights)
    edge = np.partition(sizes, -kept, axis=1)[:, -kept, None]
    return np.where(sizes >= edge, weights, np.float32(0))
