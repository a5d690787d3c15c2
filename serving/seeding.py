"""Prepared data → events of the store, so that a server knows the users that its bundle was trained on. Knows no HTTP.

Every event has a key made of itself, so that nothing is stored twice, also where the data has grown since.
"""

from __future__ import annotations

import time
from hashlib import blake2b
from pathlib import Path

import polars as pl

from genrec.errors import DataError
from genrec.preparing import load
from serving.store import EventStore

_PART = 50_000  # events of one transaction
_LONGEST = 256  # characters of an id


def seed(store: EventStore, data: Path) -> int:
    """How many events were taken over, 0 where they are there already. Raises DataError, StorageError."""
    rows = _rows(load(data).interactions.table)
    if not len(rows) or store.holds(rows["key"][-1]):
        return 0  # stored in order, each part whole: where the last event is, the others are
    for start in range(0, len(rows), _PART):
        store.take_over(rows.slice(start, _PART).to_dicts())
    return len(rows)


def _rows(table: pl.DataFrame) -> pl.DataFrame:
    """As the store's table has them. Without a kind an interaction with a value is a rating, all others are clicks."""
    for column in ("user_id", "item_id"):
        wrong = table.filter(
            ~pl.col(column).str.len_chars().is_between(1, _LONGEST) | pl.col(column).str.contains("\0")
        )
        if len(wrong):
            raise DataError("an id cannot be stored", value=wrong[column][0], allowed=f"1 to {_LONGEST} characters")
    plain, columns = pl.lit("rating" if "value" in table.columns else "click"), set(table.columns)
    return table.select(
        "user_id", "item_id", "timestamp",
        (pl.col("kind").fill_null(plain) if "kind" in columns else plain).alias("kind"),
        pl.lit(True).alias("in_history"),
        (pl.col("value") if "value" in columns else pl.lit(None, dtype=pl.Float64)).alias("value"),
        pl.Series("key", [_key(*row) for row in table.select("user_id", "item_id", "timestamp").iter_rows()]),
        pl.lit(int(time.time())).alias("received_at"),
    )  # fmt: skip


def _key(user: str, item: str, timestamp: int) -> str:
    """Of one event; prepared data holds a user's choice of an item at one moment once."""
    return f"data-{blake2b(f'{user} {item} {timestamp}'.encode(), digest_size=15).hexdigest()}"
