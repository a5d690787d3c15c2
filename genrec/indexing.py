"""Catalog and training histories → the item index, and new items into a bundle's. Does not know prompts or models."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from genrec.bundle import Bundle
from genrec.catalog import Catalog
from genrec.errors import StorageError
from genrec.items.codes import Float32, Quantizer
from genrec.items.collaborative import neighbour_vectors
from genrec.items.index import ItemIndex
from genrec.items.space import ItemSpace
from genrec.items.text import encode_texts, item_texts
from genrec.ragged import Ragged
from genrec.storage import replaced
from genrec.tuning.settings import ItemSettings


@dataclass(frozen=True)
class Built:
    """described: vectors of the items' texts, float32 [items, d]; collided: items whose codes another had, too, before
    they were separated."""

    index: ItemIndex
    described: Float32
    space: ItemSpace
    collided: int


def build_index(catalog: Catalog, histories: Ragged, settings: ItemSettings, cache: Path | None = None) -> Built:
    """The semantic IDs that a training run with these settings gives the catalog.

    histories: of training events; cache: a folder that keeps text vectors.
    """
    described = encode_texts(item_texts(catalog, settings.fields), settings.encoder, cache=cache)
    chosen = neighbour_vectors(histories, len(catalog)) if settings.collaborative else None
    space = ItemSpace.fit(described, chosen, weight=settings.collaborative)
    vectors = space.vectors(described, chosen)
    quantizer = Quantizer.fit(vectors, settings.codes)
    suffixed = settings.codes.collisions == "suffix"
    index = ItemIndex.fit(catalog.item_ids, vectors, quantizer, suffixed=suffixed)
    return Built(index, described, space, _shared(quantizer.encode(vectors)[0]))


def extend_index(bundle: Bundle, catalog: Catalog, settings: ItemSettings, cache: Path | None = None) -> Built:
    """The bundle's semantic IDs for the items that it knows, and free ones near their text for the others.

    Nothing is refitted; items that the catalog no longer holds are left out. Raises CorruptBundle without a space.
    """
    described = encode_texts(item_texts(catalog, settings.fields), settings.encoder, cache=cache)
    known = {item_id: place for place, item_id in enumerate(bundle.index.item_ids)}
    fresh = np.flatnonzero([item_id not in known for item_id in catalog.item_ids])
    index = bundle.index
    if len(fresh):
        index = index.add([catalog.item_ids[item] for item in fresh], bundle.space.vectors(described[fresh]))
    places = {item_id: place for place, item_id in enumerate(index.item_ids)}
    order = np.array([places[item_id] for item_id in catalog.item_ids], dtype=np.int64)
    return Built(index.select(order), described, bundle.space, 0)


def save_index(index: ItemIndex, out: Path) -> None:
    """Writes a new folder, or takes the place of an index; raises StorageError where something else stands."""
    if out.exists() and not (out / "item_index.json").is_file() and not (out.is_dir() and not any(out.iterdir())):
        raise StorageError("the output holds something else", value=str(out), remedy="name a new folder")
    with replaced(out) as new:
        index.save(new)


def _shared(codes: np.ndarray[tuple[int, int], np.dtype[np.int64]]) -> int:
    """Rows that stand more than once."""
    _, counts = np.unique(codes, axis=0, return_counts=True)
    return int(counts[counts > 1].sum())
