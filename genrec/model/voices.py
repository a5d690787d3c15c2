"""Bundles → a folder that vLLM loads: whole weights as they are, LoRA adapters side by side on one base.

vLLM's LoRA knows linear layers only, while genrec's adapters also train the rows of the code tokens, in embedding and
head. So each adapter gets rows of its own at the end of the vocabulary: its requests name codes by those, and their
probabilities sum over the text's rows and its own. That is exact, and any number of adapters run in one batch. Does not
know vLLM.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoTokenizer, PreTrainedModel

from genrec.bundle import Bundle
from genrec.decoding.asks import Ranges
from genrec.decoding.driver import Voice
from genrec.errors import BundleError
from genrec.model.adapters import UNMERGED, merged
from genrec.model.base import is_quantised
from genrec.model.loading import vocabulary_of, weights
from genrec.model.vocabulary import Vocabulary
from genrec.ragged import Int64

OWN = "adapter"
"""What the adapter of a bundle that brings one is called."""


@dataclass(frozen=True)
class Prepared:
    """model: what vLLM loads; adapters: name → LoRA folder; voices: name → how to speak with it, None for the base;
    rank: the largest of the adapters' ranks."""

    model: Path
    adapters: dict[str, Path]
    voices: dict[str | None, Voice]
    rank: int


def rows_of(bundle: Bundle) -> int:
    """Rows of the model's embedding: the vocabulary, and whatever pads it."""
    return int(AutoConfig.from_pretrained(bundle.folder / "model", trust_remote_code=False).vocab_size)


def plain_voice(vocabulary: Vocabulary, rows: int) -> Voice:
    """The voice of whole weights; rows: of the model's embedding, the vocabulary and whatever pads it."""
    return Voice(vocabulary.code_ids, (vocabulary.end_id,), _writable(vocabulary, rows))


def prepare(bundle: Bundle, adapters: Mapping[str, Bundle], folder: Path) -> Prepared:
    """What serves a bundle, and others of the same base by name; writes below `folder` only if there are adapters.

    Raises BundleError where a bundle has no adapter or another base.
    """
    rows = rows_of(bundle)
    vocabulary = vocabulary_of(bundle)
    spoken = {OWN: bundle, **adapters} if bundle.manifest.adapter else dict(adapters)
    for name, other in spoken.items():
        _check_kind(name, other)
    if adapters and is_quantised(bundle.folder / "model"):
        raise BundleError(
            "adapters need whole weights below them: their rows of codes go into the base", where=str(bundle.folder),
            remedy="open the bundle that the quantised one was exported from",
        )  # fmt: skip
    base = plain_voice(vocabulary, rows)
    if not spoken:
        return Prepared(bundle.folder / "model", {}, {None: base}, 0)
    for name, other in spoken.items():
        _check_same_base(name, bundle, other)
    tokens = np.concatenate(vocabulary.code_ids)
    voices: dict[str | None, Voice] = {None: _narrowed(base, rows)}
    for place, name in enumerate(spoken):
        voices[name] = _own_voice(name, base, tokens, rows, rows + place * len(tokens))
    _write_base(bundle, list(spoken.values()), tokens, folder / "model")
    paths = {name: _write_lora(other, folder / name) for name, other in spoken.items()}
    return Prepared(folder / "model", paths, voices, max(_rank(path) for path in paths.values()))


def _writable(vocabulary: Vocabulary, rows: int) -> Ranges:
    """What free text may hold: anything but codes and padding."""
    banned = np.zeros(rows, dtype=bool)
    banned[np.concatenate(vocabulary.code_ids)] = True
    if vocabulary.pad_id != vocabulary.end_id:
        banned[vocabulary.pad_id] = True
    return ranges(~banned)


