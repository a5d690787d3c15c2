"""Brings a database's tables to the version that this code reads, by Alembic. Knows no queries."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from genrec.errors import StorageError
from serving.store.statements import lock_schema

_MIGRATIONS = Path(__file__).parent / "migrations"


def migrate(connection: Connection) -> None:
    """Runs what is missing, in the transaction that is open; raises StorageError for tables of a later version."""
    lock_schema(connection)
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    there, known = MigrationContext.configure(connection).get_current_revision(), _known(config)
    if there is not None and there not in known:
        raise StorageError(
            "the store was written by a later genrec", value=there, allowed=", ".join(known),
            remedy="upgrade genrec, or name another store",
        )  # fmt: skip
    if there != known[-1]:
        command.upgrade(config, "head")


def _known(config: Config) -> list[str]:
    """The versions, first to last."""
    return [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()][::-1]
