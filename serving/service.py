"""What the routes stand on, in one place: settings, catalog, engine, store, metrics. Knows no HTTP.

Everything here belongs to one event loop; the store is asked from threads.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ParamSpec, TypeVar

from pydantic import JsonValue

from genrec.bundle import Bundle
from genrec.changing import ItemChange
from genrec.errors import GenrecError, IndexingError, StorageError, UnknownModel
from serving.beside import Beside
from serving.cache import SlateCache
from serving.engine.messages import Change, Fits
from serving.engine.room import EngineDown, EngineRoom
from serving.keys import Keys
from serving.live import Live
from serving.logs import Pseudonyms, say
from serving.metrics import Metrics
from serving.schemas.shared import MODEL
from serving.settings import ServeSettings
from serving.store import CatalogChange, EventStore
from serving.tuning import Tuner

Given = ParamSpec("Given")
Found = TypeVar("Found")


@dataclass
class Service:
    """live: the catalog now, replaced whole by an edit; beside: other bundles of it, by name; draining: no new work
    after SIGTERM."""

    settings: ServeSettings
    keys: Keys
    metrics: Metrics
    pseudonyms: Pseudonyms
    live: Live
    beside: Beside
    room: EngineRoom
    store: EventStore
    cache: SlateCache
    tuner: Tuner
    draining: bool = False
    started: int = field(default_factory=lambda: int(time.time()))
    _editing: asyncio.Lock = field(default_factory=asyncio.Lock)
    _putting: asyncio.Lock = field(default_factory=asyncio.Lock)
    _left_out: frozenset[str] = frozenset()
    """Ids of stored edits that this bundle has no semantic ID for."""
    _refused: str = ""
    """Version of a bundle that lies in the place of ours and cannot be taken over."""
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    @classmethod
    def open(cls, settings: ServeSettings, keys: Keys) -> Service:
        """Raises the errors of a bundle that cannot be read and of a store that cannot be opened."""
        metrics, live = Metrics(), Live.open(Bundle.open(settings.bundle))
        tuner = Tuner.of(settings.tune, live.mix)
        service = cls(
            settings, keys, metrics, Pseudonyms.of(settings.log_secret), live, Beside.open(settings.beside, live),
            EngineRoom(settings, metrics, live.version),
            EventStore.open(settings.store), SlateCache(settings.cached, metrics), tuner,
        )  # fmt: skip
        service._take(service.store.catalog_changes())
        service._count_items()
        tuner.take(tuner.learnt(service.store))
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

    def of(self, model: str) -> Live:
        """What answers under this name, or under the version of a bundle; raises UnknownModel."""
        if model in (MODEL, self.live.version):
            return self.live
        if (found := self.beside.of(model)) is None:
            raise UnknownModel(
                "no such model", value=model, where="model", allowed=", ".join([MODEL, *self.beside.lives]),
                remedy="ask GET /v1/models for the names; a bundle of the same catalog gets one in the folder `beside`",
            )  # fmt: skip
        return found

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

    async def put(self, item_id: str, fields: Mapping[str, JsonValue], *, available: bool) -> None:
        """The item is this from now on. One new item after another, so that two do not count on the same semantic ID.

        Raises IndexingError where none is left, EngineDown where nobody can tell; nothing is stored then.
        """
        async with self._putting:
            if not self.live.catalog.holds(item_id):
                await self._ask_whether_it_fits(ItemChange(item_id, fields))
            await self.stored(self.store.put_item, item_id, fields, available=available)
            await self.sync()

    async def renew(self) -> None:
        """Takes over the bundle that lies in the place of ours, if it is another: requests in work keep the old one,
        those after it get the new one, none waits for it. What cannot be loaded is left where it is, and said once."""
        lying = await asyncio.to_thread(_lying, self.settings.bundle)
        if lying == self.live.version:
            self.room.reconcile()
        if lying in ("", self.live.version, self._refused):
            return
        try:
            async with self._putting, self._editing:
                await self._renewed()
        except (GenrecError, EngineDown) as error:
            self._refused = lying if isinstance(error, GenrecError) else ""
            self.metrics.bundles.labels("refused").inc()
            say("the bundle in the place of ours cannot be taken over", 40, error=error)
            return
        self.metrics.bundles.labels("taken").inc()
        say("another bundle serves", bundle=self.live.version)

    async def _renewed(self) -> None:
        bundle = await asyncio.to_thread(Bundle.open, self.settings.bundle)
        bare = await asyncio.to_thread(Live.open, bundle)
        changes = await self.stored(self.store.catalog_changes)
        live, change = await asyncio.to_thread(_laid, bare, changes, self._left_out)
        await self.room.renew(bundle.version, change)
        self.live = live  # nothing is awaited in between: what is asked next counts by the new items
        self.beside.follow(live, anew=True)
        self.tuner.fit(live.mix)
        self.cache.clear()
        self._count_items()

    async def look_beside(self) -> None:
        """Takes over what lies in the folder of bundles beside ours; until a new one is loaded, what stood under its
        name before answers."""
        found = await asyncio.to_thread(self.beside.found, self.live)
        there = {live.version for live in found.values()}
        if there == set(self.beside.folders) == self.room.beside and list(found) == list(self.beside.lives):
            return
        async with self._putting, self._editing:
            wanted = replace(self.beside, lives=found)
            try:
                await self.room.hold(wanted.folders)
            except EngineDown:
                return  # it is tried again at the next look
            except GenrecError as error:
                return self.beside.refuse(found, self.room.beside, error)
            wanted.follow(self.live)
            self.beside = wanted
            self.cache.clear()
        say("bundles beside ours", models=sorted(found))

    async def tuned(self) -> None:
        """Looks what came of the slates under each setting of weights."""
        self.tuner.take(await self.stored(self.tuner.learnt, self.store))

    async def _ask_whether_it_fits(self, change: ItemChange) -> None:
        try:
            await self.room.ask("fits", lambda number, deadline: Fits(number, (change,), deadline))
        except IndexingError as error:
            remedy = "train a bundle anew with a larger items.codes.size, then put the item again"
            raise IndexingError(error.problem, value=change.item_id, where="item_id", remedy=remedy) from error

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(self.settings.refresh_s)
            try:
                if self.room.unfit:
                    await self._leave_out()
                await self.renew()
                await self.look_beside()
                if await self.stored(self.store.catalog_version) > self.live.edition:
                    await self.sync()
                if self.tuner.due:
                    await self.tuned()
            except StorageError as error:
                say("the store cannot be looked up", 30, error=error)

    async def _leave_out(self) -> None:
        """Server and engine begin anew without the edits that the engine could not take over: of a bundle that had more
        room, or of replicas that took the last semantic ID at the same moment."""
        async with self._editing:
            left_out = self._left_out | self.room.unfit
            changes = await self.stored(self.store.catalog_changes)
            bare = await asyncio.to_thread(Live.open, self.live.bundle)
            self.room.begin_anew()
            await asyncio.to_thread(self._take, changes, bare, left_out)
            self._count_items()

    def _take(
        self, found: Sequence[CatalogChange], before: Live | None = None, left_out: frozenset[str] = frozenset()
    ) -> None:
        """Edits laid over the catalog, or over the one `before` them; what does not fit costs only itself. An item that
        was left out and is edited again is tried again."""
        if not found:
            return
        self._left_out = left_out or self._left_out - {one.item_id for one in found}
        live, change = _laid(before or self.live, found, self._left_out)
        assert change is not None
        self.room.edit(change)
        self.live = live
        self.beside.follow(live, anew=before is not None)

    def _count_items(self) -> None:
        there = int(self.live.available.sum())
        self.metrics.items.labels("available").set(there)
        self.metrics.items.labels("unavailable").set(len(self.live.available) - there)
        self.metrics.edition.set(self.live.edition)


def _laid(base: Live, found: Sequence[CatalogChange], left_out: frozenset[str]) -> tuple[Live, Change | None]:
    """Stored edits laid over a catalog, and what the engine is told of them; None where there are none."""
    if not found:
        return base, None
    changes = [ItemChange(one.item_id, one.fields, one.available, one.whole) for one in found]
    fitting = [one for one in changes if one.item_id not in left_out and _fits(base, one)]
    edition = found[-1].version
    return base.changed(fitting, edition), Change(tuple(fitting), edition)


def _lying(folder: Path) -> str:
    """Version of the bundle in this folder by its manifest alone; empty while there is none."""
    try:
        return Bundle.open(folder, verify=False).version
    except GenrecError:
        return ""


def _fits(live: Live, change: ItemChange) -> bool:
    try:
        live.changed([change], 0)
    except GenrecError as error:
        say("an edit of the catalog does not fit this bundle", 40, error=error)
        return False
    return True
