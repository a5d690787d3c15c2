"""Explanations in the words of a domain of one's own: reviews (user, item, text) as examples of a task, and what a
model then writes. Knows no model and no ranking.

A text is written from evidence words: what the earlier texts of the user and of the item say more often than others.
It is put together of pieces of learnt texts that hold such words; the model chooses among all such texts, token by
token. The item's name is a marker that code fills; numbers and other names may only be those of the evidence.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from genrec.decoding.choosing import Chooser, Paths, Weighs, chosen
from genrec.errors import DataError
from genrec.explaining.words import Words
from genrec.formats import Dataset, dataset
from genrec.formats.report import Tally
from genrec.interactions import Interactions
from genrec.prompting import Prompt, Prompts
from genrec.slots import clean, markers_in

TASK = "review"
COLUMNS = ("user", "item", "text")
OPTIONAL = ("title", "user_text", "item_text")
"""The item's name; what the user and the item are known for beside the texts of the file."""
HELD_OUT = 0.2
"""Share of the users whose texts are not learnt."""
TOLD = 10
"""Evidence words of the user, and as many of the item."""
LONGEST = 9
"""Words of a common beginning at most."""
EACH = 6
"""First, middle and last pieces that texts of one beginning are put together of."""
TEMPERATURE = 0.5
"""Below 1: of what may be said, rather the likely."""

Bool = npt.NDArray[np.bool_]
_WORD = re.compile(r"[^\W\d_]{3,}")
_NAME = re.compile(r"(?<=[^.!?:] )[A-Z][^\W\d_]+|\d+")
_USUAL = 0.25  # words in more than this share of the texts say nothing of one of them


@dataclass(frozen=True)
class Reviews:
    """Columns user, item, text, title, user_text, item_text, all texts; absent ones are empty."""

    table: pl.DataFrame

    @classmethod
    def read(cls, path: Path) -> Reviews:
        """A CSV file with a header; raises DataError for missing columns and rows without a user, item or text."""
        try:
            table = pl.read_csv(path, infer_schema_length=0)
        except (OSError, pl.exceptions.PolarsError) as cause:
            raise DataError("the reviews cannot be read", value=str(cause), where=str(path)) from cause
        if missing := [name for name in COLUMNS if name not in table.columns]:
            raise DataError(
                "reviews lack columns", value=missing, where=str(path), allowed=", ".join((*COLUMNS, *OPTIONAL)),
                remedy="rename the columns",
            )  # fmt: skip
        empty = table.select(pl.any_horizontal(pl.col(COLUMNS).fill_null("").str.strip_chars() == "")).to_series()
        if empty.any():
            line = int(empty.arg_true()[0]) + 2
            raise DataError("a review has no user, item or text", where=f"{path}:{line}", remedy="leave the row out")
        known = [pl.col(name) if name in table.columns else pl.lit("").alias(name) for name in (*COLUMNS, *OPTIONAL)]
        return cls(table.select(known).fill_null(""))

    def __len__(self) -> int:
        return self.table.height

    @cached_property
    def held_out(self) -> Bool:
        """Rows of users that are not learnt from, bool [rows]; the same whenever and wherever."""
        sizes = {user: hashlib.sha256(user.encode()).digest()[0] / 256 for user in self.table["user"].unique()}
        return np.array([sizes[user] < HELD_OUT for user in self.table["user"]], dtype=bool)

    def dataset(self) -> Dataset:
        """Who wrote of what as prepared data; the order of the rows stands for time."""
        table = self.table.select(
            user_id="user", item_id="item", timestamp=pl.int_range(pl.len(), dtype=pl.Int64), title="title"
        )
        named = table.unique("item_id", keep="first", maintain_order=True).select("item_id", "title")
        return dataset(Interactions.from_table(table.drop("title")), named, Tally("reviews"))


