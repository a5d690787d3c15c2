"""The proximal term: nothing at the start, half the squared distance or a divergence later, and it pulls back."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from genrec.tuning.proximal import Proximal
from genrec.tuning.settings import ProximalSettings


def nothing(outputs: object, labels: Tensor, num_items_in_batch: object = None) -> Tensor:
    return torch.tensor(2.0)


def line(weights: list[float]) -> nn.Linear:
    made = nn.Linear(len(weights), 1, bias=False)
    with torch.no_grad():
        made.weight.copy_(torch.tensor([weights]))
    return made


def moved(model: nn.Linear, weights: list[float]) -> None:
    with torch.no_grad():
        model.weight.copy_(torch.tensor([weights]))


@pytest.mark.parametrize("kind", ["l2", "kl"])
def test_at_the_start_it_adds_nothing(kind: str) -> None:
    loss = Proximal.of(nothing, line([1.0, 3.0]), ProximalSettings.model_validate({"kind": kind, "weight": 5.0}))
    assert loss(None, torch.zeros(1)).item() == pytest.approx(2.0)


def test_half_the_squared_distance() -> None:
    model = line([1.0, 3.0])
    loss = Proximal.of(nothing, model, ProximalSettings(kind="l2", weight=0.5))
    moved(model, [2.0, 1.0])
    assert loss(None, torch.zeros(1)).item() == pytest.approx(2.0 + 0.5 * (1 + 4) / 2)


def test_the_divergence_of_their_softmax_forgives_a_common_shift() -> None:
    model = line([0.0, 0.0])
    loss = Proximal.of(nothing, model, ProximalSettings(kind="kl", weight=1.0))
    moved(model, [7.0, 7.0])
    assert loss.distance().item() == pytest.approx(0.0, abs=1e-6)
    moved(model, [math.log(3.0), 0.0])  # a quarter and three quarters, where halves were
    assert loss.distance().item() == pytest.approx(0.5 * math.log(2 / 3) + 0.5 * math.log(2), abs=1e-6)


def test_frozen_weights_are_not_held_and_trainable_ones_are_pulled_back() -> None:
    model = nn.Sequential(line([1.0]), line([1.0]))
    model[0].weight.requires_grad_(False)
    loss = Proximal.of(nothing, model, ProximalSettings(kind="l2", weight=1.0))
    assert len(loss.pairs) == 1
    with torch.no_grad():
        model[1].weight.add_(0.5)
    loss.distance().backward()  # type: ignore[no-untyped-call]
    assert model[1].weight.grad is not None
    assert model[1].weight.grad.item() == pytest.approx(0.5)
