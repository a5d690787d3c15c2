"""A bundle's weights → a running engine. Does not know how they were trained."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from peft import PeftModel
from transformers import AutoTokenizer, PreTrainedModel

from genrec.bundle import Bundle
from genrec.decoding.meter import Meter
from genrec.decoding.torch_engine import TorchEngine
from genrec.machine import best_device
from genrec.model.base import pretrained
from genrec.model.common import Common
from genrec.model.prefixed import spoken
from genrec.model.vocabulary import Vocabulary


@dataclass(frozen=True)
class Loaded:
    """A bundle's engine and vocabulary."""

    engine: TorchEngine
    vocabulary: Vocabulary


def load(
    bundle: Bundle,
    *,
    device: str | None = None,
    dtype: torch.dtype = torch.float32,
    meter: Meter | None = None,
    common: Common | None = None,
) -> Loaded:
    """The torch engine of a bundle, on the GPU where there is one; common: weights that it may share."""
    place = device or best_device()
    vocabulary = vocabulary_of(bundle)
    model = weights(bundle, dtype)
    if not getattr(model, "is_quantized", False):  # bitsandbytes places its weights itself and refuses to move them
        model = model.to(place)  # type: ignore[arg-type]
    engine = engine_of(model, vocabulary, bundle.manifest.context, meter)
    if common is not None:
        common.join(engine.model)
    return Loaded(engine, vocabulary)


def vocabulary_of(bundle: Bundle) -> Vocabulary:
    """The bundle's tokenizer with its code tokens; no weights are read."""
    tokenizer = AutoTokenizer.from_pretrained(bundle.folder / "model", trust_remote_code=False)
    return Vocabulary(tokenizer, bundle.index.sizes)


def weights(
    bundle: Bundle, dtype: torch.dtype = torch.float32, *, trainable: bool = False
) -> PreTrainedModel | PeftModel:
    """The model with its adapter, as transformers and peft load them; trainable: the adapter is to learn on."""
    model = pretrained(str(bundle.folder / "model"), dtype=dtype)
    if bundle.manifest.adapter is None:
        return model
    adapted: PeftModel = PeftModel.from_pretrained(model, str(bundle.folder / "adapter"), is_trainable=trainable)
    return adapted


def engine_of(
    model: torch.nn.Module | PreTrainedModel, vocabulary: Vocabulary, context: int, meter: Meter | None = None
) -> TorchEngine:
    ends = {"pad_id": vocabulary.pad_id, "end_id": vocabulary.end_id, "context": context}
    return TorchEngine(spoken(model), vocabulary.code_ids, **ends, meter=meter, writer=vocabulary.writer)
