"""A language model as teacher: the loss by hand, its gradient, and that teacher and learner read the same."""

import copy
from typing import Any

import pytest
import torch
from transformers import PreTrainedModel

from genrec.examples import IGNORED
from genrec.model.base import ScratchConfig, scratch
from genrec.tuning.learnt import Padded, cross_entropy
from genrec.tuning.taught import Taught

ROWS = [
    {"input_ids": [3, 4, 5, 6], "labels": [IGNORED, IGNORED, 5, 6]},
    {"input_ids": [7, 8], "labels": [IGNORED, 8]},
]
TRUTH = torch.tensor([5, 6, 8])


def made(seed: int) -> Any:
    shape = ScratchConfig(hidden=16, layers=1, heads=2, feed_forward=16, context=64)
    model = scratch(shape, 20, pad_id=0, end_id=1, seed=seed).eval()
    for weight in model.parameters():
        weight.data += 0.3 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(seed))
    return model


def loss_of(teacher: PreTrainedModel, learner: PreTrainedModel, weight: float) -> torch.Tensor:
    taught, batch = Taught(teacher, weight), Padded(0)(ROWS)
    with taught.listening(learner):
        labels = batch.pop("labels")
        return taught(learner(**batch), labels)


def said(model: PreTrainedModel) -> torch.Tensor:
    """log-chances at the learnt places, by plain passes of one row each."""
    logits = [model(torch.tensor([row["input_ids"]])).logits[0] for row in ROWS]
    return torch.cat([logits[0][1:3], logits[1][:1]]).log_softmax(1)


def test_the_loss_is_a_mixture_of_truth_and_teacher() -> None:
    teacher, learner = made(1), made(2)
    plain = -said(learner).gather(1, TRUTH[:, None]).mean()
    soft = -(said(teacher).exp() * said(learner)).sum(1).mean()
    for weight in (0.0, 0.3, 1.0):
        torch.testing.assert_close(loss_of(teacher, learner, weight), (1 - weight) * plain + weight * soft)


def test_a_teacher_of_no_weight_is_cross_entropy() -> None:
    learner = made(2)
    batch = Padded(0)(ROWS)
    labels = batch.pop("labels")
    taught = Taught(made(1), 0.0)
    with taught.listening(learner):
        outputs = learner(**batch)
        torch.testing.assert_close(taught(outputs, labels), cross_entropy(outputs, labels))


def test_who_says_what_the_teacher_says_has_learnt_it() -> None:
    teacher, other = made(1), made(2)
    norms = []
    for learner in (copy.deepcopy(teacher).requires_grad_(True), other):
        loss_of(teacher, learner, 1.0).backward()
        norms.append(max(float(weight.grad.abs().max()) for weight in learner.parameters()))
    assert norms[0] < 1e-6 < 1e-2 < norms[1]


def test_a_learner_comes_to_say_what_the_teacher_says() -> None:
    teacher, learner = made(1), made(2).requires_grad_(True)
    steps = torch.optim.Adam(learner.parameters(), lr=0.01)
    apart = []
    for _ in range(60):
        steps.zero_grad()
        loss_of(teacher, learner, 1.0).backward()
        steps.step()
        with torch.no_grad():
            apart.append(float((said(teacher).exp() * (said(teacher) - said(learner))).sum(1).mean()))
    assert apart[-1] < 0.05 * apart[0]


def test_the_teacher_learns_nothing() -> None:
    teacher = made(1)
    loss_of(teacher, made(2), 0.5).backward()
    assert all(weight.grad is None for weight in teacher.parameters())


def test_it_listens_no_longer_than_asked() -> None:
    teacher, learner = made(1), made(2)
    loss_of(teacher, learner, 0.5)
    assert learner(torch.tensor([[3, 4]])).logits.shape == (1, 2, 20)
    assert teacher(torch.tensor([[3, 4], [5, 6]])).logits.shape == pytest.approx((2, 2, 20))
