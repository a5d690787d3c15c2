"""Muon: the blocks' matrices take orthogonal steps, everything else AdamW's. Knows no task and no trainer.

Source: Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks", with its five-step
Newton-Schulz iteration. torch.optim.Muon works in bfloat16, matrix after matrix: eight times as long a step on a CPU
without bfloat16 arithmetic (docs/log.md); this one takes all matrices of a shape at once in their own precision.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.optimizer import ParamsT
from transformers import PreTrainedModel

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_STEPS, _MOMENTUM = 5, 0.95
FASTER = 20 / 3
"""The matrices' learning rate over AdamW's: a step of theirs has a size of its own, whatever the gradient's."""


class Muon(torch.optim.AdamW):
    """Groups with `orthogonal` set are stepped by Muon, others by AdamW; their states are saved alike."""

    def __init__(self, groups: ParamsT, **adamw: Any) -> None:
        super().__init__(groups, **adamw)
        for group in self.param_groups:
            group.setdefault("orthogonal", False)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        every = self.param_groups
        self.param_groups = [group for group in every if not group["orthogonal"]]
        loss: float | None = super().step(closure)
        self.param_groups = every
        for group in every:
            if group["orthogonal"]:
                self._orthogonal(group)
        return loss

    def _orthogonal(self, group: dict[str, Any]) -> None:
        by_shape: defaultdict[torch.Size, list[Tensor]] = defaultdict(list)
        for weight in group["params"]:
            if weight.grad is not None:
                by_shape[weight.shape].append(weight)
        for (rows, columns), weights in by_shape.items():
            steps = orthogonalised(torch.stack([self._momentum(weight) for weight in weights]))
            torch._foreach_mul_(weights, 1 - group["lr"] * group["weight_decay"])
            torch._foreach_add_(weights, list(steps), alpha=-group["lr"] * max(1, rows / columns) ** 0.5)

    def _momentum(self, weight: Tensor) -> Tensor:
        """Nesterov's."""
        gradient: Tensor = weight.grad  # type: ignore[assignment]
        state = self.state[weight]
        if not state:  # AdamW looks for a step in every state that it loads
            state.update(step=torch.zeros(()), momentum=torch.zeros_like(weight))
        mean: Tensor = state["momentum"]
        mean.lerp_(gradient, 1 - _MOMENTUM)
        return gradient.lerp(mean, _MOMENTUM)


def orthogonalised(matrices: Tensor) -> Tensor:
    """Matrices [n, rows, columns] with singular values near 1 (0.7 to 1.2) and the singular vectors they had."""
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    a, b, c = _COEFFICIENTS
    for _ in range(_STEPS):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    found: Tensor = x.mT if tall else x
    return found


def muon(model: PreTrainedModel, learning_rate: float, weight_decay: float, beta2: float) -> Muon:
    """Over all weights that learn: the linear maps of the blocks orthogonally, tables of rows and the rest not."""
    tables = (model.get_input_embeddings(), model.get_output_embeddings())  # type: ignore[no-untyped-call]
    linear = [
        part for part in model.modules() if isinstance(part, nn.Linear) and all(part is not one for one in tables)
    ]
    matrices = [part.weight for part in linear if part.weight.requires_grad]
    known = {id(weight) for weight in matrices}
    rest = [weight for weight in model.parameters() if weight.requires_grad and id(weight) not in known]
    groups = [
        {"params": matrices, "lr": FASTER * learning_rate, "weight_decay": weight_decay, "orthogonal": True},
        {"params": [weight for weight in rest if weight.ndim > 1], "weight_decay": weight_decay},
        {"params": [weight for weight in rest if weight.ndim < 2], "weight_decay": 0.0},
    ]
    return Muon([group for group in groups if group["params"]], lr=learning_rate, betas=(0.9, beta2))
