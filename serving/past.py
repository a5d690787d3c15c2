"""A user's past as a request reads it: what the prompt shows, what was seen, what was disliked. Knows no engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from serving.live import Live
from serving.schemas.recommendations import Window
from serving.service import Service


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
    """The past that a request names; raises UnknownItem for ids in it that the catalog lacks."""
    if history is not None or user_id is None:
        return given(service.live, history or ())
    return given(service.live, ())
