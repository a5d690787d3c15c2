"""What was chosen against what might have been: losses over the candidates of each case, and a pass of training.

The log-probability of every candidate is exact, so nothing is estimated by sampling tokens. Does not know where the
candidates come from (see tuning.preferences), nor bundles.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from datasets import Dataset
from peft import PeftModel
from torch import Tensor, nn
from transformers import PreTrainedModel, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from genrec.model.prefixed import embedded_of
from genrec.ragged import Int64, Ragged
from genrec.tuning import watching
from genrec.tuning.align_settings import AlignSettings
from genrec.tuning.learnt import flattened
from genrec.tuning.order import OrderedTrainer
from genrec.tuning.tracking import trackers
from genrec.tuning.trainer import processes, refuse_several

Float32 = npt.NDArray[np.float32]
_LEAST_RATE, _WARMUP = 0.1, 0.1


@dataclass(frozen=True)
class Compared:
    """Cases with their candidates, the chosen item first.

    prompts: token numbers; tokens: semantic IDs, int64 [cases, candidates, levels]; reference: log p(semantic ID |
    prompt) of the bundle that is aligned, −inf where a case has fewer candidates; rewards: both float32 [cases,
    candidates].
    """

    prompts: Ragged
    tokens: Int64
    reference: Float32
    rewards: Float32

    def __len__(self) -> int:
        return len(self.prompts)


Objective = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Log-probabilities, reference and rewards, float32 [cases, candidates] → loss of each case."""


@dataclass(frozen=True)
class Preferred:
    """S-DPO (Chen et al. 2024): −log σ(−log Σ_rejected exp β(Δ_rejected − Δ_chosen)), Δ = log p − reference.

    That is the cross-entropy of the chosen one under softmax(β Δ); with one rejected item it is DPO (Rafailov et al.
    2023).
    """

    beta: float

    def __call__(self, logprobs: Tensor, reference: Tensor, rewards: Tensor) -> Tensor:
        there = reference > -torch.inf
        moved = torch.where(there, self.beta * (logprobs - torch.where(there, reference, 0.0)), -torch.inf)
        return -moved.log_softmax(1)[:, 0]


@dataclass(frozen=True)
class Rewarded:
    """−Σ π · reward + β KL(π ‖ reference), with π the model's chances among the candidates of a case.

    GRPO (Shao et al. 2024) with the sum over its group in place of an estimate from it: every candidate counts by its
    exact chance, so no baseline, no clipped ratio and no deviation to divide by is needed (Liu et al. 2025). The best π
    is reference · exp(reward / β): where priors reward and β is 1, what model and priors say together.
    """

    beta: float

    def __call__(self, logprobs: Tensor, reference: Tensor, rewards: Tensor) -> Tensor:
        there = reference > -torch.inf
        says = torch.where(there, logprobs, -torch.inf).log_softmax(1)
        said = reference.log_softmax(1)
        apart = torch.where(there, says - said, 0.0)
        return (says.exp() * (self.beta * apart - rewards)).sum(1)


class Comparing:
    """An objective as transformers.Trainer calls its compute_loss_func, with logits under `tuning.learnt.flattened`.

    labels: numbers of cases, int64 [cases, 1].
    """

    def __init__(self, compared: Compared, objective: Objective) -> None:
        self._objective = objective
        self._tokens = torch.from_numpy(compared.tokens)
        self._reference, self._rewards = torch.from_numpy(compared.reference), torch.from_numpy(compared.rewards)

    def __call__(self, outputs: Any, labels: Tensor, num_items_in_batch: Tensor | int | None = None) -> Tensor:
        cases = labels[:, 0].cpu()
        logits = outputs.logits[0]
        tokens, reference, rewards = (
            part[cases].to(logits.device) for part in (self._tokens, self._reference, self._rewards)
        )
        return self._objective(logprobs_of(logits, tokens), reference, rewards).mean()


