"""Connections to SQLite or PostgreSQL, transactions that are tried again, and database errors as genrec's.

Does not know any table.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from genrec.errors import ConfigError, GenrecError, MissingExtra, StorageError, StoreUnavailable

_PAUSE = 0.02  # seconds before the first repetition; doubles up to a second
_SQLITE_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_SQLITE_FULL = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN}
# Deadlock, serialization, lock timeout: rolled back. 57P0x: the server restarts. 53300: no connection free. 08: lost.
_POSTGRES_AGAIN = ("40001", "40P01", "55P03", "57P01", "57P02", "57P03", "53300", "08")
_POSTGRES_FULL = ("53100",)
_FORMS = "sqlite:///file.db, postgresql://user:password@host/database"
_POSTGRES_OPTIONS = "-c synchronous_commit=on -c lock_timeout=10s -c statement_timeout=60s -c timezone=UTC"

Result = TypeVar("Result")


@dataclass(frozen=True)
class Database:
    """One database; safe to use from many threads.

    place: its URL without the password; patience: seconds that a caller waits for other writers, or for a database that
    comes back, before it is told so.
    """

    engine: Engine
    place: str
    patience: float
    _writing: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @classmethod
    def connect(cls, url: str, patience: float) -> Database:
        """Prepares connections, opens none; raises ConfigError, MissingExtra, StorageError."""
        parsed = _parsed(url)
        place = parsed.render_as_string(hide_password=True)
        if parsed.get_backend_name() == "sqlite":
            return cls(_sqlite(parsed, place, patience), place, patience)
        return cls(_postgres(parsed, patience), place, patience)

    @property
    def is_sqlite(self) -> bool:
        return self.engine.dialect.name == "sqlite"

    def read(self, work: Callable[[Connection], Result]) -> Result:
        """`work` in one snapshot. Raises StoreUnavailable, StorageError."""
        return self._again(lambda: self._run(work, **self._snapshot))

    def look(self, work: Callable[[Connection], Result]) -> Result:
        """`work` once and now, without patience. Raises StoreUnavailable, StorageError."""
        try:
            return self._run(work)
        except PoolTimeout:
            raise self._busy("all connections are in use") from None
        except DBAPIError as error:
            raise self._busy(_said(error)) if _passing(error) else _told(error, self.place) from error

    def write(self, work: Callable[[Connection], Result]) -> Result:
        """`work` in one transaction, durable when this returns; work may run again, so it must be idempotent.

        Raises StoreUnavailable, StorageError; whatever work raises rolls back.
        """
        if not self.is_sqlite:
            return self._again(lambda: self._run(work))
        return self._again(lambda: self._queued(work))

    def forget(self) -> None:
        """Empties SQLite's write-ahead log: deleted rows, overwritten in the file, would still stand there."""
        if self.is_sqlite:
            with self.engine.connect() as connection:
                driver = connection.connection.driver_connection
                assert isinstance(driver, sqlite3.Connection)
                driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def close(self) -> None:
        self.engine.dispose()

    @property
    def _snapshot(self) -> dict[str, Any]:
        """Execution options of a reader; SQLite's readers have a snapshot of their own accord."""
        return {} if self.is_sqlite else {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}

    def _run(self, work: Callable[[Connection], Result], **options: Any) -> Result:
        with self.engine.connect() as connection:
            connection = connection.execution_options(**options)
            with connection.begin():
                return work(connection)

    def _queued(self, work: Callable[[Connection], Result]) -> Result:
        """SQLite has one writer: threads queue here in turn, processes by the busy timeout."""
        if not self._writing.acquire(timeout=self.patience):
            raise self._busy("other writers of this process")
        try:
            return self._run(work, writes=True)
        finally:
            self._writing.release()

    def _again(self, once: Callable[[], Result]) -> Result:
        """Repeats what failed for a passing reason, until patience ends."""
        until, pause = time.monotonic() + self.patience, _PAUSE
        while True:
            try:
                return once()
            except PoolTimeout:
                raise self._busy("all connections are in use") from None
            except DBAPIError as error:
                if not _passing(error):
                    raise _told(error, self.place) from error
                if time.monotonic() + pause > until:
                    raise self._busy(_said(error)) from error
            time.sleep(pause)
            pause = min(2 * pause, 1.0)

    def _busy(self, why: str) -> StoreUnavailable:
        return StoreUnavailable(
            "the store cannot be reached or is too busy; nothing of this request was acknowledged", value=why,
            where=self.place, remedy="try again with the same idempotency keys; see whether the database runs",
        )  # fmt: skip


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ConfigError("not the URL of a store", allowed=_FORMS, remedy="correct --store") from None
    if parsed.drivername in ("postgresql", "postgres"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername not in ("sqlite", "sqlite+pysqlite", "postgresql+psycopg"):
        raise ConfigError(
            "no such kind of store", value=parsed.drivername, allowed=_FORMS, remedy="use SQLite or PostgreSQL"
        )
    if parsed.get_backend_name() == "sqlite" and parsed.database in (None, "", ":memory:"):
        raise ConfigError(
            "a store in memory would lose what it acknowledged", value=url, allowed=_FORMS, remedy="name a file"
        )
    return parsed


def _sqlite(url: URL, place: str, patience: float) -> Engine:
    _private(Path(url.database or ""), place)
    engine = create_engine(
        url, hide_parameters=True, json_serializer=_json, pool_size=8, max_overflow=24, pool_timeout=patience,
        connect_args={"timeout": patience, "check_same_thread": False},
    )  # fmt: skip
    event.listen(engine, "connect", partial(_prepare_sqlite, place=place))
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _private(file: Path, place: str) -> None:
    """Creates the file readable by its owner alone; SQLite gives its side files the same rights."""
    try:
        os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise StorageError(
            "the store's file cannot be opened for writing", value=error.strerror, where=place,
            remedy="make its folder, or choose a file that this user may write",
        ) from None  # fmt: skip


def _prepare_sqlite(connection: sqlite3.Connection, _record: object, *, place: str) -> None:
    connection.isolation_level = None  # the driver's own BEGINs come too late and skip DDL; see _begin_sqlite
    mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
    if mode != "wal":
        raise StorageError(
            "SQLite cannot keep a write-ahead log here", value=mode, where=place, remedy="use a local disk"
        )
    for pragma in ("synchronous=FULL", "secure_delete=ON", "journal_size_limit=67108864"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    """A writer takes the lock at once: one that reads first would be refused (SQLITE_BUSY_SNAPSHOT) without a wait."""
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _postgres(url: URL, patience: float) -> Engine:
    if importlib.util.find_spec("psycopg") is None:
        raise MissingExtra("PostgreSQL needs psycopg", remedy="pip install 'genrec[serve]'")
    return create_engine(
        url, hide_parameters=True, json_serializer=_json, pool_pre_ping=True, pool_size=8, max_overflow=24,
        pool_timeout=patience, connect_args={"connect_timeout": 5, "options": _POSTGRES_OPTIONS},
    )  # fmt: skip


def _json(data: Any) -> str:
    return json.dumps(data, allow_nan=False, ensure_ascii=False, separators=(",", ":"))


def _passing(error: DBAPIError) -> bool:
    """Whether trying again may help; the transaction was rolled back, or its work is idempotent."""
    cause = error.orig
    if isinstance(cause, sqlite3.Error):
        return (getattr(cause, "sqlite_errorcode", 0) & 0xFF) in _SQLITE_BUSY
    state = getattr(cause, "sqlstate", None)
    if state is None:  # psycopg: no answer of the server at all
        return error.connection_invalidated or type(cause).__name__ in ("OperationalError", "ConnectionTimeout")
    return str(state).startswith(_POSTGRES_AGAIN)


def _told(error: DBAPIError, place: str) -> GenrecError:
    cause = error.orig
    full = (getattr(cause, "sqlite_errorcode", 0) & 0xFF) in _SQLITE_FULL
    if full or str(getattr(cause, "sqlstate", "")).startswith(_POSTGRES_FULL):
        return StorageError(
            "the store's disk is full or refuses; what was acknowledged still stands", value=_said(error), where=place,
            remedy="free space on the disk, or give the file to this user",
        )  # fmt: skip
    return StorageError("the database refused", value=_said(error), where=place, remedy="look at the database's log")


def _said(error: DBAPIError) -> str:
    """The driver's first line: it names no parameters."""
    return (str(error.orig).strip().splitlines() or [type(error.orig).__name__])[0]
