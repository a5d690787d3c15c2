"""Lines to text columns at a separator, with or without quotes (RFC 4180). Knows no column's meaning.

A quoted field may run over at most `LONGEST_RECORD` lines; a quote that is not closed by then spoils its own line
only. Quoted fields of more than 131,072 characters (Python's csv limit) are reported.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl

from genrec.formats.lines import blocks
from genrec.formats.report import Tally

LONGEST_RECORD = 100
_SHAPE = "has another number of columns than the header or format says, or a quote that does not close"


def header_of(line: str, separator: str) -> list[str]:
    """The names in a header line, without blanks around them."""
    try:
        names = next(csv.reader([line], delimiter=separator), [])
    except csv.Error:  # a carriage return within the line, or an endless name
        names = line.split(separator)
    return [name.strip() for name in names]


def separator_of(line: str, suffix: str) -> str:
    """Tab for .tsv, else the commonest of comma, semicolon, tab and bar in the header; comma when there is none."""
    if suffix == ".tsv":
        return "\t"
    best = max(",;\t|", key=line.count)
    return best if best in line else ","


def rows(
    path: Path, names: Sequence[str], separator: str, tally: Tally, role: str, *,
    header: int, quoted: bool, encoding: str = "utf-8",
) -> Iterator[pl.DataFrame]:  # fmt: skip
    """Blocks `line` and the `names` as text. Rows of another width are counted, reported and left out.

    header: the number of the line that holds the names, 0 when there is none.
    """
    carried: pl.DataFrame | None = None
    yield pl.DataFrame(schema={"line": pl.Int64} | dict.fromkeys(names, pl.String))  # so that an empty file has columns
    for block in blocks(path, tally, role, encoding):
        block = block.filter(pl.col("line") > header)
        if quoted:
            block, carried = _joined(block if carried is None else pl.concat([carried, block]), separator)
        yield _parsed(block, names, separator, quoted, path.name, role, tally)
    if carried is not None and carried.height:
        rest, _ = _joined(carried, separator, last=True)
        yield _parsed(rest, names, separator, quoted, path.name, role, tally)


def _parsed(
    block: pl.DataFrame, names: Sequence[str], separator: str, quoted: bool, file: str, role: str, tally: Tally
) -> pl.DataFrame:
    tally.add_rows(file, role, read=block.height)
    has_quote = pl.col("text").str.contains('"', literal=True)
    plain, rest = (block.filter(~has_quote), block.filter(has_quote)) if quoted else (block, block[:0])
    right = pl.col("text").str.count_matches(separator, literal=True) == len(names) - 1
    wrong = plain.filter(~right)
    _report_width(wrong["line"].to_list(), wrong["text"].to_list(), len(names), file, tally)
    pieces = pl.col("text").str.split_exact(separator, max(len(names) - 1, 1)).struct
    table = plain.filter(right).select("line", *(pieces[f"field_{k}"].alias(name) for k, name in enumerate(names)))
    if not rest.height:
        return table
    return pl.concat([table, _unquoted(rest, names, separator, file, tally)]).sort("line")


def _unquoted(block: pl.DataFrame, names: Sequence[str], separator: str, file: str, tally: Tally) -> pl.DataFrame:
    lines, texts = block["line"].to_list(), block["text"].to_list()
    split = [_fields(text, separator) for text in texts]
    wrong = [k for k, fields in enumerate(split) if len(fields) != len(names)]
    _report_width([lines[k] for k in wrong], [texts[k] for k in wrong], len(names), file, tally)
    good = [[line, *fields] for line, fields in zip(lines, split, strict=True) if len(fields) == len(names)]
    schema = {"line": pl.Int64} | dict.fromkeys(names, pl.String)
    return pl.DataFrame(good, schema=schema, orient="row")


def _fields(text: str, separator: str) -> list[str]:
    try:
        return next(csv.reader([text], delimiter=separator, strict=True), [])
    except csv.Error:
        return []


def _report_width(lines: list[int], texts: list[str], width: int, file: str, tally: Tally) -> None:
    remedy = f"give the line {width} columns; quote a value that holds the separator"
    tally.problem(file, "(line)", _SHAPE, remedy, lines, texts)


def _joined(block: pl.DataFrame, separator: str, *, last: bool = False) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Records that run over several lines made one row, numbered by their first line; and what must wait.

    Only lines with an odd number of quotes can open such a record, so only these are looked at one by one.
    """
    odd = block["text"].str.count_matches('"', literal=True) % 2 == 1
    if not odd.any():
        return block, block[:0]
    lines, texts = block["line"].to_list(), block["text"].to_list()
    gone, done = set[int](), -1
    for start in odd.arg_true().to_list():
        if start <= done or not _is_open(texts[start], separator):
            continue
        whole, end = _closed(lines, texts, start, separator)
        if end < 0 and not last and len(texts) - start < LONGEST_RECORD:
            return _without(lines[:start], texts[:start], gone), block[start:]
        if end > 0:
            texts[start], done = whole, end
            gone.update(range(start + 1, end + 1))
    return _without(lines, texts, gone), block[:0]


def _closed(lines: list[int], texts: list[str], start: int, separator: str) -> tuple[str, int]:
    """The record that opens at `start` and the place of its last line, -1 when it does not close."""
    whole = texts[start]
    for end in range(start + 1, min(start + LONGEST_RECORD, len(texts))):
        whole += "\n" * (lines[end] - lines[end - 1]) + texts[end]
        if '"' in texts[end] and not _is_open(whole, separator):
            return whole, end
    return "", -1


def _without(lines: list[int], texts: list[str], gone: set[int]) -> pl.DataFrame:
    keep = [k for k in range(len(lines)) if k not in gone]
    schema = {"line": pl.Int64, "text": pl.String}
    return pl.DataFrame({"line": [lines[k] for k in keep], "text": [texts[k] for k in keep]}, schema=schema)


def _is_open(text: str, separator: str) -> bool:
    try:
        list(csv.reader([text], delimiter=separator, strict=True))
    except csv.Error as error:
        return "unexpected end of data" in str(error)
    return False
