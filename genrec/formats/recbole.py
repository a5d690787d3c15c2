"""RecBole atomic files: `.inter` and `.item`, tab-separated, headers `name:type` (token, token_seq, float, float_seq).

A benchmark's `.inter` with `item_id_list:token_seq` holds a history and the item after it on each line: the histories
are read from the test file alone (it contains the others), the time being the position, from 0. Other split files
(train, valid, test) are read one after the other. `title` is the column so named, or the first that ends in title or
name; other token_seq columns become lists; `rating` becomes the value.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from genrec.errors import DataError
from genrec.formats.delimited import rows
from genrec.formats.lines import first_line
from genrec.formats.places import files_of
from genrec.formats.report import Tally
from genrec.formats.sequences import exploded

_ORDER = ("train", "valid", "test")
_KNOWN = {"user_id": "user_id", "item_id": "item_id", "timestamp": "timestamp", "rating": "value"}


def found(place: Path) -> bool:
    return any(path.name.endswith(".inter") for path in files_of(place))


def events(place: Path, tally: Tally) -> Iterator[tuple[str, pl.DataFrame]]:
    files = [path for path in files_of(place) if path.name.endswith(".inter")]
    if not files:
        raise DataError("no RecBole log here", where=str(place), allowed="a file .inter", remedy="name the format")
    files.sort(key=lambda path: next((k for k, name in enumerate(_ORDER) if name in path.name), -1))
    whole = [path for path in files if "item_id_list" in _types(path)]
    for path in whole[-1:] or files:
        yield from _log(path, tally)


def _types(path: Path) -> dict[str, str]:
    """Column → type of the header; "token" where none is written."""
    names = first_line(path)[1].split("\t")
    return {name: kind or "token" for name, _, kind in (one.strip().partition(":") for one in names)}


def _log(path: Path, tally: Tally) -> Iterator[tuple[str, pl.DataFrame]]:
    types = _types(path)
    lists = "item_id_list" in types
    lacking = [name for name in ("user_id", "item_id", *(() if lists else ("timestamp",))) if name not in types]
    if lacking:
        raise DataError(
            "the log lacks columns", value=lacking, where=str(path),
            allowed="user_id:token, item_id:token and timestamp:float or item_id_list:token_seq",
            remedy="rename the columns in the header",
        )  # fmt: skip
    for block in rows(path, list(types), "\t", tally, "interactions", header=first_line(path)[0], quoted=False):
        yield path.name, _histories(block, path.name, tally) if lists else _plain(block)


def _plain(block: pl.DataFrame) -> pl.DataFrame:
    names = {new: old for old, new in _KNOWN.items() if old in block.columns}
    table = block.select("line", **{new: pl.col(old) for new, old in names.items()})
    return table.with_columns(kind=pl.lit("rating")) if "value" in names else table


def _histories(block: pl.DataFrame, file: str, tally: Tally) -> pl.DataFrame:
    """The histories with the item after them at the end."""
    known = pl.col("item_id_list").str.strip_chars()
    whole = pl.when(known == "").then(pl.col("item_id")).otherwise(known + " " + pl.col("item_id"))
    return exploded(block.select("line", "user_id", items=whole.str.split(" ")), file, tally)


def items(place: Path, tally: Tally) -> tuple[str, pl.DataFrame] | None:
    path = next((path for path in files_of(place) if path.name.endswith(".item")), None)
    if path is None:
        return None
    types = _types(path)
    if "item_id" not in types:
        raise DataError("the items lack a column", value="item_id", where=str(path), remedy="name it item_id:token")
    blocks = list(rows(path, list(types), "\t", tally, "catalog", header=first_line(path)[0], quoted=False))
    table = pl.concat(blocks)
    title = next((name for name in types if name == "title"), None)
    title = title or next((name for name in types if name.endswith(("title", "name"))), None)
    columns = [_column(name, "token" if name == title else kind) for name, kind in types.items()]
    return path.name, table.select("line", *columns).rename({title: "title"} if title else {})


def _column(name: str, kind: str) -> pl.Expr:
    if kind == "float":
        return pl.col(name).cast(pl.Float64, strict=False).fill_nan(None)
    words = pl.col(name).str.split(" ").list.eval(pl.element().filter(pl.element() != ""))
    if kind == "float_seq":
        return words.list.eval(pl.element().cast(pl.Float64, strict=False))
    return words if kind == "token_seq" else pl.col(name)
