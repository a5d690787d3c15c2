"""How films relate: to the themes that viewers follow, and to the film seen just before.

Knows film facts only; knows no viewer and no time.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

from genrec.catalog import Catalog
from genrec.errors import DataError
from genrec.world.films import DATA

Float64 = npt.NDArray[np.float64]

FACTS = ("year", "director", "cast", "genres", "keywords", "country")
ADMIRED = 15  # films at least this close to a theme count as fully in it
DIGITS = 6  # rounding hides the order in which a BLAS adds up, so that every machine sees the same films


@dataclass(frozen=True)
class TasteSpace:
    """What the films mean to viewers.

    affinity: [films, themes] in [0, 1], how much a film belongs to a theme.
    follow: [films, films] in [0, 1], `follow[i, j]`: how naturally j is watched just after i; not symmetric.
    """

    themes: list[str]
    affinity: Float64
    follow: Float64

    @classmethod
    def of(cls, films: Catalog) -> TasteSpace:
        """Needs the fact columns of the bundled films; raises DataError without them."""
        missing = [name for name in FACTS if name not in films.table.columns]
        if missing:
            raise DataError("the films lack facts", value=missing, allowed=", ".join(FACTS), remedy="see load_films")
        themes = load_themes()
        return cls(list(themes), _affinity(films, themes), _follow(films))

    @cached_property
    def kinship(self) -> Float64:
        """[themes, themes] in [0, 1]: the cosine of two themes' films."""
        unit = self.affinity / np.maximum(np.linalg.norm(self.affinity, axis=0), 1e-12)
        return np.asarray(unit.T @ unit)


def load_themes() -> dict[str, dict[str, float]]:
    """Theme → fact (keyword, genre, director, country or decade, "1950s") → weight."""
    themes: dict[str, dict[str, float]] = json.loads((DATA / "themes.json").read_text(encoding="utf-8"))
    return themes


def _affinity(films: Catalog, themes: dict[str, dict[str, float]]) -> Float64:
    facts, present = _incidence(films, ("decade", "director", "genres", "keywords", "country"))
    weights = np.array([[theme.get(fact, 0.0) for theme in themes.values()] for fact in facts])
    raw = present @ weights
    place = max(0, len(films) - ADMIRED)
    top = np.maximum(np.partition(raw, place, axis=0)[place], 1e-9)
    return np.asarray(np.round(np.minimum(raw / top, 1.0), DIGITS))


def _follow(films: Catalog) -> Float64:
    """Shared directors, actors and rare keywords; the next film of a director weighs more than an earlier one."""
    people = _shared(films, ("cast",)) + 2.0 * _shared(films, ("director",)) * _onward(films)
    _, present = _incidence(films, ("keywords",))
    rarity = present * np.log(len(films) / present.sum(axis=0))
    topics = rarity @ present.T
    likeness = people + 2.0 * topics / np.maximum(np.diag(topics)[:, None], 1e-9)
    np.fill_diagonal(likeness, 0.0)
    return np.asarray(np.round(likeness / np.maximum(likeness.max(axis=1, keepdims=True), 1e-9), DIGITS))


def _onward(films: Catalog) -> Float64:
    """[films, films]: 1 for the year just after, less for later, least for earlier."""
    years = films.table["year"].to_numpy()
    ahead = years[None, :] - years[:, None]
    return np.where(ahead >= 0, 0.4 + 0.6 * np.exp(-np.maximum(ahead, 0) / 8.0), 0.3)


def _shared(films: Catalog, columns: Iterable[str]) -> Float64:
    _, present = _incidence(films, columns)
    return np.minimum(present @ present.T, 1.0)


def _incidence(films: Catalog, columns: Iterable[str]) -> tuple[list[str], Float64]:
    """The distinct facts of some columns, sorted, and which film has which: 0 or 1, [films, facts]."""
    table = films.table.with_row_index("row").with_columns(
        decade=(pl.col("year") // 10 * 10).cast(pl.String) + "s", director=pl.col("director").cast(pl.String)
    )
    long = pl.concat([_long(table, column) for column in columns]).unique().sort("row", "fact")
    facts = long["fact"].unique().sort()
    present = np.zeros((len(films), len(facts)))
    present[long["row"].to_numpy(), facts.search_sorted(long["fact"]).to_numpy()] = 1.0
    return facts.to_list(), present


def _long(table: pl.DataFrame, column: str) -> pl.DataFrame:
    """(row, fact) pairs of a text or list column."""
    pairs = table.select("row", fact=pl.col(column))
    pairs = pairs.explode("fact") if pairs.schema["fact"].is_nested() else pairs
    return pairs.filter(pl.col("fact").is_not_null())
