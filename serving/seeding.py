"""Prepared data → events of the store, so that a server knows the users that its bundle was trained on. Knows no HTTP.

Every event has a key made of the data, so that a start after the first stores nothing twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from genrec.preparing import load
from serving.store import EventStore, NewEvent

_PART = 5000  # events of one transaction


def seed(store: EventStore, data: Path) -> int:
    """How many events were new. Raises DataError for a folder that is not prepared, StorageError."""
    table = load(data).interactions.table
    name = str(table.hash_rows(seed=0).sum() % 2**48)
    if not len(table) or store.holds(f"data-{name}-{len(table) - 1}"):
        return 0  # stored in order, each part whole: where the last event is, the others are
    parts = range(0, len(table), _PART)
    return sum(store.append(list(_events(table, name, start))).stored for start in parts)


def _events(table: pl.DataFrame, name: str, start: int) -> Iterator[NewEvent]:
    """Those of one part; without a kind an interaction with a value is a rating, all others are clicks."""
    plain = "rating" if "value" in table.columns else "click"
    for number, row in enumerate(table.slice(start, _PART).iter_rows(named=True), start):
        yield NewEvent(
            user_id=row["user_id"], item_id=row["item_id"], timestamp=row["timestamp"],
            kind=row.get("kind") or plain, value=row.get("value"), key=f"data-{name}-{number}",
        )  # fmt: skip
