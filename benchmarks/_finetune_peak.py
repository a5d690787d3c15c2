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
WARM, STEPS, TOP = 3, 6, 12
Model = PreTrainedModel | PeftModel


def peak(users: int) -> tuple[Figures, list[Claim]]:
    """Scratch and LoRA training, in float32 and in mixed precision, each beside the products of its kind of number."""
    cuda = torch.cuda.is_available()
    world, batch = films(users, 8, SHAPE), 256 if cuda else 32
    train = _steps(world.train, batch, WARM + STEPS)
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
    clock = _Clock()
    _run(world, train, make(), batch, clock, bf16=bf16)
    rate = statistics.median([before, matmul_per_second(dtype)])
    done, useful = _operations(world, train, make(), batch, bf16=bf16)
    seconds, share = clock.seconds, useful * STEPS / clock.seconds / rate
    told = _Profile()
    _run(world, train, make(), batch, told, bf16=bf16)
    return {
        "bf16": bf16, "matmul_per_second": rate, "useful_per_second": useful * STEPS / seconds, "share": share,
        "share_with_padding": done * STEPS / seconds / rate, "seconds_a_step": seconds / STEPS,
        "tokens_per_second": len(train.inputs.items) * STEPS / (WARM + STEPS) / seconds, "profile": told.top(),
    }  # fmt: skip


def _lora(world: Films) -> Model:
    rows = [int(token) for level in world.vocabulary.code_ids for token in level]
    return adapted(world.fresh(), "lora", LoraSettings(), 0, rows)


def _steps(examples: Examples, batch: int, steps: int) -> Examples:
    """So many whole batches, drawn evenly, again from the start where there are too few."""
    rows = np.random.default_rng(0).permutation(len(examples))
    return examples.take(np.resize(rows, batch * steps))


def _run(world: Films, train: Examples, model: Model, batch: int, watch: TrainerCallback, *, bf16: bool) -> None:
    settings = OptimiserSettings(batch_size=batch, epochs=1, evaluations=1, learning_rate=1e-3, bf16=bf16)
    with tempfile.TemporaryDirectory() as run, flattened(model):
        made = trainer(
            model, world.vocabulary.tokenizer, train, world.valid, settings, Path(run), passes=1, loss=cross_entropy
        )
        made.add_callback(watch)
        made.train()


def _operations(world: Films, train: Examples, model: Model, batch: int, *, bf16: bool) -> tuple[float, float]:
    """Of multiplications in a mean step, as batches are padded, and of the part that is no padding."""
    columns, pad = train.columns(), int(world.vocabulary.tokenizer.pad_token_id)
    place = "cuda" if torch.cuda.is_available() else "cpu"
    order = np.argsort(train.inputs.lengths, kind="stable")
    done, useful = [], []
    model.to(place)  # type: ignore[arg-type]
    for first in (0, len(order) // 2 // batch * batch, len(order) - batch):
        rows = [
            {name: values[row] for name, values in columns.items()} for row in order[first : first + batch].tolist()
        ]
        given = {name: value.to(place) for name, value in Padded(pad)(rows).items()}
        mixed = torch.autocast(place, dtype=torch.bfloat16) if bf16 else nullcontext()
        counter = FlopCounterMode(display=False)
        with counter, flattened(model), mixed:
            labels = given.pop("labels")
            torch.autograd.backward(cross_entropy(model(**given), labels))
        done.append(float(counter.get_total_flops()))
        useful.append(done[-1] * sum(len(row["input_ids"]) for row in rows) / given["input_ids"].numel())
    return statistics.fmean(done), statistics.fmean(useful)


def _now() -> float:
    """Of a GPU the clock on the wall, when it has done all that it was asked for; else seconds of the processor."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
        return time.perf_counter()
    return time.process_time()


class _Clock(TrainerCallback):
    """Seconds of the steps after the first ones."""

    seconds = 0.0
    _begun = 0.0

    def on_step_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if state.global_step == WARM:
            self._begun = _now()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if state.global_step == WARM + STEPS:
            self.seconds = _now() - self._begun


class _Profile(TrainerCallback):
    """What the steps after the first ones spend their time on."""

    def __init__(self) -> None:
        kinds = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * torch.cuda.is_available()
        self._profile: Any = profile(activities=kinds)

    def on_step_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if state.global_step == WARM:
            self._profile.start()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if state.global_step == WARM + STEPS:
            self._profile.stop()

    def top(self) -> list[Figures]:
        """The operations that take most themselves, with their share of all."""
        field = "self_device_time_total" if torch.cuda.is_available() else "self_cpu_time_total"
        found = sorted(((one.key, int(one.count), float(getattr(one, field))) for one in self._profile.key_averages()),
                       key=lambda one: -one[2])  # fmt: skip
        whole = sum(seconds for _, _, seconds in found)
        return [{"name": name, "calls": calls, "share": seconds / whole} for name, calls, seconds in found[:TOP]]
