"""Bundles of a small lively Qwen3 that vLLM's CPU kernels take, with priors, and LoRA bundles on the same base."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from peft import PeftModel

from genrec.bundle import Bundle, Manifest
from genrec.catalog import Catalog
from genrec.items.index import ItemIndex
from genrec.items.space import ItemSpace
from genrec.items.text import TFIDF
from genrec.model.adapters import Kind, LoraSettings, adapted, finish, kind_of, unadapted, with_lora
from genrec.model.base import ScratchConfig, scratch
from genrec.model.quantising import in_bits
from genrec.model.vocabulary import Vocabulary, train_tokenizer
from genrec.priors.content import Content
from genrec.priors.popularity import Popular
from genrec.priors.stored import save_priors
from genrec.prompting import load_prompts
from genrec.resources import folder
from tests.helpers.tiny import TEXTS, lively, shake, small_index

CONTEXT = 160
WINDOW = 24
SMALL = LoraSettings(rank=4, dropout=0)
KINDS: dict[str, tuple[Kind, LoraSettings]] = {
    "full": ("full", SMALL), "lora": ("lora", SMALL), "dora": ("lora", SMALL.model_copy(update={"dora": True})),
    "adalora": ("adalora", SMALL), "ia3": ("ia3", SMALL), "prefix": ("prefix", SMALL), "prompt": ("prompt", SMALL),
}  # fmt: skip
"""Over whole weights; `qlora` is over others."""
SHAPE = ScratchConfig(hidden=64, layers=2, heads=2, feed_forward=96, context=CONTEXT)  # heads of 32: the least there is


def vocabulary_for(index: ItemIndex) -> Vocabulary:
    prompts = load_prompts(folder("prompts"), "en")
    sources = [prompt.prompt + prompt.completion for prompt in prompts.by_name.values()]
    return Vocabulary.extend(train_tokenizer([*TEXTS, *sources * 5], 500), index, prompts.control_tokens)


def base_model(vocabulary: Vocabulary, *, seed: int = 0, tied: bool = False) -> torch.nn.Module:
    shape = SHAPE.model_copy(update={"tied": tied})
    return lively(scratch(shape, len(vocabulary), pad_id=vocabulary.pad_id, end_id=vocabulary.end_id, seed=seed))


def adapted_model(vocabulary: Vocabulary, *, seed: int, tied: bool = False) -> PeftModel:
    """The base of seed 0 with an adapter, moved as training would; rows of codes among what moved."""
    rows = [int(token) for level in vocabulary.code_ids for token in level]
    model = with_lora(base_model(vocabulary, tied=tied), LoraSettings(rank=4), rows)  # type: ignore[arg-type]
    shake(model, seed, scale=0.1)
    return model.eval()


def written(out: Path, model: torch.nn.Module, vocabulary: Vocabulary, index: ItemIndex) -> Bundle:
    """A bundle with this model, a popularity and a content prior."""
    random = np.random.default_rng(3)
    items = len(index)
    titles = [f"Title {item}" for item in range(items)]
    table = pl.DataFrame(
        {"item_id": index.item_ids, "title": titles, "genre": [f"g{item % 5}" for item in range(items)]}
    )
    vectors = random.normal(size=(items, 4)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    priors = (Popular(random.integers(0, 50, items).astype(np.float32)), Content(vectors))
    kind = kind_of(model) if isinstance(model, PeftModel) else None

    def weights(new: Path) -> None:
        if isinstance(model, PeftModel):
            model.save_pretrained(str(new / "adapter"))
        base = unadapted(model) if isinstance(model, PeftModel) else model
        base.save_pretrained(str(new / "model"), safe_serialization=True)  # type: ignore[operator]
        vocabulary.tokenizer.save_pretrained(str(new / "model"))
        save_priors(new / "priors", priors)

    manifest = Manifest(
        base="scratch", window=WINDOW, context=CONTEXT, split="none", data_hash="", seed=0,
        adapter=kind, encoder=TFIDF, prior_weights={"popularity": 1.0, "content": 2.0},
    )  # fmt: skip
    space = ItemSpace.fit(vectors)
    prompts = load_prompts(folder("prompts"), "en")
    return Bundle.write(
        out, manifest, catalog=Catalog.from_table(table), index=index, space=space, prompts=prompts, weights=weights
    )


def of_kind(
    name: str, out: Path, vocabulary: Vocabulary, index: ItemIndex, *, seed: int = 1, tied: bool = False
) -> tuple[Bundle, int]:
    """A bundle of this kind over the base of seed 0, moved as training would, and the bytes that were trained."""
    rows = [int(token) for level in vocabulary.code_ids for token in level]
    kind, settings = KINDS.get(name, ("qlora", SMALL))
    base: Any = base_model(vocabulary, tied=tied)
    model = adapted(in_bits(base, "nf4") if kind == "qlora" else base, kind, settings, 4, rows)
    trained = sum(weight.nbytes for weight in model.parameters() if weight.requires_grad)
    if isinstance(model, PeftModel):
        shake(model, seed, scale=0.1)
        finish(model)
    return written(out, model, vocabulary, index), trained


def small_world() -> tuple[ItemIndex, Vocabulary]:
    index = small_index()
    return index, vocabulary_for(index)
