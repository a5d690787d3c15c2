"""The catalog: the items recommendable now, with their fields, and finding them by title.

Does not know users, models or semantic IDs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from rapidfuzz import fuzz, process, utils

from genrec.errors import DataError, UnknownItem
from genrec.ragged import Int64


@dataclass(frozen=True, eq=False)
class Catalog:
    """A table with `item_id`, `title` and any further columns; the row number is the item's number.

    List columns (genres, cast) stay lists; text, numbers and dates stay as they are. Two catalogs are never equal, so
    that what was computed for one can be kept by it.
    """

    table: pl.DataFrame

    @classmethod
    def from_table(cls, table: pl.DataFrame) -> Catalog:
        missing = [name for name in ("item_id", "title") if name not in table.columns]
        if missing:
            raise DataError("the catalog lacks columns", value=missing, allowed="item_id, title", remedy="add them")
        table = table.with_columns(pl.col("item_id").cast(pl.String), pl.col("title").cast(pl.String))
        if table["item_id"].null_count():
            row = table["item_id"].is_null().arg_true()[0]
            raise DataError("an item has no item_id", where=f"row {row}", remedy="give every item an id")
        twice = table.filter(pl.col("item_id").is_duplicated())["item_id"]
        if len(twice):
            raise DataError(
                "an item_id stands twice in the catalog", value=twice[0], remedy="keep one row for each item"
            )
        return cls(table)

    def __len__(self) -> int:
        return self.table.height

    @cached_property
    def item_ids(self) -> list[str]:
        return self.table["item_id"].to_list()

    @cached_property
    def titles(self) -> list[str]:
        return self.table["title"].fill_null("").to_list()

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {item_id: number for number, item_id in enumerate(self.item_ids)}

    @property
    def fields(self) -> list[str]:
        return [name for name in self.table.columns if name not in ("item_id", "title")]

    def numbers(self, item_ids: Iterable[str]) -> Int64:
        """Row numbers of item ids; an unknown one is named with the nearest ids."""
        try:
            return np.array([self._numbers[item_id] for item_id in item_ids], dtype=np.int64)
        except KeyError as missing:
            raise self._unknown(str(missing.args[0]), self.item_ids) from None

    def holds(self, item_id: str) -> bool:
        return item_id in self._numbers

    def places(self, item_ids: Iterable[str]) -> Int64:
        """Row numbers of item ids, −1 for those that the catalog does not hold."""
        return np.array([self._numbers.get(item_id, -1) for item_id in item_ids], dtype=np.int64)

    def row(self, number: int) -> dict[str, Any]:
        """One item as a dict of its fields."""
        return self.table.row(number, named=True)

    def facts(self, number: int) -> dict[str, list[str]]:
        """Field → its values as text, for evidence; the title is not among them, empty values neither."""
        row = self.row(number)
        return {name: _values(row[name]) for name in self.fields if _values(row[name])}

    def find(self, title: str, *, cutoff: float = 75.0) -> int:
        """The item whose title fits best (fuzzy, 0..100); raises UnknownItem with the nearest titles."""
        best = process.extractOne(
            title, self.titles, scorer=fuzz.WRatio, processor=utils.default_process, score_cutoff=cutoff
        )
        if best is None:
            raise self._unknown(title, self.titles)
        return int(best[2])

    def select(self, numbers: Sequence[int] | Int64) -> Catalog:
        return Catalog(self.table[np.asarray(numbers)])

    def _unknown(self, wanted: str, among: Sequence[str]) -> UnknownItem:
        found = process.extract(wanted, among, scorer=fuzz.WRatio, processor=utils.default_process, limit=3)
        nearest = [name for name, _, _ in found]
        hint = "nearest: " + "; ".join(nearest) if nearest else "the catalog is empty"
        return UnknownItem("no such item in the catalog", value=wanted, nearest=nearest, remedy=hint)


def _values(value: Any) -> list[str]:
    if isinstance(value, list | tuple):
        return [str(one) for one in value if one is not None and str(one)]
    return [] if value is None or str(value) == "" else [str(value)]
