"""A conversation with a recommender in this process: what the terminal's chat is. Knows no terminal and no server.

It recommends as soon as anything was said to choose by, and asks one question where nothing was.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from genrec.answers import Recommendation
from genrec.chatting.conversation import Conversation
from genrec.chatting.replying import Line, no_match, question, reply, small_talk
from genrec.chatting.request import Understands
from genrec.chatting.rules import Bool, Rule, allowed, relaxed
from genrec.chatting.understanding import Grammar
from genrec.fusing import unseen
from genrec.reader import Reader
from genrec.recommender import MOST, Recommender

SLATE = 5
"""Items where nobody said how many."""


@dataclass(frozen=True)
class NoMatch:
    """Nothing meets all rules; without `relax`, the fewest that help, `would_leave` items do."""

    relax: tuple[Rule, ...]
    would_leave: int


@dataclass
class Talk:
    """history: item ids, oldest first. What was said and shown so far holds until it is revised.

    reader: who understands messages; None: the bundle's reader where it has one, else the grammar.
    """

    recommender: Recommender
    history: tuple[str, ...] = ()
    whole: Conversation = field(default_factory=Conversation)
    shown: list[str] = field(default_factory=list)
    slate: tuple[str, ...] = ()
    reader: Understands | None = None
    asked: bool = False

    @cached_property
    def understand(self) -> Understands:
        catalog = self.recommender.catalog
        return self.reader or Reader.open(self.recommender.bundle, catalog) or Grammar.of(catalog)

    def say(self, message: str) -> str:
        """The answer in words, with the items numbered."""
        self.whole = self.whole.revised(self.understand(message, self.slate), self.shown)
        if self.whole.talk and not self.whole.vague:
            return small_talk(self.whole)
        if self.whole.vague and not self.history and not self.asked:
            self.asked = True
            return question(self.whole, self._examples())
        made = self._recommended()
        if not made.items:
            return self._nothing()
        self.slate = tuple(item.id for item in made.items)
        self.shown += self.slate
        lines = [Line(item.title, item.explanation or "") for item in made.items]
        return reply(self.whole, lines, titles=self._titles())

    @property
    def chosen(self) -> list[str]:
        """What counts as chosen: the history, then what was spoken well of."""
        return [*(item for item in self.history if item not in self.whole.liked), *self.whole.liked]

    def _recommended(self) -> Recommendation:
        catalog = self.recommender.catalog
        return self.recommender.recommend(
            self.chosen, min(self.whole.count or SLATE, MOST), exclude=self.whole.excluded,
            allowed=allowed(catalog, self.whole.rules), leaning=self.whole.leaning,
        )  # fmt: skip

    def _nothing(self) -> str:
        base = unseen(self.recommender.catalog.numbers(self.chosen), len(self.recommender.catalog))
        base[self.recommender.catalog.numbers(self.whole.excluded)] = False
        found = helped(self.recommender, self.whole, base)
        return no_match(self.whole, found.relax, found.would_leave)

    def _titles(self) -> dict[str, str]:
        catalog, whole = self.recommender.catalog, self.whole
        named = [*whole.liked, *whole.disliked, *whole.seen]
        return {item: catalog.titles[int(number)] for item, number in zip(named, catalog.numbers(named), strict=True)}

    def _examples(self) -> list[str]:
        from genrec.chatting.linking import examples

        return examples(self.recommender.catalog)


def helped(recommender: Recommender, whole: Conversation, base: Bool) -> NoMatch:
    """The smallest relaxation of rules that nothing of `base` (bool [items]) meets."""
    relax = relaxed(recommender.catalog, whole.rules, base)
    left = allowed(recommender.catalog, [rule for rule in whole.rules if rule not in relax])
    return NoMatch(tuple(relax), int((base & left).sum()))
