"""Text rows of interactions to typed rows, each bad row counted and reported. Knows no file format.

Rules. Ids: not empty, not a written-out missing value (NaN, null, None), at most 100,000 characters; blanks around
them are cut. Times: ISO 8601 (without an offset: UTC), or a number since 1970, in seconds when below 1e11, in
milliseconds below 1e14, in microseconds below 1e17, else in nanoseconds; fractions of seconds are cut; not before
1970, and not more than a day after now. Values: a finite number, or empty for none. Kinds: lower-cased text.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from genrec.formats.report import Tally

LONGEST = 100_000  # characters of a text field
DAY = 86_400
MISSING = ("", "nan", "NaN", "NAN", "null", "NULL", "None", "NONE")
_TYPES = {"user_id": pl.String, "item_id": pl.String, "timestamp": pl.Int64, "kind": pl.String, "value": pl.Float64}
_CLOCKS = ("%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d")
_OFFSET_CLOCKS = ("%Y-%m-%dT%H:%M:%S%.f%z", "%Y-%m-%dT%H:%M%z")


@dataclass(frozen=True)
class _Rule:
    """`bad` is true, never null, where a row breaks the rule."""

    column: str
    what: str
    remedy: str
    bad: pl.Expr


def checked(block: pl.DataFrame, file: str, tally: Tally) -> pl.DataFrame:
    """The good rows of a block (`line` and text columns), typed; bad ones go to the tally, a row once per problem."""
    names = [name for name in _TYPES if name in block.columns]
    typed = _typed(block, names)
    rules = list(_rules(names, tally.now))
    flags = typed.select(rule.bad.alias(str(k)) for k, rule in enumerate(rules))
    bad = flags.select(pl.any_horizontal(pl.all()).alias("bad"))["bad"]
    if bad.any():
        for k, rule in enumerate(rules):
            rows = block.filter(flags[str(k)])
            tally.problem(file, rule.column, rule.what, rule.remedy, rows["line"], rows[rule.column])
        typed = typed.filter(~bad)
    tally.add_rows(file, "interactions", kept=typed.height)
    return typed.select(pl.col(name).cast(_TYPES[name]) for name in names)


def _typed(block: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    """Ids and kinds trimmed, `timestamp` and `value` as Float64 (null where they are none)."""
    trimmed = block.select(pl.col(name).str.strip_chars() for name in names)
    columns = [pl.col("timestamp").cast(pl.Float64, strict=False)]
    if "value" in names:
        columns.append(pl.col("value").cast(pl.Float64, strict=False))
        columns.append((pl.col("value").fill_null("") != "").alias("has_value"))
    if "kind" in names:
        columns.append(pl.when(pl.col("kind") != "").then(pl.col("kind").str.to_lowercase()).alias("kind"))
    typed = trimmed.with_columns(columns)
    return typed.with_columns(seconds(typed["timestamp"], trimmed["timestamp"]))


def seconds(numbers: pl.Series, texts: pl.Series) -> pl.Series:
    """UTC seconds, whole but Float64, from numbers, or from ISO text where that is null; null for neither."""
    size = pl.col("number").abs()
    unit = pl.when(size < 1e11).then(1).when(size < 1e14).then(1e3).when(size < 1e17).then(1e6).otherwise(1e9)
    table = pl.DataFrame({"number": numbers, "text": texts})
    counted = table.select((pl.col("number") / unit).floor().alias(numbers.name))[numbers.name]
    return counted if not counted.null_count() else counted.fill_null(_iso(texts))


def _iso(texts: pl.Series) -> pl.Series:
    text = pl.col(texts.name).str.replace(" ", "T", literal=True)
    plain = [
        text.str.strip_suffix("Z").str.to_datetime(clock, strict=False, time_unit="us").dt.epoch("s")
        for clock in _CLOCKS
    ]
    offset = [
        text.str.to_datetime(clock, strict=False, time_unit="us", time_zone="UTC").dt.epoch("s")
        for clock in _OFFSET_CLOCKS
    ]
    found = pl.DataFrame([texts]).select(pl.coalesce(*plain, *offset).cast(pl.Float64).alias(texts.name))
    return found[texts.name]


def _rules(names: list[str], now: float) -> Iterator[_Rule]:
    for name in ("user_id", "item_id"):
        missing = pl.col(name).is_null() | pl.col(name).is_in(MISSING)
        yield _Rule(name, "is missing", "give every row an id, or delete the row", missing)
        yield _too_long(name)
    time = pl.col("timestamp")
    allowed = "write ISO 8601 (2024-05-31T12:00:00Z) or seconds or milliseconds since 1970"
    yield _Rule("timestamp", "is not a time", allowed, time.is_null() | time.is_nan() | time.is_infinite())
    finite = time.fill_null(0).fill_nan(0)
    yield _Rule("timestamp", "is before 1970", allowed, (finite < 0) & finite.is_finite())
    later = f"check the unit and the clock: later than {int(now)} + 1 day"
    yield _Rule("timestamp", "lies in the future", later, (finite > now + DAY) & finite.is_finite())
    if "kind" in names:
        yield _too_long("kind")
    if "value" in names:
        value = pl.col("value")
        remedy = "write a finite number, or leave the value empty"
        yield _Rule("value", "is not a number", remedy, value.is_null() & pl.col("has_value"))
        yield _Rule("value", "is not finite", remedy, ~value.fill_null(0).is_finite())


def _too_long(name: str) -> _Rule:
    length = pl.col(name).str.len_chars().fill_null(0)
    return _Rule(name, f"is longer than {LONGEST:,} characters", "shorten it", length > LONGEST)
