"""Explanations of a slate: gather evidence, let the model write, check, write again, fall back to the plain sentence.

Knows no ranking: it explains what it is given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from genrec.asking import NextItemPrompt
from genrec.catalog import Catalog
from genrec.decoding.engine import Engine
from genrec.explaining.checker import Checker
from genrec.explaining.evidence import Evidence, History, evidence_for
from genrec.explaining.facts import Facts
from genrec.explaining.telling import Telling
from genrec.explaining.words import TASK, Words, write
from genrec.prompting import Prompts

TRIES = 2
"""Times that the model may write before the plain sentence is taken."""


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

    @cached_property
    def facts(self) -> Facts:
        return Facts.of(self.catalog)

    @cached_property
    def telling(self) -> Telling:
        return Telling(self.catalog, self.prompts.language)

    @cached_property
    def checker(self) -> Checker:
        return Checker(self.prompts[TASK], self.facts, self.telling)

    def explain(self, history: History, items: Sequence[int]) -> list[Explanation]:
        """Why each item of a slate, in its order; history: item numbers, oldest first.

        The same history, slate and model give the same texts. Raises PromptError without an explain prompt.
        """
        evidences = evidence_for(self.engine, self.prompt, self.facts, history, items)
        texts: dict[int, str] = {}
        for seed in range(TRIES):
            left = [place for place, one in enumerate(evidences) if one.told.writable and place not in texts]
            drafts = write(self.engine, self.vocabulary, self.prompts, [evidences[place] for place in left], seed)
            for place, draft in zip(left, drafts, strict=True):
                if text := self._checked(draft, evidences[place], history):
                    texts[place] = text
        return [self._explanation(one, history, texts.get(place)) for place, one in enumerate(evidences)]

    def _checked(self, draft: str, evidence: Evidence, history: History) -> str:
        """The filled draft; empty where it does not hold."""
        if not self.checker.sentence(draft, evidence).ok:
            return ""
        text = self.telling.fill(draft, evidence)
        return text if self.checker.statement(text, evidence, history).ok else ""

    def _explanation(self, evidence: Evidence, history: History, text: str | None) -> Explanation:
        if text is not None:
            return Explanation(evidence.item, text, evidence, checked=True, plain=False)
        said = self.telling.plain(evidence)
        checked = self.checker.statement(said, evidence, history).ok
        return Explanation(evidence.item, said, evidence, checked, plain=True)
