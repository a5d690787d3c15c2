"""Slates: what can be asked for, and what comes back. Knows no route."""

from __future__ import annotations

from pydantic import Field, model_validator

from genrec.answers import RecommendedItem, ToldItem
from genrec.chatting.request import Language
from genrec.chatting.rules import Rule
from genrec.explaining import Length
from genrec.interest.window import WindowPolicy
from serving.schemas.shared import MODEL, MOST_ITEMS, Answer, Body, ItemId, ModelName, UserId, Weight

MOST_RULES = 20


class SlateRequest(Body):
    """Who for (`user_id`, or `history` in the request), how many, and what may come."""

    user_id: UserId | None = None
    """Whose stored history is read; without events of this user the slate is of popular items."""
    history: list[ItemId] | None = Field(None, max_length=MOST_ITEMS)
    """Item ids in place of a stored history, oldest first; nothing is stored of them."""
    k: int = Field(10, ge=1, le=200)
    """Items of the slate."""
    filters: list[Rule] = Field(default_factory=list, max_length=MOST_RULES)
    """Hard rules on fields of the catalog; all must hold."""
    exclude: list[ItemId] = Field(default_factory=list, max_length=MOST_ITEMS)
    """Items that never come."""
    without: list[ItemId] = Field(default_factory=list, max_length=MOST_ITEMS)
    """Items of the history that are read as if they had not happened: what would the slate be without them? They do
    not come themselves, so that the two slates can be compared."""
    repeats: bool = False
    """Whether items of the history may come again."""
    weights: dict[str, Weight] | None = Field(None, max_length=20)
    """Weights of priors in place of the bundle's: popularity, recent, content, collaborative, sequence."""
    diversity: float = Field(0.0, ge=0, le=1)
    """0: the best items; towards 1: items less like each other."""
    cover: float = Field(0.0, ge=0, le=1)
    """0: the best items; towards 1: those that cover the interests of the history in proportion, .3 is a good trade.
    Not together with `diversity`, and only for a bundle that knows topics (`interests` of /v1/about)."""
    explain: bool = True
    """Whether each item comes with its evidence and a sentence."""
    length: Length = "normal"
    """Of explanations: short, a few words; normal, a sentence; long, also why not another item, what would be without
    a choice, and which filters are met."""
    language: Language | None = None
    """Of explanations; the bundle's own where it does not speak this one (`languages` of /v1/about)."""
    model: ModelName = MODEL
    """Which bundle ranks: one of /v1/models."""

    @model_validator(mode="after")
    def _one_history(self) -> SlateRequest:
        if (self.user_id is None) == (self.history is None):
            raise ValueError("give either user_id or history; [] is an empty history")
        return self

    @model_validator(mode="after")
    def _one_aim(self) -> SlateRequest:
        if self.cover and self.diversity:
            raise ValueError("give either cover or diversity")
        return self

    @property
    def picked(self) -> bool:
        """Whether the slate is picked from more items than it shows."""
        return self.cover > 0 or self.diversity > 0


class Window(Answer):
    """What of the history the prompt showed."""

    shown: int
    left_out: int
    reasons: dict[str, int]
    """Why interactions are left out: unknown, disliked, repeated, old, session, count, block."""
    policy: WindowPolicy
    """What decided."""
    profile: str
    """What the window leaves out, in words of the catalog."""


class NoMatch(Answer):
    """No item meets the filters together; `relax`: the fewest to drop so that something is left."""

    relax: list[Rule]
    would_leave: int


class Slate(Answer):
    """`id` keys feedback: the same request, bundle and history version give the same slate and id."""

    id: str
    items: list[RecommendedItem]
    window: Window
    constraints: dict[str, str]
    """What was asked of the items."""
    model: str
    """Version of the bundle."""
    degraded: bool
    """Whether the slate comes from the priors because there is no history, or the language model is not there."""
    note: str = ""
    """Why, in words."""
    no_match: NoMatch | None = None


class ExplanationRequest(Body):
    """Why would these items be recommended?"""

    user_id: UserId | None = None
    history: list[ItemId] | None = Field(None, max_length=MOST_ITEMS)
    items: list[ItemId] = Field(min_length=1, max_length=20)
    length: Length = "normal"
    """short, normal or long."""
    language: Language | None = None
    """The bundle's own where it does not speak this one."""
    model: ModelName = MODEL
    """Which bundle gives them: one of /v1/models."""

    @model_validator(mode="after")
    def _one_history(self) -> ExplanationRequest:
        if (self.user_id is None) == (self.history is None):
            raise ValueError("give either user_id or history")
        return self


class Explanations(Answer):
    """One for each item, in the order asked."""

    items: list[ToldItem]
    model: str
