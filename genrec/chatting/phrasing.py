"""Families of phrasings: what people say, with the roles of what they mention, as checked data. Knows no catalog.

    (show|find) me {number.count} {values.want}

A text is cut into pieces, literal or a mention, by drawing one of each group of alternatives.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Literal, NamedTuple, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from genrec.chatting.mentions import Kind
from genrec.chatting.roles import ROLES
from genrec.errors import PromptError
from genrec.located import read_yaml
from genrec.prompting import Prompt

T = TypeVar("T")
Part = Literal["ask", "trim", "limit", "like", "solo"]
Use = Literal["train", "valid", "test"]
FILLS: dict[str, Kind] = {
    "value": "value", "values": "value", "by": "value", "with": "value", "from": "value", "about": "value",
    "who": "value", "item": "item", "shown": "shown", "year": "year", "decade": "decade", "minutes": "minutes",
    "price": "price", "pages": "pages", "amount": "amount", "number": "number", "field": "field",
    "fieldname": "field", "phrase": "phrase", "low": "low", "high": "high", "lower": "lower", "higher": "higher",
}  # fmt: skip
"""What may stand in braces → the kind of mention that it is."""
_BRACES = re.compile(r"\{(?P<fill>\w+)(?:\.(?P<role>\w+))?\}")
_LOOSE = 0.2
_INNER = re.compile(r"\(([^()]*)\)")


class Piece(NamedTuple):
    """Words as they are (fill ""), or something to be filled in, with its role."""

    text: str
    fill: str = ""
    role: str = "none"


class Family(BaseModel):
    """Phrasings of one construction."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    part: Part
    """Where in a message it may stand."""
    act: str = "find"
    """What the message does by it."""
    also: bool = False
    """Whether its rules stand beside earlier ones."""
    use: Use = "train"
    """Whether it is learnt from, or kept for validation or test."""
    texts: tuple[str, ...] = Field(min_length=1)

    @field_validator("texts")
    @classmethod
    def _known(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        for text in texts:
            if text.count("(") != text.count(")"):
                raise ValueError(f"{text!r}: brackets do not match")
            for match in _BRACES.finditer(text):
                fill, role = match["fill"], match["role"] or "none"
                if fill not in FILLS or role not in ROLES[FILLS[fill]]:
                    raise ValueError(f"{match.group()!r} is no mention with one of its roles")
        return texts

    def draw(self, rng: np.random.Generator) -> list[Piece]:
        """One phrasing."""
        text = pick(rng, self.texts)
        while match := _INNER.search(text):
            text = text[: match.start()] + pick(rng, match[1].split("|")) + text[match.end() :]
        return list(_pieces(" ".join(text.split())))

    @cached_property
    def words(self) -> list[str]:
        """All that stands outside braces."""
        return [bit for text in self.texts for bit in re.split(r"[()|]", _BRACES.sub("|", text)) if bit.strip()]


class Phrasebook(BaseModel):
    """All families of one language, and what stands around them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prompt: str
    """Template of what is read: the message with its mentions marked."""
    shown: tuple[str, ...]
    """Ways to point at what was shown."""
    lead: tuple[str, ...]
    """What a message may begin with."""
    tail: tuple[str, ...]
    """What it may end with."""
    link: tuple[str, ...]
    """What may stand between two clauses."""
    adverbs: tuple[str, ...] = ()
    """What may slip in …"""
    before: tuple[str, ...] = ()
    """… before one of these words, in what is learnt from."""
    swaps: dict[str, str] = {}
    """Words, and what may take their place in what is learnt from."""
    moods: tuple[str, ...]
    """Words for what an item is like, that no catalog field holds."""
    names: tuple[str, ...]
    """Names that no catalog holds."""
    families: tuple[Family, ...]

    def of(self, part: Part, use: Use) -> list[Family]:
        return [one for one in self.families if one.part == part and one.use == use]

    def asked(self, message: str) -> str:
        """The prompt of a marked message."""
        return self._prompt.render(message=message)

    def loosened(self, text: str, rng: np.random.Generator) -> str:
        """Words of a phrasing, perhaps with another word in place of one, or an adverb in between."""
        if self.swaps and rng.random() < _LOOSE:
            text = self._swapped.sub(lambda match: self.swaps[match.group()], text, count=1)
        found = [match.start() for match in self._openings.finditer(text)] if rng.random() < _LOOSE else []
        if not found or not self.adverbs:
            return text
        at = pick(rng, found)
        return text[:at] + pick(rng, self.adverbs) + text[at:]

    @cached_property
    def _swapped(self) -> re.Pattern[str]:
        return _any_of(self.swaps)

    @cached_property
    def _openings(self) -> re.Pattern[str]:
        return _any_of(self.before)

    @cached_property
    def _prompt(self) -> Prompt:
        said = {"message": "what was written, marked", "reading": "its reading, as JSON"}
        return Prompt(
            name="read", language="", version=1, variables=said, prompt=self.prompt, completion="{{ reading }}"
        )

    @cached_property
    def cues(self) -> frozenset[str]:
        """Words, and pairs of Chinese characters, of what is learnt from."""
        texts = [*self.lead, *self.tail, *self.link, *self.adverbs, *self.swaps.values()]
        texts += [text for one in self.families if one.use == "train" for text in one.words]
        return frozenset(cue for text in texts for cue in cues_of(text))


def phrasebook(folder: Path, language: str) -> Phrasebook:
    """`folder/language/chat/families.yaml`; raises PromptError with file and line at the first wrong entry."""
    file = folder / language / "chat" / "families.yaml"
    if not file.is_file():
        raise PromptError("no phrasings in this language", value=language, where=str(folder))
    source, data = read_yaml(file, PromptError)
    try:
        return Phrasebook.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise PromptError(f"{place}: {first['msg']}", where=source.at(place)) from None


def cues_of(text: str) -> Iterator[str]:
    """The words of a text, and each pair of neighbouring Chinese characters."""
    yield from re.findall(r"[^\W\d_\u4e00-\u9fff]+(?:['’-][^\W\d_\u4e00-\u9fff]+)*", text.casefold())
    for run in re.findall(r"[\u4e00-\u9fff]+", text):
        yield from (run[place : place + 2] for place in range(len(run) - 1))


def _pieces(text: str) -> Iterator[Piece]:
    end = 0
    for match in _BRACES.finditer(text):
        if match.start() > end:
            yield Piece(text[end : match.start()])
        yield Piece("", match["fill"], match["role"] or "none")
        end = match.end()
    if end < len(text):
        yield Piece(text[end:])


def _any_of(words: Iterable[str]) -> re.Pattern[str]:
    """Whole words, longest first; Chinese anywhere."""
    ordered = sorted(words, key=len, reverse=True)
    parts = [rf"(?<![\w'])(?:{re.escape(word)})(?![\w'])" if word.isascii() else re.escape(word) for word in ordered]
    return re.compile("|".join(parts) or r"(?!)")


def pick(rng: np.random.Generator, among: Sequence[T]) -> T:
    return among[int(rng.integers(len(among)))]
