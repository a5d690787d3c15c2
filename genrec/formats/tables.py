"""Interactions and catalog as Parquet, CSV, TSV or JSON lines, under any column names.

A column is found by the mapping ({"user_id": "customer"}), else by its own name, else by a usual one (`USUAL`). In a
folder, the log is the table with users and items, the catalog the one with items only. Text of CSV columns named in
`LISTS` is split at "|". A log without any time is refused, unless mapping={"timestamp": ROW}: then the row's line
number stands for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from genrec.errors import DataError
from genrec.formats.delimited import header_of, rows, separator_of
from genrec.formats.items import column_of, typed_texts
from genrec.formats.jsonlines import objects, parse, text_columns
from genrec.formats.lines import first_line, first_lines
from genrec.formats.places import bare_suffix, files_of
from genrec.formats.report import Tally
from genrec.progress import along

ROW = "#row"
SUFFIXES = (".parquet", ".csv", ".tsv", ".jsonl", ".ndjson")
USUAL = {
    "user_id": ("user_id", "userid", "user", "uid", "customer_id", "reviewerid"),
    "item_id": ("item_id", "itemid", "item", "iid", "movieid", "movie_id", "product_id", "parent_asin", "asin"),
    "timestamp": ("timestamp", "time", "ts", "datetime", "date", "unixreviewtime"),
    "kind": ("kind", "event", "event_type", "action"),
    "value": ("value", "rating", "overall", "stars"),
    "title": ("title", "name"),
}
LISTS = ("genres", "categories", "tags", "keywords", "actors", "cast")
_LOG = ("user_id", "item_id", "timestamp", "kind", "value")
_CHUNK = 1_000_000  # rows of Parquet at once


def found(place: Path) -> bool:
    return any(bare_suffix(path) in SUFFIXES for path in files_of(place))


def columns(path: Path) -> list[str]:
    """The table's column names; of JSON lines those of the first thousand."""
    if bare_suffix(path) == ".parquet":
        with _parquet_errors(path):
            return pl.scan_parquet(path).collect_schema().names()
    if bare_suffix(path) in (".jsonl", ".ndjson"):
        return list(dict.fromkeys(name for _, line in first_lines(path, 1000) for name in parse(line) or {}))
    line = first_line(path)[1]
    return header_of(line, separator_of(line, bare_suffix(path)))


@contextmanager
def _parquet_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError("not a readable Parquet file", where=str(path), remedy="write it again") from error


def matched(names: list[str], mapping: Mapping[str, str]) -> dict[str, str]:
    """Word of genrec → the table's column, by mapping, own name or usual name (letters' case aside)."""
    lower = {name.lower(): name for name in reversed(names)}
    found = {word: name for word, name in mapping.items() if name in names}
    for word, usual in USUAL.items():
        name = next((lower[one] for one in usual if one in lower and lower[one] not in found.values()), None)
        if word not in found and name is not None:
            found[word] = name
    return found


def log_of(place: Path, mapping: Mapping[str, str]) -> Path:
    """The file that holds the interactions; raises DataError when none or several could be meant."""
    tables = [path for path in files_of(place) if bare_suffix(path) in SUFFIXES]
    logs = [path for path in tables if {"user_id", "item_id"} <= matched(columns(path), mapping).keys()]
    named = [path for path in logs if path.name.startswith(("interactions", "ratings"))]
    if len(logs) == 1 or len(named) == 1:
        return (named if len(named) == 1 else logs)[0]
    if logs:
        names = ", ".join(path.name for path in logs)
        raise DataError("several tables could be the log", value=names, where=str(place), remedy="name one file")
    shown = "; ".join(f"{path.name}: {', '.join(columns(path)[:12])}" for path in tables)
    remedy = 'name the columns, such as mapping={"user_id": "customer", "item_id": "product", "timestamp": "date"}'
    raise DataError("no table with users and items", value=shown or "no table", where=str(place), remedy=remedy)


def events(place: Path, mapping: Mapping[str, str], tally: Tally) -> Iterator[tuple[str, pl.DataFrame]]:
    path = log_of(place, mapping)
    names = {word: name for word, name in matched(columns(path), mapping).items() if word in _LOG}
    _check_mapping(path, mapping)
    by_row = mapping.get("timestamp") == ROW
    if "timestamp" not in names and not by_row:
        remedy = f'map a column, mapping={{"timestamp": "…"}}, or let the order of rows count, {{"timestamp": "{ROW}"}}'
        raise DataError("the log has no time", value=columns(path), where=str(path), remedy=remedy)
    for block in _blocks(path, names, tally):
        yield path.name, block.with_columns(timestamp=pl.col("line").cast(pl.String)) if by_row else block


def _check_mapping(path: Path, mapping: Mapping[str, str]) -> None:
    names = columns(path)
    lacking = [name for word, name in mapping.items() if word in _LOG and name not in names and name != ROW]
    if lacking:
        raise DataError(
            "the mapping names a column that the table lacks",
            value=lacking,
            where=str(path),
            allowed=", ".join(names),
            remedy="correct the mapping",
        )


