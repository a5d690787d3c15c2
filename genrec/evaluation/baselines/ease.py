"""EASE: a linear model from items to items, solved in closed form. Does not know order, nor content.

Source: Steck, Embarrassingly shallow autoencoders for sparse data (WWW 2019), eq. 8.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from safetensors.numpy import load_file, save_file
from scipy.linalg import lapack

from genrec.errors import ConfigError, DataError
from genrec.evaluation.baselines.matrix import history_matrix
from genrec.evaluation.baselines.tuning import Tuned, choose
from genrec.evaluation.ranker import Float32
from genrec.interactions import Histories
from genrec.machine import best_device
from genrec.ragged import Ragged
from genrec.splitting import Cases

_MOST = 40_000  # items: the weights are dense, 4 · n² bytes, twice while solving


class EaseConfig(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    penalty: float = Field(default=300.0, gt=0)
    """Lambda, the L2 penalty; larger for sparser data."""


GRID = tuple(EaseConfig(penalty=penalty) for penalty in (30.0, 100.0, 300.0, 1000.0))


@dataclass(frozen=True)
class Ease:
    """weights: float32 [n_items, n_items], zero diagonal; row: item in the history, column: item scored."""

    weights: Float32
    name: str = "EASE"

    @classmethod
    def fit(cls, train: Histories, n_items: int, config: EaseConfig | None = None) -> Ease:
        """Raises ConfigError when the catalog is too large for a dense item-item matrix."""
        if n_items > _MOST:
            raise ConfigError(
                "the catalog is too large for EASE", value=n_items, allowed=f"up to {_MOST:,}", remedy="use ItemKnn"
            )
        seen = history_matrix(train.items, n_items)
        gram = (seen.T @ seen).toarray()
        gram[np.diag_indices(n_items)] += (config or EaseConfig()).penalty
        return cls(_solve(gram))

    @property
    def n_items(self) -> int:
        return len(self.weights)

    def scores(self, histories: Ragged) -> Float32:
        """Sums of the weights of the history's items, float32 [cases, n_items]."""
        summed: Float32 = history_matrix(histories, self.n_items) @ self.weights
        return summed

    def save(self, path: Path) -> None:
        save_file({"ease": self.weights}, path)

    @classmethod
    def load(cls, path: Path) -> Ease:
        tensors = load_file(path)
        if "ease" not in tensors:
            raise DataError("not an EASE file", where=str(path), remedy="pass a file that Ease.save wrote")
        return cls(tensors["ease"])


def tune(train: Histories, valid: Cases, n_items: int, grid: Sequence[EaseConfig] = GRID) -> Tuned[Ease, EaseConfig]:
    """The penalty with the best validation NDCG@10."""
    return choose(lambda config: Ease.fit(train, n_items, config), grid, valid)


def _solve(gram: Float32) -> Float32:
    """B = −P / diag(P) with zero diagonal, P the inverse of the symmetric matrix `gram`, which is used up."""
    upper, diagonal = _inverse(gram) if best_device() == "cpu" else _inverse_on_gpu(gram)
    weights: Float32 = np.ascontiguousarray(-(upper + upper.T) / diagonal[None, :])
    return weights


def _inverse(gram: Float32) -> tuple[Float32, Float32]:
    """What stands above the diagonal of the inverse, 0 elsewhere, and the diagonal."""
    factor, bad = lapack.spotrf(gram.T, lower=False, overwrite_a=True)
    inverse, worse = lapack.spotri(factor, lower=False, overwrite_c=True)
    if bad or worse:
        raise ConfigError("EASE cannot be solved", value=(bad, worse), remedy="raise the penalty")
    return np.triu(inverse, 1), np.diag(inverse)


def _inverse_on_gpu(gram: Float32) -> tuple[Float32, Float32]:
    import torch  # heavy, and the core does without

    factor, bad = torch.linalg.cholesky_ex(torch.from_numpy(gram).cuda())
    if int(bad):
        raise ConfigError("EASE cannot be solved", value=int(bad), remedy="raise the penalty")
    inverse = torch.cholesky_inverse(factor)
    return inverse.triu(1).cpu().numpy(), inverse.diagonal().cpu().numpy()
