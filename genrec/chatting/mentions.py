"""A message → what it mentions, and the message with a typed mark in place of each mention.

    no horror from before 1990  →  no A:value from before B:year

So whoever reads it sees the same words for any catalog and any value. Titles and values that are misspelt are linked
where one is clearly nearest; runs of words that nothing accounts for stay readable, as a phrase of unknown meaning.
Knows no grammar of requests and no model.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from string import ascii_uppercase
from typing import Literal

from rapidfuzz import fuzz, process

from genrec.catalog import Catalog
from genrec.chatting import lexicon
from genrec.chatting.linking import Links, Span, Word, normal, words
from genrec.chatting.numeric import Numbers
from genrec.chatting.spoken import FIELD_WORDS, places, quantities, steps

Kind = Literal[
    "item", "shown", "value", "year", "decade", "minutes", "price", "pages", "amount", "number", "field",
    "low", "high", "lower", "higher", "phrase",
]  # fmt: skip
MOST = 16
"""Mentions of one message that are read."""
LONGEST = 2000
"""Characters of a message that are read."""
_NEAR, _WHOLE, _AHEAD = 86.0, 91.0, 4.0  # how like a misspelt name is, and how much more like than the next
_SHORTEST = 5  # letters of what may be a misspelt name
_JOINTS = "的了是别不很太也都我你您请给有要想看部但还在就吗"
_HAN = re.compile(r"[\u4e00-\u9fff]")


@dataclass(frozen=True)
class Mention:
    """start, end: where it stands. What of the rest is filled depends on the kind: item: item ids with this title (of a
    value: what is called the same);
    place: of what was shown (spoken.Place); field, value: as the catalog writes them; number: in its unit;
    text: a phrase's words; near: a misspelt name, linked to the nearest."""

    start: int
    end: int
    kind: Kind
    items: tuple[str, ...] = ()
    place: int | None = None
    field: str = ""
    value: str = ""
    number: float | None = None
    text: str = ""
    near: bool = False


@dataclass(frozen=True)
class Marked:
    """mentions: from left to right; text: lower case, with `A:kind` for the first mention and so on."""

    message: str
    mentions: tuple[Mention, ...]
    text: str


