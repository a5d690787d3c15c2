"""A conversation with a recommender in this process: what the terminal's chat is. Knows no terminal and no server."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from genrec.answers import Recommendation
from genrec.chatting.conversation import Conversation
from genrec.chatting.replying import Line, no_match, question, reply
from genrec.chatting.request import Understands
from genrec.chatting.rules import allowed, relaxed
from genrec.chatting.understanding import Grammar
from genrec.fusing import unseen
from genrec.recommender import MOST, Recommender

SLATE = 5
"""Items where nobody said how many."""


@dataclass
class Talk:
    """history: item ids, oldest first. What was said and shown so far holds until it is revised."""

    recommender: Recommender
    history: tuple[str, ...] = ()
    whole: Conversation = field(default_factory=Conversation)
    shown: list[str] = field(default_factory=list)

    @cached_property
    def understand(self) -> Understands:
        return Grammar.of(self.recommender.catalog)

    def say(self, message: str) -> str:
        """The answer in words, with the items numbered."""
        self.whole = self.whole.revised(self.understand(message), self.shown)
        if self.whole.vague and not self.history:
            return question(self.whole, self._examples())
        made = self._recommended()
        if not made.items:
            return self._nothing()
        self.shown += [item.id for item in made.items]
        return reply(self.whole, [Line(item.title, item.explanation or "") for item in made.items])

    def _chosen(self) -> list[str]:
        return [*(item for item in self.history if item not in self.whole.liked), *self.whole.liked]

    def _recommended(self) -> Recommendation:
        catalog = self.recommender.catalog
        return self.recommender.recommend(
            self._chosen(), min(self.whole.count or SLATE, MOST),
            exclude=list(dict.fromkeys([*self.whole.disliked, *self.whole.shown])),
            allowed=allowed(catalog, self.whole.rules),
        )  # fmt: skip

    def _nothing(self) -> str:
        catalog = self.recommender.catalog
        base = unseen(catalog.numbers(self._chosen()), len(catalog))
        base[catalog.numbers([*self.whole.disliked, *self.whole.shown])] = False
        relax = relaxed(catalog, self.whole.rules, base)
        left = allowed(catalog, [rule for rule in self.whole.rules if rule not in relax])
        return no_match(self.whole, relax, int((base & left).sum()))

    def _examples(self) -> list[str]:
        from genrec.chatting.linking import examples

        return examples(self.recommender.catalog)