def _blocks(path: Path, names: dict[str, str], tally: Tally) -> Iterator[pl.DataFrame]:
    suffix = bare_suffix(path)
    if suffix == ".parquet":
        yield from _parquet(path, names, tally)
    elif suffix in (".jsonl", ".ndjson"):
        for block in objects(path, tally, "interactions"):
            yield text_columns(block, names, path.name, tally)
    else:
        picked = {word: pl.col(name) for word, name in names.items()}
        for table in delimited(path, tally, "interactions"):
            yield table.select("line", **picked)


def delimited(path: Path, tally: Tally, role: str) -> Iterator[pl.DataFrame]:
    """Blocks of a CSV or TSV file as text, under the header's names (a name that comes twice is an error)."""
    number, line = first_line(path)
    separator = separator_of(line, bare_suffix(path))
    names = header_of(line, separator)
    if len(set(names)) < len(names) or "line" in names:
        raise DataError(
            'a column name stands twice in the header, or is "line"', value=names, where=str(path), remedy="rename it"
        )
    yield from rows(path, names, separator, tally, role, header=number, quoted=True)


def _parquet(path: Path, names: dict[str, str], tally: Tally) -> Iterator[pl.DataFrame]:
    frame = pl.scan_parquet(path)
    schema = frame.collect_schema()
    nested = [name for name in names.values() if schema[name].is_nested()]
    if nested:
        raise DataError("a column holds lists", value=nested, where=str(path), remedy="write one value in each row")
    texts = {word: _as_text(name, schema[name]) for word, name in names.items()}
    total = frame.select(pl.len()).collect().item()
    for start in along(path.name, total, _CHUNK):
        with _parquet_errors(path):
            block = frame.slice(start, _CHUNK).select(**texts).collect()
        line = pl.int_range(start + 1, start + 1 + block.height, eager=True).alias("line")
        tally.add_rows(path.name, "interactions", read=block.height)
        yield block.insert_column(0, line)


def _as_text(name: str, kind: pl.DataType) -> pl.Expr:
    column = pl.col(name)
    if kind in (pl.Date, pl.Datetime):
        return column.dt.epoch("s").cast(pl.String)
    if kind.is_float():
        whole = (column == column.floor()) & (column.abs() < 2**53)
        return pl.when(whole).then(column.cast(pl.Int64, strict=False).cast(pl.String)).otherwise(column)
    return column.cast(pl.String, strict=False)


def items(place: Path, mapping: Mapping[str, str], tally: Tally) -> tuple[str, pl.DataFrame] | None:
    """The catalog of a folder: the table with items and no users. A single file is the log alone."""
    if place.is_file():
        return None
    tables = [path for path in files_of(place) if bare_suffix(path) in SUFFIXES and path != log_of(place, mapping)]
    words = {path: matched(columns(path), mapping) for path in tables}
    choice = [path for path in tables if "item_id" in words[path] and "user_id" not in words[path]]
    if len(choice) > 1:
        names = ", ".join(path.name for path in choice)
        raise DataError("several tables could be the catalog", value=names, where=str(place), remedy="name one")
    return (choice[0].name, catalog(choice[0], mapping, tally)) if choice else None


def catalog(path: Path, mapping: Mapping[str, str], tally: Tally) -> pl.DataFrame:
    """One catalog file: `line`, item_id, title and its further columns as fields, renamed where mapped."""
    table = _rows_of_items(path, tally)
    words = matched(table.columns, mapping)
    if "item_id" not in words:
        remedy = 'map it, such as mapping={"item_id": "sku"}'
        raise DataError("the catalog has no item_id", value=table.columns, where=str(path), remedy=remedy)
    wanted = {"item_id", "title", *mapping} - {"user_id", "timestamp", "kind", "value"}
    new = {name: word for word, name in words.items() if word in wanted and name != word}
    renamed = table.drop([word for word in new.values() if word in table.columns]).rename(new)
    return typed_texts(renamed, LISTS) if bare_suffix(path) in (".csv", ".tsv") else renamed


def _rows_of_items(path: Path, tally: Tally) -> pl.DataFrame:
    suffix = bare_suffix(path)
    if suffix == ".parquet":
        with _parquet_errors(path):
            table = pl.read_parquet(path)
        tally.add_rows(path.name, "catalog", read=table.height)
        line = pl.int_range(1, table.height + 1, eager=True).alias("line")
        return table.drop("line", strict=False).insert_column(0, line)
    if suffix in (".jsonl", ".ndjson"):
        return _objects(path, tally)
    blocks = list(delimited(path, tally, "catalog"))
    return pl.concat(blocks) if blocks else pl.DataFrame(schema=dict.fromkeys(["line", *columns(path)], pl.String))


def _objects(path: Path, tally: Tally) -> pl.DataFrame:
    found = list(objects(path, tally, "catalog"))
    objects_ = [row for block in found for row in block.rows]
    names = list(dict.fromkeys(name for row in objects_ for name in row if name != "line"))
    line = pl.Series("line", [line for block in found for line in block.lines], dtype=pl.Int64)
    return pl.DataFrame([line, *(column_of(name, [row.get(name) for row in objects_]) for name in names)])
