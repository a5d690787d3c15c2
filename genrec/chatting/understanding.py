"""A message → a Request, by grammar and the catalog's own words. The same message always means the same.

What cannot be linked to the catalog is named in `unlinked`, never guessed. The message is data: whatever it says, all
that comes out are items and rules of the catalog. Knows no model.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from genrec.catalog import Catalog
from genrec.chatting import lexicon
from genrec.chatting.linking import Links, Span, words
from genrec.chatting.numeric import Found, Numbers
from genrec.chatting.request import Language, Request
from genrec.chatting.rules import Rule

LONGEST = 2000  # characters of a message that are read
_CLAUSE = re.compile(r"[.;!?\n。；！？，]+")
_HAN = re.compile(r"[\u4e00-\u9fff]")
_BREAK = re.compile(r"[,，、]|\b(?:and|or|but)\b|和|或|但", re.IGNORECASE)
_OR = re.compile(r"\bor\b|或", re.IGNORECASE)
_MOST_UNLINKED = 5


@dataclass(frozen=True)
class _Mention:
    """What the message names: a title, or a value of a field; wanted: not under a negation."""

    start: int
    end: int
    wanted: bool
    item: str | None = None
    field: str = ""
    value: str = ""


@dataclass(frozen=True)
class Grammar:
    """Understands messages about one catalog."""

    links: Links
    numbers: Numbers
    fields: dict[str, str]
    listed: frozenset[str]

    @classmethod
    def of(cls, catalog: Catalog) -> Grammar:
        import polars as pl

        names = {name.replace("_", " ").casefold(): name for name in catalog.fields}
        names |= {name.removesuffix("s"): field for name, field in names.items() if name.endswith("s")}
        schema = catalog.table.schema
        listed = frozenset(name for name in catalog.fields if isinstance(schema[name], pl.List))
        return cls(Links.of(catalog), Numbers.of(catalog), names, listed)

    def __call__(self, message: str, slate: Sequence[str] = ()) -> Request:
        """The request; a grammar knows no way to speak of the slate."""
        text = message[:LONGEST]
        numeric = self.numbers.find(text)
        mentions = self._mentions(text, numeric)
        rules = [*self._rules(text, mentions), *(self._turned(text, found) for found in numeric)]
        return Request(
            liked=_items(mentions, wanted=True),
            disliked=_items(mentions, wanted=False),
            rules=tuple(dict.fromkeys(rules)),
            count=_count(text),
            surprise=bool(lexicon.SURPRISE.search(text)),
            others=bool(lexicon.OTHERS.search(text)),
            also=bool(lexicon.ALSO.search(text)),
            forget=self._forgotten(text),
            afresh=bool(lexicon.AFRESH.search(text)),
            language=language_of(text),
            unlinked=self._unlinked(text, mentions, numeric),
        )

    def _mentions(self, text: str, numeric: Sequence[Found]) -> list[_Mention]:
        """Quoted titles first, then what the catalog knows of the rest."""
        found = [mention for mention in self._quoted(text) if mention.item or mention.value]
        for span in self.links.spans(text):
            taken = [*((one.start, one.end) for one in found), *((one.start, one.end) for one in numeric)]
            if _covered((span.start, span.end), taken):
                continue
            if (mention := self._mention(text, span)) is not None:
                found.append(mention)
        return sorted(found, key=lambda one: one.start)

    def _quoted(self, text: str) -> list[_Mention]:
        found = []
        for match in lexicon.QUOTED.finditer(text):
            said = next(filter(None, match.groups()))
            wanted = _wanted(text, match.start())
            span = next(
                (one for one in self.links.spans(said) if one.end - one.start == len(said) and one.fields), None
            )
            if item := self.links.title(said):
                found.append(_Mention(match.start(), match.end(), wanted, item=item))
            elif span is not None:
                field, value = self._field(text[: match.start()], span)
                found.append(_Mention(match.start(), match.end(), wanted, field=field, value=value))
        return found

    def _mention(self, text: str, span: Span) -> _Mention | None:
        """A value where it is one, a title where only that is known, or where a word of liking stands before it."""
        before, wanted = text[: span.start], _wanted(text, span.start)
        likes = any(match.end() == len(before) or not text[match.end() : span.start].strip(" \t\"'“《")
                    for match in lexicon.LIKING.finditer(before))  # fmt: skip
        plain = lexicon.is_filler(text[span.start : span.end])
        if span.items and (likes or not (span.fields or plain)):
            return _Mention(span.start, span.end, wanted, item=span.items[0])
        if not span.fields or plain:
            return None
        field, value = self._field(before, span)
        return _Mention(span.start, span.end, wanted, field=field, value=value)

    def _field(self, before: str, span: Span) -> tuple[str, str]:
        """The field that the words before the value speak of, else the catalog's first that holds it."""
        for cue, names in lexicon.FIELD_CUES:
            if cue.search(before):
                for name in span.fields:
                    if name.removesuffix("s") in {one.removesuffix("s") for one in names}:
                        return name, span.fields[name]
        return next(iter(span.fields.items()))

    def _rules(self, text: str, mentions: Sequence[_Mention]) -> list[Rule]:
        """Wanted values: one rule each where an item can have both, one of them otherwise; unwanted: `not in`."""
        rules: list[Rule] = []
        named = [one for one in mentions if one.field]
        for field in dict.fromkeys(one.field for one in named):
            wanted = [one for one in named if one.field == field and one.wanted]
            values = list(dict.fromkeys(one.value for one in wanted))
            either = len(values) > 1 and (field not in self.listed or _joined_by_or(text, wanted))
            if either:
                rules.append(Rule(field=field, op="in", value=tuple(values)))
            else:
                rules += [Rule(field=field, op="=", value=value) for value in values]
            refused = list(dict.fromkeys(one.value for one in named if one.field == field and not one.wanted))
            if refused:
                rules.append(Rule(field=field, op="not in", value=tuple(refused)))
        return rules

    def _turned(self, text: str, found: Found) -> Rule:
        """A number rule under a negation says the opposite: "nothing before 1980"."""
        rule = found.rule
        if _wanted(text, found.start):
            return rule
        opposite = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "=": "!=", "!=": "="}.get(rule.op)
        return rule if opposite is None else Rule.model_validate({**rule.model_dump(), "op": opposite})

    def _forgotten(self, text: str) -> tuple[str, ...]:
        found: list[str] = []
        for match in lexicon.FORGET.finditer(text):
            said = (match["field"] or match["zh"] or "").casefold()
            name = self.fields.get(said) or self.fields.get(said.removesuffix("s")) or _FIELDS_ZH.get(said[:2])
            found += [name] if name is not None and name in self.fields.values() else []
        return tuple(dict.fromkeys(found))

    def _unlinked(self, text: str, mentions: Sequence[_Mention], numeric: Sequence[Found]) -> tuple[str, ...]:
        """Quoted titles that nobody knows, and runs of words that no part of the request accounts for."""
        known = [*((one.start, one.end) for one in mentions), *((one.start, one.end) for one in numeric)]
        known += [match.span() for pattern in _SPOKEN for match in pattern.finditer(text)]
        quoted = [match.span() for match in lexicon.QUOTED.finditer(text)]
        runs = [span for span in quoted if not _covered(span, known)]
        for start, end in _unknown_runs(text, [*known, *quoted]):
            runs.append((start, end))
        return tuple(dict.fromkeys(text[start:end].strip("\"'“”《》「」 ") for start, end in sorted(runs)))[
            :_MOST_UNLINKED
        ]


