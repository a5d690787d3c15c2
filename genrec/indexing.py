"""Catalog and training histories → the item index, and new items into a bundle's. Does not know prompts or models."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.linear_model import Ridge

from genrec.bundle import Bundle
from genrec.catalog import Catalog
from genrec.errors import IndexingError, StorageError
from genrec.items.codes import FAR, Float32, Quantizer
from genrec.items.collaborative import neighbour_vectors
from genrec.items.index import ItemIndex
from genrec.items.space import ItemSpace
from genrec.items.text import TFIDF, encode_texts, encoder_name, item_texts, unit
from genrec.ragged import Int64, Ragged
from genrec.storage import replaced
from genrec.tuning.settings import ItemSettings


@dataclass(frozen=True)
class Built:
    """described: vectors of the items' texts, float32 [items, d]; vectors: the items in the space that is coded,
    float32 [items, e], None where the space does not know these texts; collided: items whose codes another had, too,
    before they were separated."""

    index: ItemIndex
    described: Float32
    vectors: Float32 | None
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
    return Built(index, described, vectors, space, _shared(quantizer.encode(vectors)[0]))


def extend_index(bundle: Bundle, catalog: Catalog, settings: ItemSettings, cache: Path | None = None) -> Built:
    """The bundle's semantic IDs for the items that it knows, and free ones near their text for the others.

    Nothing is refitted; items that the catalog no longer holds are left out. Raises CorruptBundle without a space,
    IndexingError where no code is left or nothing tells where the new items belong.
    """
    described = encode_texts(item_texts(catalog, settings.fields), settings.encoder, cache=cache)
    index, places = bundle.index, _places(bundle.index, catalog)
    fresh = np.flatnonzero(places < 0)
    same = encoder_name(settings.encoder) == bundle.manifest.encoder != TFIDF
    if len(fresh):
        vectors = bundle.space.vectors(described[fresh]) if same else placed(index, places, described)
        index = index.add([catalog.item_ids[item] for item in fresh], vectors)
    stand = bundle.space.vectors(described) if same else None
    return Built(index.select(_places(index, catalog)), described, stand, bundle.space, 0)


def _places(index: ItemIndex, catalog: Catalog) -> Int64:
    """Where each item of the catalog stands in the index, −1 for a new one."""
    places = {item_id: place for place, item_id in enumerate(index.item_ids)}
    return np.array([places.get(item_id, -1) for item_id in catalog.item_ids], dtype=np.int64)


def placed(index: ItemIndex, places: Int64, described: Float32) -> Float32:
    """Vectors of the new items (place −1) where the space does not know the text vectors: TF-IDF's differ from catalog
    to catalog. A ridge regression on the items that are known reads from the text what their codes stand for."""
    meant = np.sum([book[index.codes[:, level]] for level, book in enumerate(index.codebooks)], axis=0)
    told = np.flatnonzero((places >= 0) & (np.abs(meant).max(axis=1) < FAR / 2)[places])
    if not len(told):
        raise IndexingError(
            "the catalog holds no item of the bundle",
            value=len(places),
            remedy="use the bundle's encoder, or train anew",
        )
    read = Ridge(alpha=0.1).fit(described[told], meant[places[told]])
    return unit(read.predict(described[places < 0]).reshape(-1, meant.shape[1]))


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
