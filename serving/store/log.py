"""The store as a log to learn from: all interactions, and how well each choice stood in the slate before it.

On an open transaction. Does not know models, nor what is made of the numbers.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
from sqlalchemy import Connection, func, select

from serving.store.tables import events, slate_items, slates

_SCHEMA = {"user_id": pl.String, "item_id": pl.String, "timestamp": pl.Int64, "kind": pl.String, "value": pl.Float64}


def interactions(connection: Connection) -> pl.DataFrame:
    """Every event that belongs to a history: user_id, item_id, timestamp, kind, value; as they came in."""
    columns = [events.c[name] for name in _SCHEMA]
    rows = connection.execute(select(*columns).where(events.c.in_history.is_(True)).order_by(events.c.seq)).all()
    return pl.DataFrame([tuple(row) for row in rows], schema=_SCHEMA, orient="row")


def turned_down(connection: Connection, negative: Sequence[str]) -> pl.DataFrame:
    """What users turned down: user_id, item_id, timestamp of events of these kinds; and what stood above a choice in
    the latest slate before it, at the choice's time. Items that the user chose at any time are left out."""
    whole = interactions(connection).with_row_index("seq")
    said = pl.col("kind").is_in(list(negative))
    chosen = whole.filter(~said).select("seq", "user_id", "item_id", "timestamp").sort("timestamp")
    made = connection.execute(select(slates.c.user_id, slates.c.recommendation_id, slates.c.shown_at)).all()
    schema = {"user_id": pl.String, "slate": pl.String, "timestamp": pl.Int64}
    shown = pl.DataFrame([tuple(row) for row in made], schema=schema, orient="row").sort("timestamp")
    found = chosen.join_asof(shown, on="timestamp", by="user_id", strategy="backward", check_sortedness=False)
    items = _items(connection, found["slate"].drop_nulls().unique().to_list())
    above = (
        found.join(items, on=["user_id", "slate", "item_id"], how="inner")
        .join(items, on=["user_id", "slate"], how="inner", suffix="_above")
        .filter(pl.col("slot_above") < pl.col("slot"))
        .select("user_id", pl.col("item_id_above").alias("item_id"), "timestamp")
    )
    refused = pl.concat([whole.filter(said).select("user_id", "item_id", "timestamp"), above])
    return refused.join(chosen, on=["user_id", "item_id"], how="anti").unique(maintain_order=True).sort("timestamp")


def received(connection: Connection, since: int) -> int:
    """How many events of histories came in at `since` (UTC seconds) or later."""
    counted = select(func.count()).where(events.c.in_history.is_(True), events.c.received_at >= since)
    return int(connection.execute(counted).scalar_one())


def places(connection: Connection, model: str, newest: int) -> pl.DataFrame:
    """For the newest choices that followed a slate of this model version: slot of what was chosen in the latest slate
    before it, null where it did not stand there, and `shown`, the places that slate had; oldest first.

    A slate of the same second counts as before the choice."""
    made = select(slates.c.user_id, slates.c.recommendation_id, slates.c.shown_at).where(slates.c.model == model)
    shown = pl.DataFrame(
        [tuple(row) for row in connection.execute(made).all()],
        schema={"user_id": pl.String, "slate": pl.String, "timestamp": pl.Int64}, orient="row",
    ).sort("timestamp")  # fmt: skip
    columns = [events.c.seq, events.c.user_id, events.c.item_id, events.c.timestamp]
    late = select(*columns).where(events.c.in_history.is_(True)).order_by(events.c.seq.desc()).limit(newest)
    chosen = pl.DataFrame(
        [tuple(row) for row in connection.execute(late).all()],
        schema={"seq": pl.Int64, "user_id": pl.String, "item_id": pl.String, "timestamp": pl.Int64}, orient="row",
    ).sort("timestamp")  # fmt: skip
    found = chosen.join_asof(shown, on="timestamp", by="user_id", strategy="backward", check_sortedness=False).filter(
        pl.col("slate").is_not_null()
    )
    items = _items(connection, found["slate"].unique().to_list())
    sizes = items.group_by("user_id", "slate").agg(pl.col("slot").max().alias("shown"))
    joined = found.join(items, on=["user_id", "slate", "item_id"], how="left").join(
        sizes, on=["user_id", "slate"], how="inner"
    )
    return joined.sort("seq").select("seq", "slot", "shown")


def _items(connection: Connection, wanted: list[str]) -> pl.DataFrame:
    rows: list[tuple[object, ...]] = []
    columns = [slate_items.c[name] for name in ("user_id", "recommendation_id", "item_id", "slot")]
    for start in range(0, len(wanted), 500):
        part = wanted[start : start + 500]
        rows += map(tuple, connection.execute(select(*columns).where(slate_items.c.recommendation_id.in_(part))).all())
    schema = {"user_id": pl.String, "slate": pl.String, "item_id": pl.String, "slot": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")
