"""A message's mentions with the roles that a reader gave them → a Request. Knows no model and no words.

"The second one" is the slate's second item; "shorter" is a rule against the slate, or against the catalog's lower third
where nothing was shown. A mention that the catalog has nothing for is named in `unlinked`, with whatever role.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from genrec.catalog import Catalog
from genrec.chatting.lexicon import MOODS_ZH
from genrec.chatting.mentions import Marked, Mention
from genrec.chatting.request import Language, Request
from genrec.chatting.roles import Reading
from genrec.chatting.rules import Rule
from genrec.chatting.spoken import ALL
from genrec.errors import UnknownItem

Said = tuple[Mention, str]
_OPS = {"is": "=", "not": "!=", "below": "<", "most": "<=", "above": ">", "least": ">="}
_QUANTITIES = frozenset({"year", "minutes", "price", "pages", "amount", "decade"})
_STEPS = frozenset({"low", "high", "lower", "higher"})
_YEARS, _SHARE = 3, 0.1  # how far "around 1995" and "about 100 minutes" reach
_THIRD = 1 / 3


@dataclass(frozen=True)
class Meaning:
    """What readings of messages about one catalog come to.

    feels: whether words for a mood can be compared with its items; where not, they are named as unlinked.
    """

    catalog: Catalog
    feels: bool = True

    def request(self, marked: Marked, reading: Reading, language: Language, slate: Sequence[str] = ()) -> Request:
        """The request; slate: item ids shown last, best first."""
        said = [
            *zip(
                marked.mentions,
                (self._felt(*one) for one in zip(marked.mentions, reading.roles, strict=True)),
                strict=True,
            )
        ]
        rules = [*self._values(said), *self._quantities(said), *self._steps(said, slate)]
        counts = [int(one.number or 0) for one, role in said if role == "count"]
        return Request(
            liked=_ids(said, "like", slate), disliked=_ids(said, "dislike", slate), seen=_ids(said, "seen", slate),
            rules=tuple(dict.fromkeys(rules)),
            liked_traits=_traits(said, "like"), disliked_traits=_traits(said, "dislike"),
            moods=_phrases(said, "mood"), unwanted_moods=_phrases(said, "avoid"),
            count=next((count for count in counts if 1 <= count <= 100), None),
            surprise=reading.act == "surprise", others=reading.act == "more", afresh=reading.act == "reset",
            also=reading.also, talk=reading.act == "talk",
            forget=tuple(dict.fromkeys(one.field for one, role in said if _drops(one, role))),
            withdrawn=_traits(said, "drop"), withdrawn_items=_ids(said, "drop", slate),
            taken_as=tuple((marked.message[one.start : one.end], self._name(one)) for one, role in said
                           if one.near and role != "none"),
            language=language, unlinked=_unlinked(marked, said),
        )  # fmt: skip

    def _felt(self, one: Mention, role: str) -> str:
        """The role. A name that the catalog lacks: also words for a mood that nobody could compare, and whatever stands
        in quotes, because what could not be linked is said."""
        if one.kind == "phrase" and role == "none" and one.end - one.start > len(one.text):
            return "name"
        mood = one.kind == "phrase" and role in ("mood", "avoid")
        return "name" if mood and not (self.feels and (one.text.isascii() or one.text in MOODS_ZH)) else role

    def _name(self, one: Mention) -> str:
        return self.catalog.titles[int(self.catalog.numbers(one.items[:1])[0])] if one.items else one.value

    def _values(self, said: Sequence[Said]) -> Iterator[Rule]:
        """Wanted values: one rule each where an item can have several, one of them otherwise; unwanted: `not in`."""
        for field in dict.fromkeys(one.field for one, _ in said if one.kind == "value"):
            wanted, either, avoided = (_of(said, field, role) for role in ("want", "any", "avoid"))
            if len(wanted) > 1 and field not in self._listed:
                wanted, either = [], [*wanted, *either]
            if len(either) == 1:
                wanted, either = [*wanted, *either], []
            yield from (Rule(field=field, op="=", value=value) for value in wanted)
            if either:
                yield Rule(field=field, op="in", value=tuple(either))
            if avoided:
                yield Rule(field=field, op="not in", value=tuple(avoided))

    def _quantities(self, said: Sequence[Said]) -> Iterator[Rule]:
        found = [rule for one, role in said if one.kind in _QUANTITIES and one.field
                 if (rule := _bound(one, role)) is not None]  # fmt: skip
        yield from _ranges(_either(found))

    def _steps(self, said: Sequence[Said], slate: Sequence[str]) -> Iterator[Rule]:
        """ "Shorter" and the like, against what the user compares with."""
        than = _ids(said, "than", slate)
        for one, role in said:
            if one.kind in _STEPS and one.field and role in ("less", "more"):
                edge = self._edge(one.field, role == "more", than or tuple(slate), compared=bool(than or slate))
                if edge is not None:
                    yield Rule(field=one.field, op=">" if role == "more" else "<", value=edge)

    def _edge(self, field: str, up: bool, items: Sequence[str], *, compared: bool) -> float | int | None:
        """The middle of what is compared with, or the catalog's outer third."""
        column = self.catalog.table[field]
        known = column.gather(self._numbers(items)).drop_nulls() if compared else column.drop_nulls()
        if not len(known):
            return None
        share = 0.5 if compared else 1 - _THIRD if up else _THIRD
        edge = float(np.quantile(known.to_numpy(), share, method="lower" if up else "higher"))
        return int(edge) if edge == int(edge) else edge

    def _numbers(self, items: Sequence[str]) -> list[int]:
        try:
            return [int(number) for number in self.catalog.numbers(items)]
        except UnknownItem:  # shown before an edit of the catalog took it away
            return []

    @cached_property
    def _listed(self) -> frozenset[str]:
        schema = self.catalog.table.schema
        return frozenset(name for name in self.catalog.fields if isinstance(schema[name], pl.List))


