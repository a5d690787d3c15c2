"""The mixture of tasks that one model learns: next item, words ↔ IDs, explanations. Does not know trainers."""

from __future__ import annotations

import numpy as np

from genrec.asking import NextItemPrompt
from genrec.catalog import Catalog
from genrec.examples import Examples, answered, joined, next_item
from genrec.explaining.reviews import Library, review_examples
from genrec.explaining.words import explain_examples
from genrec.interactions import Histories
from genrec.prompting import Prompt
from genrec.ragged import Int64
from genrec.tuning.settings import MixtureSettings

_FACT = 40  # characters: longer values are descriptions, not facts
_LONGEST = 160  # tokens of an alignment or explanation example


def mixture(
    asking: NextItemPrompt,
    catalog: Catalog,
    histories: Histories,
    settings: MixtureSettings,
    seed: int,
    library: Library | None = None,
) -> Examples:
    """`settings.variants` epochs of examples, each with its own thinned histories, items and phrasings.

    library: reviews that are learnt from, once an epoch.
    """
    epochs = [_epoch(asking, catalog, histories, settings, seed + turn) for turn in range(settings.variants)]
    if library is None:
        return joined(epochs)
    said = answered(asking.vocabulary, *review_examples(library, asking.prompts), longest=2 * _LONGEST)
    return joined([part for epoch in epochs for part in (epoch, said)])


def _epoch(
    asking: NextItemPrompt, catalog: Catalog, histories: Histories, settings: MixtureSettings, seed: int
) -> Examples:
    rng = np.random.default_rng(seed)
    kept = histories.items.where(rng.random(len(histories.items.items)) >= settings.dropped)
    parts = [next_item(kept, asking.head, asking.semantic, asking.window)]
    for task, share in (("item_to_id", settings.item_to_id), ("id_to_item", settings.id_to_item)):
        if share:
            parts.append(_alignment(asking, catalog, task, _drawn(len(catalog), share, rng)))
    if settings.explain:
        rendered = explain_examples(catalog, histories.items, asking.prompts, settings.explain, seed)
        parts.append(answered(asking.vocabulary, *rendered, longest=_LONGEST))
    return joined(parts)


def _drawn(items: int, share: float, rng: np.random.Generator) -> Int64:
    """Each item ⌊share⌋ times, and a random part of them once more."""
    whole, rest = int(share), share - int(share)
    return np.concatenate([np.tile(np.arange(items), whole), rng.permutation(items)[: round(rest * items)]])


def _alignment(asking: NextItemPrompt, catalog: Catalog, task: str, items: Int64) -> Examples:
    prompt = asking.prompts[task]
    pairs = [prompt.example(**_values(asking, catalog, prompt, item)) for item in items.tolist()]
    asked, wanted = [pair["prompt"] for pair in pairs], [pair["completion"] for pair in pairs]
    return answered(asking.vocabulary, asked, wanted, _LONGEST)


def _values(asking: NextItemPrompt, catalog: Catalog, prompt: Prompt, item: int) -> dict[str, str | int]:
    """What the task's templates ask for, of one item."""
    facts = ", ".join(value for values in catalog.facts(item).values() for value in values if len(value) <= _FACT)
    known = {"title": catalog.titles[item], "facts": facts, "semantic_id": asking.index.text(item)}
    return {name: known[name] for name in prompt.variables}
