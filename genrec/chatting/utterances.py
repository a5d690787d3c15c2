"""Requests drawn from a catalog and a phrasebook, each with what it means: to learn reading from, and to test it.

What is named is drawn so that it means one thing: a value that stands in one field, a title of one item. Knows no
model.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from genrec.catalog import Catalog
from genrec.chatting import lexicon
from genrec.chatting.linking import normal, words
from genrec.chatting.mentions import Kind, Mention, Mentions
from genrec.chatting.phrasing import FILLS, Family, Part, Phrasebook, Piece, Use, pick
from genrec.chatting.request import Language
from genrec.chatting.roles import Reading
from genrec.chatting.spoken import places

SHAPES: tuple[tuple[float, tuple[Part, ...]], ...] = (
    (3, ("ask",)), (2, ("ask", "trim")), (1, ("ask", "trim", "trim")), (2, ("ask", "limit")),
    (1, ("ask", "trim", "limit")), (1, ("ask", "limit", "limit")), (2, ("like",)), (1, ("like", "ask")),
    (1, ("like", "limit")), (0.5, ("like", "like")), (2, ("limit",)), (1, ("limit", "limit")), (0.7, ("trim",)),
    (4, ("solo",)), (0.6, ("solo", "limit")), (0.6, ("solo", "solo")), (0.4, ("solo", "ask")), (0.3, ("solo", "like")),
)  # fmt: skip
"""How often a message is made of which parts."""
_PREVAILS = ("talk", "find", "more", "surprise", "reset")
"""Of several acts in one message the later one here is the message's."""
_FIELDS = {"by": ("director", "author", "brand", "artist"), "with": ("cast", "actor", "stars"),
           "from": ("country", "origin"), "about": ("keyword", "tag", "topic")}  # fmt: skip
_PEOPLE = (*_FIELDS["by"], *_FIELDS["with"])
_STEPS: dict[tuple[str, str], dict[str, tuple[str, ...]]] = {
    ("en", "low"): {"minutes": ("short",), "year": ("old",), "price": ("cheap", "affordable")},
    ("en", "high"): {"minutes": ("long", "lengthy"), "year": ("recent", "modern", "new"), "price": ("expensive",)},
    ("en", "lower"): {"minutes": ("shorter",), "year": ("older",), "price": ("cheaper", "less expensive")},
    ("en", "higher"): {
        "minutes": ("longer",), "year": ("newer", "more recent"), "price": ("pricier", "more expensive"),
    },
    ("zh", "low"): {"minutes": ("短",), "year": ("老",), "price": ("便宜",)},
    ("zh", "high"): {"minutes": ("长",), "year": ("新",), "price": ("贵",)},
    ("zh", "lower"): {
        "minutes": ("短一点", "更短", "短些"), "year": ("老一点", "更老", "早一点"),
        "price": ("便宜一点", "更便宜"),
    },
    ("zh", "higher"): {
        "minutes": ("长一点", "更长", "长些"), "year": ("新一点", "更新", "新些"),
        "price": ("贵一点", "更贵"),
    },
}  # fmt: skip


@dataclass(frozen=True)
class Utterance:
    """mentions, reading: what the text means; families: what it was drawn from."""

    text: str
    language: Language
    mentions: tuple[Mention, ...]
    reading: Reading
    families: tuple[str, ...]


class Unfilled(Exception):
    """The catalog has nothing to fill in here."""


