"""MovieLens: 100k (u.data, u.item), 1M and 10M (ratings.dat, movies.dat), latest and 20M to 32M (ratings.csv,
movies.csv), and histories without times (sequences.tsv, movies.dat; see sequences).

Each rating is an interaction of kind "rating" with the stars as value. Titles lose the year, which becomes the field
`year`, and get their article back; `genres` is a list. Of u.item the release date becomes `released`; the video
release date and the link are left out. Item files that are not UTF-8 are read as latin-1.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from genrec.errors import DataError
from genrec.formats import sequences
from genrec.formats.delimited import rows
from genrec.formats.items import split_lists, split_titles
from genrec.formats.lines import encoding_of, first_line
from genrec.formats.places import part
from genrec.formats.report import Tally

RATINGS = ["user_id", "item_id", "value", "timestamp"]
_GENRES = (
    *("unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama"),
    *("Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western"),
)
_FLAGS = ["item_id", "title", "released", "video", "link", *_GENRES]


def found(place: Path) -> bool:
    return any(
        part(place, [log]) and part(place, [films])
        for log, films in (
            ("u.data", "u.item"), ("ratings.dat", "movies.dat"), ("ratings.csv", "movies.csv"),
            ("sequences.tsv", "movies.dat"),
        )
    ) or part(place, ["u.data"]) is not None  # fmt: skip


def events(place: Path, tally: Tally) -> Iterator[tuple[str, pl.DataFrame]]:
    path = part(place, ["u.data", "ratings.dat", "ratings.csv"])
    if path is None and sequences.found(place):
        yield from sequences.events(place, tally)
        return
    if path is None:
        known = "u.data, ratings.dat, ratings.csv, sequences.tsv"
        raise DataError("no MovieLens ratings here", where=str(place), allowed=known, remedy="name the format")
    yield from ratings(path, tally)


def ratings(path: Path, tally: Tally) -> Iterator[tuple[str, pl.DataFrame]]:
    """Blocks of user, item, value, time, at tabs (.data), "::" (.dat) or commas with a header (.csv)."""
    name = path.name.removesuffix(".gz")
    separator = "\t" if name.endswith(".data") else "::" if name.endswith(".dat") else ","
    header = first_line(path)[0] if separator == "," else 0
    for block in rows(path, RATINGS, separator, tally, "interactions", header=header, quoted=separator == ","):
        yield path.name, block.with_columns(kind=pl.lit("rating"))


def items(place: Path, tally: Tally) -> tuple[str, pl.DataFrame] | None:
    path = part(place, ["u.item", "movies.dat", "movies.csv"])
    if path is None:
        return None
    return path.name, _flagged(path, tally) if path.name.startswith("u.item") else films(path, tally)


def films(path: Path, tally: Tally) -> pl.DataFrame:
    """`line`, item_id, title, year, genres from `id, title (year), genre|genre`, at "::" or in CSV."""
    plain = path.name.removesuffix(".gz").endswith(".dat")
    separator, header = ("::", 0) if plain else (",", first_line(path)[0])
    names = ["item_id", "title", "genres"]
    encoding = encoding_of(path)
    parts = rows(path, names, separator, tally, "catalog", header=header, quoted=not plain, encoding=encoding)
    title, year = split_titles(pl.col("title"))
    genres = split_lists(pl.col("genres"), "|")
    return pl.concat(list(parts)).select("line", "item_id", title=title, year=year, genres=genres)


def _flagged(path: Path, tally: Tally) -> pl.DataFrame:
    """u.item: one 0/1 column for each genre."""
    parts = rows(path, _FLAGS, "|", tally, "catalog", header=0, quoted=False, encoding=encoding_of(path))
    title, year = split_titles(pl.col("title"))
    named = [pl.when(pl.col(genre) == "1").then(pl.lit(genre)) for genre in _GENRES]
    genres = pl.concat_list(named).list.drop_nulls()
    released = pl.col("released").str.to_date("%d-%b-%Y", strict=False)
    return pl.concat(list(parts)).select(
        "line", "item_id", title=title, year=year, genres=genres, released=released
    )  # fmt: skip
