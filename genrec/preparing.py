"""From a source in any format to a prepared folder: interactions.parquet, catalog.parquet, report.json.

Does not know splits or models. Every rule is a step in the report with the number of rows before and after.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict, Field

from genrec.catalog import Catalog
from genrec.errors import DataError, StorageError
from genrec.formats import Dataset, Report, dataset, gather, refuse_empty
from genrec.formats.report import Step
from genrec.interactions import Interactions
from genrec.ragged import Int64
from genrec.storage import replaced

FILES = ("interactions.parquet", "catalog.parquet", "report.json")


class PrepareConfig(BaseModel):
    """How a source is read and what of it is kept; the rules are applied in the order of the fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: str | None = None
    """One of genrec.formats.FORMATS; None finds it out."""
    mapping: dict[str, str] = {}
    """For tables: user_id, item_id, timestamp, kind, value, title → the name of the column."""
    catalog: Path | None = None
    """A table of items beside a log that brings none, or another than it brings."""
    kinds: tuple[str, ...] | None = None
    """Only interactions of these kinds are kept; None keeps all. The source must have the column kind."""
    min_value: float | None = None
    """Only interactions of at least this value are kept (ratings of 4 and more); None keeps all, also those without.
    Of rows with equal user, item and time the first is kept, always, after this rule."""
    repeats: Literal["keep", "first"] = "keep"
    """Whether later interactions of a user with the same item stay, or only the first."""
    min_user: int = Field(default=1, ge=1)
    """Least number of interactions of a user …"""
    min_item: int = Field(default=1, ge=1)
    """… and of an item; both rules are repeated until nothing changes (k-core). Items stay in the catalog."""


def prepare(source: str | Path, out: str | Path, config: PrepareConfig | None = None) -> Dataset:
    """Reads, filters and writes `out`, a new folder or one that was prepared before, which is then replaced.

    Written aside and renamed at the end: `out` is whole, as it was, or absent, never half. Raises DataError when
    nothing is left, StorageError when the disk refuses or `out` holds something else.
    """
    config, out = config or PrepareConfig(), Path(out)
    _refuse_foreign(out)
    gathered = gather(source, config.format, config.mapping, catalog=config.catalog)
    refuse_empty(gathered, str(source))
    kept, steps = filtered(gathered.interactions, config)
    done = dataset(kept, gathered.items, gathered.tally)
    done = replace(done, report=replace(done.report, steps=tuple(steps)))
    _write(done, out)
    return done


def save(data: Dataset, out: str | Path) -> None:
    """Writes what did not come from a source, such as a simulated world, the way `prepare` does."""
    _refuse_foreign(Path(out))
    _write(data, Path(out))


def validate(source: str | Path, config: PrepareConfig | None = None) -> Report:
    """The report of reading the source, without writing. A source whose rows are all bad has kept == 0.

    Raises DataError for a source that is empty or cannot be read.
    """
    config = config or PrepareConfig()
    gathered = gather(source, config.format, config.mapping, catalog=config.catalog)
    if not gathered.tally.report().read:
        refuse_empty(gathered, str(source))
    return dataset(gathered.interactions, gathered.items, gathered.tally).report


def load(folder: str | Path) -> Dataset:
    """What `prepare` wrote; raises DataError when a file is missing or not what it should be."""
    folder = Path(folder)
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise DataError(
            "not a prepared folder: files are missing", value=missing, where=str(folder), remedy="run genrec prepare"
        )
    try:
        interactions = Interactions.from_table(pl.read_parquet(folder / FILES[0]))
        catalog = Catalog.from_table(pl.read_parquet(folder / FILES[1]))
        report = Report.from_dict(json.loads((folder / FILES[2]).read_text("utf-8")))
    except (pl.exceptions.PolarsError, OSError, ValueError, KeyError, TypeError) as error:
        raise DataError("a prepared file is damaged", where=str(folder), remedy="run genrec prepare again") from error
    return Dataset(interactions, catalog, report)


