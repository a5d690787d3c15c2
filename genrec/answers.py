"""Answers of the recommender as data: slates, their items, reasons and evidence. Know neither model nor catalog."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class EvidenceShown(_Answer):
    """What an explanation rests on."""

    interactions: list[str]
    """Item ids of the history whose removal lowers the item most, most moving first."""
    drops: list[float]
    """By how much the item's log-probability falls without each."""
    facts: dict[str, list[str]]
    """Catalog facts shared with them: field → values."""


class RecommendedItem(_Answer):
    """One place of a slate."""

    id: str
    title: str
    score: float
    """log p(semantic ID | prompt) plus priors."""
    rank: int
    evidence: EvidenceShown | None = None
    explanation: str | None = None
    propensity: float | None = None
    """Chance with which this place got this item, given those above it; None where nothing was left to chance."""


class ToldItem(_Answer):
    """Why one item would be recommended."""

    id: str
    title: str
    explanation: str
    evidence: EvidenceShown


class WindowShown(_Answer):
    """What of the history the prompt showed."""

    shown: int
    left_out: int


class Recommendation(_Answer):
    """A slate. `id` keys feedback; the same request, bundle and history give the same slate and id."""

    id: str
    items: list[RecommendedItem]
    window: WindowShown
    constraints: dict[str, str]
    """What was asked of the items."""
    model: str
    """Version of the bundle."""
    degraded: bool
    """Whether the language model could not rank: no history to read, so popular items."""
    note: str = ""
    """Why it is degraded, in words."""
