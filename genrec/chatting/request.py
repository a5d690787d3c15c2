"""What a request means, as data: the seam between whoever understands and whoever recommends. Knows no catalog.

Whatever reads a message, rules of grammar or a model, fills in this; nothing else of a message reaches a ranking.
"""

from __future__ import annotations

from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict

from genrec.chatting.rules import Rule

Language = Literal["en", "zh"]


class Request(BaseModel):
    """One message, understood."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    liked: tuple[str, ...] = ()
    """Item ids that the user speaks well of."""
    disliked: tuple[str, ...] = ()
    """Item ids that the user does not want, nor their like."""
    rules: tuple[Rule, ...] = ()
    """Hard rules on catalog fields."""
    count: int | None = None
    """How many items; None: not said."""
    surprise: bool = False
    """Whether the user leaves the choice to us."""
    others: bool = False
    """Whether what was shown before should not come again."""
    also: bool = False
    """Whether the rules stand beside those of earlier messages on the same field."""
    forget: tuple[str, ...] = ()
    """Fields whose earlier rules no longer hold."""
    afresh: bool = False
    """Whether everything said before is void."""
    language: Language = "en"
    unlinked: tuple[str, ...] = ()
    """What the catalog seems to have no item, value or field for; it is said, not guessed."""

    @property
    def empty(self) -> bool:
        """Whether nothing that could guide a choice was said."""
        return not (self.liked or self.disliked or self.rules or self.surprise)


class Understands(Protocol):
    """Reads a message."""

    def __call__(self, message: str) -> Request: ...