def logprobs_of(logits: Tensor, tokens: Tensor) -> Tensor:
    """log p of each semantic ID, float32 [cases, candidates].

    tokens: int64 [cases, candidates, levels]; logits: of the places before each code, in reading order: one a case
    where IDs have one code, else one for each case, candidate and level.
    """
    cases, candidates, levels = tokens.shape
    says = logits.float().log_softmax(-1)
    if levels == 1:
        return says.gather(1, tokens[:, :, 0])
    return says.view(cases, candidates, levels, -1).gather(3, tokens[..., None]).sum((2, 3))


@dataclass(frozen=True)
class Rows:
    """Cases → a batch: a case is one row where IDs have one code, else a row for each candidate.

    pad_id: what rows are padded with, on the right; virtual: learnt places that the model puts before every row.
    """

    tokens: Int64
    pad_id: int
    virtual: int = 0

    def __call__(self, rows: Sequence[dict[str, Any]]) -> dict[str, Tensor]:
        levels = self.tokens.shape[2]
        inputs: list[Tensor] = []
        places: list[Tensor] = []
        for row in rows:
            prompt = torch.tensor(row["input_ids"])
            told = torch.from_numpy(self.tokens[row["labels"][0]])[:, :-1] if levels > 1 else torch.empty(1, 0).long()
            inputs += [torch.cat([prompt, codes]) for codes in told]
            places += [torch.arange(len(prompt) - 1, len(prompt) - 1 + levels)] * len(told)
        padded = nn.utils.rnn.pad_sequence(inputs, batch_first=True, padding_value=self.pad_id)
        starts = torch.arange(len(inputs)) * (padded.shape[1] + self.virtual) + self.virtual
        kept = torch.cat([start + place for start, place in zip(starts, places, strict=True)])
        return {
            "input_ids": padded, "logits_to_keep": kept, "labels": torch.tensor([row["labels"] for row in rows]),
        }  # fmt: skip


class Until(TrainerCallback):
    """Ends a pass at this moment of the monotonic clock."""

    def __init__(self, moment: float) -> None:
        self._moment = moment

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        control.should_training_stop |= time.monotonic() > self._moment


def learn(
    model: PreTrainedModel | PeftModel,
    compared: Compared,
    objective: Objective,
    settings: AlignSettings,
    run: Path,
    *,
    pad_id: int,
    turn: int = 0,
    until: float = float("inf"),
) -> float:
    """One pass of transformers' trainer over the cases; the mean loss. turn: which pass, of another order than others;
    until: moment of the monotonic clock at which it ends. Raises ConfigError for several GPUs in one process."""
    arguments = _arguments(settings, run, turn)
    refuse_several(arguments)
    columns = {
        "input_ids": [compared.prompts[row].tolist() for row in range(len(compared))],
        "labels": [[row] for row in range(len(compared))],
    }
    callbacks = [Until(until), *trackers("tensorboard", run)]
    made = OrderedTrainer(
        model, arguments, train_dataset=Dataset.from_dict(columns), callbacks=callbacks,
        data_collator=Rows(compared.tokens, pad_id, embedded_of(model)),
        compute_loss_func=Comparing(compared, objective), lengths=compared.prompts.lengths.tolist(),
    )  # fmt: skip
    with flattened(model):
        watching.run(made, f"round {turn + 1}", None)
    return float(next(row["train_loss"] for row in reversed(made.state.log_history) if "train_loss" in row))


def _arguments(settings: AlignSettings, run: Path, turn: int) -> TrainingArguments:
    return TrainingArguments(
        output_dir=str(run),
        num_train_epochs=1,
        per_device_train_batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        lr_scheduler_type="cosine_with_min_lr",
        lr_scheduler_kwargs={"min_lr_rate": _LEAST_RATE},
        warmup_steps=_WARMUP,
        weight_decay=settings.weight_decay,
        bf16=settings.bf16,
        eval_strategy="no",
        save_strategy="no",
        logging_steps=20,
        use_cpu=processes().device.type == "cpu",
        report_to="none",
        seed=settings.seed + turn,
        data_seed=settings.seed + turn,
        remove_unused_columns=False,
        dataloader_pin_memory=torch.cuda.is_available(),
        disable_tqdm=True,
    )
