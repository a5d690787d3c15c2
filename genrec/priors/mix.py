"""Several priors as one: a weighted sum of log-weights, each on one scale. Does not know the priors, nor the model:
only whether it speaks beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from genrec.errors import ConfigError
from genrec.priors.stand_ins import StandIns
from genrec.ragged import Ragged

Float32 = npt.NDArray[np.float32]


BY_TEXT = ("content",)
"""Priors that know an item by what it is, and so need nothing to stand in for one that nobody chose."""


class Prior(Protocol):
    """One number per item for a history; larger is better, −inf is never."""

    @property
    def name(self) -> str: ...

    def values(self, histories: Ragged) -> Float32:
        """float32 [histories, items]."""
        ...


@dataclass(frozen=True)
class Mix:
    """score = Σ weight · standardised prior; fresh items have the values of their likes, and a lift, and are read as
    the likest."""

    priors: tuple[Prior, ...]
    weights: Mapping[str, float]
    fresh: StandIns | None = None
    model: bool = True
    """Whether the language model's log-probability joins them; False where validation found that it adds nothing."""

    def __post_init__(self) -> None:
        unknown = set(self.weights) - {prior.name for prior in self.priors}
        if unknown:
            known = ", ".join(prior.name for prior in self.priors)
            raise ConfigError("unknown priors", value=sorted(unknown), allowed=known, remedy="correct the names")

    def __bool__(self) -> bool:
        return any(self.weights.get(prior.name, 0.0) for prior in self.priors)

    @property
    def spoken(self) -> bool:
        """Whether the model is heard: always where no prior has weight, for then nothing else could rank."""
        return self.model or not self

    @property
    def unit(self) -> float:
        """How far the sum of priors spreads, were they unlike each other, at least 1: beside a model that says little,
        weights are large, and what is to count among them has to be in their unit."""
        return max(1.0, float(np.linalg.norm(list(self.weights.values()))))

    def values(self, histories: Ragged) -> Float32:
        """float32 [histories, items]; priors without weight are not computed."""
        total: Float32 = np.sum(
            [
                np.float32(self.weights[prior.name]) * self.values_of(prior, histories)
                for prior in self.priors
                if self.weights.get(prior.name, 0.0)
            ],
            axis=0,
            dtype=np.float32,
        )
        return total if self.fresh is None else self.fresh.lifted(total)

    def values_of(self, prior: Prior, histories: Ragged) -> Float32:
        """One prior on the common scale, float32 [histories, items]."""
        if self.fresh is None or prior.name in BY_TEXT:
            return standardised(prior.values(histories))
        return self.fresh.filled(standardised(prior.values(self.fresh.as_known(histories))))

    def with_weights(self, weights: Mapping[str, float]) -> Mix:
        return replace(self, weights={**self.weights, **weights})

    def names(self) -> Sequence[str]:
        return [prior.name for prior in self.priors]


@dataclass(frozen=True)
class MixScorer:
    """Priors as a recommender of their own, without a model."""

    mix: Mix
    n_items: int
    name: str

    def scores(self, histories: Ragged) -> Float32:
        """float32 [histories, n_items]; all 0 where no prior has weight."""
        if not self.mix:
            return np.zeros((len(histories), self.n_items), dtype=np.float32)
        return self.mix.values(histories)


def standardised(values: Float32) -> Float32:
    """Each row scaled to mean 0 and deviation 1 over its finite values; one that is constant to rounding becomes 0."""
    finite = np.isfinite(values)
    count = np.maximum(finite.sum(axis=1, keepdims=True), 1)
    zeroed = np.where(finite, values, 0)
    mean = (zeroed.sum(axis=1, keepdims=True, dtype=np.float64) / count).astype(np.float32)
    deviation = np.sqrt((np.where(finite, zeroed - mean, 0) ** 2).sum(axis=1, keepdims=True) / count)
    varies = deviation > 1e-6 * np.abs(mean) + 1e-9
    scaled = np.where(varies, (zeroed - mean) / np.where(varies, deviation, 1), 0)
    return np.where(finite, scaled, values).astype(np.float32)