@dataclass(frozen=True)
class Drawer:
    """Draws utterances in one language about one catalog."""

    catalog: Catalog
    mentions: Mentions
    book: Phrasebook
    language: Language

    def draw(
        self,
        rng: np.random.Generator,
        *,
        use: Use = "train",
        shapes: Sequence[tuple[float, tuple[Part, ...]]] = SHAPES,
    ) -> Utterance:
        """One message; use: of families of which use."""
        chances = np.array([chance for chance, _ in shapes])
        while True:
            shape = shapes[int(rng.choice(len(shapes), p=chances / chances.sum()))][1]
            try:
                return self._message([pick(rng, self.book.of(part, use)) for part in shape], rng)
            except Unfilled:
                continue

    def _message(self, families: Sequence[Family], rng: np.random.Generator) -> Utterance:
        pen = _Pen()
        pen.write(pick(rng, self.book.lead) if families[0].part != "trim" and families[0].act != "talk" else "")
        for place, family in enumerate(families):
            if place:
                pen.write(
                    (" " if self.language == "en" else "") if family.part == "trim" else pick(rng, self.book.link)
                )
            self._write(family, pen, rng)
        if families[-1].act != "talk":
            pen.write(pick(rng, self.book.tail))
        act = max((family.act for family in families), key=_PREVAILS.index)
        reading = Reading(tuple(pen.roles), act, any(family.also for family in families))
        return _finished(
            Utterance(pen.text, self.language, tuple(pen.mentions), reading, tuple(f.name for f in families)), rng
        )

    def _write(self, family: Family, pen: _Pen, rng: np.random.Generator) -> None:
        field = ""
        for piece in family.draw(rng):
            if not piece.fill:
                pen.write(self.book.loosened(piece.text, rng) if family.use == "train" else piece.text)
                continue
            said, mention = self._fill(piece, field, rng)
            if piece.fill == "fieldname":
                field = mention.field
            pen.mention(said, mention, piece.role)

    def _fill(self, piece: Piece, field: str, rng: np.random.Generator) -> tuple[str, Mention]:
        """What is said, and what it means (its places are for the pen to fill in)."""
        fill, kind = piece.fill, FILLS[piece.fill]
        if kind == "value":
            return self._value(fill, rng)
        if kind == "item":
            return self._item(rng)
        if kind in ("year", "decade", "minutes", "price", "pages", "number"):
            return self._quantity(kind, rng)
        if kind in ("low", "high", "lower", "higher"):
            return self._step(kind, rng)
        if kind == "shown":
            said = pick(rng, self.book.shown)
            return said, _mention(kind, place=places(said)[0].place)
        if kind == "phrase":
            said = pick(rng, self.book.names if piece.role == "name" else self.book.moods)
            return said, _mention(kind, text=said.strip("《》"))
        return self._amount(field, rng) if fill == "amount" else self._field(fill, rng)

    def _value(self, fill: str, rng: np.random.Generator) -> tuple[str, Mention]:
        kind = fill if fill in _FIELDS else "who" if fill == "who" else "value"
        fields = [name for name in self._said if _kind_of(name) == kind or (kind == "who" and name.startswith(_PEOPLE))]
        if not fields:
            raise Unfilled
        field = pick(rng, fields)
        values = self._said[field]
        value = list(values)[int(rng.integers(len(values)))]
        said = [name for name in values[value] if _plural(name) is (fill == "values")] or values[value][:1]
        name = said[int(rng.integers(len(said)))]
        people = field.startswith(_PEOPLE)
        return (value if people and rng.random() < 0.7 and normal(value) in values[value] else name), _mention(
            "value", field=field, value=value
        )

    def _item(self, rng: np.random.Generator) -> tuple[str, Mention]:
        title, items = self._titles[int(rng.integers(len(self._titles)))]
        dice, mention = rng.random(), _mention("item", items=items)
        if dice < 0.3 or (self.language == "zh" and dice < 0.7):
            return (f"《{title}》" if self.language == "zh" else f'"{title}"'), mention
        if dice > 0.9 and len(title) >= 10:
            at = int(rng.integers(2, len(title) - 2))
            return title[:at] + title[at + 1 :], replace(mention, near=True)
        return (title.lower() if dice > 0.8 and " " in title else title), mention

    def _quantity(self, kind: Kind, rng: np.random.Generator) -> tuple[str, Mention]:
        field = self.mentions.numbers.kinds.get("year" if kind == "decade" else kind, "")
        if not field and kind in ("year", "decade", "minutes", "pages"):
            raise Unfilled
        if not field and kind == "price" and rng.random() < 0.7:
            raise Unfilled
        said, number = _quantity(kind, self.language, self._sample(field, rng), rng)
        return said, _mention(kind, field="" if kind == "number" else field, number=number)

    def _sample(self, field: str, rng: np.random.Generator) -> float:
        if not field:
            return float(rng.integers(5, 60))
        column = self.catalog.table[field].drop_nulls()
        return float(column[int(rng.integers(len(column)))])

    def _step(self, kind: Kind, rng: np.random.Generator) -> tuple[str, Mention]:
        known = {
            quantity: field
            for quantity, field in self.mentions.numbers.kinds.items()
            if quantity in ("minutes", "year", "price")
        }
        if not known:
            raise Unfilled
        quantity = pick(rng, list(known))
        return pick(rng, _STEPS[self.language, kind][quantity]), _mention(kind, field=known[quantity])

    def _amount(self, field: str, rng: np.random.Generator) -> tuple[str, Mention]:
        number = self._sample(field, rng)
        return f"{number:g}", _mention("amount", field=field, number=number)

    def _field(self, fill: str, rng: np.random.Generator) -> tuple[str, Mention]:
        numeric = set(self.mentions.numbers.fields.values()) - {self.mentions.numbers.kinds.get("year", "")}
        names = [
            (said, field) for said, field in self.mentions.fields.items()
            if (fill == "field" or field in numeric) and said.isascii() == (self.language == "en" or not self._spoken)
        ]  # fmt: skip
        if not names:
            raise Unfilled
        said, field = names[int(rng.integers(len(names)))]
        return said, _mention("field", field=field)

    @cached_property
    def _spoken(self) -> bool:
        """Whether some field has a name in this language."""
        return any(not said.isascii() for said in self.mentions.fields)

    @cached_property
    def _said(self) -> dict[str, dict[str, list[str]]]:
        """Field → value → how it may be said in this language, each meaning only this."""
        links, found = self.mentions.links, defaultdict[str, defaultdict[str, list[str]]](lambda: defaultdict(list))
        for said, fields in links.values.items():
            if len(fields) == 1 and said not in links.titles and not lexicon.is_filler(said):
                ((field, value),) = fields.items()
                found[field][value].append(said)
        return {field: {value: self._own(names) for value, names in values.items()} for field, values in found.items()}

    def _own(self, names: list[str]) -> list[str]:
        own = [name for name in names if name.isascii() == (self.language == "en")]
        return [re.sub(r"(?<=[\u4e00-\u9fff]) (?=[\u4e00-\u9fff])", "", name) for name in own or names]

    @cached_property
    def _titles(self) -> list[tuple[str, tuple[str, ...]]]:
        links = self.mentions.links
        pairs = zip(self.catalog.item_ids, self.catalog.titles, strict=True)
        found = [(title, links.titles.get(normal(title), ())) for _, title in pairs]
        return [
            (title, items)
            for title, items in found
            if len(items) == 1 and _is_name(title) and normal(title) not in links.values
        ]