@dataclass(frozen=True)
class Ground:
    """What a text about a user and an item rests on. names: every name and number that may stand in it."""

    title: str
    user_words: tuple[str, ...]
    item_words: tuple[str, ...]
    names: frozenset[str]

    def plain(self) -> str:
        """The sentence that needs no model."""
        said = [word for word in self.item_words if word in self.user_words] or list(self.item_words)
        return f"The user would enjoy {{item}} for {', '.join(said[:3]) or 'what others wrote of it'}."

    def problems(self, text: str) -> list[str]:
        """What a text with markers names that it rests on nowhere."""
        wrong = [f"{name!r} is in no evidence" for name in _NAME.findall(text) if name not in self.names]
        return wrong + [f"unknown marker {name}" for name in markers_in(text) - {"item"}]

    def told(self, text: str) -> float:
        """Share of the text's words of three letters and more that are evidence words; the item's count twice."""
        words = set(_WORD.findall(text.lower()))
        return (len(words & {*self.user_words}) + 2 * len(words & {*self.item_words})) / max(1, len(words))


@dataclass(frozen=True)
class Library:
    """What the texts of some rows say of users and items."""

    reviews: Reviews
    rows: npt.NDArray[np.int64]

    @classmethod
    def learnt(cls, reviews: Reviews) -> Library:
        """Of the users that are not held out."""
        return cls(reviews, np.flatnonzero(~reviews.held_out))

    @property
    def texts(self) -> list[str]:
        return [str(self.reviews.table.row(row)[2]) for row in self.rows.tolist()]

    @cached_property
    def _texts(self) -> dict[tuple[str, str], list[tuple[int, str]]]:
        """(user or item, id) → row and text."""
        found: dict[tuple[str, str], list[tuple[int, str]]] = defaultdict(list)
        for row in self.rows.tolist():
            user, item, text, *_ = self.reviews.table.row(row)
            found["user", user].append((row, text))
            found["item", item].append((row, text))
        return found

    @cached_property
    def _rarity(self) -> dict[str, float]:
        """Word → logarithm of texts by texts that hold it; neither what stands once nor what stands everywhere."""
        held = Counter(word for row in self.rows.tolist() for word in set(_words(self._all(row))))
        most = _USUAL * len(self.rows)
        return {word: float(np.log(len(self.rows) / count)) for word, count in held.items() if 1 < count <= most}

    def _all(self, row: int) -> str:
        _, _, text, _, user_text, item_text = self.reviews.table.row(row)
        return f"{text} {user_text} {item_text}"

    def ground(self, row: int) -> Ground:
        """The evidence of a row, its own text left out."""
        user, item, _, title, user_text, item_text = self.reviews.table.row(row)
        mine = " ".join([user_text, *(text for other, text in self._texts.get(("user", user), ()) if other != row)])
        its = " ".join([item_text, *(text for other, text in self._texts.get(("item", item), ()) if other != row)])
        names = frozenset(re.findall(r"\w+", f"{title} {its} {mine}"))
        return Ground(title or item, self._telling(mine, title), self._telling(its, title), names)

    def _telling(self, text: str, title: str) -> tuple[str, ...]:
        """The words that say most, without those of the name, which is a marker."""
        counts = Counter(word for word in _words(text) if word not in _words(title))
        worth = {word: count * self._rarity[word] for word, count in counts.items() if word in self._rarity}
        return tuple(sorted(worth, key=lambda word: (-worth[word], word))[:TOLD])


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def review_prompt(prompt: Prompt, ground: Ground) -> str:
    """What the model is asked."""
    return prompt.render(user_words=" ".join(ground.user_words), item_words=" ".join(ground.item_words))


def review_examples(library: Library, prompts: Prompts) -> tuple[list[str], list[str]]:
    """Prompts and completions of a library's rows, the item's name as its marker. Texts that name what their evidence
    does not are left out: they would teach to invent names. Raises DataError where none is left."""
    asks, answers = list[str](), list[str]()
    for row in library.rows.tolist():
        ground = library.ground(row)
        text = marked_text(str(library.reviews.table.row(row)[2]), ground)
        if not ground.problems(text):
            asks.append(review_prompt(prompts[TASK], ground))
            answers.append(prompts[TASK].completed(text=text))
    if not asks:
        raise DataError("no review can be learnt from", value=len(library.rows), remedy="give texts of what they tell")
    return asks, answers


