"""A loss that holds weights near where they began: what a refreshed adapter learns may not undo what it knew.

The proximal term of PESO (Yoo et al. 2026), which keeps one adapter that goes on evolving: half the squared distance
to the weights at the block's start, or module by module the divergence of their softmax. Does not know the data's loss,
nor trainers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from genrec.tuning.settings import ProximalSettings


@dataclass(frozen=True)
class Proximal:
    """loss: the data's; pairs: every trainable weight, and what it was when the block began."""

    loss: Callable[..., Tensor]
    pairs: list[tuple[nn.Parameter, Tensor]]
    settings: ProximalSettings

    @classmethod
    def of(cls, loss: Callable[..., Tensor], model: nn.Module, settings: ProximalSettings) -> Proximal:
        trainable = [weight for weight in model.parameters() if weight.requires_grad]
        return cls(loss, [(weight, weight.detach().clone()) for weight in trainable], settings)

    def __call__(self, outputs: Any, labels: Tensor, num_items_in_batch: Tensor | int | None = None) -> Tensor:
        return self.loss(outputs, labels, num_items_in_batch) + self.settings.weight * self.distance()

    def distance(self) -> Tensor:
        """How far the weights are from where they began, a scalar; 0 at the start."""
        between = _divergence if self.settings.kind == "kl" else _halved_square
        return torch.stack([between(now, then) for now, then in self.pairs]).sum()


def _halved_square(now: Tensor, then: Tensor) -> Tensor:
    return (now - then).square().sum() / 2


def _divergence(now: Tensor, then: Tensor) -> Tensor:
    """KL(softmax of what was ‖ softmax of what is), all numbers of a module together."""
    before, after = then.flatten().log_softmax(0), now.flatten().log_softmax(0)
    return (before.exp() * (before - after)).sum()
