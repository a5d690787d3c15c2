"""The fields of a catalog as a page shows them: their kind, range and frequent values. Knows no HTTP."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import polars as pl

from genrec.catalog import Catalog
from genrec.explaining.telling import human
from serving.schemas.about import FieldSaid

_MOST = 40  # values of a field
_PROSE = 60  # characters of the median value from which it is prose


def fields_of(catalog: Catalog) -> list[FieldSaid]:
    """In the catalog's order; columns of a kind that no rule can name are left out."""
    found = [said for name in catalog.fields if (said := _said(name, catalog.table[name])) is not None]
    return [said.model_copy(update={"names": _names(said.name)}) for said in found]


def plain(value: Any) -> Any:
    """A value as JSON has it."""
    return value.isoformat() if isinstance(value, date | datetime) else value


def _names(name: str) -> dict[str, str]:
    chinese = human(name, "zh")
    return {"zh": chinese} if chinese != human(name, "en") else {}


def _said(name: str, column: pl.Series) -> FieldSaid | None:
    kind = column.dtype
    if kind == pl.Boolean:
        return FieldSaid(name=name, kind="flag", prose=False)
    if kind.is_numeric():
        return _number(name, column)
    if kind.is_temporal():
        return FieldSaid(name=name, kind="date", prose=False)
    listed = isinstance(kind, pl.List)
    flat = (column.explode() if listed else column).drop_nulls()
    if not (flat.dtype == pl.String or isinstance(flat.dtype, pl.Categorical | pl.Enum)):
        return None
    return _text(name, flat.cast(pl.String), listed)


def _number(name: str, column: pl.Series) -> FieldSaid:
    known = column.drop_nulls().drop_nans() if column.dtype.is_float() else column.drop_nulls()
    if not len(known):
        return FieldSaid(name=name, kind="number", prose=False)
    low, high = float(known.min()), float(known.max())  # type: ignore[arg-type]
    return FieldSaid(name=name, kind="number", prose=False, low=low, high=high, whole=column.dtype.is_integer())


def _text(name: str, flat: pl.Series, listed: bool) -> FieldSaid:
    counts = flat.value_counts(sort=True)
    prose = len(flat) > 0 and float(flat.str.len_chars().median() or 0) > _PROSE  # type: ignore[arg-type]
    repeated = counts.filter(pl.col("count") > 1)[flat.name].head(_MOST).to_list()
    return FieldSaid(name=name, kind="list" if listed else "text", prose=prose, values=[] if prose else repeated)
