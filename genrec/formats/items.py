"""Rows of items to a checked catalog: titles made readable, years and lists taken out. Knows no file format.

Rules. An item without an id, or with an id that stood before, is reported and left out. A text of more than 100,000
characters is cut to that length and reported. An item without a title, and one that only the log knows, gets its id
as title; both are counted in the notes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import polars as pl

from genrec.catalog import Catalog
from genrec.formats.checks import LONGEST, MISSING
from genrec.formats.report import Tally
from genrec.interactions import Interactions

_ARTICLES = "The|A|An|La|Le|Les|L'|El|Los|Las|Il|Lo|Gli|Der|Die|Das|Een|De|Det|Den|Un|Une|Una|Uno|O|Os"
_YEAR = r"\s*\((\d{4})\s*(?:[-\u2013]\s*(?:\d{4})?\s*)?\)\s*$"


def split_titles(titles: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """(title, year) of titles such as "Matrix, The (1999)" → "The Matrix", 1999 (Int64; null without one).

    Of a span (1995-1998) the year is the first; an article that was moved behind a comma comes back to the front,
    also in a second title in parentheses.
    """
    year = titles.str.extract(_YEAR, 1).cast(pl.Int64, strict=False)
    bare = titles.str.replace(_YEAR, "").str.strip_chars()
    moved = bare.str.replace(rf"^([^()]+?), ({_ARTICLES})( \(|$)", "${2} ${1}${3}")
    inner = moved.str.replace_all(rf"\(([^()]+?), ({_ARTICLES})\)", "(${2} ${1})")
    return inner.str.replace_all(r"(^|\()L' ", "${1}L'"), year


def split_lists(texts: pl.Expr, separator: str) -> pl.Expr:
    """List(String) from joined values; empty values and "(no genres listed)" go."""
    parts = texts.fill_null("").str.split(separator)
    element = pl.element().str.strip_chars()
    return parts.list.eval(element.filter((element != "") & (element != "(no genres listed)")))


def column_of(name: str, values: Sequence[Any]) -> pl.Series:
    """A column from JSON values: numbers, texts or lists of texts stay so, anything else becomes JSON text."""
    kinds = {type(value) for value in values if value is not None}
    if kinds and kinds <= {int, float} and all(value is None or abs(value) < 1e18 for value in values):
        return pl.Series(name, values, dtype=pl.Int64 if kinds == {int} else pl.Float64, strict=False)
    if kinds == {list}:
        lists = [None if value is None else [_text(one) for one in value if one is not None] for value in values]
        return pl.Series(name, lists, dtype=pl.List(pl.String))
    return pl.Series(name, [None if value is None else _text(value) for value in values], dtype=pl.String)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def typed_texts(table: pl.DataFrame, lists: Sequence[str]) -> pl.DataFrame:
    """Text columns of a CSV catalog: "a|b" in the columns `lists` becomes a list, and a column whose every value is
    a number (without leading zeros) a number column; ids and titles stay text."""
    names = [name for name in table.columns if table[name].dtype == pl.String and name not in ("item_id", "title")]
    listed = [split_lists(pl.col(name), "|").alias(name) for name in names if name.lower() in lists]
    rest = [name for name in names if name.lower() not in lists]
    return table.with_columns(*listed, *(_numbers(table[name]) for name in rest))


def _numbers(texts: pl.Series) -> pl.Series:
    filled = texts.replace("", None)
    if filled.null_count() == len(filled) or filled.str.contains(r"^-?0\d").any():
        return texts
    for kind in (pl.Int64, pl.Float64):
        cast = filled.cast(kind, strict=False)
        if cast.null_count() == filled.null_count():
            return cast.fill_nan(None)
    return texts


def checked_items(table: pl.DataFrame, file: str, tally: Tally) -> pl.DataFrame:
    """The catalog's table (item_id, title, fields) from rows with `line`; bad rows go to the tally."""
    table = table.with_columns(pl.col("item_id").cast(pl.String).str.strip_chars())
    missing = table["item_id"].is_null() | table["item_id"].is_in(list(MISSING))
    long = table["item_id"].str.len_chars().fill_null(0) > LONGEST
    twice = ~table["item_id"].is_first_distinct() & ~missing
    for bad, what, remedy in (
        (missing, "is missing", "give every item an id"),
        (long, f"is longer than {LONGEST:,} characters", "shorten it"),
        (twice, "stands twice in the catalog; the first is kept", "keep one row for each item"),
    ):
        rows = table.filter(bad)
        tally.problem(file, "item_id", what, remedy, rows["line"], rows["item_id"])
    good = _cut(table.filter(~(missing | long | twice)), file, tally)
    tally.add_rows(file, "catalog", kept=good.height)
    return _titled(good.drop("line"), file, tally)


def _cut(table: pl.DataFrame, file: str, tally: Tally) -> pl.DataFrame:
    for name in [name for name, kind in table.schema.items() if kind == pl.String]:
        rows = table.filter(pl.col(name).str.len_chars() > LONGEST)
        if rows.height:
            what = f"is longer than {LONGEST:,} characters and was cut to that"
            tally.problem(file, name, what, "shorten it", rows["line"], rows[name])
            table = table.with_columns(pl.col(name).str.slice(0, LONGEST))
    lists = [name for name, kind in table.schema.items() if kind == pl.List(pl.String)]
    return table.with_columns(pl.col(name).list.eval(pl.element().str.slice(0, LONGEST)) for name in lists)


def _titled(table: pl.DataFrame, file: str, tally: Tally) -> pl.DataFrame:
    if "title" not in table.columns:
        table = table.with_columns(title=pl.lit(None, dtype=pl.String))
    title = pl.col("title").cast(pl.String).str.strip_chars()
    title = pl.when(title != "").then(title)
    without = table.select(title.is_null().sum()).item()
    if without:
        tally.note(f"{file}: {without:,} items have no title; their id stands in for it")
    fields = [name for name in table.columns if name not in ("item_id", "title")]
    return table.select("item_id", pl.coalesce(title, pl.col("item_id")).alias("title"), *fields)


def completed(table: pl.DataFrame | None, interactions: Interactions) -> tuple[Catalog, int]:
    """The catalog with the log's items that it lacks, in order of their first event; and how many these are."""
    if table is None:
        table = pl.DataFrame(schema={"item_id": pl.String, "title": pl.String})
    seen = interactions.table.select(pl.col("item_id").unique(maintain_order=True))
    lacking = seen.join(table.select("item_id"), on="item_id", how="anti", maintain_order="left")
    added = lacking.with_columns(title=pl.col("item_id"))
    return Catalog.from_table(pl.concat([table, added], how="diagonal")), lacking.height
