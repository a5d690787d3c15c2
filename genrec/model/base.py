"""The causal language model: a small one from scratch, or any of Hugging Face's by name.

Does not know users, items' texts or training.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path

import torch
from pydantic import BaseModel, ConfigDict, Field
from transformers import AutoModelForCausalLM, BitsAndBytesConfig, PreTrainedModel, Qwen3Config, Qwen3ForCausalLM

from genrec.errors import ConfigError, MissingExtra

SCRATCH = "scratch"


class ScratchConfig(BaseModel):
    """A small Qwen3-architecture model, trained from nothing: the default that needs no download."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    hidden: int = Field(128, ge=16)
    """Width of the residual stream."""
    layers: int = Field(3, ge=1)
    """Transformer blocks."""
    heads: int = Field(4, ge=1)
    """Attention heads; keys and values have as many."""
    feed_forward: int = Field(384, ge=16)
    """Inner width of each block's gated feed-forward layer."""
    text_vocabulary: int = Field(2048, ge=260)
    """Text tokens; codes come on top."""
    context: int = Field(1024, ge=64)
    """Longest sequence in tokens."""
    dropout: float | None = Field(None, ge=0, lt=1)
    """Share of the numbers entering the residual stream that is dropped in training; None: a half for sparse data, a
    fifth for dense."""
    shared: int = Field(64, ge=0)
    """Width of what the rows of code tokens share while they train, a linear map of what the codes stand for: an item
    that few chose then learns from those like it; 0, or tied: every row for itself."""
    tied: bool = False
    """Whether output rows are the input embeddings: an untied head moves a small model (DESIGN §5)."""


def scratch(config: ScratchConfig, vocabulary: int, *, pad_id: int, end_id: int, seed: int = 0) -> Qwen3ForCausalLM:
    """A freshly initialised model for `vocabulary` tokens; the same seed gives the same weights."""
    torch.manual_seed(seed)
    build: Callable[[Qwen3Config], Qwen3ForCausalLM] = Qwen3ForCausalLM
    return build(
        Qwen3Config(
            vocab_size=vocabulary,
            hidden_size=config.hidden,
            intermediate_size=config.feed_forward,
            num_hidden_layers=config.layers,
            num_attention_heads=config.heads,
            num_key_value_heads=config.heads,
            head_dim=config.hidden // config.heads,
            max_position_embeddings=config.context,
            tie_word_embeddings=config.tied,
            pad_token_id=pad_id,
            eos_token_id=end_id,
            bos_token_id=None,
        )
    )


def pretrained(
    name: str,
    *,
    revision: str | None = None,
    dtype: torch.dtype = torch.float32,
    quantised: BitsAndBytesConfig | None = None,
) -> PreTrainedModel:
    """A model by hub name or folder; safetensors only, no remote code. Quantised weights lie where they are to run.

    quantised: how to quantise whole weights while they load.
    """
    if is_quantised(Path(name)) and importlib.util.find_spec("bitsandbytes") is None:
        raise MissingExtra("8- and 4-bit weights need bitsandbytes", value=name, remedy="pip install 'genrec[quant]'")
    bits = {} if quantised is None else {"quantization_config": quantised}  # None would undo a folder's own
    try:
        model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
            name, revision=revision, dtype=dtype, use_safetensors=True, trust_remote_code=False, **bits
        )
    except (OSError, ValueError) as cause:
        raise ConfigError(
            "the base model cannot be loaded",
            value=name,
            allowed=f"'{SCRATCH}', a bundle, a folder with safetensors, or a hub name such as Qwen/Qwen3-0.6B",
            remedy=f"check the name and the network ({type(cause).__name__})",
        ) from cause
    return model


def is_quantised(folder: Path) -> bool:
    """Whether a folder holds a model of 8- or 4-bit weights."""
    path = folder / "config.json"
    return path.is_file() and "quantization_config" in json.loads(path.read_text(encoding="utf-8"))


def make_room(model: PreTrainedModel, vocabulary: int, seed: int = 0) -> None:
    """Grows the embeddings to `vocabulary` rows; the new ones start near the mean of the old."""
    rows = model.get_input_embeddings().weight
    assert isinstance(rows, torch.Tensor)
    if len(rows) < vocabulary:
        torch.manual_seed(seed)
        model.resize_token_embeddings(vocabulary, mean_resizing=True)
        # No longer the model of that name: peft would compare the two and save all embeddings with every adapter.
        model.name_or_path = ""
