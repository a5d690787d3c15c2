"""Histories without times: `sequences.tsv` (user, tab, items oldest first, by blanks) and `items.jsonl`.

The time of an interaction is its position in the history, from 0, so times of two users do not compare: split with
`leave_last_out`. A user's second line is reported and left out. In items.jsonl the id is `item_id`, `asin` or
`business_id`, the title the first of `title`, `name`, `text` that is not empty; texts of `categories` become lists at
their commas, and `seq_id`, a row number, is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from genrec.errors import DataError
from genrec.formats.delimited import rows
from genrec.formats.items import column_of, split_lists
from genrec.formats.jsonlines import objects
from genrec.formats.places import part
from genrec.formats.report import Tally

_IDS = ("item_id", "asin", "business_id", "id")
_TITLES = ("title", "name", "text")


def found(place: Path) -> bool:
    return part(place, ["sequences.tsv"]) is not None


def events(place: Path, tally: Tally) -> Iterator[tuple[str, pl.DataFrame]]:
    path = part(place, ["sequences.tsv"])
    if path is None:
        raise DataError("no histories here", where=str(place), allowed="sequences.tsv", remedy="name the format")
    seen = pl.Series("user_id", [], dtype=pl.String)
    for block in rows(path, ["user_id", "items"], "\t", tally, "interactions", header=0, quoted=False):
        again = block["user_id"].is_in(seen.implode()) | ~block["user_id"].is_first_distinct()
        bad = block.filter(again)
        remedy = "write one line for each user"
        tally.problem(path.name, "user_id", "has a second line", remedy, bad["line"], bad["user_id"])
        seen = pl.concat([seen, block["user_id"]])
        lists = block.filter(~again).with_columns(pl.col("items").str.strip_chars().str.split(" "))
        yield path.name, exploded(lists, path.name, tally)


def exploded(lists: pl.DataFrame, file: str, tally: Tally) -> pl.DataFrame:
    """A row for each of a line's `items`, its `timestamp` the position; the tally counts items, not lines."""
    places = pl.int_ranges(0, pl.col("items").list.len()).alias("place")
    table = lists.with_columns(places).explode("items", "place")
    tally.add_rows(file, "interactions", read=table.height - lists.height)
    return table.select("line", "user_id", item_id="items", timestamp=pl.col("place").cast(pl.String))


def items(place: Path, tally: Tally) -> tuple[str, pl.DataFrame] | None:
    path = part(place, ["items.jsonl"])
    if path is None:
        return None
    lines: list[int] = []
    found: list[dict[str, object]] = []
    for block in objects(path, tally, "catalog"):
        lines += block.lines
        found += block.rows
    names = list(dict.fromkeys(name for row in found for name in row if name != "seq_id"))
    table = pl.DataFrame([column_of(name, [row.get(name) for row in found]) for name in names])
    return path.name, _named(table.with_columns(line=pl.Series(lines, dtype=pl.Int64)), path)


def _named(table: pl.DataFrame, path: Path) -> pl.DataFrame:
    key = next((name for name in _IDS if name in table.columns), None)
    if key is None:
        raise DataError("the items have no id", value=table.columns, where=str(path), allowed=" or ".join(_IDS))
    table = table.rename({key: "item_id"})
    titles = [name for name in _TITLES if name in table.columns]
    if titles:
        table = table.with_columns(title=pl.coalesce([_nonempty(table, name) for name in titles]))
        table = table.drop("name") if titles[0] == "name" else table
    if table.schema.get("categories") == pl.String:
        table = table.with_columns(split_lists(pl.col("categories"), ","))
    return table


def _nonempty(table: pl.DataFrame, name: str) -> pl.Expr:
    text = pl.col(name).cast(pl.String) if table.schema[name] != pl.List(pl.String) else pl.col(name).list.join(" ")
    return pl.when(text.str.strip_chars() != "").then(text)
