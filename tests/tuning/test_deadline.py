"""The time limit of training: the rate falls with the time, and training ends with an evaluation."""

import time

import pytest
import torch
from transformers import TrainerControl, TrainerState, TrainingArguments

from genrec.tuning.trainer import Deadline


class Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def rate(deadline: Deadline, scheduled: float) -> float:
    """What the deadline makes of the rate that the schedule has set; the peak is 1."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=scheduled)
    optimizer.param_groups[0]["initial_lr"] = 1.0  # as every scheduler sets it
    arguments = TrainingArguments(learning_rate=1.0, report_to="none")
    deadline.on_step_begin(arguments, TrainerState(), TrainerControl(), optimizer=optimizer)
    return float(optimizer.param_groups[0]["lr"])


def test_the_rate_falls_along_a_cosine_of_the_time(clock: Clock) -> None:
    deadline = Deadline(60)
    deadline.on_train_begin(TrainingArguments(report_to="none"), TrainerState(), TrainerControl())
    assert rate(deadline, 1.0) == pytest.approx(1.0)
    clock.now += 30
    assert rate(deadline, 1.0) == pytest.approx(0.55)  # half-way between 1 and a tenth
    clock.now += 30
    assert rate(deadline, 1.0) == pytest.approx(0.1)
    clock.now += 100
    assert rate(deadline, 1.0) == pytest.approx(0.1)


def test_a_lower_rate_of_the_schedule_stays(clock: Clock) -> None:
    deadline = Deadline(60)
    deadline.on_train_begin(TrainingArguments(report_to="none"), TrainerState(), TrainerControl())
    assert rate(deadline, 0.02) == pytest.approx(0.02)  # warming up


def test_it_ends_with_an_evaluation_when_the_time_is_up(clock: Clock) -> None:
    deadline, control = Deadline(60), TrainerControl()
    deadline.on_train_begin(TrainingArguments(report_to="none"), TrainerState(), control)
    clock.now += 59
    deadline.on_step_end(TrainingArguments(report_to="none"), TrainerState(), control)
    assert not control.should_training_stop
    clock.now += 2
    deadline.on_step_end(TrainingArguments(report_to="none"), TrainerState(), control)
    assert control.should_training_stop
    assert control.should_evaluate
    assert control.should_save
