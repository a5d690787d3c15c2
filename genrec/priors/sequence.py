"""What tends to follow a history: the log-probabilities of a SASRec. Does not know text, so it is silent on cold items.

Source: see evaluation.baselines.sasrec. The same network teaches the language model through the trie.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy.sparse import csr_matrix

from genrec.evaluation.baselines.sasrec import Sasrec
from genrec.evaluation.baselines.sasrec_network import SasrecNetwork
from genrec.interactions import Histories
from genrec.priors.mix import Float32
from genrec.ragged import Int64, Ragged

Bool = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Sequential:
    """known: bool [items], which items the network has seen chosen."""

    model: Sasrec
    known: Bool
    name: str = "sequence"

    @classmethod
    def of(cls, model: Sasrec, train: Histories) -> Sequential:
        """The prior of a SASRec that was fitted on these histories."""
        return cls(model, train.chosen(model.n_items))

    def values(self, histories: Ragged) -> Float32:
        """log p(next item | history) less its mean over known items; 0 where it knows nothing of item or person."""
        read = histories.where(self.known[histories.items])
        found = self.model.scores(read)
        silent = ~self.known[None] | (read.lengths == 0)[:, None]
        count = np.maximum((~silent).sum(axis=1, keepdims=True), 1)
        mean = np.where(silent, 0, found).sum(axis=1, keepdims=True) / count
        return np.where(silent, 0, found - mean).astype(np.float32)

    def select(self, places: Int64) -> Sequential:
        """The prior of another catalog: item i is the old item places[i], or where that is −1 one it does not know."""
        old, kept = self.model.network, torch.from_numpy(np.maximum(places, 0))
        network = SasrecNetwork(len(places), self.model.config)
        network.load_state_dict({**old.state_dict(), "items": old.items.detach()[kept]})
        known = np.where(places >= 0, self.known[np.maximum(places, 0)], False)
        return Sequential(Sasrec(self.model.config, network.eval()), known)

    def likened(self, means: csr_matrix) -> Sequential:
        """With every item known, those that it did not know as means of others: float32 [items, items]."""
        old = self.model.network
        network = SasrecNetwork(len(self.known), self.model.config)
        network.load_state_dict({**old.state_dict(), "items": torch.from_numpy(means @ old.items.detach().numpy())})
        return Sequential(Sasrec(self.model.config, network.eval()), np.ones_like(self.known))

    def tensors(self) -> dict[str, npt.NDArray[np.uint8]]:
        """What stands beside the network's own file."""
        return {"sequence.known": self.known.astype(np.uint8)}