@dataclass(frozen=True)
class Mentions:
    """Finds the mentions of messages about one catalog. cues: words that carry a request and need no link."""

    links: Links
    numbers: Numbers
    fields: dict[str, str]
    cues: frozenset[str] = frozenset()

    @classmethod
    def of(cls, catalog: Catalog, cues: Iterable[str] = ()) -> Mentions:
        return cls(Links.of(catalog), Numbers.of(catalog), field_names(catalog), frozenset(cues))

    def find(self, message: str) -> Marked:
        """The message with its mentions marked; the same message always gets the same marks."""
        text = message[:LONGEST]
        taken, spans = _Taken(), self.links.spans(text)
        for found in (
            self._quoted(text), _long_titles(text, spans), self._quantities(text), _shown(text), self._steps(text),
            self._names(text, spans), self._named_fields(text), self._counts(text),
        ):  # fmt: skip
            taken.add(found)
        taken.replace(self._near_titles(text, taken.mentions))
        taken.add(self._phrases(text, taken.mentions))
        mentions = tuple(sorted(self._amounts(taken.mentions, text), key=lambda one: one.start))[:MOST]
        return Marked(text, mentions, marked(text, mentions))

    def _quoted(self, text: str) -> list[Mention]:
        found = []
        for match in lexicon.QUOTED.finditer(text):
            said = next(filter(None, match.groups()))
            at = (match.start(), match.end())
            span = next((one for one in self.links.spans(said) if one.end - one.start == len(said)), None)
            if item := self.links.title(said):
                near = normal(said) not in self.links.titles
                found.append(Mention(*at, "item", items=(item,), near=near))
            elif span is not None and span.fields:
                found.append(self._value(text, Span(*at, span.fields, ())))
            else:
                found.append(Mention(*at, "phrase", text=said))
        return found

    def _names(self, text: str, spans: Sequence[Span]) -> list[Mention]:
        return [one for span in spans if (one := self._name(text, span)) is not None]

    def _name(self, text: str, span: Span) -> Mention | None:
        """A value where it is one; a title where only that is known, where a word of liking stands before it, or where
        it is written like a title and the value is not. What could be a title, too, keeps its items."""
        before, said = text[: span.start], text[span.start : span.end]
        likes = any(match.end() == len(before) for match in lexicon.LIKING.finditer(before))
        plain = lexicon.is_filler(said)
        if span.items and (likes or not (span.fields or plain) or _titled(before, said, span)):
            return Mention(span.start, span.end, "item", items=span.items)
        return None if plain or not span.fields else replace(self._value(text, span), items=span.items)

    def _value(self, text: str, span: Span) -> Mention:
        field, value = _field_of(text[: span.start], text[span.end :], span)
        return Mention(span.start, span.end, "value", field=field, value=value)

    def _quantities(self, text: str) -> list[Mention]:
        return [
            Mention(one.start, one.end, one.kind, number=one.value, field=self._counted(one.kind))
            for one in quantities(text)
            if one.kind != "number" and not _bracketed(text, one.start, one.end)
        ]

    def _counted(self, kind: str) -> str:
        """The field that holds such a quantity; empty where there is none."""
        return self.numbers.kinds.get("year" if kind == "decade" else kind, "")

    def _counts(self, text: str) -> list[Mention]:
        return [
            Mention(one.start, one.end, "number", number=one.value)
            for one in quantities(text)
            if one.kind == "number" and not _bracketed(text, one.start, one.end)
        ]

    def _steps(self, text: str) -> list[Mention]:
        found = []
        for one in steps(text):
            kind: Kind = "high" if one.up else "low"
            if one.compared:
                kind = "higher" if one.up else "lower"
            field = self.numbers.kinds.get(one.quantity, "")
            if not field and one.quantity == "minutes":
                field = self.numbers.kinds.get("pages", "")
            found.append(Mention(one.start, one.end, kind, field=field))
        return found

    def _named_fields(self, text: str) -> list[Mention]:
        return [
            Mention(match.start(), match.end(), "field", field=self.fields[match.group().casefold()])
            for match in self._field_words.finditer(text)
        ]

    @cached_property
    def _field_words(self) -> re.Pattern[str]:
        return re.compile("|".join(map(_whole, self.fields)) or r"(?!)", re.IGNORECASE)

    def _amounts(self, mentions: Sequence[Mention], text: str) -> list[Mention]:
        """A number soon after the name of a number field is an amount of it: "rating above 8"."""
        numeric = {
            one.end: one.field for one in mentions if one.kind == "field" and one.field in self.numbers.fields.values()
        }
        found = []
        for one in mentions:
            near = [
                field
                for end, field in numeric.items()
                if 0 <= one.start - end <= 24 and not _CLAUSE.search(text[end : one.start])
            ]
            found.append(replace(one, kind="amount", field=near[-1]) if one.kind == "number" and near else one)
        return found  # fmt: skip

    def _unknown(self, text: str, mentions: Sequence[Mention]) -> list[Word]:
        return [
            word for word in words(text)
            if not (self._known(text, word) or any(one.start < word.end and word.start < one.end for one in mentions))
        ]  # fmt: skip

    def _near_titles(self, text: str, mentions: Sequence[Mention]) -> list[Mention]:
        """Titles of several words with a slip in one of them: runs round an unknown word."""
        every, found = [word for word in words(text) if not _HAN.match(word.text)], []
        for odd in self._unknown(text, mentions):
            if odd not in every:
                continue
            place = every.index(odd)
            runs = [(every[low].start, every[high].end) for low in range(max(0, place - 3), place + 1)
                    for high in range(place, min(len(every), place + 4)) if high > low]  # fmt: skip
            runs = [run for run in runs if text[run[0]].isupper() and not _CLAUSE.search(text[slice(*run)])]
            near = [
                (one[1], run, one[0])
                for run in runs
                if (one := nearest(normal(text[slice(*run)]), self.links.names, _WHOLE))
            ]
            if near:
                _, run, name = max(near)
                found.append(Mention(*run, "item", items=self.links.titles[name], near=True))
        return found

    def _phrases(self, text: str, mentions: Sequence[Mention]) -> list[Mention]:
        """Runs of unknown words: a misspelt title or value where one is clearly nearest, else a phrase."""
        runs: list[tuple[int, int]] = []
        for word in self._unknown(text, mentions):
            if runs and not text[runs[-1][1] : word.start].strip():
                runs[-1] = (runs[-1][0], word.end)
            else:
                runs.append((word.start, word.end))
        runs = [run for one in runs if (run := _trimmed(text, one)) is not None]
        return [self._misspelt(text, run) or Mention(*run, "phrase", text=text[slice(*run)]) for run in runs]

    def _known(self, text: str, word: Word) -> bool:
        """Whether a word carries a request. A Chinese character does beside a neighbour that it often stands beside;
        without any phrasings to know that from, Chinese is not judged."""
        if not _HAN.match(word.text):
            return lexicon.is_filler(word.text) or word.text.casefold() in self.cues
        pairs = (text[word.start - 1 : word.end], text[word.start : word.end + 1])
        alone = not any(_HAN.match(text[at : at + 1]) for at in (word.start - 1, word.end) if at >= 0)
        return alone or not self._reads_chinese or any(pair in self.cues for pair in pairs)

    @cached_property
    def _reads_chinese(self) -> bool:
        return any(_HAN.match(cue) for cue in self.cues)

    def _misspelt(self, text: str, run: tuple[int, int]) -> Mention | None:
        said = normal(text[slice(*run)])
        if len(said) < _SHORTEST:
            return None
        named = text[run[0]].isupper() or any(
            match.end() == run[0] for match in lexicon.LIKING.finditer(text[: run[0]])
        )
        title = nearest(said, self.links.names) if named else None
        value = nearest(said, self.links.value_names, _WHOLE)
        if title and (not value or title[1] >= value[1]):
            return Mention(*run, "item", items=self.links.titles[title[0]], near=True)
        if value:
            return replace(self._value(text, Span(*run, self.links.values[value[0]], ())), near=True)
        return None


