"""Adapters (peft) that also learn the rows of the code tokens, and merging them. Does not know data or training.

Of embedding and output head only the rows of the code tokens are trained: an adapter stays megabytes where a whole
vocabulary would be gigabytes. LoRA's family keeps them in its own file; peft's other kinds cannot, so theirs go into
the base that is saved beside them (`finish`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from peft import (
    AdaLoraConfig,
    IA3Config,
    LoraConfig,
    PeftConfig,
    PeftModel,
    PeftType,
    PrefixTuningConfig,
    PromptTuningConfig,
    PromptTuningInit,
    get_peft_model,
    get_peft_model_state_dict,
    set_peft_model_state_dict,
)
from peft.utils import TrainableTokensWrapper, set_additional_trainable_modules
from pydantic import BaseModel, ConfigDict, Field
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from genrec.errors import BundleError, ConfigError
from genrec.model.quantising import whole

Kind = Literal["full", "lora", "qlora", "adalora", "ia3", "prefix", "prompt"]
LORA_KINDS = ("lora", "qlora", "adalora")
"""Kinds whose own file holds the rows of the code tokens, too."""
UNMERGED = ("prefix", "prompt")
"""Kinds that are read before every prompt and become part of no weight."""
_FIRST_RANK = 1.5  # of AdaLoRA's updates, times what they are to have on average


class LoraSettings(BaseModel):
    """A low-rank adapter (Hu et al. 2021)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rank: int = Field(16, ge=1)
    """Inner width of every update; the adapter's size grows with it. AdaLoRA's is the mean."""
    alpha: int = Field(32, ge=1)
    """Updates are scaled by alpha / rank."""
    rslora: bool = False
    """Scale by alpha / √rank instead, so that large ranks learn as fast (Kalajdzievski 2023)."""
    dora: bool = False
    """Learn the length of every weight column apart from its direction (Liu et al. 2024); slower to train."""
    dropout: float = Field(0.05, ge=0, lt=1)
    """Dropout of the adapter's inputs while training."""
    targets: str | tuple[str, ...] = "all-linear"
    """Names of the layers that get an update; "all-linear" means every linear layer but the output head."""


def adapted(
    model: PreTrainedModel, kind: Kind, settings: LoraSettings, virtual: int, code_token_ids: Sequence[int]
) -> PreTrainedModel | PeftModel:
    """The model with a fresh adapter of this kind; `full`: as it is.

    settings: of LoRA's family; virtual: learnt places before every prompt, of prefix and prompt.
    """
    if kind == "full":
        return model
    if kind in LORA_KINDS:
        return with_lora(model, settings, code_token_ids, spread=kind == "adalora")
    if kind == "ia3":
        return _with_rows(_wrapped(model, IA3Config(task_type="CAUSAL_LM"), "ia3"), code_token_ids)
    if kind == "prefix":
        config: PeftConfig = PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=virtual)
    else:
        init = PromptTuningInit.SAMPLE_VOCAB
        config = PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=virtual, prompt_tuning_init=init)
    return _with_rows(_wrapped(model, config, kind), code_token_ids)


def with_lora(
    model: PreTrainedModel, settings: LoraSettings, code_token_ids: Sequence[int], *, spread: bool = False
) -> PeftModel:
    """The model with a fresh LoRA; its weights are frozen but for the adapter and the rows of `code_token_ids`.

    The model's own modules are wrapped in place. Tied embedding and head share their rows, untied ones get rows each.
    spread: ranks go where they help most (AdaLoRA; Zhang et al. 2023), under `tuning.budget`.
    """
    rows = {name: list(code_token_ids) for name in _embeddings(model)} if len(code_token_ids) else None
    shape: dict[str, Any] = {
        "lora_alpha": settings.alpha,
        "lora_dropout": settings.dropout,
        "target_modules": settings.targets if isinstance(settings.targets, str) else list(settings.targets),
        "trainable_token_indices": rows,
        "task_type": "CAUSAL_LM",
        # GPT-2 stores weights transposed
        "fan_in_fan_out": any(isinstance(module, Conv1D) for module in model.modules()),
    }
    if spread:
        first = round(_FIRST_RANK * settings.rank)
        # peft asks for the number of steps before it is known; the trainer's callback sets it.
        config: LoraConfig = AdaLoraConfig(target_r=settings.rank, init_r=first, total_step=1, **shape)
    else:
        config = LoraConfig(r=settings.rank, use_rslora=settings.rslora, use_dora=settings.dora, **shape)
    return _with_bias(_wrapped(model, config, settings.targets))