def filtered(interactions: Interactions, config: PrepareConfig) -> tuple[Interactions, list[Step]]:
    """The interactions that the config keeps, and the steps there. Raises DataError when a step leaves nothing."""
    table, steps = interactions.table, list[Step]()
    for name, rule, keep in _rules(config):
        before, table = table.height, keep(table)
        steps.append(Step(name, before, table.height, rule))
        if not table.height:
            raise DataError(
                "no interaction is left", value=f"{before:,} before", where=f"step {name!r}: {rule}",
                remedy="loosen this rule",
            )  # fmt: skip
    return Interactions(table), steps


Keep = Callable[[pl.DataFrame], pl.DataFrame]


def _rules(config: PrepareConfig) -> Iterator[tuple[str, str, Keep]]:
    """(name, rule in words, what it keeps), in order."""
    kinds, least = config.kinds, config.min_value
    if kinds is not None:
        yield "kinds", f"only {', '.join(kinds)}", lambda table: _column(table, "kind", pl.col("kind").is_in(kinds))
    if least is not None:
        rule = f"only values of {least} and more"
        yield "values", rule, lambda table: _column(table, "value", pl.col("value") >= least)
    yield "duplicates", "of equal user, item and time the first is kept", lambda table: _firsts(table, timed=True)
    if config.repeats == "first":
        yield "repeats", "of equal user and item the first is kept", lambda table: _firsts(table, timed=False)
    if max(config.min_user, config.min_item) > 1:
        rule = f"users with {config.min_user} and items with {config.min_item} interactions or more, repeatedly"
        yield "k-core", rule, lambda table: _core(table, config.min_user, config.min_item)


def _column(table: pl.DataFrame, name: str, keep: pl.Expr) -> pl.DataFrame:
    if name not in table.columns:
        raise DataError("the source has no such column", value=name, remedy="map it, or drop the rule that needs it")
    return table.filter(keep)


def _codes(texts: pl.Series) -> Int64:
    """Numbers from 0 that stand for the different texts, int64 [rows]."""
    names = texts.unique(maintain_order=True).to_frame().with_row_index("code")
    return texts.to_frame().join(names, on=texts.name, maintain_order="left")["code"].to_numpy().astype(np.int64)


def _firsts(table: pl.DataFrame, *, timed: bool) -> pl.DataFrame:
    user, item = _codes(table["user_id"]), _codes(table["item_id"])
    keys = pl.DataFrame({"pair": user * (int(item.max(initial=0)) + 1) + item, "time": table["timestamp"]})
    first = keys.select(pl.struct("pair", "time").is_first_distinct() if timed else pl.col("pair").is_first_distinct())
    return table.filter(first.to_series())


def _core(table: pl.DataFrame, min_user: int, min_item: int) -> pl.DataFrame:
    user, item = _codes(table["user_id"]), _codes(table["item_id"])
    rows = np.arange(table.height)
    while True:
        enough = (np.bincount(user[rows])[user[rows]] >= min_user) & (np.bincount(item[rows])[item[rows]] >= min_item)
        if enough.all():
            return table[rows]
        rows = rows[enough]


def _refuse_foreign(out: Path) -> None:
    if out.is_dir() and not any(out.iterdir()):
        return
    if out.exists() and not (out.is_dir() and {path.name for path in out.iterdir()} <= set(FILES)):
        raise StorageError(
            "the output folder holds something else", value=str(out), remedy="name a new folder, or empty this one"
        )


def _write(done: Dataset, out: Path) -> None:
    with replaced(out) as new:
        done.interactions.table.write_parquet(new / FILES[0])
        done.catalog.table.write_parquet(new / FILES[1])
        (new / FILES[2]).write_text(json.dumps(done.report.to_dict(), ensure_ascii=False, indent=1), "utf-8")
