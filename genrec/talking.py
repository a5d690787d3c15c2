"""A conversation with a recommender in this process: what the terminal's chat is. Knows no terminal and no server.

It recommends as soon as anything was said to choose by, and asks one question where nothing was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from genrec.batching import Ask, recommend_many
from genrec.chatting.conversation import Conversation
from genrec.chatting.replying import Line, no_match, question, reply, small_talk
from genrec.chatting.request import Request, Understands
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
        self.hear(self.understand(message, self.slate))
        if self.whole.talk and not self.whole.vague:
            return small_talk(self.whole)
        if not self.ready:
            self.asked = True
            return question(self.whole, self._examples())
        wish = self.wish()
        if not wish.allowed.any():
            found = self.helped()
            return no_match(self.whole, found.relax, found.would_leave)
        made = recommend_many(self.recommender, [wish])[0]
        self.show([item.id for item in made.items])
        lines = [Line(item.title, item.explanation or "") for item in made.items]
        return reply(self.whole, lines, titles=self._titles())

    def hear(self, request: Request) -> None:
        """What was said revises what holds."""
        self.whole = self.whole.revised(request, self.shown)

    @property
    def ready(self) -> bool:
        """Whether there is something to choose by; a question is asked once at most."""
        return bool(self.history or self.asked or not self.whole.vague)

    def wish(self, *, explain: bool = True) -> Ask:
        """What to recommend now: after the history and what was spoken well of, under all rules."""
        mask = self._free() & allowed(self.recommender.catalog, self.whole.rules)
        count = min(self.whole.count or SLATE, MOST)
        leaning, language = self.whole.leaning or None, self.whole.language
        return Ask(self.chosen, count, mask, explain=explain, leaning=leaning, language=language)

    def show(self, items: Sequence[str]) -> None:
        """These items were shown, best first."""
        self.slate = tuple(items)
        self.shown += items

    def helped(self) -> NoMatch:
        """The smallest relaxation of rules that nothing meets."""
        catalog, base = self.recommender.catalog, self._free()
        relax = relaxed(catalog, self.whole.rules, base)
        left = allowed(catalog, [rule for rule in self.whole.rules if rule not in relax])
        return NoMatch(tuple(relax), int((base & left).sum()))

    @property
    def chosen(self) -> tuple[str, ...]:
        """What counts as chosen: the history, then what was spoken well of."""
        return (*(item for item in self.history if item not in self.whole.liked), *self.whole.liked)

    def _free(self) -> Bool:
        """What may come apart from rules, bool [items]."""
        catalog = self.recommender.catalog
        mask = unseen(catalog.numbers(self.chosen), len(catalog))
        mask[catalog.numbers(self.whole.excluded)] = False
        return mask

    def _titles(self) -> dict[str, str]:
        catalog, whole = self.recommender.catalog, self.whole
        named = [*whole.liked, *whole.disliked, *whole.seen]
        return {item: catalog.titles[int(number)] for item, number in zip(named, catalog.numbers(named), strict=True)}

    def _examples(self) -> list[str]:
        from genrec.chatting.linking import examples

        return examples(self.recommender.catalog)
