"""Interactions: who did what when, in a checked table, and as arrays for the hot paths.

Does not know files (see formats) nor splits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from genrec.errors import DataError
from genrec.ragged import Int64, Ragged

COLUMNS = {"user_id": pl.String, "item_id": pl.String, "timestamp": pl.Int64}
OPTIONAL = {"kind": pl.String, "value": pl.Float64}
KINDS = ("view", "click", "like", "purchase", "rating", "dislike", "play", "skip")


@dataclass(frozen=True)
class Interactions:
    """A table `user_id, item_id, timestamp` (UTC seconds) and perhaps `kind`, `value`.

    Rows are sorted by (timestamp, original row): ties keep the order in which they were read.
    """

    table: pl.DataFrame

    @classmethod
    def from_table(cls, table: pl.DataFrame) -> Interactions:
        """Checks columns, types and values, drops unknown columns, sorts by time (stable).

        Raises DataError for a missing column, a value of another type, an empty id or time, a value not finite.
        """
        missing = [name for name in COLUMNS if name not in table.columns]
        if missing:
            raise DataError(
                "interactions lack columns", value=missing, allowed=", ".join(COLUMNS), remedy="map or add them"
            )
        kept = {name: kind for name, kind in (COLUMNS | OPTIONAL).items() if name in table.columns}
        try:
            typed = table.select(pl.col(name).cast(kind) for name, kind in kept.items())
        except pl.exceptions.PolarsError as error:
            raise DataError(
                "a column of the interactions has another type",
                value={name: str(table.schema[name]) for name in kept},
                allowed=", ".join(f"{name}: {kind}" for name, kind in kept.items()),
                remedy="convert the column; timestamps are UTC seconds",
            ) from error
        _check_values(typed)
        return cls(typed.sort("timestamp", maintain_order=True))

    def __len__(self) -> int:
        return self.table.height

    @property
    def users(self) -> list[str]:
        """User ids, sorted as text."""
        return self.table["user_id"].unique().sort().to_list()

    def before(self, time: int) -> Interactions:
        return Interactions(self.table.filter(pl.col("timestamp") < time))

    def since(self, time: int) -> Interactions:
        return Interactions(self.table.filter(pl.col("timestamp") >= time))

    def by_user(self, item_ids: Sequence[str]) -> pl.DataFrame:
        """The events of these items, user by user, oldest first; the column `item` is the place in `item_ids`."""
        numbers = pl.DataFrame({"item_id": list(item_ids)}, schema={"item_id": pl.String}).with_row_index("item")
        return (
            self.table.with_row_index("row")
            .join(numbers, on="item_id", how="inner")
            .sort("user_id", "timestamp", "row", maintain_order=True)
        )

    def histories(self, item_ids: Sequence[str]) -> Histories:
        """The histories as arrays; items are numbered by their place in `item_ids`, others left out."""
        rows = self.by_user(item_ids)
        users, items = parted(rows)
        return Histories(users, items, rows["timestamp"].to_numpy().astype(np.int64))


def parted(rows: pl.DataFrame) -> tuple[list[str], Ragged]:
    """Users and the items of each, of rows as `Interactions.by_user` has them."""
    counts = rows.group_by("user_id", maintain_order=True).len()
    offsets = np.concatenate([[0], counts["len"].to_numpy().cumsum()]).astype(np.int64)
    return counts["user_id"].to_list(), Ragged(offsets, rows["item"].to_numpy().astype(np.int32))


def _check_values(table: pl.DataFrame) -> None:
    """Raises DataError, with the 0-based row, for nulls where there may be none and values that are not finite."""
    bad = {name: table[name].is_null() for name in COLUMNS}
    if "value" in table.columns:
        bad["value"] = ~table["value"].fill_null(0.0).is_finite()
    for name, mask in bad.items():
        if mask.any():
            row = mask.arg_true()[0]
            raise DataError(
                "a value is missing or not finite",
                value=table.row(row),
                where=f"row {row}, column {name}",
                remedy="leave such rows out (genrec.formats.read does, and reports them)",
            )


@dataclass(frozen=True)
class Histories:
    """The history of every user, oldest first: user u's catalog row numbers are `items[u]`.

    times: UTC seconds of every event, int64 [events], beside `items.items`.
    """

    users: list[str]
    items: Ragged
    times: Int64

    def __len__(self) -> int:
        return len(self.users)

    def chosen(self, n_items: int) -> npt.NDArray[np.bool_]:
        """Which items somebody chose, bool [n_items]."""
        return np.asarray(np.bincount(self.items.items, minlength=n_items) > 0)
