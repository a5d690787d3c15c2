"""The event store as the service sees it: every method is one transaction. Knows no HTTP, models or SQL dialects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import polars as pl
from pydantic import ValidationError
from sqlalchemy import Connection, text

from genrec.errors import DataError
from serving.store import edits, events, log, online, people, tuned
from serving.store.connecting import Database
from serving.store.migrating import migrate
from serving.store.records import Appended, CatalogChange, ItemEdit, NewEvent, Slate, UserHistory

DEFAULT = "sqlite:///genrec.db"


@dataclass(frozen=True)
class EventStore:
    """Safe to use from many threads; with PostgreSQL from many processes and machines.

    Whatever has returned is durable. Every method may raise StoreUnavailable (try again later) and StorageError (an
    operator must act).
    """

    database: Database

    @classmethod
    def open(cls, url: str = DEFAULT, *, patience: float = 15.0) -> EventStore:
        """Connects and brings the tables up to date.

        patience: seconds to wait for other writers, or for a database that is away. Raises ConfigError for another kind
        of URL, MissingExtra, StorageError for a file that cannot be written or tables of a later version.
        """
        database = Database.connect(url, patience)
        try:
            database.write(migrate)
        except BaseException:
            database.close()
            raise
        return cls(database)

    def close(self) -> None:
        self.database.close()

    def ping(self) -> None:
        """Raises StoreUnavailable at once if the database does not answer."""
        self.database.look(_ping)

    def append(self, new: Sequence[NewEvent]) -> Appended:
        """Stores the events, all or none; durable when it returns, and seen by every read that begins after.

        An event whose key is stored already is a duplicate. Raises EventConflict if it was another event then.
        """
        return self.database.write(partial(events.append, batch=events.Batch.of(new)))

    def take_over(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Stores rows of the table of events that were checked before, quickly; those whose keys are there are left
        as they are. Durable when it returns."""
        self.database.write(partial(events.take_over, rows=rows))

    def holds(self, key: str) -> bool:
        """Whether an event of this idempotency key is stored."""
        return self.database.read(partial(events.holds, key=key))

    def history(self, user_id: str, most: int | None = None) -> UserHistory:
        """The newest `most` interactions of a user (all without it), oldest first; empty for an unknown user."""
        if most is not None and most < 0:
            raise DataError("a history cannot be shorter than nothing", value=most, allowed="0 or more")
        return self.database.read(partial(events.history, user_id=user_id, most=most))

    def version(self, user_id: str) -> int:
        """The version of the user's history, by one indexed look."""
        return self.database.read(partial(events.version, user_id=user_id))

    def record(self, slate: Slate) -> bool:
        """Remembers what was shown, so that feedback can be told apart; False if it was remembered before."""
        return self.database.write(partial(online.record, slate=slate))

    def online(self, since: int | None = None, until: int | None = None) -> list[online.OnlineRow]:
        """Clicks and conversions of the slates shown in [since, until), UTC seconds; by model version, then slot."""
        return self.database.read(partial(online.online, since=since, until=until))

    def outcomes(self, until: int, most: int) -> list[tuple[str, bool]]:
        """Arm and success of the newest slates shown under one before `until`, oldest first; see `tuned.outcomes`."""
        return self.database.read(partial(tuned.outcomes, until=until, most=most))

    def forget_outcomes(self, now: int) -> None:
        """Slates shown before `now` (UTC seconds) no longer count among the outcomes."""
        self.database.write(partial(tuned.forget, now=now))

    def interactions(self) -> pl.DataFrame:
        """All events of histories, as they came in: user_id, item_id, timestamp, kind, value."""
        return self.database.read(log.interactions)

    def turned_down(self, negative: Sequence[str]) -> pl.DataFrame:
        """What users turned down, by events of these kinds or by choosing what stood below; see `log.turned_down`."""
        return self.database.read(partial(log.turned_down, negative=negative))

    def received(self, since: int) -> int:
        """How many events of histories came in at `since` (UTC seconds) or later."""
        return self.database.read(partial(log.received, since=since))

    def places(self, model: str, newest: int = 50_000) -> pl.DataFrame:
        """Where the newest choices stood in the slate before them, of this model version; see `log.places`."""
        return self.database.read(partial(log.places, model=model, newest=newest))

    def export(self, user_id: str) -> dict[str, Any]:
        """`{user_id, events, recommendations}`: all that is stored on the user, in JSON types."""
        return self.database.read(partial(people.export, user_id=user_id))

    def people(self, most: int) -> list[people.Person]:
        """The users with the newest interactions, newest first; looks at all events."""
        return self.database.read(partial(people.people, most=most))

    def erase(self, user_id: str) -> int:
        """Removes the user from every table; how many events and slates that were."""
        removed = self.database.write(partial(people.erase, user_id=user_id))
        self.database.forget()
        return removed

    def put_item(self, item_id: str, fields: Mapping[str, Any], *, available: bool = True) -> int:
        """The item is these fields and nothing else. The catalog's new version; raises DataError."""
        edit = _edit(item_id, fields, available)
        return self.database.write(partial(edits.put, edit=edit))

    def patch_item(self, item_id: str, fields: Mapping[str, Any] | None = None, available: bool | None = None) -> int:
        """Changes single fields (None empties one), or whether the item may be shown. The catalog's new version.

        Raises UnknownItem for a deleted item, DataError; whether the bundle knows the item is for the caller to see.
        """
        edit = _edit(item_id, fields or {}, available)
        return self.database.write(partial(edits.patch, edit=edit))

    def delete_item(self, item_id: str) -> int:
        """The item is gone, whatever the bundle holds. The catalog's new version."""
        return self.database.write(partial(edits.delete, item_id=_edit(item_id, {}, None).item_id))

    def catalog_changes(self, since: int = 0) -> list[CatalogChange]:
        """How every item edited after version `since` stands now, in the order of the latest edits."""
        return self.database.read(partial(edits.changes, since=since))

    def catalog_version(self) -> int:
        """The version of the latest edit, 0 before the first; cheap, for replicas that look whether to catch up."""
        return self.database.read(edits.version)


def _edit(item_id: str, fields: Mapping[str, Any], available: bool | None) -> ItemEdit:
    """Raises DataError for what no database could store."""
    try:
        return ItemEdit(item_id=item_id, fields=dict(fields), available=available)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise DataError(f"{place}: {first['msg']}", value=first.get("input"), remedy="correct this value") from None


def _ping(connection: Connection) -> None:
    connection.execute(text("SELECT 1 FROM counters")).first()
