"""The model's part: what it is asked when it explains, the examples it learns that from, and what it then writes.

It reads the names of the shared fields and writes a sentence with markers; it never sees or writes a name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import permutations
from typing import Protocol

import numpy as np

from genrec.catalog import Catalog
from genrec.decoding.engine import Engine, TextRule
from genrec.errors import DataError
from genrec.examples import Tokens
from genrec.explaining.evidence import KEPT, REMOVED, Evidence, Moved, Told
from genrec.explaining.facts import Facts
from genrec.prompting import Prompt, Prompts
from genrec.ragged import Int64, Ragged

TASK = "explain"
MAX_TOKENS = 48
TEMPERATURE = 0.8
"""Below 1, so that most sentences hold; above 0, so that a slate does not repeat itself."""
DRAFTS = 6
"""Sentences drawn for a situation; each costs a pass of the engine, when the situation is first met."""
CALM = 0.5
"""Situations are drawn with their count to this power: seldom ones are learnt too."""

Situation = tuple[tuple[str, ...], int]
"""Names of the told fields, rarest value first, and how many of the named items share them."""


class Words(Tokens, Protocol):
    """What explaining needs of a vocabulary."""

    def text(self, ids: Iterable[int]) -> str: ...


def situation(told: Told) -> Situation:
    return told.fields, min(told.sharing, KEPT)


def situations(fields: Sequence[str]) -> list[Situation]:
    """All that can come up where items share these fields: one of them, none, two."""
    told = [*((field,) for field in fields), (), *permutations(fields, 2)]
    return [(names, count) for names in told for count in range(1, KEPT + 1)]


def asked(prompt: Prompt, fields: Sequence[str], count: int) -> str:
    """The prompt of a situation."""
    return prompt.render(facts=" ".join("_".join(field.lower().split()) for field in fields), evidence_count=count)


def fitting(prompt: Prompt, fields: Sequence[str], count: int) -> list[str]:
    """The phrasings that hold in a situation."""
    return prompt.fitting([field.lower() for field in fields], count)


@dataclass(frozen=True)
class Drafts:
    """What the model writes in each situation, unchecked: asked once, for situations are few and slates are many.

    kept: prompt → its different drafts; shared by explainers of one model.
    """

    engine: Engine
    vocabulary: Words
    kept: dict[str, tuple[str, ...]]

    def of(self, asks: Sequence[str]) -> list[tuple[str, ...]]:
        """The drafts of each prompt, the same whatever else is asked; one pass of the engine a draft, for all new."""
        for _ in self.drawn(asks):
            pass
        return [self.kept[ask] for ask in asks]

    def drawn(self, asks: Sequence[str]) -> Iterator[None]:
        """The same, a pass of the engine a step."""
        new = [ask for ask in dict.fromkeys(asks) if ask not in self.kept]
        prompts = [self.vocabulary.ids(ask) for ask in new]
        written: list[list[list[int]]] = []
        for seed in range(DRAFTS if new else 0):
            written.append(self.engine.generate(prompts, TextRule(MAX_TOKENS, TEMPERATURE, seed)))
            yield
        for ask, drafts in zip(new, zip(*written, strict=True), strict=False):
            self.kept[ask] = tuple(dict.fromkeys(self.vocabulary.text(ids).strip() for ids in drafts))


def explain_examples(
    catalog: Catalog, histories: Ragged, prompts: Prompts, n: int, seed: int
) -> tuple[list[str], list[str]]:
    """`n` prompts and completions for the explain task, of situations that occur in these histories.

    Raises DataError where no history has two different items.
    """
    rng = np.random.default_rng(seed)
    counts = Counter(_situations(Facts.of(catalog), *_drawn(histories, n, rng)))
    kinds = sorted(counts)
    weights = np.array([counts[kind] for kind in kinds], dtype=np.float64) ** CALM
    chosen = rng.choice(len(kinds), n, p=weights / weights.sum()).tolist()
    lots = rng.random(n).tolist()

    @cache
    def known(kind: int) -> tuple[str, list[str]]:
        prompt = prompts[TASK]
        texts = [prompt.completed(sentence=text) for text in fitting(prompt, *kinds[kind])]
        return asked(prompt, *kinds[kind]), texts

    pairs = [known(kind) for kind in chosen]
    return [ask for ask, _ in pairs], [
        texts[int(lot * len(texts))] for lot, (_, texts) in zip(lots, pairs, strict=True)
    ]


def _drawn(histories: Ragged, n: int, rng: np.random.Generator) -> tuple[Int64, Int64]:
    """Recommended items, int64 [n], and evidence from the same histories, just before them, int64 [n, 2]."""
    rows = np.flatnonzero(histories.lengths > 1)
    if not len(rows):
        raise DataError("no history has two interactions", value=len(histories), remedy="give longer histories")
    row = rng.choice(rows, n)
    place = rng.integers(1, histories.lengths[row])
    back = rng.integers(1, np.minimum(place, REMOVED)[:, None] + 1, (n, KEPT))
    start = histories.offsets[row] + place
    return histories.items[start].astype(np.int64), histories.items[start[:, None] - back].astype(np.int64)


def _situations(facts: Facts, items: Int64, evidence: Int64) -> list[Situation]:
    """What a sentence could tell of each draw; draws in which an item would explain itself are left out."""
    found: list[Situation] = []
    for item, pair in zip(items.tolist(), evidence.tolist(), strict=True):
        named = [one for one in dict.fromkeys(pair) if one != item]
        if named:
            moved = tuple(Moved(one, 1.0) for one in named)
            found.append(situation(Evidence(item, moved, facts.shared(item, named)).told))
    if not found:
        raise DataError("no history has two different items", remedy="give histories with more than one item")
    return found
