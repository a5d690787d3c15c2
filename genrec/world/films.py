"""The bundled films as a catalog. Knows one file; knows nothing of viewers or tastes."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from genrec.catalog import Catalog

DATA = Path(__file__).parent.parent / "data"
SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "item_id": pl.String,
    "title": pl.String,
    "year": pl.Int64,
    "director": pl.String,
    "cast": pl.List(pl.String),
    "genres": pl.List(pl.String),
    "keywords": pl.List(pl.String),
    "country": pl.String,
    "runtime": pl.Int64,
    "description": pl.String,
}


def load_films() -> Catalog:
    """More than 600 real films with their facts, sorted by (year, title).

    Columns beside `item_id` and `title`: year, director ("A and B" for two), cast, genres, keywords (lists),
    country, runtime (minutes), description (one sentence, written for this project).
    """
    return Catalog.from_table(pl.read_ndjson(DATA / "films.jsonl", schema=SCHEMA))