def ranges(kept: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Ranges:
    """The runs of True, half-open."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], kept, [False]]).astype(np.int8)))
    return tuple((int(low), int(high)) for low, high in edges.reshape(-1, 2))


def _narrowed(base: Voice, rows: int) -> Voice:
    """The base's own voice beside adapters: their rows do not count."""
    return Voice(base.code_ids, base.ends, base.writable, columns=((0, rows),))


def _own_voice(name: str, base: Voice, tokens: Int64, rows: int, first: int) -> Voice:
    own = np.arange(rows)
    own[tokens] = first + np.arange(len(tokens))
    text = np.ones(rows, dtype=bool)
    text[tokens] = False
    columns = (*ranges(text), (first, first + len(tokens)))
    return Voice(tuple(own[level] for level in base.code_ids), base.ends, base.writable, own, columns, name)


def _check_kind(name: str, bundle: Bundle) -> None:
    """vLLM reads plain LoRA over whole weights."""
    kind = bundle.manifest.adapter
    dora = kind == "lora" and _settings(bundle.folder / "adapter")["use_dora"]
    if kind in (None, "lora") and not dora:
        return
    remedy = "serve it on the torch engine" if kind in UNMERGED else "export it with `--merged` and open that"
    raise BundleError(
        "vLLM does not read this kind of adapter", value="dora" if dora else kind, where=name, allowed="lora",
        remedy=remedy,
    )  # fmt: skip


def _check_same_base(name: str, bundle: Bundle, other: Bundle) -> None:
    if other.manifest.adapter is None:
        raise BundleError("the bundle brings no adapter", value=name, remedy="open it as an engine of its own")
    if other.index.sizes != bundle.index.sizes or _weight_hashes(other) != _weight_hashes(bundle):
        raise BundleError(
            "the adapter is for another base", value=name, where=str(other.folder),
            remedy="train it from the same base with the same codes, or open an engine of its own",
        )  # fmt: skip


def _weight_hashes(bundle: Bundle) -> dict[str, str]:
    files = bundle.manifest.files.items()
    return {name: found for name, found in files if name.startswith("model/") and name.endswith(".safetensors")}


def _write_base(bundle: Bundle, spoken: list[Bundle], tokens: Int64, out: Path) -> None:
    """The base with the rows that each adapter trained at the end of embedding and head."""
    model = _whole_base(bundle)
    ids = torch.from_numpy(tokens)
    grown = [_trained_rows(other, ids) for other in spoken]
    embedding = model.get_input_embeddings().weight
    assert isinstance(embedding, torch.Tensor)
    rows = len(embedding)
    model.resize_token_embeddings(rows + len(tokens) * len(spoken), mean_resizing=False)
    tables = [model.get_input_embeddings().weight, model.get_output_embeddings().weight]  # type: ignore[no-untyped-call]
    with torch.no_grad():
        for place, (embedded, scored) in enumerate(grown):
            part = slice(rows + place * len(tokens), rows + (place + 1) * len(tokens))
            for table, trained in zip(tables, (embedded, scored), strict=True):  # one table where they are tied
                table[part] = trained
    model.save_pretrained(str(out), safe_serialization=True)
    AutoTokenizer.from_pretrained(bundle.folder / "model", trust_remote_code=False).save_pretrained(str(out))


def _whole_base(bundle: Bundle) -> PreTrainedModel:
    found = weights(bundle)
    if not isinstance(found, PeftModel):
        return found
    plain: PreTrainedModel = found.unload()
    return plain


def _trained_rows(bundle: Bundle, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The adapter's rows of embedding and head."""
    found = weights(bundle)
    model = merged(found) if isinstance(found, PeftModel) else found
    embedded, scored = model.get_input_embeddings().weight, model.get_output_embeddings().weight  # type: ignore[no-untyped-call]
    assert isinstance(embedded, torch.Tensor)
    return embedded[tokens].detach().clone(), scored[tokens].detach().clone()


def _write_lora(bundle: Bundle, out: Path) -> Path:
    """The adapter without its rows, in the layout that vLLM reads."""
    out.mkdir(parents=True)
    source = bundle.folder / "adapter"
    tensors = load_file(str(source / "adapter_model.safetensors"))
    save_file(
        {name: part for name, part in tensors.items() if ".lora_" in name}, str(out / "adapter_model.safetensors")
    )
    settings = _settings(source)
    settings |= {"trainable_token_indices": None, "modules_to_save": None}
    (out / "adapter_config.json").write_text(json.dumps(settings), encoding="utf-8")
    return out


def _rank(adapter: Path) -> int:
    return int(_settings(adapter)["r"])


def _settings(adapter: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
    return found
