"""How much of what the machine can multiply does training use, and where does the rest go?

The rate of a large product of torch, measured on the same core or GPU in the same minutes, is the measure. A step's
multiplications are counted by torch itself (`FlopCounterMode`) and scaled to the tokens that are no padding. What an
accelerator is asked for asynchronously is waited for before a clock is read.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import PeftModel
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode
from transformers import PreTrainedModel, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from benchmarks._finetune_world import Films, films
from genrec.benchmarking import Claim, claim
from genrec.examples import Examples
from genrec.model.adapters import LoraSettings, adapted
from genrec.model.base import ScratchConfig
from genrec.tuning.learnt import Padded, cross_entropy, flattened
from genrec.tuning.settings import OptimiserSettings
from genrec.tuning.trainer import trainer

Figures = dict[str, Any]
SHAPE = ScratchConfig(hidden=512, layers=6, heads=8, feed_forward=1664, text_vocabulary=2048)  # about 25M parameters
WARM, STEPS, PROFILED, TOP = 2, 6, 2, 12
Model = PreTrainedModel | PeftModel


def peak(users: int) -> tuple[Figures, list[Claim]]:
    """Scratch and LoRA training, in float32 and in mixed precision, each beside the products of its kind of number."""
    cuda = torch.cuda.is_available()
    world, batch = films(users, 8, SHAPE), 256 if cuda else 16
    train = _steps(world.train, batch, WARM + STEPS + PROFILED)
    figures: Figures = {
        "device": torch.cuda.get_device_name() if cuda else "cpu, one thread", "batch": batch, "steps": STEPS,
        "parameters": sum(weight.numel() for weight in world.model.parameters()),
    }  # fmt: skip
    makers: dict[str, Callable[[], Model]] = {"scratch": world.fresh, "lora": lambda: _lora(world)}
    for name, make in makers.items():
        for bf16 in (False, True):
            case = f"{name}, {'bf16' if bf16 else 'float32'}"
            figures[case] = _case(world, train, make, batch, bf16=bf16)
            print(case, {key: value for key, value in figures[case].items() if key != "profile"}, flush=True)
    best = max(figures["matmul_per_second"] for figures in _cases(figures) if figures["bf16"])
    ours = figures["scratch, bf16"]
    return figures, [
        claim(
            "finetune.matmul_share", ours["useful_per_second"] / best, "share", ">=", 0.4, n=STEPS,
            note=f"25M parameters from nothing, bf16, {figures['device']}",
        )
    ]  # fmt: skip


def matmul_per_second(dtype: torch.dtype) -> float:
    """Floating-point operations a second of a large product, the best of five."""
    cuda = torch.cuda.is_available()
    size = 8192 if cuda else 1536
    left, right = (torch.randn(size, size, device="cuda" if cuda else "cpu").to(dtype) for _ in range(2))
    left @ right
    taken = []
    for _ in range(5):
        start = _now()
        left @ right
        taken.append(_now() - start)
    return 2 * size**3 / min(taken)


def _cases(figures: Figures) -> list[Figures]:
    return [value for value in figures.values() if isinstance(value, dict)]


def _case(world: Films, train: Examples, make: Callable[[], Model], batch: int, *, bf16: bool) -> Figures:
    dtype = torch.bfloat16 if bf16 else torch.float32
    before = matmul_per_second(dtype)
    watch = _Watch()
    _run(world, train, make(), batch, watch, bf16=bf16)
    rate = statistics.median([before, matmul_per_second(dtype)])
    done, useful = _operations(world, train, make(), batch, bf16=bf16)
    seconds, share = watch.seconds, useful * STEPS / watch.seconds / rate
    return {
        "bf16": bf16, "matmul_per_second": rate, "useful_per_second": useful * STEPS / seconds, "share": share,
        "share_with_padding": done * STEPS / seconds / rate, "seconds_a_step": seconds / STEPS,
        "tokens_per_second": len(train.inputs.items) / len(train) * batch * STEPS / seconds, "profile": watch.top(),
    }  # fmt: skip


def _lora(world: Films) -> Model:
    rows = [int(token) for level in world.vocabulary.code_ids for token in level]
    return adapted(world.fresh(), "lora", LoraSettings(), 0, rows)


def _steps(examples: Examples, batch: int, steps: int) -> Examples:
    """So many times the batch of middling length: every step is then alike."""
    order = np.argsort(examples.inputs.lengths, kind="stable")
    first = max(0, (len(order) - batch) // 2)
    return examples.take(np.tile(np.resize(order[first : first + batch], batch), steps))


def _run(world: Films, train: Examples, model: Model, batch: int, watch: TrainerCallback, *, bf16: bool) -> None:
    settings = OptimiserSettings(batch_size=batch, epochs=1, evaluations=1, learning_rate=1e-3, bf16=bf16)
    with tempfile.TemporaryDirectory() as run, flattened(model):
        made = trainer(
            model, world.vocabulary.tokenizer, train, world.valid, settings, Path(run), passes=1, loss=cross_entropy
        )
        made.add_callback(watch)
        made.train()


def _operations(world: Films, train: Examples, model: Model, batch: int, *, bf16: bool) -> tuple[float, float]:
    """Of multiplications in a step, and of the part that is no padding."""
    pad, place = int(world.vocabulary.tokenizer.pad_token_id), "cuda" if torch.cuda.is_available() else "cpu"
    columns = train.take(np.arange(batch)).columns()
    rows = [{name: values[row] for name, values in columns.items()} for row in range(batch)]
    given = {name: value.to(place) for name, value in Padded(pad)(rows).items()}
    labels, counter = given.pop("labels"), FlopCounterMode(display=False)
    mixed = torch.autocast(place, dtype=torch.bfloat16) if bf16 else nullcontext()
    model.to(place)  # type: ignore[arg-type]
    with counter, flattened(model), mixed:
        torch.autograd.backward(cross_entropy(model(**given), labels))
    done = float(counter.get_total_flops())
    return done, done * sum(len(row["input_ids"]) for row in rows) / given["input_ids"].numel()


def _now() -> float:
    """Of a GPU the clock on the wall, when it has done all that it was asked for; else seconds of the processor."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
        return time.perf_counter()
    return time.process_time()


class _Watch(TrainerCallback):
    """Seconds of the steps after the first ones, and what the last ones spend their time on."""

    def __init__(self) -> None:
        self.seconds, self._begun = 0.0, 0.0
        kinds = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * torch.cuda.is_available()
        self._profile: Any = profile(activities=kinds)

    def on_step_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if state.global_step == WARM:
            self._begun = _now()
        if state.global_step == WARM + STEPS:
            self._profile.start()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if state.global_step == WARM + STEPS:
            self.seconds = _now() - self._begun
        if state.global_step == WARM + STEPS + PROFILED:
            self._profile.stop()

    def top(self) -> list[Figures]:
        """The operations that take most themselves, with their share of all."""
        field = "self_device_time_total" if torch.cuda.is_available() else "self_cpu_time_total"
        found = sorted(((one.key, int(one.count), float(getattr(one, field))) for one in self._profile.key_averages()),
                       key=lambda one: -one[2])  # fmt: skip
        whole = sum(seconds for _, _, seconds in found)
        return [{"name": name, "calls": calls, "share": seconds / whole} for name, calls, seconds in found[:TOP]]
