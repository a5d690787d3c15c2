"""MovieTweetings: ratings.dat (user::item::0 to 10::seconds) and movies.dat (item::title (year)::genre|genre), UTF-8.

The files are named as those of MovieLens 1M; item ids are IMDb numbers of seven or more digits, which tells the two
apart. Titles and genres are treated as MovieLens'.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from genrec.errors import DataError
from genrec.formats.lines import first_line
from genrec.formats.movielens import films, ratings
from genrec.formats.places import part
from genrec.formats.report import Tally


def found(place: Path) -> bool:
    path = part(place, ["ratings.dat"])
    fields = first_line(path)[1].split("::") if path else []
    return len(fields) == 4 and len(fields[1]) >= 7 and fields[1].isdigit()


def events(place: Path, tally: Tally) -> Iterator[tuple[str, pl.DataFrame]]:
    path = part(place, ["ratings.dat"])
    if path is None:
        raise DataError("no ratings here", where=str(place), allowed="ratings.dat", remedy="name the format")
    yield from ratings(path, tally)


def items(place: Path, tally: Tally) -> tuple[str, pl.DataFrame] | None:
    path = part(place, ["movies.dat"])
    return (path.name, films(path, tally)) if path else None
