"""trl's and transformers' trainers as they are, configured: early stopping, checkpoints, curves, a time limit.

Knows no task. A loss of one's own goes to transformers' trainer, because trl's would run the model twice for it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from datasets import Dataset
from peft import PeftModel
from transformers import (
    EarlyStoppingCallback,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from trl.trainer.sft_config import SFTConfig

from genrec.errors import ConfigError
from genrec.examples import Examples
from genrec.model.prefixed import embedded_of
from genrec.tuning.budget import Budget
from genrec.tuning.learnt import NDCG, Padded, gains, mean_gain
from genrec.tuning.muon import muon
from genrec.tuning.order import OrderedSFTTrainer, OrderedTrainer
from genrec.tuning.settings import OptimiserSettings
from genrec.tuning.tracking import PROJECT, Tracker, trackers

# transformers renamed the field after 5.19, the last version that vLLM 0.32 takes
_RENAMED = "activation_checkpointing" in SFTConfig.__dataclass_fields__
_NO_CHECKPOINTING: dict[str, Any] = {"activation_checkpointing" if _RENAMED else "gradient_checkpointing": False}

Loss = Callable[..., torch.Tensor]
_BETA2 = 0.999
_LEAST_RATE = 0.1  # of the peak learning rate, at the end


class Deadline(TrainerCallback):
    """Ends training, with a last evaluation, when its time is up.

    The learning rate falls along a cosine of the time, too, where that is ahead of the steps: weights from a run that
    was cut off at a high rate are worse than those of one that came to rest.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._end = time.monotonic() + self._seconds

    def on_step_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        *,
        optimizer: torch.optim.Optimizer | None = None,
        **kwargs: Any,
    ) -> None:
        share = 1 - (self._end - time.monotonic()) / self._seconds
        most = _LEAST_RATE + (1 - _LEAST_RATE) * (1 + math.cos(math.pi * min(share, 1))) / 2
        for group in optimizer.param_groups if optimizer is not None else ():
            group["lr"] = min(group["lr"], group["initial_lr"] * most)  # the schedule sets it anew after each step

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if time.monotonic() > self._end:
            control.should_evaluate = control.should_save = control.should_training_stop = True


def trainer(
    model: PreTrainedModel | PeftModel,
    tokenizer: PreTrainedTokenizerBase,
    train: Examples,
    valid: Examples,
    settings: OptimiserSettings,
    run: Path,
    *,
    passes: float,
    loss: Loss | None = None,
    track: Tracker = "tensorboard",
) -> Trainer:
    """A trainer whose best weights on validation are in the model when it ends: by NDCG@10 of what is learnt where a
    loss is given, else by the loss.

    run: folder of checkpoints and TensorBoard logs; track: where curves go; passes: over all of `train`, which may hold
    several epochs; loss: called with the logits of what is learnt and the labels, in place of cross-entropy under trl's
    fused head; the model must then train under `tuning.learnt.flattened`.
    """
    callbacks = [EarlyStoppingCallback(settings.patience), *trackers(track, run), *Budget.of(model)]
    if settings.max_seconds is not None:
        callbacks.append(Deadline(settings.max_seconds))
    parts: dict[str, Any] = {
        "args": _arguments(settings, run, passes, _every(passes * len(train), settings)),
        "train_dataset": Dataset.from_dict(train.columns()),
        "eval_dataset": Dataset.from_dict(valid.columns()),
        "processing_class": tokenizer,
        "callbacks": callbacks,
        "lengths": train.inputs.lengths.tolist(),
    }
    if settings.matrices == "muon":
        whole: Any = model.get_base_model() if isinstance(model, PeftModel) else model
        parts["optimizers"] = (muon(whole, settings.learning_rate, settings.weight_decay, _BETA2), None)
    if loss is None:
        return OrderedSFTTrainer(model, **parts)
    refuse_several(parts["args"])
    parts["args"].metric_for_best_model, parts["args"].greater_is_better = f"eval_{NDCG}", True
    collator = Padded(int(tokenizer.pad_token_id), embedded_of(model))
    scored: dict[str, Any] = {"compute_metrics": mean_gain, "preprocess_logits_for_metrics": gains}
    return OrderedTrainer(model, **parts, **scored, data_collator=collator, compute_loss_func=loss)


def processes() -> PartialState:
    """Who shares this run: as a launcher started them, over gloo where there is no accelerator."""
    return PartialState(cpu=not torch.accelerator.is_available())


def refuse_several(arguments: TrainingArguments) -> None:
    """Raises ConfigError where one process would split batches over GPUs: `tuning.learnt.flattened` holds in one."""
    if arguments.n_gpu > 1:
        raise ConfigError(
            "several GPUs in one process", value=arguments.n_gpu, allowed="one process a GPU",
            remedy="run it under `accelerate launch`, or set CUDA_VISIBLE_DEVICES=0",
        )  # fmt: skip


def _every(examples: float, settings: OptimiserSettings) -> int:
    """Steps between evaluations, for so many examples in all."""
    at_once = settings.batch_size * settings.accumulate * int(processes().num_processes)
    return max(1, round(examples / at_once / settings.evaluations))


def _arguments(settings: OptimiserSettings, run: Path, passes: float, every: int) -> SFTConfig:
    return SFTConfig(
        output_dir=str(run),
        num_train_epochs=passes,
        per_device_train_batch_size=settings.batch_size,
        per_device_eval_batch_size=settings.batch_size * 4,
        gradient_accumulation_steps=settings.accumulate,
        learning_rate=settings.learning_rate,
        lr_scheduler_type="cosine_with_min_lr",
        lr_scheduler_kwargs={"min_lr_rate": _LEAST_RATE},
        warmup_steps=settings.warmup,
        weight_decay=settings.weight_decay,
        bf16=settings.bf16,
        **_NO_CHECKPOINTING,
        eval_strategy="steps",
        eval_steps=every,
        save_strategy="steps",
        save_steps=every,
        save_total_limit=2,
        load_best_model_at_end=True,
        metric_for_best_model="eval_loss",
        logging_steps=max(1, every // 4),
        use_cpu=processes().device.type == "cpu",
        report_to="none",  # but by the callbacks
        run_name=run.name,
        project=PROJECT,
        seed=settings.seed,
        data_seed=settings.seed,
        # Examples come as token numbers with their labels.
        dataset_kwargs={"skip_prepare_dataset": True},
        remove_unused_columns=False,
        ddp_find_unused_parameters=False,
        max_length=None,
        packing=False,
        dataloader_pin_memory=torch.cuda.is_available(),
        disable_tqdm=True,
    )
