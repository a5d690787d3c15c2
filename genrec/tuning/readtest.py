"""How often requests drawn for a test are read exactly as they were meant, words to Request. Knows no trainer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from genrec.chatting.mentions import Marked, marked
from genrec.chatting.phrasing import Phrasebook, Use
from genrec.chatting.request import Language, Request
from genrec.chatting.utterances import SHAPES, Drawer, Utterance
from genrec.evaluation.bootstrap import mean_interval
from genrec.reader import Reader
from genrec.tuning.reading import ReadingSettings

BATCH = 64
_SEED = 1_000_003
_SLATE = 6  # items that "the fourth one" may speak of


class Case(NamedTuple):
    """A message, what was shown before it, and what it means."""

    utterance: Utterance
    slate: tuple[str, ...]
    meant: Request


def cases(
    reader: Reader, books: dict[Language, Phrasebook], language: Language, count: int, seed: int, *, use: Use
) -> list[Case]:
    """Drawn anew: no message of training is among the held-out ones; a templated one may be, by chance."""
    rng = np.random.default_rng(seed)
    drawer = Drawer(reader.meaning.catalog, reader.mentions, books[language], language)
    ids, found = reader.meaning.catalog.item_ids, []
    for _ in range(count):
        one = drawer.draw(rng, use=use, shapes=SHAPES)
        slate = tuple(ids[item] for item in rng.choice(len(ids), min(_SLATE, len(ids)), replace=False).tolist())
        whole = Marked(one.text, one.mentions, marked(one.text, one.mentions))
        found.append(Case(one, slate, reader.meaning.request(whole, one.reading, language, slate)))
    return found


def readings(reader: Reader, asked: Sequence[Case]) -> list[Request]:
    out: list[Request] = []
    for start in range(0, len(asked), BATCH):
        part = asked[start : start + BATCH]
        out += reader.read([one.utterance.text for one in part], [one.slate for one in part])
    return out


def same(one: Request, other: Request) -> bool:
    """Whether two requests ask for the same: all of their fields but the order of what they name, and misspellings."""
    return _plain(one) == _plain(other)


def _plain(one: Request) -> dict[str, object]:
    said = one.model_dump(exclude={"taken_as"})
    return {name: frozenset(map(repr, value)) if isinstance(value, tuple) else value for name, value in said.items()}


def exact(
    understand: Callable[[Sequence[Case]], list[Request]], asked: Sequence[Case]
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """1 for each case read exactly as meant, float64 [cases]."""
    return np.array([float(same(found, one.meant)) for found, one in zip(understand(asked), asked, strict=True)])


def by_family(asked: Sequence[Case], right: np.ndarray[tuple[int], np.dtype[np.float64]]) -> dict[str, tuple[int, int]]:
    """Family → (messages with it that were misread, all with it), most misread first."""
    counts: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
    for one, hit in zip(asked, right.tolist(), strict=True):
        for family in set(one.utterance.families):
            counts[family][0] += hit == 0
            counts[family][1] += 1
    return {name: (wrong, every) for name, (wrong, every) in sorted(counts.items(), key=lambda one: -one[1][0])}


def measured(
    reader: Reader, books: dict[Language, Phrasebook], settings: ReadingSettings, count: int
) -> dict[str, dict[str, float]]:
    """Exact match by language, for phrasings that were learnt from and for those held out, with 95 % intervals."""
    found = {}
    uses: tuple[tuple[Use, str], ...] = (("train", "templated"), ("valid", "held out"))
    for use, name in uses:
        for language in settings.languages:
            asked = cases(reader, books, language, count, _SEED, use=use)
            one = mean_interval(exact(lambda part: readings(reader, part), asked))
            found[f"chat parse {name} {language}"] = {"value": one.mean, "low": one.low, "high": one.high}
    return found