def _drops(one: Mention, role: str) -> bool:
    """Whether the rules on this mention's field are void."""
    return role == "drop" and bool(one.field) and one.kind != "value"


def _of(said: Sequence[Said], field: str, role: str) -> list[str]:
    found = (one.value for one, given in said if one.kind == "value" and one.field == field and given == role)
    return list(dict.fromkeys(found))


def _ids(said: Sequence[Said], role: str, slate: Sequence[str]) -> tuple[str, ...]:
    """Items with this role. What takes back a value takes back what it is the title of."""
    found: list[str] = []
    for one, given in said:
        if given == role and (one.kind == "item" or (one.kind == "value" and role == "drop")):
            found += one.items[:1]
        elif given == role and one.kind == "shown":
            found += _at(slate, one.place)
    return tuple(dict.fromkeys(found))


def _at(slate: Sequence[str], place: int | None) -> list[str]:
    """What stands at a place of the slate; of one item "that one" is it."""
    if place == ALL:
        return list(slate)
    index = -1 if place == -1 else (place or 0) - 1
    return [slate[index]] if -len(slate) <= index < len(slate) else []


def _traits(said: Sequence[Said], role: str) -> tuple[Rule, ...]:
    found = (
        Rule(field=one.field, op="=", value=one.value) for one, given in said if one.kind == "value" and given == role
    )
    return tuple(dict.fromkeys(found))


def _phrases(said: Sequence[Said], role: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.text for one, given in said if one.kind == "phrase" and given == role))


def _bound(one: Mention, role: str) -> Rule | None:
    number = _plain(one.number or 0)
    if role in ("drop", "none"):
        return None
    if one.kind == "decade":
        return _decade(one.field, int(number), role)
    if role == "near":
        width = _YEARS if one.kind == "year" else abs(number) * _SHARE
        return Rule(field=one.field, op="between", value=(_plain(number - width), _plain(number + width)))
    return Rule.model_validate({"field": one.field, "op": _OPS[role], "value": number})


def _decade(field: str, start: int, role: str) -> Rule:
    """Before the 80s ends in 1979, after the 80s begins in 1990, since the 80s in 1980."""
    if role == "below":
        return Rule(field=field, op="<", value=start)
    if role == "most":
        return Rule(field=field, op="<=", value=start + 9)
    if role in ("above", "least"):
        return Rule(field=field, op=">=", value=start + 10 if role == "above" else start)
    if role == "not":
        return Rule(field=field, op="not in", value=tuple(range(start, start + 10)))
    return Rule(field=field, op="between", value=(start, start + 9))


def _either(rules: Sequence[Rule]) -> list[Rule]:
    """Several decades or years of one field are one of them: neighbouring decades a range, others a list."""
    found = list(rules)
    for field in dict.fromkeys(rule.field for rule in rules):
        spans = [rule for rule in found if rule.field == field and (rule.op == "=" or _is_decade(rule))]
        if len(spans) < 2:
            continue
        years = sorted({year for rule in spans for year in _years(rule)})
        whole = years == list(range(years[0], years[-1] + 1))
        joint = (
            Rule(field=field, op="between", value=(years[0], years[-1]))
            if whole
            else Rule(field=field, op="in", value=tuple(years))
        )
        found[found.index(spans[0])] = joint
        found = [rule for rule in found if rule not in spans[1:]]
    return found


def _is_decade(rule: Rule) -> bool:
    value = rule.value
    return rule.op == "between" and isinstance(value, tuple) and float(value[1]) - float(value[0]) == 9


def _years(rule: Rule) -> list[int]:
    low, high = rule.value if isinstance(rule.value, tuple) else (rule.value, rule.value)
    return list(range(int(low), int(high) + 1))


def _ranges(rules: Sequence[Rule]) -> list[Rule]:
    """ "At least" and "at most" of one field, said in one message, are one range; two decades are what lies in both or
    between them."""
    found = list(rules)
    for field in dict.fromkeys(rule.field for rule in rules):
        lows = [rule for rule in found if rule.field == field and rule.op == ">="]
        highs = [rule for rule in found if rule.field == field and rule.op == "<="]
        if len(lows) == 1 and len(highs) == 1 and lows[0].value <= highs[0].value:  # type: ignore[operator]
            place = min(found.index(lows[0]), found.index(highs[0]))
            found = [rule for rule in found if rule not in (lows[0], highs[0])]
            found.insert(
                place, Rule.model_validate({"field": field, "op": "between", "value": (lows[0].value, highs[0].value)})
            )
    return found  # fmt: skip


def _plain(number: float) -> int | float:
    return int(number) if number == int(number) else round(number, 4)


def _unlinked(marked: Marked, said: Sequence[Said]) -> tuple[str, ...]:
    """Names that the catalog lacks, and amounts of what it has no field for."""
    found = [
        one.text or marked.message[one.start : one.end]
        for one, role in said
        if role == "name" or (one.kind in _QUANTITIES | _STEPS and not one.field and role not in ("drop", "none"))
    ]
    return tuple(dict.fromkeys(found))
