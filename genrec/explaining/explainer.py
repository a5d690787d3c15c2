"""Explanations of a slate: gather evidence, let the model write, check, take the plain sentence where nothing holds.

Knows no ranking: it explains what it is given.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from genrec.asking import NextItemPrompt
from genrec.catalog import Catalog
from genrec.decoding.engine import Engine
from genrec.explaining.checker import Checker
from genrec.explaining.evidence import Evidence, History, evidence_for
from genrec.explaining.facts import Facts
from genrec.explaining.telling import Telling
from genrec.explaining.words import TASK, Drafts, Words, asked, situation, situations
from genrec.prompting import Prompts

PREPARED = 256
"""Situations at most whose sentences are drawn ahead; a catalog of many fields has more, most of which never come."""
TOGETHER = 8
"""Of these in one pass."""


@dataclass(frozen=True)
class Explanation:
    """checked: the finished text was read back without a problem; plain: it is the sentence that needs no model."""

    item: int
    text: str
    evidence: Evidence
    checked: bool
    plain: bool


@dataclass(frozen=True)
class Explainer:
    """Says why, in words that can be checked."""

    engine: Engine
    prompt: NextItemPrompt
    vocabulary: Words
    prompts: Prompts
    catalog: Catalog
    kept: dict[str, tuple[str, ...]] = field(default_factory=dict, compare=False, repr=False)
    """What the model has written so far, by prompt."""

    @cached_property
    def drafts(self) -> Drafts:
        return Drafts(self.engine, self.vocabulary, self.kept)

    @cached_property
    def facts(self) -> Facts:
        return Facts.of(self.catalog)

    @cached_property
    def telling(self) -> Telling:
        return Telling(self.catalog, self.prompts.language)

    @cached_property
    def checker(self) -> Checker:
        return Checker(self.prompts[TASK], self.facts, self.telling)

    @cached_property
    def _judged(self) -> dict[tuple[object, ...], bool]:
        return {}

    def prepare(self) -> Iterator[None]:
        """Draws what the model writes in every situation of this catalog, so that no request has to wait for it. A pass
        of the engine a step, for whoever has time between requests."""
        if TASK not in self.prompts.by_name:
            return
        fields = list(dict.fromkeys(self.facts.fields[: self.facts.telling]))
        asks = [asked(self.prompts[TASK], *one) for one in situations(fields)[:PREPARED]]
        for start in range(0, len(asks), TOGETHER):
            yield from self.drafts.drawn(asks[start : start + TOGETHER])

    def explain(self, history: History, items: Sequence[int]) -> list[Explanation]:
        """Why each item of a slate, in its order; history: item numbers, oldest first.

        The same history, slate and model give the same texts. Raises PromptError without an explain prompt.
        """
        evidences = evidence_for(self.engine, self.prompt, self.facts, history, items)
        asks = [asked(self.prompts[TASK], *situation(one.told)) if one.told.writable else "" for one in evidences]
        drafts = dict(zip(told := [ask for ask in asks if ask], self.drafts.of(told), strict=True))
        pairs = zip(asks, evidences, strict=True)
        texts = [self._first_that_holds(drafts.get(ask, ()), one, history) for ask, one in pairs]
        return [self._explanation(one, history, text) for one, text in zip(evidences, texts, strict=True)]

    def _first_that_holds(self, drafts: Sequence[str], evidence: Evidence, history: History) -> str:
        """Beginning at another draft for another item, so that a slate does not repeat itself."""
        start = evidence.item % max(1, len(drafts))
        turned = (*drafts[start:], *drafts[:start])
        return next((text for draft in turned if (text := self._checked(draft, evidence, history))), "")

    def _checked(self, draft: str, evidence: Evidence, history: History) -> str:
        """The filled draft; empty where it does not hold."""
        if not self._may_stand(draft, evidence):
            return ""
        text = self.telling.fill(draft, evidence)
        return text if self.checker.statement(text, evidence, history).ok else ""

    def _may_stand(self, draft: str, evidence: Evidence) -> bool:
        """The checker on a sentence before it is filled: it reads no names, so that few cases come again and again."""
        told = evidence.told
        case = (draft, told.fields, told.sharing, told.moved, bool(told.liked))
        if case not in self._judged:
            self._judged[case] = self.checker.sentence(draft, evidence).ok
        return self._judged[case]

    def _explanation(self, evidence: Evidence, history: History, text: str) -> Explanation:
        if text:
            return Explanation(evidence.item, text, evidence, checked=True, plain=False)
        said = self.telling.plain(evidence)
        checked = self.checker.statement(said, evidence, history).ok
        return Explanation(evidence.item, said, evidence, checked, plain=True)
