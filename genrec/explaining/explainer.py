"""Explanations of a slate: gather evidence, let the model word it, check, take the plain sentence where nothing holds.

Knows no ranking: it explains what it is given, and asks whoever ranked (the judge) what would be without.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import blake2b
from typing import Literal

import numpy as np

from genrec.asking import NextItemPrompt
from genrec.catalog import Catalog
from genrec.chatting.rules import Rule
from genrec.decoding.engine import Engine
from genrec.explaining.checker import Checker, tolds
from genrec.explaining.citing import Citing
from genrec.explaining.evidence import Alone, Evidence, History, Judge, Told, evidence_for, run_again
from genrec.explaining.facts import Facts
from genrec.explaining.telling import Telling
from genrec.explaining.words import TASK, Kept, Words, Writer, situations
from genrec.prompting import Part, Prompts

Length = Literal["short", "normal", "long"]
LENGTHS: dict[Length, tuple[Part, ...]] = {
    "short": ("short",),
    "normal": ("reason",),
    "long": ("reason", "rule", "contrast", "counterfactual"),
}
"""What each length says, in order."""
PREPARED = 256
"""Situations at most whose sentences are drawn ahead; a catalog of many fields has more, most of which never come."""
TOGETHER = 4
"""Of these in one pass."""
_ATTEMPTS = 2  # a sentence that does not hold is written once more


@dataclass(frozen=True)
class Statement:
    """One sentence of an explanation. cited: ids of the evidence that it rests on (see citing); checked: it was read
    back without a problem; plain: it is the sentence that needs no model."""

    part: Part
    text: str
    cited: tuple[str, ...]
    checked: bool
    plain: bool


@dataclass(frozen=True)
class Explanation:
    """statements: what `text` is made of, in order."""

    item: int
    text: str
    evidence: Evidence
    statements: tuple[Statement, ...]

    @property
    def checked(self) -> bool:
        return all(one.checked for one in self.statements)

    @property
    def plain(self) -> bool:
        return all(one.plain for one in self.statements)


@dataclass(frozen=True)
class _Wish:
    """A sentence that is to be written. row: of which item of the slate; seed: the dice of its first attempt."""

    row: int
    part: Part
    told: Told
    seed: int


@dataclass(frozen=True)
class Explainer:
    """Says why, in words that can be checked."""

    engine: Engine
    prompt: NextItemPrompt
    vocabulary: Words
    prompts: Prompts
    catalog: Catalog
    kept: Kept = field(default_factory=dict, compare=False, repr=False)
    """What the model thinks of sentences so far, by language and situation."""

    def speaking(self, language: str | None) -> Explainer:
        """The one of this language; itself where the bundle does not speak it."""
        return self._others.get(language or "", self)

    @cached_property
    def _others(self) -> dict[str, Explainer]:
        return {language: replace(self, prompts=prompts) for language, prompts in self.prompts.beside.items()}

    @cached_property
    def writer(self) -> Writer:
        return Writer(self.engine, self.vocabulary, self.prompts[TASK], self.kept)

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
    def citing(self) -> Citing:
        return Citing(self.catalog, self.facts)

    def prepare(self) -> Iterator[None]:
        """Asks the model about sentences of every situation of this catalog, so that few requests have to. A pass of
        the engine or a few a step, for whoever has time between requests."""
        if TASK not in self.prompts.by_name:
            return
        fields = list(dict.fromkeys(self.facts.fields[: self.facts.telling]))
        nows = situations(fields, ("reason", "contrast", "counterfactual", "rule"))[:PREPARED]
        for start in range(0, len(nows), TOGETHER):
            yield from self.writer.warmed(nows[start : start + TOGETHER])
        for other in self._others.values():
            yield from other.prepare()

    def explain(
        self,
        history: History,
        items: Sequence[int],
        *,
        length: Length = "normal",
        rules: Sequence[Rule] = (),
        judge: Judge | None = None,
    ) -> list[Explanation]:
        """Why each item of a slate, in its order; history: item numbers, oldest first.

        rules: those that the items were asked to meet; judge: who ranked them, the language model alone if not given.
        The same arguments and model give the same texts. Raises PromptError without an explain prompt.
        """
        ranked = judge or Alone(self.engine, self.prompt)
        evidences = evidence_for(ranked, self.facts, history, items, self.prompt.window, rules)
        if length == "long":
            evidences = run_again(ranked, history, evidences)
        wishes = self._wishes(history, evidences, LENGTHS[length])
        said = self._said(wishes, evidences, history)
        return [
            self._explanation(one, [said[place] for place, wish in enumerate(wishes) if wish.row == row])
            for row, one in enumerate(evidences)
        ]

    def _wishes(self, history: History, evidences: Sequence[Evidence], parts: Sequence[Part]) -> list[_Wish]:
        events = np.asarray(history, dtype=np.int64).tobytes()
        return [
            _Wish(row, part, told, _seed(events, one.item, part, place))
            for row, one in enumerate(evidences)
            for part in parts
            for place, told in enumerate(tolds(part, one))
        ]

    def _said(self, wishes: Sequence[_Wish], evidences: Sequence[Evidence], history: History) -> dict[int, Statement]:
        """A statement for each wish: the model's first that holds, else the plain one."""
        said: dict[int, Statement] = {}
        for attempt in range(_ATTEMPTS):
            left = [place for place, one in enumerate(wishes) if one.told.writable and place not in said]
            asked = [wishes[place] for place in left]
            drawn = self.writer.write([(one.part, one.told) for one in asked], [one.seed + attempt for one in asked])
            for place, wish, sentence in zip(left, asked, drawn, strict=True):
                made = self._statement(wish, sentence, evidences[wish.row], history, plain=False)
                if sentence and made.checked:
                    said[place] = made
        for place, wish in enumerate(wishes):
            if place not in said:
                plain = self.telling.plain(wish.part, wish.told)
                said[place] = self._statement(wish, plain, evidences[wish.row], history, plain=True)
        return said

    def _statement(self, wish: _Wish, sentence: str, evidence: Evidence, history: History, plain: bool) -> Statement:
        text = self.telling.fill(sentence, wish.told)
        checked = self.checker.statement(text, evidence, history, wish.part).ok
        return Statement(wish.part, text, self.citing.cited(sentence, wish.told, evidence), checked, plain)

    def _explanation(self, evidence: Evidence, statements: Sequence[Statement]) -> Explanation:
        apart = "" if self.prompts.language == "zh" else " "
        text = apart.join(one.text for one in statements if one.checked or one.part in ("reason", "short"))
        return Explanation(evidence.item, text, evidence, tuple(statements))


def _seed(events: bytes, item: int, part: str, place: int) -> int:
    """Dice of a sentence: the same for the same history and item, wherever and whenever they meet."""
    said = blake2b(f"{item} {part} {place}".encode() + events, digest_size=7)
    return int.from_bytes(said.digest(), "little")
