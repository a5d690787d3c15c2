"""Numbers in a message → rules on number fields: years, decades, minutes, prices. Knows no titles or categories."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from genrec.catalog import Catalog
from genrec.chatting.lexicon import NUMBER_FIELDS, NUMBERS
from genrec.chatting.rules import Rule

_YEAR = r"(?:1[89]|20|21)\d\d"
_DECADE = r"(?:the\s+)?(?P<decade>(?:(?:1[89]|20)\d0|[0-9]0))(?:'?s\b|年代)"
_AMOUNT = rf"(?P<amount>\d{{1,6}}(?:\.\d+)?|{'|'.join(NUMBERS)})"
_MINUTES = rf"{_AMOUNT}\s*(?P<unit>hours?|hrs?|h\b|minutes?|mins?|小时|分钟)"
_LESS = r"under|below|less than|shorter than|at most|no more than|no longer than|up to|within|max(?:imum)?|不超过|少于"
_MORE = r"over|above|more than|longer than|at least|no less than|min(?:imum)?(?! )|超过|至少|不少于"
_STRICT_LESS, _STRICT_MORE = (
    ("under", "below", "less than", "shorter than", "少于"),
    ("over", "above", "more than", "longer than", "超过"),
)


class Found(NamedTuple):
    """A rule and where it stands in the message."""

    start: int
    end: int
    rule: Rule


@dataclass(frozen=True)
class Numbers:
    """kinds: kind of number → field of the catalog; fields: every number field, by its name in words."""

    kinds: dict[str, str]
    fields: dict[str, str]

    @classmethod
    def of(cls, catalog: Catalog) -> Numbers:
        schema = catalog.table.schema
        numeric = [name for name in catalog.fields if schema[name].is_numeric()]
        kinds = {kind: next((name for name in names if name in numeric), "") for kind, names in NUMBER_FIELDS.items()}
        words = {name.replace("_", " ").casefold(): name for name in numeric}
        return cls({kind: name for kind, name in kinds.items() if name}, words)

    def find(self, message: str) -> list[Found]:
        """The rules, from left to right; of two that overlap the earlier reading counts."""
        taken: list[Found] = []
        for found in self._all(message):
            if all(found.end <= one.start or found.start >= one.end for one in taken):
                taken.append(found)
        return sorted(taken)

    def _all(self, message: str) -> Iterator[Found]:
        yield from self._named(message)
        if field := self.kinds.get("minutes"):
            yield from _each(message, field, _MINUTE_RULES)
        if field := self.kinds.get("price"):
            yield from _each(message, field, _PRICE_RULES)
        if field := self.kinds.get("pages"):
            yield from _each(message, field, _PAGE_RULES)
        if field := self.kinds.get("year"):
            yield from _each(message, field, _YEAR_RULES)

    def _named(self, message: str) -> Iterator[Found]:
        """`year >= 1990`, `runtime under 100`, `pages between 100 and 200`, for every number field."""
        for words, field in self.fields.items():
            name = rf"\b{re.escape(words)}\b\s*(?:is|are|of|:)?\s*"
            yield from _each(message, field, _named_rules(name))


Reading = tuple[re.Pattern[str], Callable[[re.Match[str], str], Rule | None]]


def _each(message: str, field: str, readings: tuple[Reading, ...]) -> Iterator[Found]:
    for pattern, rule_of in readings:
        for match in pattern.finditer(message):
            rule = rule_of(match, field)
            if rule is not None:
                yield Found(match.start(), match.end(), rule)


def _plain(amount: float) -> int | float:
    return int(amount) if amount == int(amount) else amount


def _between(match: re.Match[str], field: str) -> Rule:
    low, high = sorted((float(match["low"]), float(match["high"])))
    return Rule(field=field, op="between", value=(_plain(low), _plain(high)))


def _bound(match: re.Match[str], field: str) -> Rule | None:
    said = match["amount"].casefold()
    amount = float(NUMBERS.get(said, 0) or said)
    if (match.groupdict().get("unit") or "").startswith(("h", "小时")):
        amount *= 60
    word = " ".join((match.groupdict().get("how") or match.groupdict().get("sign") or "").casefold().split())
    op = _SIGNS.get(word) or _word_op(word)
    return None if op is None else Rule.model_validate({"field": field, "op": op, "value": _plain(amount)})


_SIGNS = {"=": "=", "==": "=", "!=": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">=", "≤": "<=", "≥": ">="}


def _word_op(word: str) -> str | None:
    if re.fullmatch(_LESS, word):
        return "<" if word in _STRICT_LESS else "<="
    if re.fullmatch(_MORE, word):
        return ">" if word in _STRICT_MORE else ">="
    return {"以内": "<=", "以下": "<=", "以上": ">=", "or less": "<=", "or more": ">=", "": "="}.get(word)


def _decade(match: re.Match[str], field: str) -> Rule:
    said = match["decade"]
    start = int(said) if len(said) == 4 else (1900 if int(said) >= 30 else 2000) + int(said)
    if (word := (match.groupdict().get("how") or "").casefold().strip()) in ("before", "older than"):
        return Rule(field=field, op="<", value=start)
    if word in ("after", "newer than"):
        return Rule(field=field, op=">=", value=start + 10)
    if word == "since":
        return Rule(field=field, op=">=", value=start)
    return Rule(field=field, op="between", value=(start, start + 9))


def _year(op: str) -> Callable[[re.Match[str], str], Rule]:
    return lambda match, field: Rule.model_validate({"field": field, "op": op, "value": int(match["year"])})


def _re(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


_YEAR_RULES: tuple[Reading, ...] = (
    (_re(rf"(?:between|from)\s+(?P<low>{_YEAR})\s*(?:and|to|-|–|until)\s*(?P<high>{_YEAR})"), _between),
    (_re(rf"(?<!\d)(?P<low>{_YEAR})\s*(?:-|–|to|到|至)\s*(?P<high>{_YEAR})(?!\d)"), _between),
    (_re(rf"\b(?:(?P<how>before|after|since|older than|newer than)\s+)?{_DECADE}"), _decade),
    (_re(rf"(?<!\d){_DECADE}"), _decade),
    (_re(rf"\b(?:before|older than|earlier than|prior to)\s+(?P<year>{_YEAR})\b"), _year("<")),
    (_re(rf"(?P<year>{_YEAR})\s*年?\s*(?:以前|之前)"), _year("<")),
    (_re(rf"\b(?:since|from)\s+(?P<year>{_YEAR})(?:\s+(?:on|onwards?))?\b"), _year(">=")),
    (_re(rf"(?P<year>{_YEAR})\s*年?\s*(?:以后|之后|以来)"), _year(">=")),
    (_re(rf"\b(?:after|newer than|later than)\s+(?P<year>{_YEAR})\b"), _year(">")),
    (_re(rf"\b(?:until|up to|no later than|till)\s+(?P<year>{_YEAR})\b"), _year("<=")),
    (_re(rf"\b(?:in|of|year|made in|released in)\s+(?P<year>{_YEAR})\b"), _year("=")),
    (_re(rf"(?P<year>{_YEAR})\s*年"), _year("=")),
)
_MINUTE_RULES: tuple[Reading, ...] = (
    (_re(rf"\b(?P<how>{_LESS}|{_MORE})\s+{_MINUTES}"), _bound),
    (_re(rf"(?P<how>{_LESS}|{_MORE})\s*{_MINUTES}"), _bound),
    (_re(rf"{_MINUTES}\s*(?P<how>以内|以下|以上|or less|or more)"), _bound),
)
_PRICE_RULES: tuple[Reading, ...] = (
    (_re(rf"\b(?P<how>{_LESS}|{_MORE})\s+[$€£¥]\s*{_AMOUNT}"), _bound),
    (_re(rf"\b(?P<how>{_LESS}|{_MORE})\s*{_AMOUNT}\s*(?:dollars?|euros?|pounds?|usd|eur|元|块)"), _bound),
)
_PAGE_RULES: tuple[Reading, ...] = ((_re(rf"\b(?P<how>{_LESS}|{_MORE})\s+{_AMOUNT}\s+pages?\b"), _bound),)


def _named_rules(name: str) -> tuple[Reading, ...]:
    return (
        (_re(rf"{name}between\s+(?P<low>\d+(?:\.\d+)?)\s*(?:and|to|-|–)\s*(?P<high>\d+(?:\.\d+)?)"), _between),
        (_re(rf"{name}(?P<sign>[<>]=?|!=|==?|≤|≥)\s*{_AMOUNT}"), _bound),
        (_re(rf"{name}(?P<how>{_LESS}|{_MORE})\s+{_AMOUNT}"), _bound),
    )
