"""A bundle → another that serves as one piece: adapter merged, in bfloat16 or float32, or with 8- or 4-bit weights.

What comes out is a bundle: `model/` of it is a plain folder for transformers and `vllm serve`. Does not know engines.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import torch
from peft import PeftModel
from transformers import PreTrainedModel

from genrec.bundle import Bundle
from genrec.errors import BundleError
from genrec.model.adapters import merged, unadapted
from genrec.model.base import is_quantised
from genrec.model.loading import vocabulary_of, weights
from genrec.model.quantising import Bits, in_bits

Dtype = Literal["bf16", "f32"]
DTYPES: dict[str, torch.dtype] = {"bf16": torch.bfloat16, "f32": torch.float32}


def export_merged(bundle: Bundle, out: Path, dtype: Dtype = "bf16") -> Bundle:
    """The bundle with its adapter merged into weights of this type; raises BundleError for quantised ones."""
    return _written(bundle, out, lambda folder: whole_weights(bundle, DTYPES[dtype]).save_pretrained(str(folder)))


def export_quantised(bundle: Bundle, out: Path, bits: Bits) -> Bundle:
    """The bundle with its adapter merged and its linear layers in 8 or 4 bits; head, embedding and norms stay whole.

    Raises MissingExtra without bitsandbytes, BundleError for a bundle that is quantised already.
    """
    found = in_bits(whole_weights(bundle), bits)
    return _written(bundle, out, lambda folder: found.save_pretrained(str(folder)))


def write_adapted(bundle: Bundle, out: Path, model: PeftModel, more: str = "", **stated: Any) -> Bundle:
    """The bundle with this LoRA over its weights; all else is as it was, but metrics of other weights and a voice that
    is an adapter of the old ones. The model is used up. more: what follows the card; stated: of the manifest."""
    lost = ("model", "adapter", *(["chat"] if bundle.manifest.chat == "lora" else []))

    def fill(new: Path) -> None:
        for name in lost:
            shutil.rmtree(new / name, ignore_errors=True)
        model.save_pretrained(str(new / "adapter"))
        unadapted(model).save_pretrained(str(new / "model"))
        vocabulary_of(bundle).tokenizer.save_pretrained(str(new / "model"))
        (new / "README.md").write_text(_card(bundle) + more, encoding="utf-8")

    chat = None if bundle.manifest.chat == "lora" else bundle.manifest.chat
    return bundle.extended(out, fill, adapter="lora", parent=bundle.version, metrics={}, chat=chat, **stated)


def whole_weights(bundle: Bundle, dtype: torch.dtype = torch.float32) -> PreTrainedModel:
    """The model of a bundle, an adapter merged; raises BundleError for quantised weights."""
    if bundle.manifest.adapter is None and is_quantised(bundle.folder / "model"):
        raise BundleError(
            "the bundle is quantised: whole weights cannot be had from it", where=str(bundle.folder),
            remedy="export the bundle that it was made from",
        )  # fmt: skip
    found = weights(bundle)
    model: PreTrainedModel = merged(found) if isinstance(found, PeftModel) else found
    cast: PreTrainedModel = model.to(dtype)  # type: ignore[arg-type]
    return cast


def _written(bundle: Bundle, out: Path, save: Callable[[Path], None]) -> Bundle:
    """Everything but the weights as it was; what was measured on the other weights is left out."""

    def fill(new: Path) -> None:
        save(new / "model")
        vocabulary_of(bundle).tokenizer.save_pretrained(str(new / "model"))
        if (bundle.folder / "priors").is_dir():
            shutil.copytree(bundle.folder / "priors", new / "priors")

    manifest = bundle.manifest.model_copy(update={"adapter": None, "parent": bundle.version, "metrics": {}})
    return Bundle.write(
        out, manifest, catalog=bundle.catalog, index=bundle.index, space=bundle.space, prompts=bundle.prompts,
        weights=fill, card=_card(bundle),
    )  # fmt: skip


def _card(bundle: Bundle) -> str:
    path = bundle.folder / "README.md"
    return path.read_text(encoding="utf-8") if path.is_file() else ""
