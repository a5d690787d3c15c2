"""What the routes stand on, in one place: settings, catalog, engine, store, metrics. Knows no HTTP.

Everything here belongs to one event loop; the store is asked from threads.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import ParamSpec, TypeVar

from genrec.bundle import Bundle
from genrec.changing import ItemChange
from genrec.errors import GenrecError, StorageError
from serving.cache import SlateCache
from serving.engine.messages import Change, Fits
from serving.engine.room import EngineDown, EngineRoom
from serving.keys import Keys
from serving.live import Live
from serving.logs import Pseudonyms, say
from serving.metrics import Metrics
from serving.settings import ServeSettings
from serving.store import CatalogChange, EventStore

Given = ParamSpec("Given")
Found = TypeVar("Found")


@dataclass
class Service:
    """live: the catalog now, replaced whole by an edit; draining: no new work after SIGTERM."""

    settings: ServeSettings
    keys: Keys
    metrics: Metrics
    pseudonyms: Pseudonyms
    live: Live
    room: EngineRoom
    store: EventStore
    cache: SlateCache
    draining: bool = False
    started: int = field(default_factory=lambda: int(time.time()))
    _editing: asyncio.Lock = field(default_factory=asyncio.Lock)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    @classmethod
    def open(cls, settings: ServeSettings, keys: Keys) -> Service:
        """Raises the errors of a bundle that cannot be read and of a store that cannot be opened."""
        metrics, live = Metrics(), Live.open(Bundle.open(settings.bundle))
        service = cls(
            settings, keys, metrics, Pseudonyms.of(settings.log_secret), live, EngineRoom(settings, metrics),
            EventStore.open(settings.store), SlateCache(settings.cached, metrics),
        )  # fmt: skip
        service._take(service.store.catalog_changes())
        service._count_items()
        return service

    async def start(self) -> None:
        self.room.start()
        self._tasks.append(asyncio.create_task(self._follow()))

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.room.close()
        self.store.close()

    async def status(self) -> str:
        """ok, starting, stopping, or what keeps it from working."""
        if self.draining:
            return "stopping"
        if not self.room.settled.is_set():
            return "starting"
        try:
            await self.stored(self.store.ping)
        except StorageError:
            return "no store"
        return "ok"

    async def stored(self, work: Callable[Given, Found], *words: Given.args, **more: Given.kwargs) -> Found:
        """What the store answers, without holding up the loop."""
        return await asyncio.to_thread(work, *words, **more)

    async def sync(self) -> None:
        """Takes over the catalog's edits, ours and those of other replicas."""
        async with self._editing:
            changes = await self.stored(self.store.catalog_changes, self.live.edition)
            if changes:
                await asyncio.to_thread(self._take, changes)
                self._count_items()

    async def refuse_unfit(self, change: ItemChange) -> None:
        """Raises IndexingError for a new item that no semantic ID is left for; without an engine nobody can tell."""
        if self.live.catalog.holds(change.item_id):
            return
        with suppress(EngineDown):
            await self.room.ask("fits", lambda number, deadline: Fits(number, (change,), deadline))

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(self.settings.refresh_s)
            try:
                if await self.stored(self.store.catalog_version) > self.live.edition:
                    await self.sync()
            except StorageError as error:
                say("edits of the catalog cannot be looked up", 30, error=error)

    def _take(self, found: Sequence[CatalogChange]) -> None:
        """One edit by one where they do not fit together, so that one that no longer fits costs only itself."""
        if not found:
            return
        edition = found[-1].version
        changes = [ItemChange(one.item_id, one.fields, one.available, one.whole) for one in found]
        fitting = [one for one in changes if self._fits(one)]
        live = self.live.changed(fitting, edition)
        self.room.edit(Change(tuple(fitting), edition))
        self.live = live

    def _fits(self, change: ItemChange) -> bool:
        try:
            self.live.changed([change], 0)
        except GenrecError as error:
            say("an edit of the catalog does not fit this bundle", 40, error=error)
            return False
        return True

    def _count_items(self) -> None:
        there = int(self.live.available.sum())
        self.metrics.items.labels("available").set(there)
        self.metrics.items.labels("unavailable").set(len(self.live.available) - there)
        self.metrics.edition.set(self.live.edition)
