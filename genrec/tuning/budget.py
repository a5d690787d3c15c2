"""AdaLoRA's budget of ranks, spread while a trainer runs. Does not know data or losses."""

from __future__ import annotations

from typing import Any

from peft import PeftModel, PeftType
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

_BEFORE, _AFTER = 0.1, 0.3  # shares of the steps without cuts


class Budget(TrainerCallback):
    """A tenth of the steps with every rank, then cuts where they cost least, and three tenths with what is left.

    Cut ranks stay in the weights as zeros, so that every checkpoint fits the model whenever it was made.
    """

    def __init__(self, model: PeftModel) -> None:
        self._adapter: Any = model.base_model
        self._kept: Any = None

    @classmethod
    def of(cls, model: object) -> list[TrainerCallback]:
        """For the trainer of this model: none unless it has an AdaLoRA."""
        return [cls(model)] if isinstance(model, PeftModel) and model.peft_type == PeftType.ADALORA else []

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        config = self._adapter.peft_config["default"]
        config.tinit, config.tfinal = int(_BEFORE * state.max_steps), int(_AFTER * state.max_steps)
        self._adapter.rankallocator.set_total_step(state.max_steps)

    def on_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        config = self._adapter.peft_config["default"]
        config.rank_pattern = self._kept
        self._adapter.update_and_allocate(state.global_step)
        self._kept, config.rank_pattern = config.rank_pattern, None
