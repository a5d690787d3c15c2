"""Linear layers in 8 or 4 bits by bitsandbytes; head, embedding and norms stay whole. Does not know bundles."""

from __future__ import annotations

import importlib.util
import tempfile
from typing import Any, Literal

import torch
from transformers import AutoModelForCausalLM, BitsAndBytesConfig, PreTrainedModel

from genrec.errors import MissingExtra

Bits = Literal["int8", "nf4"]


def rule(bits: Bits, compute: torch.dtype = torch.float32) -> BitsAndBytesConfig:
    """compute: what 4-bit weights are multiplied in. Raises MissingExtra without bitsandbytes."""
    if importlib.util.find_spec("bitsandbytes") is None:
        raise MissingExtra("8- and 4-bit weights need bitsandbytes", value=bits, remedy="pip install 'genrec[quant]'")
    # Threshold 0: with outliers kept apart in float16, what one prompt gets would depend on the batch that it is in.
    eight: dict[str, Any] = {"load_in_8bit": True, "llm_int8_threshold": 0.0}
    four = {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_compute_dtype": compute}
    found: BitsAndBytesConfig = BitsAndBytesConfig(**(eight if bits == "int8" else four))  # type: ignore[no-untyped-call]
    return found


def in_bits(model: PreTrainedModel, bits: Bits, compute: torch.dtype = torch.float32) -> PreTrainedModel:
    """The same model quantised; bitsandbytes does so while it loads, so it goes through a folder."""
    wanted = rule(bits, compute)
    with tempfile.TemporaryDirectory(prefix="genrec-bits-") as place:
        model.save_pretrained(place)
        found: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
            place, quantization_config=wanted, dtype=torch.float32, use_safetensors=True, trust_remote_code=False
        )
    found.name_or_path = ""  # the folder is gone
    return found


def whole(model: PreTrainedModel) -> PreTrainedModel:
    """Full weights that say what the quantised ones say; the given model is used up."""
    found: PreTrainedModel = model.dequantize()  # type: ignore[no-untyped-call]
    # transformers 5.19 keeps what it converted while loading, and would fail to convert back while saving.
    found._weight_conversions = None  # type: ignore[assignment]
    return found
