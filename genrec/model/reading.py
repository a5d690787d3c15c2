"""A bundle's voice that reads requests: saved beside the ranker's weights, loaded as an engine. Knows no requests.

chat/model/      whole weights and a vocabulary of their own      (manifest: chat = full)
chat/adapter/    a LoRA adapter on the bundle's weights            (manifest: chat = lora)
chat/phrasings/<language>/chat/families.yaml                       what it learnt from
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from peft import PeftModel
from transformers import AutoTokenizer, PreTrainedModel

from genrec.bundle import Bundle
from genrec.machine import best_device
from genrec.model.adapters import merged
from genrec.model.base import pretrained
from genrec.model.loading import Loaded, engine_of, vocabulary_of, weights
from genrec.model.vocabulary import Vocabulary

PHRASINGS = "chat/phrasings"


def save_reading(
    folder: Path, model: PreTrainedModel | PeftModel, vocabulary: Vocabulary, phrasings: Path, languages: Sequence[str]
) -> None:
    """Writes chat/ into a bundle's folder; phrasings: where the families of each language lie."""
    shutil.rmtree(folder / "chat", ignore_errors=True)
    if isinstance(model, PeftModel):
        model.save_pretrained(str(folder / "chat" / "adapter"))
    else:
        model.save_pretrained(str(folder / "chat" / "model"), safe_serialization=True)
        vocabulary.tokenizer.save_pretrained(str(folder / "chat" / "model"))
    for language in languages:
        shutil.copytree(phrasings / language / "chat", folder / PHRASINGS / language / "chat")


def load_reading(bundle: Bundle, *, device: str | None = None) -> Loaded | None:
    """The engine that reads requests; None where the bundle has not learnt to."""
    if bundle.manifest.chat is None:
        return None
    place = device or best_device()
    if bundle.manifest.chat == "lora":
        vocabulary, found = vocabulary_of(bundle), weights(bundle)
        ranker = merged(found) if isinstance(found, PeftModel) else found
        adapted = merged(PeftModel.from_pretrained(ranker, str(bundle.folder / "chat" / "adapter")))
        return Loaded(engine_of(adapted.to(place), vocabulary, bundle.manifest.context), vocabulary)  # type: ignore[arg-type]
    folder = bundle.folder / "chat" / "model"
    vocabulary = Vocabulary(AutoTokenizer.from_pretrained(folder, trust_remote_code=False), ())
    model = pretrained(str(folder)).to(place)  # type: ignore[arg-type]
    return Loaded(engine_of(model, vocabulary, bundle.manifest.context), vocabulary)
