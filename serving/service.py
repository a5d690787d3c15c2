"""What the routes stand on, in one place: settings, catalog, engine, metrics. Knows no HTTP.

Everything here belongs to one event loop.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from genrec.bundle import Bundle
from serving.cache import SlateCache
from serving.engine.room import EngineRoom
from serving.keys import Keys
from serving.live import Live
from serving.logs import Pseudonyms
from serving.metrics import Metrics
from serving.settings import ServeSettings


@dataclass
class Service:
    """live: the catalog now, replaced whole by an edit; draining: no new work after SIGTERM."""

    settings: ServeSettings
    keys: Keys
    metrics: Metrics
    pseudonyms: Pseudonyms
    live: Live
    room: EngineRoom
    cache: SlateCache
    draining: bool = field(default=False)

    @classmethod
    def open(cls, settings: ServeSettings, keys: Keys) -> Service:
        """Raises the errors of a bundle that cannot be read."""
        metrics = Metrics()
        service = cls(
            settings, keys, metrics, Pseudonyms.of(settings.log_secret), Live.open(Bundle.open(settings.bundle)),
            EngineRoom(settings, metrics), SlateCache(settings.cached, metrics),
        )  # fmt: skip
        service.count_items()
        return service

    def count_items(self) -> None:
        there = int(self.live.available.sum())
        self.metrics.items.labels("available").set(there)
        self.metrics.items.labels("unavailable").set(len(self.live.available) - there)
        self.metrics.edition.set(self.live.edition)

    async def status(self) -> str:
        """ok, starting or stopping."""
        if self.draining:
            return "stopping"
        return "ok" if self.room.settled.is_set() else "starting"

    async def start(self) -> None:
        self.room.start()

    async def close(self) -> None:
        await self.room.close()
