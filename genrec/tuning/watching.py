"""A transformers Trainer that is watched: a bar with the time left, and a line of log for every evaluation.

Does not know what is trained.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any

from transformers import PrinterCallback, Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.utils.logging import disable_progress_bar

from genrec.progress import At, bar

log = logging.getLogger("genrec.training")


class _Watch(TrainerCallback):
    """seconds: when training ends at the latest; what is further on, steps or time, is how far it has come."""

    def __init__(self, at: At, seconds: float | None) -> None:
        self._at, self._seconds, self._started = at, seconds, time.monotonic()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        passed = 0.0 if self._seconds is None else (time.monotonic() - self._started) / self._seconds
        self._at(max(passed, state.global_step / max(1, state.max_steps)))

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **given: Any) -> None:
        if state.is_world_process_zero:
            log.info("step %d of %d: %s", state.global_step, state.max_steps, said(given.get("metrics", {})))


def said(metrics: Mapping[str, float]) -> str:
    """`loss 2.310, code_ndcg@10 0.0712` of what an evaluation measured."""
    shown = {name.removeprefix("eval_"): value for name, value in metrics.items() if name.startswith("eval_")}
    return ", ".join(
        f"{name} {value:.4f}" for name, value in shown.items() if name == "loss" or "ndcg" in name or "accuracy" in name
    )


def run(trainer: Trainer, what: str, seconds: float | None, resume: str | None = None) -> None:
    """`trainer.train`, watched; transformers' own bars and its dictionaries on standard output are left out."""
    disable_progress_bar()  # type: ignore[no-untyped-call]
    trainer.remove_callback(PrinterCallback)
    with bar(what) as at:
        trainer.add_callback(_Watch(at, seconds))
        trainer.train(resume_from_checkpoint=resume)
