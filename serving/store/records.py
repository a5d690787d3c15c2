"""What goes into the store and comes out of it, checked. Knows no database.

Whatever passes here can be stored by SQLite and PostgreSQL alike: no NUL characters, no NaN, no lone surrogates.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, model_validator

from genrec import interactions

IMPRESSION = "impression"
"""The kind of an event that says only that an item was seen; no part of the history."""
KINDS = (*interactions.KINDS, IMPRESSION)
MOST_EVENTS = 10_000
"""Events of one `append`."""
LATEST = 100_000_000_000
"""UTC seconds, the year 5138: a larger timestamp is one in milliseconds."""
LARGEST = 65_536
"""Bytes of a JSON field, encoded."""


def _storable(text: str) -> str:
    if "\0" in text:
        raise ValueError("holds a NUL character, which PostgreSQL cannot store")
    return text


def _jsonable(data: dict[str, JsonValue]) -> dict[str, JsonValue]:
    try:
        encoded = json.dumps(data, allow_nan=False, ensure_ascii=False).encode()
    except ValueError as error:  # NaN, infinity, lone surrogates
        raise ValueError(f"is not JSON that a database can store: {error}") from None
    if len(encoded) > LARGEST:
        raise ValueError(f"has {len(encoded):,} bytes as JSON; allowed are {LARGEST:,}")
    return data


def _known_kind(kind: str) -> str:
    if kind not in KINDS:
        raise ValueError(f"is none of {', '.join(KINDS)}")
    return kind


Id = Annotated[str, Field(min_length=1, max_length=256), AfterValidator(_storable)]
Seconds = Annotated[int, Field(ge=0, lt=LATEST)]
Place = Annotated[int, Field(ge=1, le=100_000)]
Json = Annotated[dict[str, JsonValue], AfterValidator(_jsonable)]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class NewEvent(_Record):
    """One thing a user did."""

    user_id: Id
    item_id: Id
    timestamp: Seconds | None = None
    """UTC seconds; None: the time at which the store takes it."""
    kind: Annotated[str, AfterValidator(_known_kind)]
    """One of `KINDS`: those of `genrec.interactions`, or `impression`."""
    value: float | None = None
    """A rating, a price, seconds played: what the kind makes of it."""
    key: Id | None = None
    """Idempotency key, unique over the whole store: an event that comes again with its key is stored once."""
    recommendation_id: Id | None = None
    """The slate that led to it."""
    slot: Place | None = None
    """Where on the page it stood, from 1, as the client says."""


@dataclass(frozen=True)
class Appended:
    """What became of a batch: `stored` events are durable, `duplicates` were so before."""

    stored: int
    duplicates: int


@dataclass(frozen=True)
class UserHistory:
    """A user's interactions (no impressions), oldest first; events of the same second as they came in.

    version: changes with every event that belongs to the history and with every erasure, and never comes again for
    this user: what was computed from the history may be kept under it.
    """

    item_ids: list[str]
    timestamps: list[int]
    kinds: list[str]
    values: list[float | None]
    version: int

    def __len__(self) -> int:
        return len(self.item_ids)


class ShownItem(_Record):
    """One place of a slate."""

    item_id: Id
    slot: Place
    """From 1."""
    propensity: Annotated[float, Field(ge=0, le=1)] | None = None
    """Probability with which the policy shows this item here, for unbiased estimates later."""


class Slate(_Record):
    """What was shown to whom. The same recommendation and user again: the first record stands."""

    recommendation_id: Id
    user_id: Id
    model: Id
    """Version of the bundle."""
    items: tuple[ShownItem, ...]
    shown_at: Seconds | None = None
    """UTC seconds; None: now."""
    policy: Json = Field(default_factory=dict)
    """How the slate came about: weights, exploration, degraded, experiment."""

    @model_validator(mode="after")
    def _once(self) -> Slate:
        seen: set[str] = set()
        twice = [item.item_id for item in self.items if item.item_id in seen or seen.add(item.item_id)]  # type: ignore[func-returns-value]
        if twice:
            raise ValueError(f"item {twice[0]!r} stands twice in the slate")
        return self


class ItemEdit(_Record):
    """An edit of one item as a caller states it."""

    item_id: Id
    fields: Json = Field(default_factory=dict)
    available: bool | None = None


@dataclass(frozen=True)
class CatalogChange:
    """How an item of the catalog stands after all its edits; apply it over the bundle's row.

    whole: `fields` are the whole item, else they are laid over the bundle's row; deleted: it is gone, whatever the
    bundle holds; available: whether it may be recommended now.
    """

    version: int
    item_id: str
    fields: dict[str, Any]
    whole: bool
    available: bool
    deleted: bool
    changed_at: int
