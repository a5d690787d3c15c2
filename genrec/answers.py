"""Answers of the recommender as data: slates, their items, reasons and evidence. Know neither model nor catalog."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PieceShown(_Answer):
    """One piece of evidence, which statements cite by its id."""

    id: str
    """`interaction:…`, `fact:field=value`, `rule:…`, `contrast:…` (with another item), `rerun:…` (without these)."""
    kind: str
    items: list[str] = []
    """Item ids: the interaction; the item and those that share the fact; the other item; those left out."""
    field: str = ""
    value: str = ""
    paths: list[str] = []
    """Ways through the catalog, `item -field:value- item`."""
    amount: float | None = None
    """Nats: what the score loses without the interaction; by how much the item leads the other."""
    holds: str = ""
    """What was found: of a rerun, whether the item was present or absent."""


class StatementShown(_Answer):
    """One sentence of an explanation."""

    kind: str
    """reason, short, rule, contrast, counterfactual."""
    text: str
    evidence: list[str]
    """Ids of the pieces that it rests on."""


class EvidenceShown(_Answer):
    """What an explanation rests on."""

    interactions: list[str]
    """Item ids of the history whose removal lowers the item most, most moving first."""
    drops: list[float]
    """By how much the item's score falls without each."""
    facts: dict[str, list[str]]
    """Catalog facts shared with them: field → values."""
    pieces: list[PieceShown] = []
    """All of it, with ids."""
    statements: list[StatementShown] = []
    """What the explanation is made of, each sentence with the ids that it rests on."""


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


class JudgedItem(_Answer):
    """What a person will make of an item."""

    id: str
    title: str
    chances: dict[str, float]
    """Answer → its chance, over the answers alone."""
    expected: float | None = None
    """Mean rating, the guess of the least squared error; None where answers are no numbers."""
    median: float | None = None
    """Median rating, the guess of the least absolute error."""


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
