"""The checker: whether a sentence may stand, read against phrasings, evidence, catalog and history. Knows no model.

Before filling, a sentence must be made of the phrasings that hold for its evidence: of their words, their runs of
neighbouring words and their orders of markers. After filling, the statement is read back: titles must be those of the
evidence, and what it says they share must stand in the catalog.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from genrec.explaining.evidence import Evidence, History, Told
from genrec.explaining.facts import Facts, SharedFact
from genrec.explaining.telling import Telling, filled, plain_sentence
from genrec.explaining.words import Situation, fitting, situation
from genrec.prompting import Prompt
from genrec.slots import MARKERS, markers_in

PREDICATES: dict[str, str] = {
    "director": r"\b(direct(s|ed|ing|ors?)|filmmakers?|camera)\b|导演|执导|拍了|拍摄",
    "cast": r"\b(act(s|ed|ing|ors?|ress(es)?)|cast|star(s|red|ring)|screen|plays? in|features?)\b|演员|[出参主]演|演了",
    "genre": r"\bgenres?\b|类型",
    "keyword": r"\b(themes?|tagged|about|deals? with|touch(es)? on)\b|主题|标签|有关|涉及",
    "country": r"\b(countr(y|ies)|origin|produced|made in \{value_1\})\b|国家|出品",
    "era": r"\b(decades?|time|years?|date[sd]?)\b|年代|问世",
}
"""Kind of phrasing → the words that claim it, in English and Chinese; only a first fact of that kind allows them."""
CAUSAL = re.compile(r"\b(because|so here)\b|因为", re.IGNORECASE)
"""Words that say that an interaction moved the model."""
RUN = 5
"""Neighbouring words that must stand together in one phrasing: with three, mixtures of phrasings lose their grammar."""

_TOKEN = re.compile(r"\{\w+\}|[\u3400-\u9fff]|[^\W\d_\u3400-\u9fff]+(?:['’-][^\W\d_\u3400-\u9fff]+)*|\d+|[^\w\s]|_")
_QUOTED = re.compile("“([^“”]*)”")
_PRONOUNS = {"I", "You", "Your"}


@dataclass(frozen=True)
class Verdict:
    """problems: everything found wrong, in words; none where the sentence may stand."""

    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return not self.problems


@dataclass(frozen=True)
class Checker:
    """Checks what is said of this catalog with the phrasings of this prompt."""

    prompt: Prompt
    facts: Facts
    telling: Telling

    def sentence(self, sentence: str, evidence: Evidence) -> Verdict:
        """A sentence with markers, before it is filled."""
        told = evidence.told
        outside = re.sub(r"\{\w+\}", " ", sentence)
        grammar = _grammar(self._phrasings(told))
        return Verdict(
            (
                *_wrong_markers(sentence, outside, told),
                *_foreign(sentence, outside, grammar),
                *self._wrong_predicates(sentence, told),
                *_wrong_causes(sentence, told),
                *([] if told.writable else ["nothing is known but that the one came after the other"]),
                *grammar.problems(sentence),
            )
        )

    def statement(self, text: str, evidence: Evidence, history: History) -> Verdict:
        """A finished statement, read back against catalog and history."""
        told = evidence.told
        names = self.telling.names(told)
        plain = plain_sentence(told, self.telling.language)
        if filled(plain, names) == text:
            return Verdict(tuple(self._untrue(plain, evidence, history, told.liked[: told.sharing])))
        readings = [self._read(sentence, evidence, history) for sentence in self._readings(text, told, names)]
        return Verdict((*_foreign_names(text, names), *min(readings, key=len)))

    def _read(self, sentence: str, evidence: Evidence, history: History) -> tuple[str, ...]:
        liked = enumerate(evidence.told.liked, 1)
        claimed = [item for place, item in liked if f"{{liked_{place}}}" in sentence]
        problems = (*self.sentence(sentence, evidence).problems, *self._untrue(sentence, evidence, history, claimed))
        return tuple(dict.fromkeys(problems))

    def _readings(self, text: str, told: Told, names: dict[str, str]) -> list[str]:
        """Sentences with markers that the text may have come from: a phrasing, or the text with its names taken out."""
        known = [sentence for sentence in self._phrasings(told) if filled(sentence, names) == text]
        fieldless = {marker: name for marker, name in names.items() if not marker.startswith("field")}
        return known or [_without(fieldless, text), _without(names, text)]

    def _untrue(self, sentence: str, evidence: Evidence, history: History, claimed: Sequence[int]) -> Iterator[str]:
        """claimed: the liked items of which the sentence says that they share the facts that it names."""
        told, known = evidence.told, set(map(int, history)) & {one.item for one in evidence.interactions}
        used = markers_in(sentence)
        for place, item in enumerate(told.liked, 1):
            if f"liked_{place}" in used and item not in known:
                yield f"{self.telling.title(item)} is not in the history"
        yield from _wrong_causes(sentence, told)
        for place, fact in enumerate(told.facts, 1):
            if used & {f"value_{place}", f"field_{place}"}:
                yield from self._unshared(fact, [told.item, *claimed])

    def _unshared(self, fact: SharedFact, items: Sequence[int]) -> Iterator[str]:
        for item in items:
            if not self.facts.holds(item, fact.field, fact.value):
                yield f"the catalog gives {self.telling.title(item)} no {fact.field} {fact.value!r}"

    def _wrong_predicates(self, sentence: str, told: Told) -> Iterator[str]:
        kind = self._kinds.get(told.fields[0].lower(), "") if told.fields and "{value_2}" not in sentence else ""
        for other, words in PREDICATES.items():
            found = re.search(words, sentence, re.IGNORECASE) if other != kind else None
            if found:
                yield f"{found[0]!r} needs a fact of kind {other}"

    def _phrasings(self, told: Told) -> tuple[str, ...]:
        now = situation(told)
        if now not in self._known:
            self._known[now] = tuple(fitting(self.prompt, *now))
        return self._known[now]

    @cached_property
    def _known(self) -> dict[Situation, tuple[str, ...]]:
        return {}

    @cached_property
    def _kinds(self) -> dict[str, str]:
        """Field → kind of phrasing, where the words for that kind are known."""
        return {
            field: group.kind for group in self.prompt.phrasings for field in group.fields if group.kind in PREDICATES
        }


@dataclass(frozen=True)
class _Grammar:
    """What a set of phrasings is made of."""

    words: frozenset[str]
    runs: frozenset[tuple[str, ...]]
    orders: frozenset[tuple[str, ...]]

    def problems(self, sentence: str) -> Iterator[str]:
        tokens = _tokens(sentence)
        unknown = [token for token in tokens if token not in self.words and not token.startswith("{")]
        if unknown:
            yield f"no phrasing for this evidence has {', '.join(map(repr, dict.fromkeys(unknown)))}"
        elif strange := [" ".join(run).strip() for run in _runs(tokens) if run not in self.runs]:
            yield f"no phrasing for this evidence has {', '.join(map(repr, strange))}"
        if _order(tokens) not in self.orders:
            yield f"no phrasing for this evidence has its markers in the order {' '.join(_order(tokens))}"


@lru_cache(maxsize=256)
def _grammar(texts: tuple[str, ...]) -> _Grammar:
    tokens = [_tokens(text) for text in texts]
    words = frozenset(token for text in tokens for token in text)
    runs = frozenset(run for text in tokens for run in _runs(text))
    return _Grammar(words, runs, frozenset(map(_order, tokens)))


def _tokens(sentence: str) -> list[str]:
    """Markers, words (a Chinese sign is one), numbers and punctuation; the sentence's first letter in lower case."""
    return _TOKEN.findall(sentence[:1].lower() + sentence[1:])