def marked(text: str, mentions: Sequence[Mention]) -> str:
    """The text in lower case, each mention as its letter and kind; a phrase keeps its words."""
    parts, end = [], 0
    for letter, one in zip(ascii_uppercase, mentions, strict=False):
        parts += [text[end : one.start].casefold(), f" {letter}:{one.kind} "]
        parts += [f"{text[one.start : one.end].casefold()} "] if one.kind == "phrase" else []
        end = one.end
    return " ".join("".join([*parts, text[end:].casefold()]).split())


def _trimmed(text: str, run: tuple[int, int]) -> tuple[int, int] | None:
    """A Chinese run without words that only join others; None where one character or nothing is left."""
    start, end = run
    if not _HAN.match(text[start]):
        return run
    while start < end and text[start] in _JOINTS:
        start += 1
    while start < end and text[end - 1] in _JOINTS:
        end -= 1
    return (start, end) if end - start > 1 else None


def letters(mentions: Sequence[Mention]) -> list[str]:
    return list(ascii_uppercase[: len(mentions)])


def nearest(said: str, names: Sequence[str], least: float = _NEAR) -> tuple[str, float] | None:
    """The name that is nearly spelt like this, and how nearly; None where none is, or two are about as near."""
    best = process.extract(said, names, scorer=fuzz.ratio, score_cutoff=least - _AHEAD, limit=2)
    if not best or best[0][1] < least or (len(best) > 1 and best[0][1] - best[1][1] < _AHEAD):
        return None
    return best[0][0], best[0][1]


