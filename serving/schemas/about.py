"""What is served, for whoever draws a page round it. Knows no route."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from serving.keys import Scope
from serving.schemas.shared import Answer


class FieldSaid(Answer):
    """A field of the catalog that rules may name."""

    name: str
    names: dict[str, str] = Field(default_factory=dict)
    """In other languages, where known: `zh`."""
    kind: Literal["text", "list", "number", "flag", "date"]
    prose: bool
    """Whether its values are sentences rather than names."""
    low: float | None = None
    """Least value of a number."""
    high: float | None = None
    whole: bool = False
    """Whether its numbers are whole."""
    values: list[str] = Field(default_factory=list)
    """The most frequent values of a text or list, most frequent first."""


class About(Answer):
    """The bundle, its catalog, its priors, and what this key may do."""

    model: str
    items: int
    """That may be recommended now."""
    language: str
    """Of explanations."""
    languages: list[str]
    """In which explanations can be asked for, this one first."""
    reads: Literal["model", "grammar"]
    """What understands messages."""
    priors: dict[str, float]
    """Every prior and its weight in the bundle."""
    fields: list[FieldSaid]
    scopes: list[Scope]
    """Of this key."""
    most: int
    """Largest slate."""
    interests: bool
    """Whether the bundle tells how a user's interest moved."""


class Card(Answer):
    """An item as a page shows it."""

    id: str
    title: str
    fields: dict[str, Any]
    available: bool


class Cards(Answer):
    """In the order asked for; a search gives the best first."""

    items: list[Card]
