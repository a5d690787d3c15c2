"""A catalog that changes while it is served: new items, new fields, items out of stock. Trains nothing.

Items are only ever added, so that item numbers hold; one that is deleted stays as a row that nothing may recommend,
and histories that hold it can still be read. Does not know who keeps the changes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.sparse import csr_matrix

from genrec.catalog import Catalog
from genrec.errors import DataError
from genrec.items.codes import Float32
from genrec.priors import Collaborative, Content, Mix, Popular, Prior, Recent, Sequential, text_vectors

Bool = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class ItemChange:
    """What an item is from now on. fields: its row but the id, laid over the one that is there unless `whole`;
    available: whether it may be recommended."""

    item_id: str
    fields: Mapping[str, Any]
    available: bool = True
    whole: bool = True


def checked_row(catalog: Catalog, item_id: str, fields: Mapping[str, Any]) -> pl.DataFrame:
    """The item as one row of this catalog; raises DataError for fields it lacks and values that do not fit them."""
    schema = catalog.table.schema
    unknown = sorted(set(fields) - (set(schema) - {"item_id"}))
    if unknown:
        allowed = ", ".join(name for name in schema if name != "item_id")
        raise DataError("the catalog has no such fields", value=unknown, where=f"item {item_id}", allowed=allowed)
    row = {"item_id": item_id, **fields}
    if not str(row.get("title") or "").strip():
        raise DataError("an item needs a title", where=f"item {item_id}", remedy="give it one")
    for name, value in row.items():
        _check(name, value, schema[name])
    return pl.DataFrame([row], schema=schema)


def _check(name: str, value: Any, kind: Any) -> None:
    """A single value is no list here, though polars would make one of it."""
    try:
        if isinstance(kind, pl.List) and not isinstance(value, list | None):
            raise TypeError
        pl.DataFrame({name: [value]}, schema={name: kind}, strict=True)
    except (pl.exceptions.PolarsError, TypeError, ValueError, OverflowError):
        raise DataError("a value does not fit its field", value=value, where=name, allowed=str(kind)) from None


def row_of(catalog: Catalog, change: ItemChange) -> pl.DataFrame | None:
    """The item's new row; None where it keeps the one it has, or is unknown and says nothing. Raises DataError."""
    known = catalog.holds(change.item_id)
    if not change.fields and (known or not change.available):
        return None
    old = catalog.row(int(catalog.numbers([change.item_id])[0])) if known and not change.whole else {}
    old.pop("item_id", None)
    return checked_row(catalog, change.item_id, {**old, **change.fields})


def changed_catalog(catalog: Catalog, changes: Sequence[ItemChange]) -> Catalog:
    """The catalog with these rows in place of the old ones, new items last; an item is changed once at most."""
    found = [row for change in changes if (row := row_of(catalog, change)) is not None]
    if not found:
        return catalog
    rows, known = pl.concat(found), pl.col("item_id").is_in(catalog.item_ids)
    old = rows.filter(known)
    table = catalog.table.update(old, on="item_id", include_nulls=True) if len(old) else catalog.table
    return Catalog(pl.concat([table, rows.filter(~known)]))


def availability(catalog: Catalog, before: Bool | None, changes: Sequence[ItemChange]) -> Bool:
    """Which items of the changed catalog may be recommended, bool [items]."""
    mask = np.ones(len(catalog), dtype=bool)
    if before is not None:
        mask[: len(before)] = before
    known = [change for change in changes if catalog.holds(change.item_id)]
    mask[catalog.numbers(change.item_id for change in known)] = [change.available for change in known]
    return mask


def extended_mix(mix: Mix, items: int, described: Float32 | None = None) -> Mix:
    """Its priors over more items; where their text vectors are given, what is like the new ones stands in for them."""
    priors, fresh = tuple(extended(prior, items, described) for prior in mix.priors), mix.fresh
    if fresh is not None and described is not None:
        vectors = text_vectors(priors)
        fresh = fresh if vectors is None else fresh.grown(vectors, items - len(described))
    return replace(mix, priors=priors, fresh=fresh)


def extended(prior: Prior, items: int, described: Float32 | None = None) -> Prior:
    """The prior over more items: nobody chose the new ones; described: their text vectors, none: nothing is alike."""
    if isinstance(prior, Popular):
        return replace(prior, counts=np.pad(prior.counts, (0, items - len(prior.counts))))
    if isinstance(prior, Recent):
        return replace(prior, faded=np.pad(prior.faded, (0, items - len(prior.faded))))
    if isinstance(prior, Collaborative):
        old = prior.weights
        pointers = np.pad(old.indptr, (0, items - old.shape[0]), mode="edge")
        return replace(prior, weights=csr_matrix((old.data, old.indices, pointers), shape=(items, items)))
    if isinstance(prior, Sequential):
        return prior.select(np.pad(np.arange(len(prior.known)), (0, items - len(prior.known)), constant_values=-1))
    if isinstance(prior, Content):
        missing = items - len(prior.vectors)
        new = np.zeros((missing, prior.vectors.shape[1]), dtype=np.float32) if described is None else described
        return replace(prior, vectors=np.concatenate([prior.vectors, new]))
    raise DataError(
        "a prior that does not know how to grow", value=prior.name, remedy="extend it in genrec/changing.py"
    )
