"""The space that items are coded in: text and who-chose-what side by side, and where a new item stands in it.

A new item has only its text; its collaborative part is what a ridge regression, fitted on known items, reads from
that text. Does not know semantic IDs.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge

from genrec.errors import CorruptBundle
from genrec.items.codes import Float32
from genrec.items.text import unit


@dataclass(frozen=True)
class ItemSpace:
    """centre, axes: principal components of the texts, float32 [text] and [kept, text]; slopes, offsets: the ridge
    regression text → collaborative, float32 [collaborative, text] and [collaborative] (no rows without choices);
    weight: share of the collaborative block in the squared length.
    """

    centre: Float32
    axes: Float32
    slopes: Float32
    offsets: Float32
    weight: float

    @classmethod
    def fit(
        cls, text: Float32, collaborative: Float32 | None = None, *, weight: float = 0.5, dimensions: int = 96
    ) -> ItemSpace:
        """text: float32 [items, text]; collaborative: float32 [items, c], rows of zeros for items nobody chose."""
        centre, axes = _components(text, dimensions)
        if collaborative is None or not collaborative.any():
            none = np.zeros((0, text.shape[1]), dtype=np.float32)
            return cls(centre, axes, none, np.zeros(0, dtype=np.float32), 0.0)
        known = collaborative.any(axis=1)
        read = Ridge(alpha=1.0).fit(text[known], collaborative[known])
        slopes = np.asarray(read.coef_, dtype=np.float32).reshape(-1, text.shape[1])
        return cls(centre, axes, slopes, np.asarray(read.intercept_, dtype=np.float32).reshape(-1), weight)

    def vectors(self, text: Float32, collaborative: Float32 | None = None) -> Float32:
        """Items in this space, float32 [items, kept + c]; rows of zeros in `collaborative` are read from the text."""
        described = unit((text - self.centre) @ self.axes.T)
        if not len(self.slopes):
            return described
        chosen = unit(text @ self.slopes.T + self.offsets)
        if collaborative is not None:
            chosen = np.where(collaborative.any(axis=1, keepdims=True), collaborative, chosen)
        blocks = [np.sqrt(1 - self.weight) * described, np.sqrt(self.weight) * chosen]
        joined: Float32 = np.concatenate(blocks, axis=1).astype(np.float32)
        return joined

    def save(self, path: Path) -> None:
        arrays = {"centre": self.centre, "axes": self.axes, "slopes": self.slopes, "offsets": self.offsets}
        arrays["weight"] = np.array([self.weight], dtype=np.float64)
        save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, str(path))

    @classmethod
    def load(cls, path: Path) -> ItemSpace:
        if not path.is_file():
            raise CorruptBundle("the item space is missing", where=str(path), remedy="train the bundle again")
        arrays = load_file(str(path))
        weight = float(arrays.pop("weight")[0])
        return cls(**arrays, weight=weight)


def join_vectors(text: Float32, collaborative: Float32 | None, *, weight: float = 0.5, dimensions: int = 96) -> Float32:
    """Text and collaborative vectors side by side, in the space fitted on these very items."""
    return ItemSpace.fit(text, collaborative, weight=weight, dimensions=dimensions).vectors(text, collaborative)


def _components(vectors: Float32, dimensions: int) -> tuple[Float32, Float32]:
    """Mean and principal axes; texts that are all alike stay as they are."""
    if np.allclose(vectors, vectors[:1]):
        return np.zeros(vectors.shape[1], dtype=np.float32), np.eye(vectors.shape[1], dtype=np.float32)
    found = PCA(min(dimensions, *vectors.shape), random_state=0).fit(vectors)
    return found.mean_.astype(np.float32), found.components_.astype(np.float32)
