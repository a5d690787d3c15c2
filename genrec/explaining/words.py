"""The model's part: what it is asked when it explains, the examples it learns that from, and how it then writes.

It reads what a sentence is to do and the names of the shared fields, and chooses a sentence with markers, token by
token, among all that the prompt file words and the evidence supports; it never sees or writes a name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import permutations
from typing import Protocol

import numpy as np

from genrec.catalog import Catalog
from genrec.decoding.choosing import Chooser, Paths, Weighs, chosen
from genrec.errors import DataError
from genrec.examples import Tokens
from genrec.explaining.evidence import KEPT, REMOVED, Evidence, Moved, Told
from genrec.explaining.facts import Facts
from genrec.explaining.saying import Situation, sentences, situation
from genrec.prompting import Part, Prompt, Prompts, Value
from genrec.ragged import Int64, Ragged

TASK = "explain"
CALM = 0.5
"""Situations are drawn with their count to this power: seldom ones are learnt too. So are texts by how many sentences
they stand for."""
TEMPERATURE, BREADTH = 3.0, 1.0
"""The model's odds are flattened, and ways to many sentences preferred: people shall not read the same sentence. By the
odds alone a small model says one of five sentences in half of the cases."""
REMEMBERED = 1024
"""Situations kept at most, each with some hundred sentences as tokens; a catalog of many fields could have more."""
WARM = 24
"""Sentences drawn of a situation ahead of requests, so that the model has been asked most of what it will be."""
REASONS: tuple[Part, ...] = ("reason", "short")


def situations(fields: Sequence[str], parts: Sequence[Part] = REASONS) -> list[Situation]:
    """What comes up where items share these fields: one of them, none, two; each with interactions that moved them."""
    told = [*((one,) for one in fields), (), *permutations(fields, 2)]
    reasons = [part for part in parts if part in REASONS]
    found = [Situation(part, names, count, True) for part in reasons for names in told for count in (1, KEPT)]
    found += [Situation("contrast", names, 1, True) for names in told if len(names) < 2 and "contrast" in parts]
    found += [Situation("counterfactual", (), count, True) for count in (1, KEPT) if "counterfactual" in parts]
    return found + [Situation("rule", (), 0, False)] * ("rule" in parts)


def asked(prompt: Prompt, now: Situation) -> str:
    """The prompt of a situation."""
    facts = " ".join("_".join(name.lower().split()) for name in now.fields)
    known: dict[str, Value] = {"facts": facts, "evidence_count": now.sharing, "part": now.part}
    wanted = prompt.variables.keys() - {"sentence"}  # prompts of older bundles do not say the part
    return prompt.render(**{name: value for name, value in known.items() if name in wanted})


class Words(Tokens, Protocol):
    """What explaining needs of a vocabulary."""

    def all_ids(self, texts: Sequence[str]) -> list[list[int]]: ...

    def text(self, ids: Iterable[int]) -> str: ...


Kept = dict[tuple[str, Situation], tuple[list[str], Chooser]]


@dataclass(frozen=True)
class Writer:
    """How one model words what is told. kept: language and situation → its sentences and what the model thinks of
    them; shared by explainers of one model."""

    engine: Weighs
    vocabulary: Words
    prompt: Prompt
    kept: Kept = field(default_factory=dict)

    def write(self, tolds: Sequence[tuple[Part, Told]], seeds: Sequence[int]) -> list[str]:
        """A sentence with markers for each; empty where no phrasing fits. A sentence depends on its own seed alone."""
        known = [self._known(situation(part, told)) for part, told in tolds]
        rows = [row for row, one in enumerate(known) if one is not None]
        found = [""] * len(known)
        choosers = [one[1] for one in known if one is not None]
        for row, number in zip(rows, chosen(self.engine, choosers, [seeds[row] for row in rows]), strict=True):
            one = known[row]
            found[row] = one[0][number] if one is not None else ""
        return found

    def warmed(self, nows: Sequence[Situation]) -> Iterator[None]:
        """Draws sentences of these situations, one of each at a time, a step each."""
        choosers = [one[1] for now in nows if (one := self._known(now)) is not None]
        for seed in range(WARM):
            chosen(self.engine, choosers, [seed] * len(choosers))
            yield

    def _known(self, now: Situation) -> tuple[list[str], Chooser] | None:
        place = (self.prompt.language, now)
        if place not in self.kept:
            said = list(sentences(self.prompt, now))
            if not said:
                return None
            paths = Paths.of(self.vocabulary.all_ids([self.prompt.completed(sentence=one) for one in said]))
            ask = tuple(self.vocabulary.ids(asked(self.prompt, now)))
            if len(self.kept) >= REMEMBERED:
                self.kept.pop(next(iter(self.kept)), None)
            self.kept[place] = (said, Chooser(ask, paths, self.vocabulary.end_id, TEMPERATURE, BREADTH))
        return self.kept[place]


def explain_examples(
    catalog: Catalog, histories: Ragged, prompts: Prompts, n: int, seed: int
) -> tuple[list[str], list[str]]:
    """`n` prompts and completions for the explain task in each language, of situations that occur in these histories.

    Raises DataError where no history has two different items.
    """
    facts = Facts.of(catalog)
    parts = [_examples(facts, histories, one[TASK], n, seed) for one in prompts.every]
    return [ask for asks, _ in parts for ask in asks], [answer for _, answers in parts for answer in answers]


def _examples(facts: Facts, histories: Ragged, prompt: Prompt, n: int, seed: int) -> tuple[list[str], list[str]]:
    rng = np.random.default_rng(seed)
    counts = Counter(_situations(facts, prompt, *_drawn(histories, n, rng)))
    kinds = sorted(counts)
    weights = np.array([counts[kind] for kind in kinds], dtype=np.float64) ** CALM
    picked = rng.choice(len(kinds), n, p=weights / weights.sum()).tolist()
    lots = rng.random((n, 2)).tolist()

    @cache
    def known(kind: int) -> tuple[str, list[tuple[str, ...]], list[float]]:
        texts = prompt.fitting([one.lower() for one in kinds[kind].fields], kinds[kind].sharing, kinds[kind].part)
        share = np.array([len(text) for text in texts], dtype=np.float64) ** CALM
        return asked(prompt, kinds[kind]), texts, (share.cumsum() / share.sum()).tolist()

    asks, answers = list[str](), list[str]()
    for kind, (which, word) in zip(picked, lots, strict=True):
        ask, texts, edges = known(kind)
        text = texts[min(int(np.searchsorted(edges, which, side="right")), len(texts) - 1)]
        asks.append(ask)
        answers.append(prompt.completed(sentence=text[int(word * len(text))]))
    return asks, answers


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


def _situations(facts: Facts, prompt: Prompt, items: Int64, evidence: Int64) -> list[Situation]:
    """What sentences could tell of each draw; draws in which an item would explain itself are left out."""
    found: list[Situation] = []
    for item, pair in zip(items.tolist(), evidence.tolist(), strict=True):
        named = [one for one in dict.fromkeys(pair) if one != item]
        if named:
            moved = tuple(Moved(one, 1.0) for one in named)
            told = Evidence(item, moved, facts.shared(item, named)).told
            first = Told(item, told.liked[:1], 1, told.facts[:1], True)
            bare = Told(item, told.liked, len(told.liked), (), True)
            found += [situation("reason", told), situation("short", told)]
            found += [situation("contrast", first), situation("counterfactual", bare), Situation("rule", (), 0, False)]
    if not found:
        raise DataError("no history has two different items", remedy="give histories with more than one item")
    there = {
        now: bool(prompt.fitting([one.lower() for one in now.fields], now.sharing, now.part)) for now in set(found)
    }
    return [now for now in found if there[now]]