def merged(model: PeftModel) -> PreTrainedModel:
    """The plain model with the adapter's updates added to its weights; the given model is used up.

    Logits equal the adapter's to rounding (1e-4 in float32). Raises BundleError for kinds that cannot be merged.
    """
    if model.active_peft_config.is_prompt_learning:
        raise BundleError(
            "the adapter cannot be merged: it is read before every prompt", value=kind_of(model),
            allowed="LoRA's family and IA3", remedy="serve the bundle as it is, on the torch engine",
        )  # fmt: skip
    quantised = getattr(model.get_base_model(), "is_quantized", False)
    plain: PreTrainedModel = (_dequantised(model) if quantised else model).eval().merge_and_unload()
    return plain


def _dequantised(model: PeftModel) -> PeftModel:
    """The adapter over whole weights that say what the quantised ones say: merged into 4 bits it would be rounded."""
    config, learnt = model.active_peft_config, get_peft_model_state_dict(model)
    found: PeftModel = get_peft_model(whole(model.unload()), config)
    set_peft_model_state_dict(found, learnt)
    return found


def unadapted(model: PeftModel) -> PreTrainedModel:
    """The base without its adapter; the given model is used up."""
    whole: Any = model
    plain: PreTrainedModel = whole.base_model if model.active_peft_config.is_prompt_learning else whole.unload()
    return plain


def finish(model: PreTrainedModel | PeftModel) -> None:
    """After training: an adapter in float32, which trl holds in bfloat16 over quantised weights; the learnt rows of
    code tokens become the base's where the adapter's own file could not hold them."""
    if not isinstance(model, PeftModel):
        return
    for weight in model.parameters():
        if weight.requires_grad:
            weight.data = weight.data.float()
    if not isinstance(model.active_peft_config, LoraConfig):
        _rows_into_base(model)


def kind_of(model: PreTrainedModel | PeftModel) -> Kind:
    """What was made by `adapted`."""
    if not isinstance(model, PeftModel):
        return "full"
    peft_type = PeftType(model.peft_type)
    if peft_type == PeftType.LORA and getattr(model.get_base_model(), "is_quantized", False):
        return "qlora"
    kinds: dict[PeftType, Kind] = {
        PeftType.LORA: "lora", PeftType.ADALORA: "adalora", PeftType.IA3: "ia3", PeftType.PREFIX_TUNING: "prefix",
        PeftType.PROMPT_TUNING: "prompt",
    }  # fmt: skip
    return kinds[peft_type]


def _rows_into_base(model: PeftModel) -> None:
    base: Any = model.get_base_model()
    for name, module in list(base.named_modules()):
        if isinstance(module, TrainableTokensWrapper):
            plain = module.unload_and_optionally_merge_module(merge=True, safe_merge=False, adapter_names=None)
            base.set_submodule(name, plain)
    if model.active_peft_config.is_prompt_learning:
        model.word_embeddings = base.get_input_embeddings()


def _wrapped(model: PreTrainedModel, config: PeftConfig, asked: object) -> PeftModel:
    try:
        found: PeftModel = get_peft_model(model, config)
    except ValueError as cause:
        raise ConfigError(
            "the adapter does not fit the model",
            value=asked,
            allowed="'all-linear' or names of linear layers such as q_proj, v_proj",
            remedy=str(cause).split(". ")[0],
        ) from cause
    return found


def _with_rows(model: PeftModel, code_token_ids: Sequence[int]) -> PeftModel:
    """The rows of code tokens learn, too, under a kind of adapter whose settings know no such thing."""
    base: Any = model.get_base_model()
    rows = LoraConfig(trainable_token_indices={name: list(code_token_ids) for name in _embeddings(base)})
    set_additional_trainable_modules(base, rows, base.config.to_dict(), "default")
    if model.active_peft_config.is_prompt_learning:
        model.word_embeddings = base.get_input_embeddings()  # prompt tuning embeds by what it found at first
    return _with_bias(model)


def _with_bias(model: PeftModel) -> PeftModel:
    head: Any = model.get_output_embeddings()
    if "bias" not in head.__dict__ and not hasattr(head, "bias"):
        head.bias = None  # trl's fused head asks the wrapper, which passes on nothing but the weight
    return model


def _embeddings(model: PreTrainedModel) -> list[str]:
    """Module names of the embedding, and of the head where it has weights of its own."""
    embedding, head = model.get_input_embeddings(), model.get_output_embeddings()  # type: ignore[no-untyped-call]
    tied = head is None or head.weight is embedding.weight
    wanted = [embedding] if tied else [embedding, head]
    names = {module: name for name, module in model.named_modules()}
    return [names[module] for module in wanted]
