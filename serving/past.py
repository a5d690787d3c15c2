"""A user's past as a request reads it: what the prompt shows, what was seen, what was turned down. Knows no engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from genrec.interest.past import Past as Events
from genrec.interest.profile import Profiler
from genrec.interest.window import Window, WindowPolicy
from genrec.ragged import Int64
from serving.live import Live
from serving.schemas import recommendations as schemas
from serving.service import Service
from serving.settings import ServeSettings


@dataclass(frozen=True)
class Past:
    """shown: item ids that the prompt reads, oldest first; seen: all that the user had to do with; profile: words for
    the prompt; version: of the stored history, 0 for one that came with the request."""

    shown: tuple[str, ...]
    seen: tuple[str, ...]
    disliked: tuple[str, ...]
    profile: str
    version: int
    window: schemas.Window

    def cut(self, read: int) -> Past:
        """The same, where the engine read only the newest `read` items, to end with a block of its cache."""
        lost = self.window.shown - read
        if lost <= 0:
            return self
        counts = {"shown": read, "left_out": self.window.left_out + lost}
        reasons = self.window.reasons | {"block": lost}
        return replace(self, window=self.window.model_copy(update=counts | {"reasons": reasons}))


async def past_of(
    service: Service,
    user_id: str | None,
    history: Sequence[str] | None,
    without: Sequence[str] = (),
    live: Live | None = None,
) -> Past:
    """The past that a request names, as if the items of `without` had not happened; these stay seen.

    live: of the bundle that is to read it; the main one where none is given.

    Raises UnknownItem for ids that the catalog lacks, StoreUnavailable."""
    live = live or service.live
    if history is not None or user_id is None:
        live.catalog.numbers(history or ())
        events, version = Events.of(live.catalog, history or ()), 0
    else:
        kept = await service.stored(service.store.history, user_id, service.settings.limits.history)
        events, version = Events.of(live.catalog, kept.item_ids, kept.timestamps, kept.kinds, kept.values), kept.version
    left_out = live.catalog.numbers(without)
    if not len(left_out):
        return read(live, service.settings, events, version)
    found = read(live, service.settings, events.where(~np.isin(events.items, left_out)), version)
    return replace(found, seen=tuple(dict.fromkeys([*found.seen, *without])))


def read(live: Live, settings: ServeSettings, events: Events, version: int) -> Past:
    """The window of these events, and the profile of the rest."""
    policy = settings.window.model_copy(update={"most": min(settings.window.most, live.bundle.manifest.window)})
    window = Window.of(events, policy)
    profile = _profile(live, settings, window)
    return Past(
        shown=_ids(live, window.items),
        seen=_ids(live, window.seen),
        disliked=_ids(live, window.disliked),
        profile=profile if settings.profile.prompted else "",
        version=version,
        window=_shown(window, policy, profile),
    )


def _profile(live: Live, settings: ServeSettings, window: Window) -> str:
    items, weights = window.fallen
    known = items < len(live.bundle.catalog)  # the words are those of the bundle's catalog; newer items add none
    if not known.any():
        return ""
    profiler: Profiler = live.profiler
    return profiler.profile(items[known], weights[known], settings.profile).text


def _shown(window: Window, policy: WindowPolicy, profile: str) -> schemas.Window:
    reasons = {reason: count for reason, count in window.counts.items() if reason != "shown"}
    shown = len(window.items)
    return schemas.Window(
        shown=shown, left_out=len(window.past) - shown, reasons=reasons, policy=policy, profile=profile
    )


def _ids(live: Live, items: Int64) -> tuple[str, ...]:
    ids = live.catalog.item_ids
    return tuple(ids[item] for item in items.tolist())
