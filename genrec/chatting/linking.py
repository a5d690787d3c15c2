"""Words of a message ↔ titles and field values of the catalog. Knows no grammar.

Built once for a catalog; a message is looked up by its runs of words, longest first, so that "science fiction" is not
read as "fiction". Only text and category fields are linked: values of at most four words, in fields that repeat values.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import polars as pl
from rapidfuzz import fuzz, process

from genrec.catalog import Catalog
from genrec.chatting.lexicon import ALIASES_EN, GENRES_ZH

_WORDS = re.compile(r"[\u4e00-\u9fff]|[^\W_\u4e00-\u9fff]+(?:['’-][^\W_\u4e00-\u9fff]+)*", re.UNICODE)
_LONGEST = 6  # words of a run that is looked up
_VALUE_WORDS = 4
_FUZZY = 88.0
_SURNAME = 4  # letters that a last name has at least to stand for the whole one


class Word(NamedTuple):
    """start, end: where it stands in the message."""

    text: str
    start: int
    end: int


class Span(NamedTuple):
    """A run of words that the catalog knows: fields[f] is the value in field f, or item ids where it is a title."""

    start: int
    end: int
    fields: dict[str, str]
    items: tuple[str, ...]


def words(text: str) -> list[Word]:
    return [Word(found.group(), found.start(), found.end()) for found in _WORDS.finditer(text)]


def normal(text: str) -> str:
    """Words in lower case without accents, one space between."""
    plain = unicodedata.normalize("NFKD", text.replace("’", "'")).casefold()
    return " ".join(found.group() for found in _WORDS.finditer(plain) if found.group())


def _folded(text: str) -> str:
    return "".join(sign for sign in unicodedata.normalize("NFKD", text) if not unicodedata.combining(sign))


@dataclass(frozen=True)
class Links:
    """titles: normalised title → item ids; values: normalised value → {field: value as the catalog writes it}."""

    titles: dict[str, tuple[str, ...]]
    values: dict[str, dict[str, str]]
    names: list[str] = field(repr=False)

    @classmethod
    def of(cls, catalog: Catalog) -> Links:
        titles: defaultdict[str, list[str]] = defaultdict(list)
        for item_id, title in zip(catalog.item_ids, catalog.titles, strict=True):
            for name in _names(title):
                titles[name].append(item_id)
        values: defaultdict[str, dict[str, str]] = defaultdict(dict)
        for name in linked_fields(catalog):
            for value in _distinct(catalog, name):
                values[normal(_folded(value))].setdefault(name, value)
        _add_aliases(values)
        return cls({name: tuple(ids) for name, ids in titles.items() if name}, dict(values), list(titles))

    @cached_property
    def _starts(self) -> frozenset[str]:
        """First words of all that is known: most words of a message begin nothing."""
        return frozenset(name.split(" ", 1)[0] for names in (self.values, self.titles) for name in names)

    @cached_property
    def value_names(self) -> list[str]:
        """Normalised values, for a fuzzy look-up."""
        return list(self.values)

    def spans(self, message: str) -> list[Span]:
        """What the catalog knows of the message, from left to right, without overlap; the longest run wins."""
        found, known = words(_folded_same_length(message)), []
        place = 0
        while place < len(found):
            span = self._longest(message, found[place : place + _LONGEST])
            if span is None:
                place += 1
                continue
            known.append(span)
            place += sum(word.start < span.end for word in found[place:])
        return known

    def title(self, text: str, *, fuzzy: bool = True) -> str | None:
        """The item with this title, spelled nearly so; None where it is unknown or several are as near."""
        name = normal(_folded(text))
        if ids := self.titles.get(name):
            return ids[0]
        if not fuzzy or len(name) < 4:
            return None
        best = process.extract(name, self.names, scorer=fuzz.ratio, score_cutoff=_FUZZY, limit=2)
        if not best or (len(best) > 1 and best[0][1] == best[1][1]):
            return None
        return self.titles[best[0][0]][0]

    def _longest(self, message: str, run: list[Word]) -> Span | None:
        if normal(_folded(run[0].text)) not in self._starts:
            return None
        for size in range(len(run), 0, -1):
            start, end = run[0].start, run[size - 1].end
            name = normal(_folded(message[start:end]))
            fields = self.values.get(name, {})
            items = self.titles.get(name, ()) if self._speaks_of_a_title(message[start:end], size) else ()
            if fields or items:
                return Span(start, end, fields, items)
        return None

    @staticmethod
    def _speaks_of_a_title(text: str, size: int) -> bool:
        """Titles of one common word ("Up", "it") count only with a capital; Chinese has none, there any run does."""
        return size > 1 or (text[:1].isupper() and len(text) > 1)


def linked_fields(catalog: Catalog) -> list[str]:
    """Fields whose values a request may name: texts and categories, alone or in lists, short and used again."""
    return [name for name in catalog.fields if _is_linked(catalog.table[name])]


def examples(catalog: Catalog, most: int = 2) -> list[str]:
    """Fields that a user could speak of, each with its most frequent values: `genres (Drama, Comedy)`."""
    found = []
    for name in linked_fields(catalog):
        counts = _flat(catalog, name).value_counts(sort=True)
        if len(counts) and counts["count"][0] * 20 > len(catalog):
            found.append(f"{name} ({', '.join(counts[name][:most].to_list())})")
    return found[:most]


def _is_linked(column: pl.Series) -> bool:
    flat = column.explode() if isinstance(column.dtype, pl.List) else column
    if not (flat.dtype == pl.String or isinstance(flat.dtype, pl.Categorical | pl.Enum)):
        return False
    sample = flat.drop_nulls().cast(pl.String).head(2000)
    return len(sample) > 0 and float(sample.str.len_chars().median() or 0) <= 40  # type: ignore[arg-type]


def _distinct(catalog: Catalog, name: str) -> list[str]:
    found = _flat(catalog, name).unique(maintain_order=True).to_list()
    return [value for value in found if 0 < len(words(value)) <= _VALUE_WORDS]


def _flat(catalog: Catalog, name: str) -> pl.Series:
    """All values of a field as text."""
    column = catalog.table[name]
    return (column.explode() if isinstance(column.dtype, pl.List) else column).drop_nulls().cast(pl.String)


def _names(title: str) -> Iterable[str]:
    """The title, and without its article and its year."""
    name = normal(_folded(title))
    bare = re.sub(r"\s(?:19|20)\d\d$", "", name) or name
    yield from dict.fromkeys([name, bare, re.sub(r"^(?:the|an|a)\s(?=\w)", "", bare)])


def _add_aliases(values: dict[str, dict[str, str]]) -> None:
    """Other words for values that the catalog holds: plurals, nationalities, Chinese names, last names."""
    for alias, name in [*ALIASES_EN.items(), *GENRES_ZH.items()]:
        key = normal(alias)
        if name in values and key not in values:
            values[key] = dict(values[name])
    last: defaultdict[str, list[str]] = defaultdict(list)
    for name in list(values):
        plural = f"{name}s"
        if len(name) > 3 and plural not in values:
            values[plural] = values[name]
        parts = name.split()
        if 2 <= len(parts) <= 3 and len(parts[-1]) >= _SURNAME:
            last[parts[-1]].append(name)
    for surname, names in last.items():
        if len(names) == 1 and surname not in values:
            people = {key: value for key, value in values[names[0]].items() if key in _PEOPLE}
            if people:
                values[surname] = people


_PEOPLE = frozenset({"director", "directors", "cast", "actor", "actors", "author", "authors", "artist", "artists"})


def _folded_same_length(text: str) -> str:
    """Without accents where that keeps every place; places in the message stay valid."""
    return "".join(folded if len(folded := _folded(sign)) == 1 else sign for sign in text)
