"""What a request means, as data: the seam between whoever understands and whoever recommends. Knows no catalog.

Whatever reads a message, rules of grammar or a model, fills in this; nothing else of a message reaches a ranking.
"""

from __future__ import annotations

from collections.abc import Sequence
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
    seen: tuple[str, ...] = ()
    """Item ids that the user knows already, without an opinion on them."""
    rules: tuple[Rule, ...] = ()
    """Hard rules on catalog fields."""
    liked_traits: tuple[Rule, ...] = ()
    """What the user is fond of: it moves scores, and forbids nothing."""
    disliked_traits: tuple[Rule, ...] = ()
    """What the user is not fond of: items that have it rank lower."""
    moods: tuple[str, ...] = ()
    """Words for what the items should be like, compared by meaning with what the catalog says of them."""
    unwanted_moods: tuple[str, ...] = ()
    """The same for what they should not be like."""
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
    withdrawn: tuple[Rule, ...] = ()
    """Field values of which nothing said before holds any longer, each as `field = value`."""
    withdrawn_items: tuple[str, ...] = ()
    """Items of which nothing said before holds any longer."""
    taken_as: tuple[tuple[str, str], ...] = ()
    """Misspelt names, and what they were taken for."""
    afresh: bool = False
    """Whether everything said before is void."""
    talk: bool = False
    """Whether the message asks for nothing: a greeting, thanks."""
    language: Language = "en"
    unlinked: tuple[str, ...] = ()
    """What the catalog seems to have no item, value or field for; it is said, not guessed."""

    @property
    def empty(self) -> bool:
        """Whether nothing that could guide a choice was said."""
        traits = self.liked_traits or self.disliked_traits or self.moods or self.unwanted_moods
        return not (self.liked or self.disliked or self.rules or self.surprise or traits)


class Understands(Protocol):
    """Reads a message. slate: item ids shown last, best first, that "the second one" and "cheaper" speak of."""

    def __call__(self, message: str, slate: Sequence[str] = ()) -> Request: ...
