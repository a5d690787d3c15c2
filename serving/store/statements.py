"""What SQLite and PostgreSQL say differently or alike: inserts that skip, locks, long lists. Knows no table."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from sqlalchemy import Connection, Table, text
from sqlalchemy.dialects import postgresql, sqlite

_CHUNK = 5_000  # values in one IN list; SQLite binds 32,766 at most
_STRIPES = 64  # locks of one batch at most: PostgreSQL has 64 for every connection allowed
_LOCK = text("SELECT pg_advisory_xact_lock(:room, stripe) FROM unnest(CAST(:stripes AS int[])) AS stripe")
_ROOM = 0x67656E72  # "genr": keeps clear of other programs' advisory locks

Value = TypeVar("Value")


def inserting(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An INSERT that can say `ON CONFLICT`."""
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)


def chunks(values: Sequence[Value]) -> Iterator[Sequence[Value]]:
    """The values in lists that fit one statement."""
    return (values[start : start + _CHUNK] for start in range(0, len(values), _CHUNK))


def lock_users(connection: Connection, user_ids: Iterable[str]) -> None:
    """Until the transaction ends nobody else changes these users; always taken in ascending order, so no deadlocks."""
    if connection.dialect.name == "postgresql":
        stripes = sorted({zlib.crc32(user_id.encode()) % _STRIPES for user_id in user_ids})
        connection.execute(_LOCK, {"room": _ROOM, "stripes": stripes})


def lock_schema(connection: Connection) -> None:
    """Replicas that start together migrate one after another."""
    if connection.dialect.name == "postgresql":
        connection.execute(_LOCK, {"room": _ROOM, "stripes": [_STRIPES]})
