"""LoRA adapters (peft) that also learn the rows of new tokens, and merging them. Does not know data or training.

Of embedding and output head only the rows of the code tokens are trained and saved: an adapter stays megabytes
where a whole vocabulary would be gigabytes.
"""

from __future__ import annotations

from collections.abc import Sequence

from peft import LoraConfig, PeftModel, get_peft_model
from pydantic import BaseModel, ConfigDict, Field
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from genrec.errors import ConfigError


class LoraSettings(BaseModel):
    """A low-rank adapter (Hu et al. 2021)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rank: int = Field(16, ge=1)
    """Inner width of every update; the adapter's size grows with it."""
    alpha: int = Field(32, ge=1)
    """Updates are scaled by alpha / rank."""
    dropout: float = Field(0.05, ge=0, lt=1)
    """Dropout of the adapter's inputs while training."""
    targets: str | tuple[str, ...] = "all-linear"
    """Names of the layers that get an update; "all-linear" means every linear layer but the output head."""


def with_lora(model: PreTrainedModel, settings: LoraSettings, code_token_ids: Sequence[int]) -> PeftModel:
    """The model with a fresh adapter; its weights are frozen but for the adapter and the rows of `code_token_ids`.

    The model's own modules are wrapped in place. Tied embedding and head share their rows, untied ones get rows each.
    """
    targets = settings.targets if isinstance(settings.targets, str) else list(settings.targets)
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=targets,
        trainable_token_indices={name: list(code_token_ids) for name in _embeddings(model)},
        fan_in_fan_out=any(isinstance(module, Conv1D) for module in model.modules()),  # GPT-2 stores weights transposed
        task_type="CAUSAL_LM",
    )
    try:
        adapted: PeftModel = get_peft_model(model, config)
    except ValueError as cause:
        raise ConfigError(
            "the adapter does not fit the model",
            value=settings.targets,
            allowed="'all-linear' or names of linear layers such as q_proj, v_proj",
            remedy=str(cause).split(". ")[0],
        ) from cause
    head = adapted.get_output_embeddings()
    if "bias" not in head.__dict__ and not hasattr(head, "bias"):
        head.bias = None  # trl's fused head asks the wrapper, which passes on nothing but the weight
    return adapted


def merged(model: PeftModel) -> PreTrainedModel:
    """The plain model with the adapter's updates added to its weights; the given model is used up.

    Logits equal the adapter's to rounding (1e-4 in float32).
    """
    plain: PreTrainedModel = model.eval().merge_and_unload()
    return plain


def _embeddings(model: PreTrainedModel) -> list[str]:
    """Module names of the embedding, and of the head where it has weights of its own."""
    embedding, head = model.get_input_embeddings(), model.get_output_embeddings()  # type: ignore[no-untyped-call]
    tied = head is None or head.weight is embedding.weight
    wanted = [embedding] if tied else [embedding, head]
    names = {module: name for name, module in model.named_modules()}
    return [names[module] for module in wanted]
