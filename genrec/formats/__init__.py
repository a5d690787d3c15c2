"""Reading interactions and catalogs in the formats that exist: `detect`, `read`.

Every format is one small file that yields text rows with their line numbers; `checks` and `items` say what a good row
is. A bad row is reported and left out, never fatal; a source without a single good row is a DataError.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import polars as pl

from genrec.catalog import Catalog
from genrec.errors import ConfigError, DataError
from genrec.formats import amazon, movielens, movietweetings, recbole, sequences, tables
from genrec.formats.checks import checked
from genrec.formats.items import checked_items, completed
from genrec.formats.places import files_of
from genrec.formats.report import Problem, Report, Tally
from genrec.interactions import COLUMNS, KINDS, Interactions

__all__ = ["FORMATS", "Dataset", "Gathered", "Problem", "Report", "dataset", "detect", "gather", "read", "refuse_empty"]


class Format(Protocol):
    """What a format's module offers; `place` is a folder or file."""

    def found(self, place: Path) -> bool: ...
    def events(self, place: Path, tally: Tally) -> Iterator[tuple[str, pl.DataFrame]]: ...
    def items(self, place: Path, tally: Tally) -> tuple[str, pl.DataFrame] | None: ...


# In the order in which they are tried: the more particular first.
_NAMED: dict[str, Format] = {
    "recbole": recbole,
    "movietweetings": movietweetings,
    "movielens": movielens,
    "sequences": sequences,
    "amazon": amazon,
}
FORMATS = (*_NAMED, "tables")


@dataclass(frozen=True)
class Dataset:
    """Interactions, the catalog with every item of theirs, and the report of how they were read."""

    interactions: Interactions
    catalog: Catalog
    report: Report


@dataclass(frozen=True)
class Gathered:
    """The good rows of a source: interactions, and the table of its items (None: it has no catalog)."""

    interactions: Interactions
    items: pl.DataFrame | None
    tally: Tally


def detect(path: str | Path) -> str:
    """The format's name, one of FORMATS; raises DataError, naming what is there, when it is none of them."""
    place = _existing(path)
    for name, module in _NAMED.items():
        if module.found(place):
            return name
    if tables.found(place):
        return "tables"
    names = [file.name for file in files_of(place)][:12]
    raise DataError(
        "the format is unclear",
        value=names,
        where=str(place),
        allowed=f"{', '.join(FORMATS)}; tables end in {', '.join(tables.SUFFIXES)}",
        remedy="name the format, or the file itself",
    )


def read(
    path: str | Path, format: str | None = None, mapping: Mapping[str, str] | None = None, *,
    catalog: str | Path | None = None, now: float | None = None,
) -> Dataset:  # fmt: skip
    """Reads a folder or file. Items that only the log knows come into the catalog, their id as title.

    format: one of FORMATS, else detected. mapping: word of genrec → column, for tables. catalog: a table of items
    beside the log. now: UTC seconds that times may pass by a day at most, else the clock's.
    Raises DataError when nothing is left, ConfigError for an unknown format.
    """
    gathered = gather(path, format, mapping, catalog=catalog, now=now)
    refuse_empty(gathered, str(path))
    return dataset(gathered.interactions, gathered.items, gathered.tally)


def gather(
    path: str | Path, format: str | None = None, mapping: Mapping[str, str] | None = None, *,
    catalog: str | Path | None = None, now: float | None = None,
) -> Gathered:  # fmt: skip
    """As `read`, but before the catalog is completed, and with no complaint when every row is bad."""
    place, mapping = _existing(path), mapping or {}
    name = format or ("tables" if mapping else detect(place))
    tally = Tally(name, now)
    found = _events(name, place, mapping, tally)
    parts = [checked(block, file, tally) for file, block in found]
    empty = pl.DataFrame(schema=COLUMNS)
    interactions = Interactions.from_table(pl.concat(parts, how="vertical") if parts else empty)
    items = _items(name, place, mapping, catalog, tally)
    return Gathered(interactions, checked_items(items[1], items[0], tally) if items else None, tally)


def dataset(interactions: Interactions, items: pl.DataFrame | None, tally: Tally) -> Dataset:
    """Completes the catalog, notes what was doubtful and closes the report."""
    catalog, added = completed(items, interactions)
    if items is None:
        tally.note("no catalog: the items' ids stand in for their titles")
    elif added:
        tally.note(f"{added:,} items of the log are not in the catalog; they are kept with their id as title")
    _note_kinds(interactions, tally)
    return Dataset(interactions, catalog, tally.report(_facts(interactions, catalog, added)))


def _note_kinds(interactions: Interactions, tally: Tally) -> None:
    if "kind" not in interactions.table.columns:
        return
    kinds = interactions.table["kind"].drop_nulls().unique().sort().to_list()
    unusual = [kind for kind in kinds if kind not in KINDS]
    if unusual:
        tally.note(f"unusual kinds, kept as they are: {', '.join(unusual[:12])}; usual: {', '.join(KINDS)}")


def _facts(interactions: Interactions, catalog: Catalog, added: int) -> dict[str, int]:
    table = interactions.table
    seen = table["item_id"].n_unique()
    facts = {"interactions": table.height, "users": table["user_id"].n_unique(), "items": len(catalog)}
    facts |= {"items_without_interactions": len(catalog) - seen, "items_not_in_catalog": added}
    if table.height:
        facts |= {"first_timestamp": table["timestamp"][0], "last_timestamp": table["timestamp"][-1]}
    return facts


def _events(
    name: str, place: Path, mapping: Mapping[str, str], tally: Tally
) -> Iterator[tuple[str, pl.DataFrame]]:  # fmt: skip
    if name == "tables":
        return tables.events(place, mapping, tally)
    if name not in _NAMED:
        raise ConfigError("no such format", value=name, allowed=", ".join(FORMATS), remedy="choose one of these")
    if mapping:
        raise ConfigError(
            "only tables have a mapping of columns", value=dict(mapping), where=name, remedy='format="tables"'
        )
    return _NAMED[name].events(place, tally)


def _items(
    name: str, place: Path, mapping: Mapping[str, str], catalog: str | Path | None, tally: Tally
) -> tuple[str, pl.DataFrame] | None:
    if catalog is not None:
        path = _existing(catalog)
        return path.name, tables.catalog(path, mapping, tally)
    return tables.items(place, mapping, tally) if name == "tables" else _NAMED[name].items(place, tally)


def _existing(path: str | Path) -> Path:
    place = Path(path)
    if not place.exists():
        raise DataError("no such file or folder", value=str(place), remedy="check the path")
    return place


def refuse_empty(gathered: Gathered, where: str) -> None:
    """Raises DataError, with the first problems, when not one good row was found."""
    if len(gathered.interactions):
        return
    report = gathered.tally.report()
    if not report.read:
        raise DataError("there is not one row", where=where, remedy="check that the file is not empty")
    first = "; ".join(str(problem) for problem in report.problems[:3])
    raise DataError(f"all {report.read:,} rows are bad", where=where, remedy=f"see the first: {first}")
