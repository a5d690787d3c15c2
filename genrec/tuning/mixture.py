"""The mixture of tasks that one model learns: next item, words ↔ IDs, explanations, ratings, kinds of events.

Does not know trainers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from genrec.asking import NextItemPrompt
from genrec.bundle import Bundle
from genrec.catalog import Catalog
from genrec.errors import ConfigError
from genrec.examples import Examples, answered, joined, next_item
from genrec.explaining.reviews import Library, review_examples
from genrec.explaining.words import explain_examples
from genrec.interactions import Histories, Interactions
from genrec.judging import TASKS, Answers, JudgingPrompt, Task
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
    judged: Mapping[Task, Examples] | None = None,
) -> Examples:
    """`settings.variants` epochs of examples, each with its own thinned histories, items and phrasings.

    library: reviews that are learnt from, once an epoch; judged: what `judged_examples` made.
    """
    epochs = [
        _epoch(asking, catalog, histories, settings, seed + turn, judged or {}) for turn in range(settings.variants)
    ]
    if library is None:
        return joined(epochs)
    said = answered(asking.vocabulary, *review_examples(library, asking.prompts), longest=2 * _LONGEST)
    return joined([part for epoch in epochs for part in (epoch, said)])


def answers_of(settings: MixtureSettings, log: Interactions, parent: Bundle | None = None) -> list[Answers]:
    """What the tasks of an answer among few may answer: by the events to learn, or as the bundle that training goes on
    from learnt it, with its other such tasks. Raises DataError where the log has no answers, ConfigError where the
    bundle has no tokens for them."""
    learnt = [task for task in TASKS if getattr(settings, task)]
    if parent is None:
        return [Answers.found(task, log) for task in learnt]
    known = parent.manifest.answers
    missing = [task for task in learnt if task not in known]
    if missing:
        raise ConfigError(
            "the bundle to go on from has no tokens for such answers", value=missing[0], where=f"mixture.{missing[0]}",
            allowed=", ".join(known), remedy="train one from the start with this task",
        )  # fmt: skip
    return [Answers(task, known[task]) for task in TASKS if task in known]


def judged_examples(
    asking: NextItemPrompt, answers: Sequence[Answers], log: Interactions, context: int
) -> dict[Task, Examples]:
    """Every judged event of the log once, by task."""
    items = asking.index.item_ids
    return {one.task: JudgingPrompt(asking, one, context).examples(one.judged(log, items)) for one in answers}


def _epoch(
    asking: NextItemPrompt,
    catalog: Catalog,
    histories: Histories,
    settings: MixtureSettings,
    seed: int,
    judged: Mapping[Task, Examples],
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
    parts += [whole.take(_drawn(len(whole), getattr(settings, task), rng)) for task, whole in judged.items()]
    return joined(parts)


def _drawn(items: int, share: float, rng: np.random.Generator) -> Int64:
    """Each of so many ⌊share⌋ times, and a random part of them once more."""
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
