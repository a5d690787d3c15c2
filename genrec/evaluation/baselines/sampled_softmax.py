"""Cross-entropy against some of a large catalog, drawn anew each step, in place of all of it. Knows only tensors.

The draw is uniform and every item drawn stands for n / drawn of them, so that the sum over the catalog is estimated
without bias (Bengio, Senécal 2003; Jean et al. 2015). eSASRec finds such a loss as good as the whole one.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def sampled_softmax_loss(states: Tensor, items: Tensor, targets: Tensor, drawn: int) -> Tensor:
    """Mean of −log softmax[target] over the target and `drawn` random items, which all targets share: a scalar.

    states: float32 [targets, d]; items: float32 [n_items, d]; targets: int64 [targets]. Randomness: torch's own.
    """
    others = torch.randperm(len(items), device=items.device)[:drawn]
    truth = (states * items[targets]).sum(1, keepdim=True)
    rest = states @ items[others].T + math.log(len(items) / len(others))
    rest = rest.masked_fill(others == targets[:, None], -torch.inf)
    return (torch.logsumexp(torch.cat([truth, rest], dim=1), dim=1, keepdim=True) - truth).mean()