def field_names(catalog: Catalog) -> dict[str, str]:
    """What the fields may be called, English and Chinese → field; longer names first."""
    found: dict[str, str] = {}
    for field in catalog.fields:
        plain = field.replace("_", " ").casefold()
        found |= {plain: field}
        for stem, said in FIELD_WORDS.items():
            starts = ("runtime", "duration", "length") if stem == "minutes" else (stem,)
            if plain.startswith(starts):
                found |= {name: field for name in said if name not in found}
    found |= {f"{name}s": field for name, field in found.items() if name.isascii() and not name.endswith("s")}
    return dict(sorted(found.items(), key=lambda one: -len(one[0])))


class _Taken:
    """Mentions so far; of two that overlap the one that came first stays."""

    def __init__(self) -> None:
        self.mentions: list[Mention] = []

    def add(self, found: Iterable[Mention]) -> None:
        for one in found:
            if all(one.end <= other.start or other.end <= one.start for other in self.mentions):
                self.mentions.append(one)

    def replace(self, found: Iterable[Mention]) -> None:
        """The same, but what comes later stays."""
        for one in found:
            self.mentions = [other for other in self.mentions if one.end <= other.start or other.end <= one.start]
            self.mentions.append(one)


_CLAUSE = re.compile(r"[.;,!?。，；！？]")
_START = re.compile(r"(?:^|[.!?。！？\n])\s*$")
Cue = tuple[re.Pattern[str], Literal["before", "after"], tuple[str, ...]]
_ABOUT = r"(?:\bplot about|\bset in|\bdealing with|\binvolving|题材是)\s*$"
_CUES: tuple[Cue, ...] = (
    *((cue, "before", names) for cue, names in lexicon.FIELD_CUES),
    (re.compile(_ABOUT, re.IGNORECASE), "before", ("keyword", "keywords", "tag")),
    (re.compile(r"^\s*(?:执导|导演的|拍的|导的)"), "after", ("director", "author")),
    (re.compile(r"^\s*(?:主演|演的|出演)"), "after", ("cast", "actor", "stars")),
)
"""Words beside a value, and the names that its field may then have."""


def _field_of(before: str, after: str, span: Span) -> tuple[str, str]:
    """The field that the words around the value speak of, else the catalog's first that holds it."""
    for cue, place, names in _CUES:
        for name in span.fields if cue.search(before if place == "before" else after) else ():
            if name.removesuffix("s") in {one.removesuffix("s") for one in names}:
                return name, span.fields[name]
    return next(iter(span.fields.items()))


def _titled(before: str, said: str, span: Span) -> bool:
    """Whether a name has a title's capitals, which neither the values of that name nor the sentence's start account
    for: "what I said about Alien", not "alien films"."""
    return said.istitle() and said not in span.fields.values() and _START.search(before) is None


def _long_titles(text: str, spans: Sequence[Span]) -> list[Mention]:
    """Titles of several words go before numbers and values that stand in them."""
    return [
        Mention(span.start, span.end, "item", items=span.items)
        for span in spans
        if span.items and not span.fields and len(words(text[span.start : span.end])) > 1
        and not _only_filler(text[span.start : span.end])
    ]  # fmt: skip


def _shown(text: str) -> list[Mention]:
    return [Mention(one.start, one.end, "shown", place=one.place) for one in places(text)]


def _bracketed(text: str, start: int, end: int) -> bool:
    """A year in brackets belongs to the title before it."""
    return text[start - 1 : start] == "(" and text[end : end + 1] == ")"


def _whole(name: str) -> str:
    return rf"\b{re.escape(name)}\b" if name.isascii() else re.escape(name)


def _only_filler(text: str) -> bool:
    return all(lexicon.is_filler(word.text) for word in words(text))
