"""A user's past as a request reads it: what the prompt shows, what was seen, what was disliked. Knows no engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from serving.live import Live
from serving.schemas.recommendations import Window
from serving.service import Service
from serving.store import UserHistory

_DISLIKES = ("dislike", "skip")


@dataclass(frozen=True)
class Past:
    """shown: item ids that the prompt reads, oldest first; seen: all that the user had to do with; version: of the
    stored history, 0 for one that came with the request."""

    shown: tuple[str, ...]
    seen: tuple[str, ...]
    disliked: tuple[str, ...]
    version: int
    window: Window


def given(live: Live, history: Sequence[str]) -> Past:
    """A history that came with the request; raises UnknownItem."""
    live.catalog.numbers(history)
    shown = tuple(history[-live.bundle.manifest.window :])
    window = Window(shown=len(shown), left_out=len(history) - len(shown))
    return Past(shown, tuple(history), (), 0, window)


async def past_of(service: Service, user_id: str | None, history: Sequence[str] | None) -> Past:
    """The past that a request names; raises UnknownItem for ids in it that the catalog lacks, StoreUnavailable."""
    if history is not None or user_id is None:
        return given(service.live, history or ())
    return stored(service.live, await service.stored(service.store.history, user_id, service.settings.limits.history))


def stored(live: Live, history: UserHistory) -> Past:
    """A history of the store; items that the catalog does not hold are counted, not read."""
    known = [item for item in history.item_ids if live.catalog.holds(item)]
    kept = [
        item
        for item, kind in zip(history.item_ids, history.kinds, strict=True)
        if kind not in _DISLIKES and live.catalog.holds(item)
    ]
    disliked = tuple(dict.fromkeys(item for item in known if item not in set(kept)))
    shown = tuple(kept[-live.bundle.manifest.window :])
    window = Window(
        shown=len(shown), left_out=len(kept) - len(shown), disliked=len(disliked), unknown=len(history) - len(known)
    )
    return Past(shown, tuple(known), disliked, history.version, window)
