"""What the catalog says that two items may share: field and value, rare ones first. Knows no history and no model.

A fact is a short value that several items hold: an entry of a list, a text, a small whole number, the decade of a
year. Free text (long, or nearly unique) and measurements (prices, minutes) are no facts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from genrec.catalog import Catalog
from genrec.ragged import Int64, Ragged

LONGEST = 60
"""Characters; a longer value is prose."""
NEARLY_UNIQUE = 0.95
"""Share of distinct values from which a text column names its items instead of describing them."""
FEW = 12
"""Distinct whole numbers up to which a number column counts as categories (players, discs)."""

_YEARS = re.compile(r"(^|_)years?($|_)|年", re.IGNORECASE)
_TEXTS = (pl.String, pl.Categorical, pl.Enum)


@dataclass(frozen=True)
class SharedFact:
    """A value that an item shares with each of `with_items` (item numbers)."""

    field: str
    value: str
    with_items: tuple[int, ...]


@dataclass(frozen=True)
class Facts:
    """Value v is `values[v]` of `fields[v]`; rare ones have low numbers. `held`: each item's values, ascending.

    Values held by one item only are absent. Those from number `telling` on are held by over half of the items: true,
    but not worth telling.
    """

    fields: list[str]
    values: list[str]
    telling: int
    held: Ragged

    @classmethod
    def of(cls, catalog: Catalog) -> Facts:
        long = _long(catalog.table)
        ranked = (
            long.group_by("place", "field", "value")
            .agg(items=pl.len())
            .filter(pl.col("items") > 1)
            .sort("items", "place", "value")
            .with_row_index("number")
        )
        pairs = long.join(ranked, on=["field", "value"]).sort("row", "number")
        lengths = np.bincount(pairs["row"].to_numpy(), minlength=len(catalog))
        offsets = np.concatenate([[0], lengths.cumsum()]).astype(np.int64)
        telling = int((ranked["items"] * 2 <= len(catalog)).sum())
        held = Ragged(offsets, pairs["number"].to_numpy().astype(np.int32))
        return cls(ranked["field"].to_list(), ranked["value"].to_list(), telling, held)

    def shared(self, item: int, others: Sequence[int]) -> tuple[SharedFact, ...]:
        """The rarest fact of every field that the item shares with at least one of `others`, rarest first."""
        common = [self._common(item, other) for other in others]
        best: dict[str, int] = {}
        for number in sorted(set[int]().union(*common)):
            best.setdefault(self.fields[number], number)
        return tuple(
            SharedFact(field, self.values[number], tuple(o for o, c in zip(others, common, strict=True) if number in c))
            for field, number in best.items()
        )

    def nearness(self, item: int, others: Sequence[int]) -> Int64:
        """How rare the rarest shared fact is, int64 [others]: higher is rarer, 0 where nothing is shared."""
        rarest = [min(self._common(item, other), default=self.telling) for other in others]
        return self.telling - np.array(rarest, dtype=np.int64)

    def holds(self, item: int, field: str, value: str) -> bool:
        """Whether the catalog says so (and says it of another item, too)."""
        number = self._numbers.get((field, value))
        return number is not None and number in self.held[item]

    @cached_property
    def _numbers(self) -> dict[tuple[str, str], int]:
        return {key: number for number, key in enumerate(zip(self.fields, self.values, strict=True))}

    def _common(self, item: int, other: int) -> set[int]:
        both = set(self.held[item].tolist()) & set(self.held[other].tolist())
        return {number for number in both if number < self.telling}


def _long(table: pl.DataFrame) -> pl.DataFrame:
    """row, place (of the column), field, value: one line for each value of each item."""
    columns = [name for name in table.columns if name not in ("item_id", "title")]
    columns.sort(key=lambda name: _dated(table[name]))  # among equally rare facts a decade says least
    parts = [_column(table[name], place) for place, name in enumerate(columns)]
    schema = {"row": pl.UInt32, "place": pl.Int32, "field": pl.String, "value": pl.String}
    return pl.concat([pl.DataFrame(schema=schema), *parts]).unique(["row", "field", "value"], keep="first")


def _column(column: pl.Series, place: int) -> pl.DataFrame:
    field, values = _read(column)
    rows = pl.DataFrame({"value": values}).with_row_index("row").explode("value", keep_nulls=False, empty_as_null=False)
    short = rows.filter(pl.col("value").str.len_chars().is_between(1, LONGEST))
    return short.select("row", pl.lit(place, pl.Int32).alias("place"), pl.lit(field).alias("field"), "value")


def _read(column: pl.Series) -> tuple[str, pl.Series]:
    """The field's name and its values, a list of texts for every item; empty lists where the column is no fact."""
    kind = column.dtype
    if kind == pl.List(pl.String):
        return column.name, _lettered(column)
    if kind in _TEXTS:
        return column.name, _lettered(_texts(column.cast(pl.String).str.strip_chars()))
    if _dated(column):
        return "decade", _decades(column if kind.is_integer() else column.dt.year())
    return column.name, _numbers(column) if kind.is_integer() else _none(column)


def _dated(column: pl.Series) -> bool:
    years = column.dtype.is_integer() and _YEARS.search(column.name) is not None
    return years or column.dtype in (pl.Date, pl.Datetime)


def _lettered(lists: pl.Series) -> pl.Series:
    element = pl.element().str.strip_chars()
    return lists.list.eval(element.filter(element.str.contains(r"\p{L}")))


def _texts(texts: pl.Series) -> pl.Series:
    """One value for each item, several where the column joins them by commas, none where it is free text."""
    filled = texts.drop_nulls().filter(texts.drop_nulls() != "")
    if not len(filled):
        return _none(texts)
    parts = texts.str.split(", ")
    joined = filled.str.contains(", ", literal=True).mean()
    if isinstance(joined, float) and joined > 0.5 and parts.explode().n_unique() * 2 < filled.n_unique():
        return parts
    median = filled.str.len_chars().median()
    prose = isinstance(median, float) and median > LONGEST
    return _none(texts) if prose or filled.n_unique() > NEARLY_UNIQUE * len(filled) else _single(texts)


def _numbers(numbers: pl.Series) -> pl.Series:
    distinct = numbers.drop_nulls().n_unique()
    few = distinct <= FEW and distinct * 4 <= len(numbers) - numbers.null_count()
    return _single(numbers.cast(pl.String)) if few else _none(numbers)


def _decades(years: pl.Series) -> pl.Series:
    """1994 → "1990s"; what is no year of books or films stays out."""
    years = years.cast(pl.Int64)
    decade = (years // 10 * 10).cast(pl.String) + "s"
    return _single(decade.set((~years.is_between(1000, 2100)).fill_null(True), None))


def _single(texts: pl.Series) -> pl.Series:
    return texts.reshape((-1, 1)).arr.to_list().list.drop_nulls() if len(texts) else _none(texts)


def _none(column: pl.Series) -> pl.Series:
    return pl.Series([[]] * len(column), dtype=pl.List(pl.String))
