"""Words that point at what was shown, compare, or name numbers and fields, English and Chinese. Knows no catalog."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from genrec.chatting.lexicon import NUMBERS

_ORDINALS = {
    "first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9,
    "tenth": 10, "1st": 1, "2nd": 2, "3rd": 3, "last": -1, "top": 1,
}  # fmt: skip
_THING = r"(?:ones?|films?|movies?|books?|games?|items?|titles?|options?|suggestions?|recommendations?|picks?|choices?)"
_ZH_THING = r"(?:部|个|本|首|款|件|张)(?:电影|片子|片|书|游戏)?"
_DIGIT_ZH = "一二两三四五六七八九十"
ALL = 0
"""The place that means: everything that was shown last."""


class Place(NamedTuple):
    """place: 1 for the first thing shown, −1 for the last, `ALL` for what was shown last, all of it."""

    start: int
    end: int
    place: int


_PLACES = (
    re.compile(
        rf"\b(?:the\s+)?(?:very\s+)?(?P<word>{'|'.join(_ORDINALS)}|\dth)\s+{_THING}\b"
        rf"|\bthe\s+(?P<bare>{'|'.join(word for word in _ORDINALS if word not in ('last', 'top'))}|\dth)\b(?!\s+world)"
        rf"|(?:\b(?:number|no\.?|item|option|pick)\s*|#\s?)(?P<number>\d{{1,2}})\b(?!\s*(?:{_THING}|minutes?|hours?))"
        rf"|第(?P<zh>[{_DIGIT_ZH}]|\d{{1,2}}){_ZH_THING}?|(?P<last>最后(?:那|一|这)?{_ZH_THING})",
        re.IGNORECASE,
    ),
    re.compile(
        rf"\b(?:(?:any|all|both)\s+of\s+(?:these|those|them)|(?:these|those)(?:\s+{_THING})?|"
        rf"(?:that|this)\s+{_THING})\b|(?:刚才|上面)?(?:这|那)(?:些|几{_ZH_THING}|一?{_ZH_THING})|刚才(?:的|说的)?",
        re.IGNORECASE,
    ),
)


def places(text: str) -> list[Place]:
    """What points at a slate: "the second one", "#3", "that film", 第二部, 那部."""
    found = [Place(match.start(), match.end(), _place(match)) for match in _PLACES[0].finditer(text)]
    return found + [Place(match.start(), match.end(), ALL) for match in _PLACES[1].finditer(text)]


def _place(match: re.Match[str]) -> int:
    if word := (match["word"] or match["bare"]):
        return _ORDINALS.get(word.casefold()) or int(word[0])
    if match["last"]:
        return -1
    said = match["number"] or match["zh"]
    return NUMBERS.get(said) or int(said)


class Step(NamedTuple):
    """quantity: kind of number (year, minutes …); up: towards more of it; compared: "shorter", not "short"."""

    start: int
    end: int
    quantity: str
    up: bool
    compared: bool


# Words → (quantity, up). A comparison with a number ("longer than two hours") is left to the number.
_NO_NUMBER = r"(?!\s+than\s+(?:the\s+)?(?:\d|['’]\d|one\b|two\b|three\b|an?\s+hour|\w+ties\b))"
_STEPS: tuple[tuple[str, bool, bool, str], ...] = (
    ("minutes", False, True, rf"\b(?:shorter|briefer|quicker){_NO_NUMBER}\b|更短|短(?:一点|一些|些|点)"),
    ("minutes", True, True, rf"\b(?:longer|lengthier){_NO_NUMBER}\b|更长|长(?:一点|一些|些|点)"),
    ("year", False, True, rf"\b(?:older|less recent|less modern){_NO_NUMBER}\b|更[老早旧]|[老早旧](?:一点|一些|些|点)"),
    ("year", True, True, rf"\b(?:newer|more recent|more modern){_NO_NUMBER}\b|更新|更近|(?:新|近)(?:一点|一些|些|点)"),
    ("price", False, True, rf"\b(?:cheaper|less expensive|less pricey){_NO_NUMBER}\b|更便宜|便宜(?:一点|一些|些|点)"),
    ("price", True, True, rf"\b(?:pricier|more expensive|dearer){_NO_NUMBER}\b|更贵|贵(?:一点|一些|些|点)"),
    ("rating", True, True, r"\b(?:better|higher)[- ]rated\b|评分更高|评价更好"),
    ("minutes", False, False, r"\b(?:short|brief)\b|(?<=太)短|短(?=的|片)"),
    ("minutes", True, False, r"\b(?:long|lengthy)\b(?!\s+(?:as|ago|time))|(?<=太)长|长(?=的|片)"),
    ("year", False, False, r"\b(?:old|dated)\b(?!\s+(?:friend|enough))|(?<=太)(?:老|旧)|(?:老|旧)(?=的|片|电影)"),
    ("year", True, False, r"\b(?:recent|modern|contemporary|new)\b(?!\s+(?:york|zealand|orleans))"
     r"|(?<=太)新|新(?=的|片|电影)|最近(?=的)"),
    ("price", False, False, r"\b(?:cheap|inexpensive|affordable)\b|(?<=太)便宜|便宜(?=的)"),
    ("price", True, False, r"\b(?:expensive|pricey)\b|(?<=太)贵|贵(?=的)"),
)  # fmt: skip
_COMPILED = tuple((quantity, up, compared, re.compile(words, re.IGNORECASE))
                  for quantity, up, compared, words in _STEPS)  # fmt: skip


def steps(text: str) -> list[Step]:
    """Words for more or less of a quantity: "shorter", "recent", 便宜一点."""
    return [
        Step(match.start(), match.end(), quantity, up, compared)
        for quantity, up, compared, pattern in _COMPILED
        for match in pattern.finditer(text)
    ]


FIELD_WORDS = {
    "year": ("year", "years", "decade", "era", "age", "release date", "年份", "年代", "时间"),
    "minutes": ("length", "duration", "running time", "run time", "runtime", "时长", "片长", "长度"),
    "price": ("price", "budget", "cost", "价格", "价钱", "预算"),
    "rating": ("rating", "score", "评分"),
    "pages": ("page count", "number of pages", "页数"),
    "genre": ("genre", "kind", "category", "类型", "题材"),
    "director": ("director", "filmmaker", "导演"),
    "author": ("author", "writer", "作者"),
    "brand": ("brand", "maker", "品牌"),
    "cast": ("cast", "actor", "actress", "star", "演员", "主演"),
    "country": ("country", "nation", "language", "国家", "地区"),
    "keyword": ("keyword", "theme", "topic", "subject", "主题", "关键词"),
}
"""What a field may be called, by what its own name may start with."""

DECADE_WORDS = {
    "twenties": 1920, "thirties": 1930, "forties": 1940, "fifties": 1950, "sixties": 1960, "seventies": 1970,
    "eighties": 1980, "nineties": 1990, "二十": 1920, "三十": 1930, "四十": 1940, "五十": 1950, "六十": 1960,
    "七十": 1970, "八十": 1980, "九十": 1990,
}  # fmt: skip
_AMOUNT = rf"(?:\d{{1,6}}(?:\.\d+)?|{'|'.join(NUMBERS)})"


Counted = Literal["year", "decade", "minutes", "price", "pages", "number"]


class Quantity(NamedTuple):
    """value: in the catalog's unit, a decade's first year."""

    start: int
    end: int
    kind: Counted
    value: float


_QUANTITIES: tuple[tuple[Counted, re.Pattern[str]], ...] = (
    ("decade", re.compile(
        r"(?:\bthe\s+)?(?<![a-z\d'’])['’]?(?P<digits>(?:1[89]|20)\d0|[0-9]0)(?:['’]?s\b|\s*年代)"
        rf"|\b(?:the\s+)?(?P<word>{'|'.join(word for word in DECADE_WORDS if word.isascii())})\b"
        rf"|(?P<zh>{'|'.join(word for word in DECADE_WORDS if not word.isascii())})年代", re.IGNORECASE)),
    ("minutes", re.compile(
        rf"(?:\b(?P<an>an?)\s+(?=hour)|(?<![a-z])(?P<hours>{_AMOUNT})(?:\s*|-))(?:hours?|hrs?|h|个?(?P<halfzh>半)?小时)(?![a-z])(?P<half>\s+and\s+a\s+half|半)?"
        rf"|(?P<minutes>{_AMOUNT})(?:\s*|-)(?:minutes?|mins?|min|分钟)(?![a-z])"
        r"|(?P<onehalf>半个?小时|half an hour)", re.IGNORECASE)),
    ("price", re.compile(
        rf"[$€£¥]\s*(?P<sign>\d{{1,6}}(?:\.\d+)?)|(?P<amount>{_AMOUNT})\s*(?:dollars?|bucks|euros?|pounds?|usd|eur|元|块钱?)",
        re.IGNORECASE)),
    ("pages", re.compile(rf"(?P<amount>{_AMOUNT})\s*(?:pages?\b|页)", re.IGNORECASE)),
    ("year", re.compile(r"(?<![\d.])(?P<amount>(?:1[89]|20|21)\d\d)(?![\d%])")),
    ("number", re.compile(
        r"\b(?P<few>a couple(?: of)?|half a dozen|a dozen)\b|(?<![a-z\d.])(?P<digits>\d{1,4}(?:\.\d+)?)(?![a-z\d%])"
        rf"|\b(?P<word>{'|'.join(word for word in NUMBERS if word.isascii() and word != 'one')})\b"
        r"|(?<=\bjust )(?P<one>one)\b|(?<=\bonly )(?P<only>one)\b"
        r"|(?P<zh>[两二三四五六七八九十])(?=\s*[部个本首款件])"
        r"|(?<=只要)(?P<onezh>一)(?=[部个本首款件])", re.IGNORECASE)),
)  # fmt: skip
_FEW = {"a couple": 2, "a couple of": 2, "half a dozen": 6, "a dozen": 12}


def quantities(text: str) -> list[Quantity]:
    """Numbers with what they count, those with a unit first; they may overlap."""
    return [
        Quantity(match.start(), match.end(), kind, value)
        for kind, pattern in _QUANTITIES
        for match in pattern.finditer(text)
        if (value := _value(kind, match)) is not None
    ]


def _value(kind: str, match: re.Match[str]) -> float | None:
    said = {name: text.casefold() for name, text in match.groupdict().items() if text}
    if kind == "decade":
        return _decade(said)
    if kind == "minutes":
        return _minutes(said)
    if few := said.get("few"):
        return _FEW[few]
    word = next(iter(said.values()))
    return float(NUMBERS.get(word, 0) or word)


def _decade(said: dict[str, str]) -> float:
    if digits := said.get("digits"):
        return int(digits) if len(digits) == 4 else (1900 if int(digits) >= 30 else 2000) + int(digits)
    return DECADE_WORDS[said.get("word") or said["zh"]]


def _minutes(said: dict[str, str]) -> float:
    if "onehalf" in said:
        return 30
    if hours := said.get("an") or said.get("hours"):
        whole = 1.0 if "an" in said else float(NUMBERS.get(hours, 0) or hours)
        return 60 * whole + (30 if "half" in said or "halfzh" in said else 0)
    return float(NUMBERS.get(said["minutes"], 0) or said["minutes"])
