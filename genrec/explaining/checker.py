"""The checker: whether a sentence may stand, read against phrasings, evidence, catalog and history. Knows no model.

A finished statement is read back: its names are taken out, what is left must be one of the sentences that the evidence
supports, and what that sentence says of titles, facts, causes, comparisons, rules and runs must hold, the facts by the
catalog, the interactions by the history.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from genrec.chatting.rules import Rule, allowed
from genrec.explaining.evidence import Evidence, History, Told
from genrec.explaining.facts import Facts, SharedFact
from genrec.explaining.saying import CAUSAL, Situation, sentences, situation
from genrec.explaining.telling import Telling, filled
from genrec.prompting import Part, Prompt
from genrec.slots import markers_in

_QUOTED = re.compile("“([^“”]*)”")


@dataclass(frozen=True)
class Verdict:
    """problems: everything found wrong, in words; none where the sentence may stand."""

    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return not self.problems


def tolds(part: Part, evidence: Evidence) -> list[Told]:
    """What a sentence of this part can tell of the evidence."""
    if part == "rule":
        return evidence.ruled
    return {"contrast": evidence.contrasted, "counterfactual": evidence.countered}.get(part, [evidence.told])


@dataclass(frozen=True)
class Checker:
    """Checks what is said of this catalog with the phrasings of this prompt."""

    prompt: Prompt
    facts: Facts
    telling: Telling

    def sentence(self, sentence: str, part: Part, told: Told) -> Verdict:
        """A sentence with markers, before it is filled."""
        if sentence in self._said(part, told):
            return Verdict(())
        return Verdict(("no phrasing for this evidence says so", *self._wrong_markers(sentence, told)))

    def statement(self, text: str, evidence: Evidence, history: History, part: Part = "reason") -> Verdict:
        """A finished statement, read back against catalog and history."""
        found = [self._against(text, part, told, evidence, history) for told in tolds(part, evidence)]
        if not found:
            return Verdict((f"there is no evidence for a {part}",))
        return Verdict(min(found, key=len))

    def _against(self, text: str, part: Part, told: Told, evidence: Evidence, history: History) -> tuple[str, ...]:
        names = self.telling.names(told)
        said = self._said(part, told)
        sentence = self._read(text, part, told, names)
        known = () if sentence in said else ("no phrasing for this evidence says so",)
        untrue = self._untrue(sentence, part, told, evidence, history)
        return (*known, *_foreign_names(text, names), *dict.fromkeys(untrue))

    def _read(self, text: str, part: Part, told: Told, names: dict[str, str]) -> str:
        """The sentence with markers that the text came from; where there is none, the text without its names."""
        said = self._said(part, told)
        fieldless = {marker: name for marker, name in names.items() if not marker.startswith("field")}
        readings = [_without(fieldless, text), _without(names, text)]
        quick = next((one for one in readings if one in said), "")
        return quick or next((one for one in said if filled(one, names) == text), readings[0])

    def _untrue(self, sentence: str, part: Part, told: Told, evidence: Evidence, history: History) -> Iterator[str]:
        used, known = markers_in(sentence), set(map(int, history)) & {one.item for one in evidence.interactions}
        named = [item for place, item in enumerate(told.liked, 1) if f"liked_{place}" in used]
        yield from (f"{self.telling.title(item)} is not in the history" for item in named if item not in known)
        if (CAUSAL.search(sentence) or not told.facts) and named and not told.moved and not self._after(sentence, told):
            yield "it names a cause, but the item was not moved"
        plain = sentence == self.telling.plain(part, told)
        sharing = told.liked[: told.sharing] if plain else named
        for place, fact in enumerate(told.facts, 1):
            if used & {f"value_{place}", f"field_{place}"}:
                yield from self._unshared(fact, [told.item, *sharing])
                if told.other is not None and self.facts.holds(told.other, fact.field, fact.value):
                    yield f"the catalog gives {self.telling.title(told.other)} the {fact.field} {fact.value!r}, too"
        if told.rule is not None and not self._meets(told.rule)[told.item]:
            yield f"the catalog does not say that {told.rule}"

    def _after(self, sentence: str, told: Told) -> bool:
        """Whether it says no more than that the one came after the other."""
        return sentence == self.telling.plain("reason", told)

    def _unshared(self, fact: SharedFact, items: Sequence[int]) -> Iterator[str]:
        for item in items:
            if not self.facts.holds(item, fact.field, fact.value):
                yield f"the catalog gives {self.telling.title(item)} no {fact.field} {fact.value!r}"

    def _wrong_markers(self, sentence: str, told: Told) -> list[str]:
        there = set(self.telling.names(told))
        missing = sorted(markers_in(sentence) - there)
        return [f"no evidence for the markers {', '.join(missing)}"] if missing else []

    def _said(self, part: Part, told: Told) -> frozenset[str]:
        """All that may be said, the plain sentence among it."""
        now = (situation(part, told), len(told.liked))
        if now not in self._known:
            self._known[now] = frozenset((*sentences(self.prompt, now[0]), self.telling.plain(part, told)))
        return self._known[now]

    def _meets(self, rule: Rule) -> npt.NDArray[np.bool_]:
        key = rule.model_dump_json()
        if key not in self._masks:
            self._masks[key] = allowed(self.telling.catalog, [rule])
        return self._masks[key]

    @cached_property
    def _known(self) -> dict[tuple[Situation, int], frozenset[str]]:
        return {}

    @cached_property
    def _masks(self) -> dict[str, npt.NDArray[np.bool_]]:
        return {}


def _foreign_names(text: str, names: dict[str, str]) -> Iterator[str]:
    """Titles that are not the evidence's, and markers that should have been filled."""
    mine = {name for marker, name in names.items() if marker.startswith(("item", "liked", "other"))}
    yield from (
        f"the title “{title}” is not in the evidence" for title in _QUOTED.findall(text) if f"“{title}”" not in mine
    )
    if markers_in(text):
        yield "an unfilled marker"


def _without(names: dict[str, str], text: str) -> str:
    """The text with each name that stands there as a whole replaced by its marker, longer names first."""
    forms = {form: marker for marker, name in names.items() for form in (name[:1].upper() + name[1:], name) if form}
    parts = [text]  # text and markers in turn
    for form in sorted(forms, key=len, reverse=True):
        if form in text:
            cut = [_cut(part, form, forms[form]) if place % 2 == 0 else [part] for place, part in enumerate(parts)]
            parts = [one for pieces in cut for one in pieces]
    return "".join(f"{{{part}}}" if place % 2 else part for place, part in enumerate(parts))


def _cut(text: str, name: str, marker: str) -> list[str]:
    """text, marker, text, … for every place at which the name stands as a whole."""
    found, start, place = list[str](), 0, text.find(name)
    while place >= 0:
        end = place + len(name)
        if _edge(text[place - 1 : place], name[0]) and _edge(text[end : end + 1], name[-1]):
            found += [text[start:place], marker]
            start = end
        place = text.find(name, max(end, start))
    return [*found, text[start:]]


def _edge(beside: str, sign: str) -> bool:
    """A name that ends in a Latin letter ends at a word's edge; a Chinese one has no such edges."""
    return not (sign.isalnum() and sign.isascii() and (beside.isalnum() or beside == "_"))
