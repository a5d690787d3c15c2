"""The generative model as a ranker, alone or with priors. Does not know which engine runs it, nor the cases."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from genrec.fusing import Fusion, unseen
from genrec.progress import along
from genrec.ragged import Int32, Ragged

_ROWS = 512  # histories whose prior vectors are held at once


@dataclass(frozen=True)
class GenerativeRanker:
    """Ranks by the model's exact log-probabilities plus the fusion's priors."""

    fusion: Fusion
    name: str = "genrec"

    def rank(self, histories: Ragged, k: int, *, mask_seen: bool) -> Int32:
        out = np.full((len(histories), k), -1, dtype=np.int32)
        items = len(self.fusion.asking.index)
        for start in along(self.name, len(histories), _ROWS):
            rows = np.arange(start, min(start + _ROWS, len(histories)))
            part = histories.take(rows)
            allowed = [unseen(part[row], items) if mask_seen else None for row in range(len(part))]
            for row, ranking in zip(rows, self.fusion.rank(part, k, allowed=allowed), strict=True):
                out[row, : len(ranking.items)] = ranking.items
        return out
