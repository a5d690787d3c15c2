"""What a run will take, found by running a little of it: seconds, memory, lengths, and examples as they are learnt.

Some batches of the real order are learnt by the real trainer, the longest among them; time is a line in the tokens of a
batch, padding included. Does not know files: what the trainer writes goes into a folder that the caller throws away.
"""

from __future__ import annotations

import math
import resource
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from peft import PeftModel
from scipy.optimize import nnls
from transformers import (
    PreTrainedModel,
    PreTrainedTokenizerBase,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from genrec.errors import ConfigError
from genrec.examples import IGNORED, Examples
from genrec.ragged import Int64
from genrec.tuning.learnt import flattened
from genrec.tuning.order import ByLength
from genrec.tuning.settings import OptimiserSettings, SftSettings
from genrec.tuning.trainer import Loss, trainer

TRIED = 24
"""Updates that are run: the first four count for nothing, while everything is cold."""
_COLD = 4
SHOWN = 10


@dataclass(frozen=True)
class Rehearsal:
    """updates, tokens: of the whole training, tokens without padding; padding: share of what is computed; longest:
    tokens of the longest example; seconds: of training at most, evaluations apart; evaluating: of all evaluations;
    memory: bytes at most of this process, or of the accelerator where there is one."""

    updates: int
    tokens: int
    padding: float
    longest: int
    seconds: float
    evaluating: float
    memory: int

    def __str__(self) -> str:
        total = self.seconds + self.evaluating
        return (
            f"training: {self.updates:,} updates, {self.tokens:,} tokens, {self.padding:.0%} padding beside them, the "
            f"longest example {self.longest} tokens\n"
            f"time: {total:.0f} s at most ({self.seconds:.0f} s of steps, {self.evaluating:.0f} s of evaluations)\n"
            f"memory: {self.memory / 2**30:.2f} GiB at most"
        )


def rehearse(
    model: PreTrainedModel | PeftModel,
    tokenizer: PreTrainedTokenizerBase,
    train: Examples,
    valid: Examples,
    settings: OptimiserSettings,
    run: Path,
    *,
    passes: float,
    context: int,
    loss: Loss | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Rehearsal:
    """As `trainer` takes them; the model is used up. Raises ConfigError for examples that the model cannot read.

    clock: says the seconds; a benchmark on a shared machine takes the processor's.
    """
    longest = int(train.inputs.lengths.max())
    if longest > context:
        raise ConfigError("an example is longer than the model reads", value=longest, allowed=f"up to {context} tokens")
    planned = _planned(train, settings, passes)
    rows, widths = _chosen(train, settings)
    once = settings.model_copy(update={"evaluations": 1, "max_seconds": None, "epochs": 1.0})
    made = trainer(model, tokenizer, train.take(rows), valid.take(np.arange(1)), once, run, passes=1, loss=loss)
    taken = _Taken(clock)
    made.add_callback(taken)
    with flattened(model) if loss is not None else nullcontext():
        made.train()
        seconds = _line(widths[_COLD:], taken.seconds[_COLD - 1 :])
        made.eval_dataset = Dataset.from_dict(valid.columns())
        start = clock()
        made.evaluate()
        evaluating = settings.evaluations * (clock() - start)
    stepped = float((seconds[0] + seconds[1] * planned).sum())
    limit = math.inf if settings.max_seconds is None else settings.max_seconds
    tokens = round(passes * float(train.inputs.lengths.sum()))
    return Rehearsal(
        len(planned), tokens, 1 - tokens / float(planned.sum()), longest, min(stepped, limit), evaluating, peak()
    )


def briefly(settings: SftSettings) -> SftSettings:
    """The same run with one epoch of the sequence prior: what it teaches matters to no measurement."""
    return settings.model_copy(update={"sequence": settings.sequence.model_copy(update={"epochs": 1})})


def peak() -> int:
    """Bytes that this process, or the accelerator, has held at most."""
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return held if sys.platform == "darwin" else 1024 * held


def shown(tokenizer: PreTrainedTokenizerBase, train: Examples, seed: int, many: int = SHOWN) -> list[str]:
    """Examples drawn with the seed, as text; what is learnt stands behind ▸."""
    chosen = np.sort(np.random.default_rng(seed).choice(len(train), min(many, len(train)), replace=False))
    return [_marked(tokenizer, train.inputs[row].tolist(), train.labels[row].tolist()) for row in chosen.tolist()]


def _marked(tokenizer: PreTrainedTokenizerBase, inputs: Sequence[int], labels: Sequence[int]) -> str:
    first = next(place for place, label in enumerate(labels) if label != IGNORED)
    return f"{tokenizer.decode(list(inputs[:first]))} ▸ {tokenizer.decode(list(inputs[first:]))}"


class _Taken(TrainerCallback):
    """Seconds from the end of each update to the end of the next: collation is between them, too."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.seconds: list[float] = []
        self._clock = clock
        self._last: float | None = None

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if torch.accelerator.is_available():
            torch.accelerator.synchronize()
        now = self._clock()
        if self._last is not None:
            self.seconds.append(now - self._last)
        self._last = now


def _planned(train: Examples, settings: OptimiserSettings, passes: float) -> Int64:
    """Tokens that each update computes, padding included, int64 [updates]."""
    order, found = _order(train, settings), []
    for epoch in range(math.ceil(passes)):
        order.set_epoch(epoch)
        found.append(_padded(train, np.fromiter(order, dtype=np.int64), settings))
    each = len(found[0])
    return np.concatenate(found)[: math.ceil(passes * each)]


def _chosen(train: Examples, settings: OptimiserSettings) -> tuple[Int64, Int64]:
    """Rows for the updates that are tried, of all sizes and the largest, and the tokens of each as it will be run."""
    order, size = np.fromiter(_order(train, settings), dtype=np.int64), settings.batch_size * settings.accumulate
    whole = len(order) // size
    if whole:
        by_size = np.argsort(_padded(train, order, settings)[:whole], kind="stable")
        tried = by_size[np.linspace(0, whole - 1, TRIED).round().astype(np.int64)]
        rows = order[: whole * size].reshape(whole, size)[tried].ravel()
    else:
        rows = np.tile(order, TRIED)
    few = train.take(rows)
    again = _order(few, settings)
    return rows, _padded(few, np.fromiter(again, dtype=np.int64), settings)


def _order(train: Examples, settings: OptimiserSettings) -> ByLength:
    return ByLength(train.inputs.lengths.tolist(), settings.batch_size * settings.accumulate, settings.seed)


def _padded(train: Examples, order: Int64, settings: OptimiserSettings) -> Int64:
    """Tokens of each update in this order, int64 [updates]."""
    lengths, size = train.inputs.lengths[order], settings.batch_size
    starts = np.arange(0, len(lengths), size)
    tokens = np.maximum.reduceat(lengths, starts) * np.minimum(size, len(lengths) - starts)
    return np.add.reduceat(tokens, np.arange(0, len(tokens), settings.accumulate))


def _line(tokens: Int64, seconds: Sequence[float]) -> tuple[float, float]:
    """Seconds of an update as a constant and a rate, neither below 0."""
    taken = np.asarray(seconds)[: len(tokens)]
    (constant, rate), _ = nnls(np.column_stack([np.ones(len(taken)), tokens[: len(taken)]]), taken)
    return float(constant), float(rate)
