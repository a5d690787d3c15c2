"""Bundles of any size that nobody trained: random semantic IDs, titles by number, a model of the demo's shape.

What they recommend means nothing; how long it takes does. Popularity is the only prior: text vectors of a million items
would take 1.5 GB and say nothing here.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from genrec.bundle import Bundle, Manifest
from genrec.catalog import Catalog
from genrec.items.codes import code_levels, codebook_size
from genrec.items.index import ItemIndex
from genrec.items.space import ItemSpace
from genrec.model.base import ScratchConfig, scratch
from genrec.model.vocabulary import Vocabulary, train_tokenizer
from genrec.priors.popularity import Popular
from genrec.priors.stored import save_priors
from genrec.prompting import load_prompts
from genrec.resources import folder


def bundle_of(items: int, out: Path, seed: int = 0) -> Bundle:
    rng = np.random.default_rng(seed)
    levels = code_levels(items)
    size = codebook_size(items, levels)
    flat = (
        rng.choice(size**levels, items, replace=False)
        if size**levels < 1 << 25
        else _distinct(size**levels, items, rng)
    )
    codes = np.stack(np.unravel_index(flat, (size,) * levels), axis=1).astype(np.int64)
    ids = [f"i{item:07}" for item in range(items)]
    index = ItemIndex(ids, codes, (size,) * levels, np.zeros((levels, size, 2), dtype=np.float32))
    catalog = Catalog.from_table(
        pl.DataFrame({"item_id": ids, "title": [f"Item {item}" for item in range(items)],
                      "shelf": [f"shelf {item % 20}" for item in range(items)]})
    )  # fmt: skip
    prompts = load_prompts(folder("prompts"), "en")
    vocabulary = Vocabulary.extend(train_tokenizer(catalog.titles[:2000], 640), index, prompts.control_tokens)
    config = ScratchConfig(hidden=128, layers=2, heads=4, feed_forward=384)
    model = scratch(config, len(vocabulary), pad_id=vocabulary.pad_id, end_id=vocabulary.end_id, seed=seed)

    def weights(new: Path) -> None:
        model.save_pretrained(new / "model")
        vocabulary.tokenizer.save_pretrained(new / "model")
        save_priors(new / "priors", (Popular(rng.integers(0, 100, items).astype(np.float32)),))

    manifest = Manifest(base="scratch", window=50, context=config.context, split="none", data_hash="", seed=seed)
    space = ItemSpace.fit(rng.standard_normal((16, 4)).astype(np.float32))
    return Bundle.write(out, manifest, catalog=catalog, index=index, space=space, prompts=prompts, weights=weights)


def _distinct(most: int, items: int, rng: np.random.Generator) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    found = np.unique(rng.integers(0, most, 2 * items))
    return rng.permutation(found)[:items]