def _runs(tokens: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Every RUN neighbours, the sentence's ends among them."""
    ended = ["", "", *tokens, "", ""]
    return zip(*(ended[start:] for start in range(RUN)), strict=False)


def _order(tokens: Sequence[str]) -> tuple[str, ...]:
    return tuple(token for token in tokens if token.startswith("{"))


def _wrong_markers(sentence: str, outside: str, told: Told) -> Iterator[str]:
    used = markers_in(sentence)
    there = {"item", *(f"liked_{place}" for place in range(1, told.sharing + 1))}
    there |= {f"{part}_{place}" for place in range(1, len(told.facts) + 1) for part in ("field", "value")}
    if unknown := sorted(used - set(MARKERS)):
        yield f"unknown markers: {', '.join(unknown)}"
    if empty := sorted((used & set(MARKERS)) - there):
        yield f"no evidence for the markers {', '.join(empty)}"
    if "{" in outside or "}" in outside:
        yield "a broken marker"


def _foreign_names(text: str, names: dict[str, str]) -> Iterator[str]:
    """Titles that are not the evidence's, and markers that should have been filled."""
    mine = {name for marker, name in names.items() if marker.startswith(("item", "liked"))}
    yield from (
        f"the title “{title}” is not in the evidence" for title in _QUOTED.findall(text) if f"“{title}”" not in mine
    )
    if markers_in(text):
        yield "an unfilled marker"


def _wrong_causes(sentence: str, told: Told) -> Iterator[str]:
    if CAUSAL.search(sentence) and not told.moved:
        yield "it names a cause, but the model was not moved"


def _foreign(sentence: str, outside: str, grammar: _Grammar) -> Iterator[str]:
    """Numbers and names that stand outside the markers."""
    if re.search(r"\d", outside):
        yield "a number outside the markers"
    inner = outside[1:] if sentence[:1].isalpha() else outside
    capitals = [word for word in re.findall(r"[^\W\d_]+", inner) if word[:1].isupper()]
    if names := [word for word in capitals if word not in _PRONOUNS | grammar.words]:
        yield f"a name outside the markers: {', '.join(names)}"


def _without(names: dict[str, str], text: str) -> str:
    """The text with each name that stands there as a whole replaced by its marker, longer names first."""
    markers = {form: marker for marker, name in names.items() for form in (name, name[:1].upper() + name[1:])}
    longest = sorted(markers, key=len, reverse=True)
    whole = "|".join(f"{_edge(name[0], '<')}{re.escape(name)}{_edge(name[-1], '')}" for name in longest if name)
    return re.sub(whole, lambda found: f"{{{markers[found[0]]}}}", text)


def _edge(sign: str, side: str) -> str:
    """A word of Latin letters ends at a word's edge; a Chinese one has no such edges."""
    return f"(?{side}!\\w)" if sign.isalnum() and sign.isascii() else ""
