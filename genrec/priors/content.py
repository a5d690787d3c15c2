"""Likeness of an item's text to the newest of a history. Finds cold items; does not know who chose what."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from genrec.evaluation.baselines.matrix import history_matrix
from genrec.priors.mix import Float32
from genrec.ragged import Ragged


@dataclass(frozen=True)
class Content:
    """vectors: unit text vectors, float32 [items, dimensions]; half_life: events until a choice counts half."""

    vectors: Float32
    half_life: float = 4.0
    name: str = "content"

    def values(self, histories: Ragged) -> Float32:
        """Cosine of each item to the recency-weighted mean of the history's vectors."""
        taste = history_matrix(histories, len(self.vectors), self.half_life) @ self.vectors
        taste /= np.maximum(np.linalg.norm(taste, axis=1, keepdims=True), 1e-9)
        likeness: Float32 = (taste @ self.vectors.T).astype(np.float32)
        return likeness

    def tensors(self) -> dict[str, npt.NDArray[np.floating]]:
        # Half precision loses nothing that a cosine shows.
        return {
            "content.vectors": self.vectors.astype(np.float16),
            "content.half_life": np.array([self.half_life], dtype=np.float32),
        }

    @classmethod
    def of(cls, tensors: dict[str, Float32]) -> Content:
        return cls(tensors["content.vectors"].astype(np.float32), float(tensors["content.half_life"][0]))


def text_vectors(priors: Iterable[object]) -> Float32 | None:
    """The item vectors of the content prior among these, float32 [items, dimensions]; None where there is none."""
    return next((prior.vectors for prior in priors if isinstance(prior, Content)), None)