_SPOKEN = (lexicon.SURPRISE, lexicon.AFRESH, lexicon.FORGET, lexicon.COUNT)
_FIELDS_ZH = {
    "年份": "year",
    "年代": "year",
    "类型": "genres",
    "导演": "director",
    "国家": "country",
    "时长": "runtime",
}


def language_of(text: str) -> Language:
    """Chinese where Chinese characters stand in the message."""
    return "zh" if _HAN.search(text) else "en"


def _items(mentions: Sequence[_Mention], *, wanted: bool) -> tuple[str, ...]:
    named = [one.item for one in mentions if one.item is not None and one.wanted is wanted]
    return tuple(dict.fromkeys(named))


def _wanted(text: str, start: int) -> bool:
    """No negation reaches this place: none in its clause, or a word that turns it stands between."""
    clause = max((match.end() for match in _CLAUSE.finditer(text, 0, start)), default=0)
    negations = list(lexicon.NEGATION.finditer(text, clause, start))
    if not negations:
        return True
    return bool(lexicon.TURN.search(re.sub(r"^\s*(?:like|want|喜欢|想看|想要)", "", text[negations[-1].end() : start])))


def _joined_by_or(text: str, mentions: Sequence[_Mention]) -> bool:
    between = (text[one.end : other.start] for one, other in pairwise(mentions))
    return any(_OR.search(part) for part in between)


def _count(text: str) -> int | None:
    match = lexicon.COUNT.search(text)
    if match is None:
        return None
    found = lexicon.number(next(filter(None, match.groups())))
    return found if 1 <= found <= 100 else None


def _covered(span: tuple[int, int], known: Sequence[tuple[int, int]]) -> bool:
    return any(start < span[1] and span[0] < end for start, end in known)


def _unknown_runs(text: str, known: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Neighbouring words that are neither known nor filler; Chinese is not cut into words, so it is not judged."""
    runs: list[tuple[int, int]] = []
    for word in words(text):
        if _HAN.match(word.text) or lexicon.is_filler(word.text) or _covered((word.start, word.end), known):
            continue
        if runs and not _BREAK.search(text[runs[-1][1] : word.start]) and not text[runs[-1][1] : word.start].strip():
            runs[-1] = (runs[-1][0], word.end)
        else:
            runs.append((word.start, word.end))
    return runs