def marked_text(text: str, ground: Ground) -> str:
    """A text in one line with the item's name as `{item}`."""
    line = str(clean(text))
    name = str(clean(ground.title))
    return re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", "{item}", line) if name else line


@dataclass(frozen=True)
class Pieces:
    """Learnt texts in pieces: a common beginning, then what stands between commas. What followed one beginning may
    follow it again: firsts, middles and lasts, by beginning."""

    firsts: dict[str, list[str]]
    middles: dict[str, list[str]]
    lasts: dict[str, list[str]]

    @classmethod
    def of(cls, texts: Sequence[str]) -> Pieces:
        """Texts with the item's name as its marker; those without a common beginning or a comma teach nothing."""
        found = cls(defaultdict(list), defaultdict(list), defaultdict(list))
        beginnings = _beginnings(texts)
        for text in texts:
            words = text.split()
            start = next((size for size in range(LONGEST, 2, -1) if " ".join(words[:size]) in beginnings), 0)
            parts = " ".join(words[start:]).split(", ")
            if start and len(parts) > 1:
                known = " ".join(words[:start])
                found.firsts[known].append(parts[0])
                found.middles[known] += parts[1:-1]
                found.lasts[known].append(parts[-1])
        return found

    def texts(self, ground: Ground) -> list[str]:
        """What may be said of a user and an item: pieces with evidence words, put together, without foreign names."""
        known = max(self.firsts, key=lambda one: self._worth(one, ground), default=None)
        if known is None:
            return []
        parts = product(*(_best(ground, pieces) for pieces in self._of(known)))
        found = [f"{known} {', '.join(three)}" for three in parts if len(set(three)) == 3]
        return list(dict.fromkeys(text for text in found if not ground.problems(text)))

    def _of(self, known: str) -> tuple[list[str], list[str], list[str]]:
        return self.firsts[known], self.middles[known], self.lasts[known]

    def _worth(self, known: str, ground: Ground) -> float:
        """How much of the evidence the best pieces after a beginning hold; one without a middle holds nothing."""
        best = [max(map(ground.told, pieces), default=0.0) for pieces in self._of(known)]
        return sum(best) if all(best) else 0.0


def _beginnings(texts: Sequence[str]) -> set[str]:
    """Three to LONGEST words with which one in fifty texts and more begins."""
    counts = Counter(" ".join(text.split()[:size]) for text in texts for size in range(3, LONGEST + 1))
    return {words for words, count in counts.items() if count * 50 >= len(texts) and count > 1}


def _best(ground: Ground, pieces: Sequence[str]) -> list[str]:
    """Those of which evidence words are the largest share, with one such word at least."""
    worth = {piece: ground.told(piece) for piece in dict.fromkeys(pieces)}
    some = [piece for piece in worth if worth[piece] > 0]
    return sorted(some, key=lambda piece: (-worth[piece], piece))[:EACH]


def written(
    engine: Weighs, vocabulary: Words, prompt: Prompt, pieces: Pieces, grounds: Sequence[Ground], seed: int = 0
) -> list[tuple[str, bool]]:
    """A text with its name filled in for each, and whether the model chose it: among all that its pieces make, token by
    token, else the plain sentence."""
    said = [pieces.texts(ground) for ground in grounds]
    rows = [row for row, texts in enumerate(said) if texts]
    choosers = [
        Chooser(
            tuple(vocabulary.ids(review_prompt(prompt, grounds[row]))),
            Paths.of(vocabulary.all_ids([prompt.completed(text=text) for text in said[row]])),
            vocabulary.end_id,
            TEMPERATURE,
        )
        for row in rows
    ]
    picked = dict(zip(rows, chosen(engine, choosers, [seed + row for row in rows]), strict=True))
    texts = [said[row][picked[row]] if row in picked else ground.plain() for row, ground in enumerate(grounds)]
    return [
        (text.replace("{item}", ground.title), row in picked)
        for row, (text, ground) in enumerate(zip(texts, grounds, strict=True))
    ]
