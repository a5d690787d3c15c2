"""A number per item that a person or a rule set for this one request. Does not know histories."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from genrec.decoding.engine import Float64
from genrec.priors.mix import Float32
from genrec.ragged import Ragged


@dataclass(frozen=True)
class Fixed:
    """row: float32 [items]."""

    row: Float32
    name: str = "edits"

    @classmethod
    def of(cls, values: Float64) -> tuple[Fixed, float]:
        """The prior of these log-weights, and the weight in a mixture (which standardises) that brings them in as they
        are, up to a constant."""
        finite = values[np.isfinite(values)]
        return cls(values.astype(np.float32)), float(finite.std()) if len(finite) else 0.0

    def values(self, histories: Ragged) -> Float32:
        return np.tile(self.row, (len(histories), 1))
