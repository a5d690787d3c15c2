"""All that is stored on one user: given out, or removed. On an open transaction; does not know connections."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, func, select, update

from serving.store.events import version
from serving.store.statements import lock_users
from serving.store.tables import FLOOR, counters, events, slate_items, slates, users

_PERSONAL = (events, slate_items, slates, users)
"""Every table with a user_id; a test sees that none is missing."""


@dataclass(frozen=True)
class Person:
    """A user of the store. last: UTC seconds of the newest interaction."""

    user_id: str
    events: int
    last: int


def people(connection: Connection, most: int) -> list[Person]:
    """Those with the newest interactions, newest first."""
    last = func.max(events.c.timestamp)
    found = (
        select(events.c.user_id, func.count(), last)
        .where(events.c.in_history.is_(True))
        .group_by(events.c.user_id)
        .order_by(last.desc(), events.c.user_id)
        .limit(most)
    )
    return [Person(*row) for row in connection.execute(found).all()]


def export(connection: Connection, user_id: str) -> dict[str, Any]:
    """Events in the order in which they came in, and the slates shown, as JSON types."""
    event_columns = [column for column in events.c if column.name not in ("user_id", "in_history")]
    found = connection.execute(select(*event_columns).where(events.c.user_id == user_id).order_by(events.c.seq))
    return {
        "user_id": user_id,
        "events": [dict(row) for row in found.mappings()],
        "recommendations": _shown(connection, user_id),
    }


def erase(connection: Connection, user_id: str) -> int:
    """Removes the user from every table; how many events and slates that were. The floor rises above the version."""
    lock_users(connection, [user_id])
    last = version(connection, user_id)
    raised = func.max if connection.dialect.name == "sqlite" else func.greatest
    connection.execute(
        update(counters).where(counters.c.name == FLOOR).values(value=raised(counters.c.value, last) + 1)
    )
    removed = {
        table.name: connection.execute(delete(table).where(table.c.user_id == user_id)).rowcount for table in _PERSONAL
    }
    return removed["events"] + removed["slates"]


def _shown(connection: Connection, user_id: str) -> list[dict[str, Any]]:
    places = select(slate_items).where(slate_items.c.user_id == user_id).order_by(slate_items.c.slot)
    items: dict[str, list[dict[str, Any]]] = {}
    for row in connection.execute(places).mappings():
        place = {"item_id": row["item_id"], "slot": row["slot"], "propensity": row["propensity"]}
        items.setdefault(row["recommendation_id"], []).append(place)
    columns = [column for column in slates.c if column.name != "user_id"]
    found = select(*columns).where(slates.c.user_id == user_id).order_by(slates.c.shown_at, slates.c.recommendation_id)
    return [{**row, "items": items.get(row["recommendation_id"], [])} for row in connection.execute(found).mappings()]