class _Pen:
    """A text as it is written, with its mentions."""

    def __init__(self) -> None:
        self.text = ""
        self.mentions: list[Mention] = []
        self.roles: list[str] = []

    def write(self, text: str) -> None:
        self.text += text

    def mention(self, said: str, mention: Mention, role: str) -> None:
        start = len(self.text)
        self.write(said)
        self.mentions.append(replace(mention, start=start, end=len(self.text)))
        self.roles.append(role)


def aligned(utterance: Utterance, found: Sequence[Mention]) -> Reading | None:
    """The reading in terms of the mentions that were found: what was not meant gets no role. None where something that
    was meant was not found, or as something else."""
    roles, used = [], 0
    for one in found:
        meant = next((place for place, other in enumerate(utterance.mentions) if _same(one, other)), None)
        roles.append("none" if meant is None else utterance.reading.roles[meant])
        used += meant is not None
    needed = sum(role != "none" for role in utterance.reading.roles)
    reached = sum(role != "none" for role in roles)
    return replace(utterance.reading, roles=tuple(roles)) if reached == needed else None


def _same(one: Mention, other: Mention) -> bool:
    facts = (one.kind, one.items, one.place, one.field, one.value, one.number)
    overlap = one.start < other.end and other.start < one.end
    return overlap and facts == (other.kind, other.items, other.place, other.field, other.value, other.number)


