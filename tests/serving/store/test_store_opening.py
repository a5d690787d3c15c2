"""Opening a store: tables made once, what is refused and how it is said, databases that are away or busy."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from genrec.errors import ConfigError, GenrecError, StorageError, StoreUnavailable
from serving.store import EventStore, NewEvent
from serving.store.tables import metadata

ROOT = Path(__file__).resolve().parents[3]
CLICK = NewEvent(user_id="ann", item_id="tea", kind="click", timestamp=1)


def test_the_migrations_make_the_tables(store: EventStore) -> None:
    context_options = {"compare_type": True, "compare_server_default": True}
    differences = store.database.read(
        lambda connection: compare_metadata(MigrationContext.configure(connection, opts=context_options), metadata)
    )
    assert differences == []


def test_opening_again_keeps_everything(url: str) -> None:
    for number in range(3):
        store = EventStore.open(url)
        store.append([CLICK])
        assert len(store.history("ann")) == number + 1
        store.close()


def test_replicas_open_a_new_store_together(url: str) -> None:
    opened: list[EventStore] = []
    threads = [threading.Thread(target=lambda: opened.append(EventStore.open(url))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for store in opened:
        store.append([CLICK])
    assert [len(store.history("ann")) for store in opened] == [6] * 6
    for store in opened:
        store.close()


def test_a_store_of_a_later_version_is_refused(url: str) -> None:
    store = EventStore.open(url)
    store.database.write(lambda connection: connection.execute(text("UPDATE alembic_version SET version_num = '9999'")))
    store.close()
    with pytest.raises(StorageError, match="later genrec"):
        EventStore.open(url)


def test_ping(store: EventStore) -> None:
    store.ping()


@pytest.mark.parametrize(
    ("url", "said"),
    [("sqlite://", "memory"), ("sqlite:///:memory:", "memory"), ("mysql://u:secret@h/d", "mysql"), ("nonsense", "URL"),
     ("postgresql+psycopg2://u:secret@h/d", "psycopg2")],
)  # fmt: skip
def test_other_urls_are_refused(url: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as refused:
        EventStore.open(url)
    assert "sqlite:///file.db" in str(refused.value)
    assert "secret" not in str(refused.value)


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot be opened"):
        EventStore.open(f"sqlite:///{tmp_path}/absent/s.db")
    (tmp_path / "text.db").write_text("no database " * 500)
    with pytest.raises(StorageError, match="not a database"):
        EventStore.open(f"sqlite:///{tmp_path}/text.db")


def test_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    store = EventStore.open(f"sqlite:///{tmp_path}/s.db")
    store.append([CLICK])
    assert len(list(tmp_path.iterdir())) == 3  # the log and its index are side files
    assert {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()} == {0o600}
    store.close()


def test_sqlite_is_as_durable_as_it_can_be(tmp_path: Path) -> None:
    store = EventStore.open(f"sqlite:///{tmp_path}/s.db")
    for name, wanted in {"journal_mode": "wal", "synchronous": 2, "secure_delete": 1}.items():
        found = store.database.read(lambda connection, name=name: connection.exec_driver_sql(f"PRAGMA {name}").scalar())
        assert found == wanted
    store.close()


def test_another_writer_is_waited_for_and_too_long_a_wait_is_told(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/s.db"
    store = EventStore.open(url, patience=0.5)
    other = sqlite3.connect(tmp_path / "s.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="too busy") as busy:
        store.append([CLICK])
    assert "idempotency keys" in str(busy.value)
    assert store.history("ann").item_ids == []
    waiting = threading.Thread(target=store.append, args=[[CLICK]])
    waiting.start()
    time.sleep(0.1)
    other.rollback()
    waiting.join()
    assert store.history("ann").item_ids == ["tea"]
    other.close()
    store.close()


def test_a_postgresql_that_is_away_is_told_at_once_by_ping(postgres: Callable[[], str]) -> None:
    url = postgres()
    store = EventStore.open(url, patience=1.0)
    gone = url.rpartition("/")[2]
    admin = EventStore.open(postgres(), patience=1.0)
    admin.database.look(
        lambda connection: connection.execute(
            text("UPDATE pg_database SET datallowconn = false WHERE datname = :name"), {"name": gone}
        )
    )
    _end_connections(admin, gone)
    started = time.monotonic()
    with pytest.raises(GenrecError):
        store.ping()
    assert time.monotonic() - started < 5
    admin.close()
    store.close()


def test_a_lost_connection_is_made_again_and_nothing_doubled(postgres: Callable[[], str]) -> None:
    url = postgres()
    store, admin = EventStore.open(url), EventStore.open(postgres())
    for number in range(5):
        _end_connections(admin, url.rpartition("/")[2])
        store.append([CLICK.model_copy(update={"timestamp": number})])
    assert store.history("ann").timestamps == [0, 1, 2, 3, 4]
    store.close()
    admin.close()


def test_nobody_listens(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable) as away:
        EventStore.open("postgresql://u:secret@127.0.0.1:1/d", patience=0.2)
    assert "secret" not in str(away.value)


def test_the_store_loads_neither_torch_nor_models() -> None:
    program = "import sys, serving.store; print({'torch', 'transformers', 'fastapi'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, cwd=ROOT, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert (done.stdout.strip(), done.stderr) == ("set()", "")


def _end_connections(admin: EventStore, database: str) -> None:
    ending = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name")
    admin.database.look(lambda connection: connection.execute(ending, {"name": database}).all())
