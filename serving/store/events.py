"""Appending events and reading them back, on an open transaction. Does not know connections, slates or the catalog.

One user's events are appended one transaction after another, so that versions rise in the order of commits. SQLite has
one writer anyhow; PostgreSQL's take a lock for every user of the batch.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select, update

from genrec.errors import DataError, EventConflict
from serving.store.records import IMPRESSION, MOST_EVENTS, Appended, NewEvent, UserHistory
from serving.store.statements import chunks, inserting, lock_users
from serving.store.tables import FLOOR, counters, events, users

_COMPARED = ("user_id", "item_id", "timestamp", "kind", "value", "recommendation_id", "slot")
_FLOOR = select(counters.c.value).where(counters.c.name == FLOOR)

Row = dict[str, Any]


@dataclass(frozen=True)
class Batch:
    """Events ready to be stored, once or again after a lost connection: every row has its key and its time.

    rows: by key; repeated: events that stand twice in the batch; undated: keys whose time the store chose; named: keys
    that the caller chose.
    """

    rows: dict[str, Row]
    repeated: int
    undated: frozenset[str]
    named: frozenset[str]

    @classmethod
    def of(cls, new: Sequence[NewEvent]) -> Batch:
        """Raises DataError for too many events, EventConflict for a key that stands twice with other content."""
        if len(new) > MOST_EVENTS:
            raise DataError("too many events at once", value=len(new), allowed=f"{MOST_EVENTS:,}", remedy="send parts")
        now = int(time.time())
        rows: dict[str, Row] = {}
        undated: set[str] = set()
        for place, event in enumerate(new):
            row = _row(event, now)
            undated |= {row["key"]} if event.timestamp is None else set()
            first = rows.setdefault(row["key"], row)
            _same(first, row, undated, f"event {place}")
        named = frozenset(event.key for event in new if event.key is not None)
        return cls(rows, len(new) - len(rows), frozenset(undated), named)


def append(connection: Connection, batch: Batch) -> Appended:
    """Stores what is new; raises EventConflict, and then nothing may be committed."""
    lock_users(connection, {row["user_id"] for row in batch.rows.values()})
    keys = _insert(connection, batch)
    known = [key for key in batch.rows if key not in keys]
    _compare(connection, batch, known)
    touched = {row["user_id"] for key, row in batch.rows.items() if key in keys and row["in_history"]}
    raise_versions(connection, sorted(touched))
    duplicates = batch.repeated + len(batch.named.intersection(known))
    return Appended(len(batch.rows) + batch.repeated - duplicates, duplicates)


def take_over(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Rows of the table as they are, none of which anybody asks back."""
    touched = sorted({row["user_id"] for row in rows})
    lock_users(connection, touched)
    connection.execute(inserting(connection, events).on_conflict_do_nothing(index_elements=["key"]), list(rows))
    raise_versions(connection, touched)


def history(connection: Connection, user_id: str, most: int | None) -> UserHistory:
    """The newest `most` interactions, oldest first."""
    newest = (
        select(events.c.item_id, events.c.timestamp, events.c.kind, events.c.value)
        .where(events.c.user_id == user_id, events.c.in_history.is_(True))
        .order_by(events.c.timestamp.desc(), events.c.seq.desc())
        .limit(most)
    )
    rows = connection.execute(newest).all()[::-1]
    columns = zip(*rows, strict=True) if rows else [()] * 4
    item_ids, timestamps, kinds, values = (list(column) for column in columns)
    return UserHistory(item_ids, timestamps, kinds, values, version(connection, user_id))


def holds(connection: Connection, key: str) -> bool:
    """Whether an event of this key is stored."""
    return connection.execute(select(events.c.seq).where(events.c.key == key)).first() is not None


def version(connection: Connection, user_id: str) -> int:
    """The user's version; that of an unknown user is the floor, which rises when anybody is erased."""
    mine = select(users.c.version).where(users.c.user_id == user_id).scalar_subquery()
    return int(connection.execute(select(func.coalesce(mine, _FLOOR.scalar_subquery()))).scalar_one())


def raise_versions(connection: Connection, user_ids: Sequence[str]) -> None:
    """A new version for each; the caller has locked them."""
    known: set[str] = set()
    for part in chunks(user_ids):
        raised = update(users).where(users.c.user_id.in_(part)).values(version=users.c.version + 1)
        known.update(connection.execute(raised.returning(users.c.user_id)).scalars())
    fresh = [user_id for user_id in user_ids if user_id not in known]
    if fresh:
        # The share lock keeps an erasure from raising the floor before these users stand above it.
        floor = connection.execute(_FLOOR.with_for_update(read=True)).scalar_one()
        rows = [{"user_id": user_id, "version": floor + 1} for user_id in fresh]
        connection.execute(users.insert(), rows)


def _row(event: NewEvent, now: int) -> Row:
    row = event.model_dump()
    row["key"] = event.key if event.key is not None else f"~{uuid.uuid4().hex}"
    row["timestamp"] = now if event.timestamp is None else event.timestamp
    return {**row, "in_history": event.kind != IMPRESSION, "received_at": now}


def _insert(connection: Connection, batch: Batch) -> set[str]:
    """The keys of the events that were new."""
    if not batch.rows:
        return set()
    skipping = inserting(connection, events).on_conflict_do_nothing(index_elements=["key"]).returning(events.c.key)
    return set(connection.execute(skipping, list(batch.rows.values())).scalars())


def _compare(connection: Connection, batch: Batch, keys: Sequence[str]) -> None:
    columns = [events.c.key, *(events.c[name] for name in _COMPARED)]
    for part in chunks(keys):
        for row in connection.execute(select(*columns).where(events.c.key.in_(part))).mappings():
            _same(row, batch.rows[row["key"]], batch.undated, "events")


def _same(first: Any, again: Row, undated: frozenset[str] | set[str], where: str) -> None:
    """Raises EventConflict; a time that the store chose may differ."""
    ignored = {"timestamp"} if again["key"] in undated else set[str]()
    differing = [name for name in _COMPARED if first[name] != again[name] and name not in ignored]
    if differing:
        raise EventConflict(
            f"the idempotency key came before with another {', '.join(differing)}; nothing of this batch is stored",
            value=again["key"], where=where, allowed="the same event again, or a new key",
            remedy="make one key for each event and keep it when sending again",
        )  # fmt: skip