def _finished(one: Utterance, rng: np.random.Generator) -> Utterance:
    """As people type: a capital or none, a mark at the end or none. Places of mentions stay."""
    text = one.text.rstrip()
    if one.language == "en" and text and rng.random() < 0.5:
        text = text[0].upper() + text[1:]
    if text and text[-1] not in "?!.。？" and rng.random() < 0.4:
        text += "." if one.language == "en" else "。"
    return replace(one, text=text)


def _quantity(kind: Kind, language: Language, sample: float, rng: np.random.Generator) -> tuple[str, float]:
    if kind == "year":
        year = int(sample)
        return str(year), year
    if kind == "decade":
        return _decade(max(1920, int(sample) // 10 * 10), language, rng)
    if kind == "minutes":
        return _minutes(int(round(sample / 10) * 10), language, rng)
    if kind == "number":
        count = int(rng.integers(2, 11))
        by_word = [
            word
            for word, value in lexicon.NUMBERS.items()
            if value == count and word.isascii() == (language == "en") and word != "二"
        ]
        return (by_word[0] if rng.random() < 0.5 else str(count)), count
    number = max(1, int(sample))
    forms = {"price": ((f"${number}", f"{number} dollars") if language == "en" else (f"{number}元", f"{number}块")),
             "pages": ((f"{number} pages",) if language == "en" else (f"{number}页",))}  # fmt: skip
    return pick(rng, forms[kind]), number


def _decade(start: int, language: Language, rng: np.random.Generator) -> tuple[str, float]:
    short = f"{start % 100:02d}"
    if language == "zh":
        forms = [f"{start}年代"]
        forms += [f"{short}年代"] if 1930 <= start < 2000 else []
        forms += [f"{'五六七八九'[start // 10 - 195]}十年代"] if 1950 <= start < 2000 else []
        return pick(rng, forms), start
    word = {1920: "twenties", 1930: "thirties", 1940: "forties", 1950: "fifties", 1960: "sixties", 1970: "seventies",
            1980: "eighties", 1990: "nineties"}.get(start)  # fmt: skip
    forms = [f"the {start}s", f"{start}s"]
    forms += [f"the {short}s"] if 1930 <= start < 2000 else []
    forms += [f"the {word}"] if word and start >= 1930 else []
    return pick(rng, forms), start


def _minutes(minutes: int, language: Language, rng: np.random.Generator) -> tuple[str, float]:
    minutes = max(60, minutes)
    forms = [f"{minutes} minutes", f"{minutes} min"] if language == "en" else [f"{minutes}分钟"]
    if minutes % 60 == 0:
        hours = minutes // 60
        word = (
            {1: "one", 2: "two", 3: "three", 4: "four"}.get(hours, str(hours))
            if language == "en"
            else {1: "一", 2: "两", 3: "三"}.get(hours, str(hours))
        )
        forms += (
            [f"{hours} hour{'s' * (hours > 1)}", f"{word} hour{'s' * (hours > 1)}"]
            if language == "en"
            else [f"{word}小时", f"{word}个小时"]
        )
    elif minutes == 90:
        forms += ["an hour and a half", "1.5 hours"] if language == "en" else ["一个半小时"]
    return pick(rng, forms), minutes


def _kind_of(field: str) -> str:
    return next((kind for kind, names in _FIELDS.items() if field.startswith(names)), "value")


def _plural(name: str) -> bool | None:
    """None: not a word that anybody would say."""
    return None if name.endswith(("ss", "nys", "rys", "lys")) else name.endswith("s")


def _is_name(title: str) -> bool:
    """Whether a title of several words, or of a rare one, stands out in a message."""
    found = words(title)
    return (
        (len(found) > 1 or len(title) > 3)
        and not all(lexicon.is_filler(word.text) for word in found)
        and len(found) <= 5
    )


def _mention(kind: Kind, **facts: object) -> Mention:
    return replace(Mention(0, 0, kind), **facts)  # type: ignore[arg-type]
