"""Events: what users did, in and acknowledged. Knows no route."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from serving.schemas.shared import Answer, Body, ItemId, UserId
from serving.store import OnlineRow

MOST_EVENTS = 1000
Kind = Literal["view", "click", "like", "purchase", "rating", "dislike", "play", "skip", "impression"]


class Event(Body):
    """One thing a user did. An `impression` says only that an item was seen, and is no part of the history."""

    user_id: UserId
    item_id: ItemId
    kind: Kind
    timestamp: int | None = Field(None, ge=0, lt=100_000_000_000)
    """UTC seconds; nothing: now."""
    value: float | None = Field(None, ge=-1e9, le=1e9, allow_inf_nan=False)
    """A rating, a price, seconds played."""
    key: UserId | None = None
    """Idempotency key: an event that comes again with its key is stored once."""
    recommendation_id: ItemId | None = None
    """`id` of the slate that led to it."""
    slot: int | None = Field(None, ge=1, le=100_000)
    """Its place in that slate, from 1."""


class Events(Body):
    """Many at once: all are stored, or none."""

    events: list[Event] = Field(min_length=1, max_length=MOST_EVENTS)


class Acknowledged(Answer):
    """What has been stored is durable, and the next request of these users sees it."""

    stored: int
    duplicates: int
    unknown_items: int
    """Events with items that the catalog does not hold (yet); they are stored, too."""


class Online(Answer):
    """One row for each model version and slot."""

    rows: list[OnlineRow]
