"""Falsehoods for the checker of explanations, planted in true statements by code that shares nothing with it.

It reads the catalog's table itself, so that what it plants is false by that table. Does not know phrasings, markers or
how the checker reads.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from genrec.catalog import Catalog
from genrec.explaining import Evidence, Statement

PEOPLE = ("director", "cast")


@dataclass(frozen=True)
class Truth:
    """A statement that was made, and what it was made from. history: item numbers."""

    statement: Statement
    evidence: Evidence
    history: list[int]


@dataclass(frozen=True)
class Planted:
    """kind: what was done to a true statement; part: as what it is said."""

    kind: str
    text: str
    part: Any
    evidence: Evidence
    history: list[int]


@dataclass(frozen=True)
class World:
    """The catalog as plain Python."""

    titles: list[str]
    rows: list[dict[str, Any]]
    values: dict[str, list[str]]

    @classmethod
    def of(cls, catalog: Catalog) -> World:
        rows = catalog.table.to_dicts()
        fields = ("director", "cast", "genres", "keywords", "country")
        values = {name: sorted({one for row in rows for one in _list(row.get(name))}) for name in fields}
        return cls([row["title"] for row in rows], rows, values)

    def holds(self, item: int, value: str) -> bool:
        row = self.rows[item]
        years = f"{row['year'] // 10 * 10}s" if row.get("year") else ""
        return value == years or any(value in _list(row.get(name)) for name in self.values)


def _list(value: Any) -> list[str]:
    return [] if value is None else [value] if isinstance(value, str) else list(value)


Maker = Callable[[Truth, World, np.random.Generator], Planted | None]


def planted(truths: Sequence[Truth], catalog: Catalog, n: int, seed: int = 0) -> list[Planted]:
    """`n` falsehoods, as many of each kind as there is room for."""
    rng, world = np.random.default_rng(seed), World.of(catalog)
    streams = [_stream(make, truths, world, rng) for make in MAKERS]
    found: list[Planted] = []
    while len(found) < n and streams:
        for stream in list(streams):
            one = next(stream, None)
            if one is None:
                streams.remove(stream)
            else:
                found.append(one)
    return found[:n]


def _stream(make: Maker, truths: Sequence[Truth], world: World, rng: np.random.Generator) -> Iterator[Planted]:
    for place in rng.permutation(len(truths)).tolist():
        one = make(truths[place], world, rng)
        if one is not None and one.text != truths[place].statement.text:
            yield one


def _as(kind: str, truth: Truth, text: str, **more: Any) -> Planted:
    made = Planted(kind, text, truth.statement.part, truth.evidence, truth.history)
    return replace(made, **more)


def _swapped_value(kind: str, fields: Sequence[str]) -> Maker:
    """A value of these fields that stands in the text becomes another one, which some film of the text has not."""

    def make(truth: Truth, world: World, rng: np.random.Generator) -> Planted | None:
        outside = re.sub("“[^”]*”", lambda found: " " * len(found[0]), truth.statement.text)
        for name in fields:
            for old in {fact.value for fact in truth.evidence.facts if fact.field == name}:
                found = re.search(rf"(?<!\w){re.escape(old)}(?!\w)", outside, re.IGNORECASE)
                new = world.values[name][int(rng.integers(len(world.values[name])))]
                if found and not world.holds(truth.evidence.item, new):
                    text = truth.statement.text
                    return _as(kind, truth, text[: found.start()] + new + text[found.end() :])
        return None

    return make


def _wrong_decade(truth: Truth, world: World, rng: np.random.Generator) -> Planted | None:
    found = re.search(r"\b(1[89]|20)\d0s\b", truth.statement.text)
    new = f"{int(rng.integers(192, 203))}0s"
    if found is None or world.holds(truth.evidence.item, new):
        return None
    return _as("wrong decade", truth, truth.statement.text.replace(found[0], new))


def _added_year(truth: Truth, world: World, rng: np.random.Generator) -> Planted | None:
    """A year that the film is not of, said in passing."""
    title, year = f"“{world.titles[truth.evidence.item]}”", world.rows[truth.evidence.item]["year"]
    if title not in truth.statement.text:
        return None
    return _as("wrong year", truth, truth.statement.text.replace(title, f"{title} ({year + int(rng.integers(1, 9))})"))


def _shares(truth: Truth, world: World, item: int) -> bool:
    """Whether a statement might stay true of this film: it has what is told of, or is named already."""
    told = [fact.value for fact in truth.evidence.facts]
    return world.titles[item] in truth.statement.text or any(world.holds(item, value) for value in told)


def _quoted(truth: Truth, world: World, item: int) -> str | None:
    name = f"“{world.titles[item]}”"
    return name if name in truth.statement.text else None


def _wrong_liked(truth: Truth, world: World, rng: np.random.Generator) -> Planted | None:
    """A film that the person never chose in place of one that they did."""
    named = [one.item for one in truth.evidence.interactions if _quoted(truth, world, one.item)]
    new = int(rng.integers(len(world.titles)))
    if not named or new in truth.history or _shares(truth, world, new):
        return None
    return _as(
        "wrong liked title",
        truth,
        truth.statement.text.replace(_quoted(truth, world, named[0]) or "", f"“{world.titles[new]}”"),
    )


def _other_of_history(truth: Truth, world: World, rng: np.random.Generator) -> Planted | None:
    """A film that they chose but that is no evidence, in place of one that is."""
    cited = {one.item for one in truth.evidence.interactions}
    named = [one for one in cited if _quoted(truth, world, one)]
    others = set(truth.history) - cited - {truth.evidence.item}
    free = [one for one in sorted(others) if not _shares(truth, world, one)]
    if not named or not free:
        return None
    new = free[int(rng.integers(len(free)))]
    return _as(
        "liked title that is no evidence",
        truth,
        truth.statement.text.replace(_quoted(truth, world, named[0]) or "", f"“{world.titles[new]}”"),
    )


def _swapped_item(truth: Truth, world: World, rng: np.random.Generator) -> Planted | None:
    name, new = _quoted(truth, world, truth.evidence.item), int(rng.integers(len(world.titles)))
    if name is None or _shares(truth, world, new):
        return None
    return _as("swapped item", truth, truth.statement.text.replace(name, f"“{world.titles[new]}”"))


def _exchanged(truth: Truth, world: World, rng: np.random.Generator) -> Planted | None:
    """What was chosen and what is recommended change places in a sentence of which that makes a lie."""
    mine, said = _quoted(truth, world, truth.evidence.item), truth.statement.text
    liked = [name for one in truth.evidence.interactions if (name := _quoted(truth, world, one.item))]
    if (
        mine is None
        or not liked
        or not re.search(r"\byou (chose|picked|went for)\b|\bin your history\b", said, re.IGNORECASE)
    ):
        return None
    return _as(
        "item and choice exchanged", truth, said.replace(mine, "\0").replace(liked[0], mine).replace("\0", liked[0])
    )


def _false_cause(truth: Truth, world: World, rng: np.random.Generator) -> Planted | None:
    """A cause, where leaving the interaction out does not lower the item."""
    still = tuple(replace(one, drop=-abs(one.drop)) for one in truth.evidence.interactions)
    if truth.statement.part != "reason" or not still:
        return None
    liked, item = (f"“{world.titles[one]}”" for one in (still[0].item, truth.evidence.item))
    text = [f"{item} is here because you chose {liked}.", f"Because you chose {liked}, here is {item}.",
            f"Recommended because you chose {liked}."][int(rng.integers(3))]  # fmt: skip
    return _as("false cause", truth, text, evidence=replace(truth.evidence, interactions=still))


def _false_counterfactual(truth: Truth, world: World, rng: np.random.Generator) -> Planted | None:
    """Said to be gone without a choice, though the run without it still shows it, or was never made."""
    rerun, named = truth.evidence.rerun, truth.evidence.interactions
    if not named or (rerun is not None and not rerun.present and rerun.without == (named[0].item,)):
        return None
    if rerun is not None and not rerun.present:
        rerun = replace(rerun, present=True) if rng.random() < 0.5 else rerun
    liked, item = (f"“{world.titles[one]}”" for one in (named[0].item, truth.evidence.item))
    text = f"Without {liked} in your history, {item} would not be in this list."
    return _as(
        "false counterfactual", truth, text, part="counterfactual", evidence=replace(truth.evidence, rerun=rerun)
    )


def _counterfactual_of_another(truth: Truth, world: World, rng: np.random.Generator) -> Planted | None:
    """The choice that was taken out in the run is exchanged for another one."""
    if truth.statement.part != "counterfactual" or truth.evidence.rerun is None:
        return None
    old = world.titles[truth.evidence.rerun.without[0]]
    free = [
        one
        for one in set(truth.history) - set(truth.evidence.rerun.without)
        if world.titles[one] not in truth.statement.text
    ]
    if not free:
        return None
    new = world.titles[free[int(rng.integers(len(free)))]]
    return _as("counterfactual of another choice", truth, truth.statement.text.replace(f"“{old}”", f"“{new}”"))


def _false_contrast(truth: Truth, world: World, rng: np.random.Generator) -> Planted | None:
    """Compared with a film that was not compared."""
    contrast = truth.evidence.contrast
    if truth.statement.part != "contrast" or contrast is None:
        return None
    new = int(rng.integers(len(world.titles)))
    if new in (contrast.other, truth.evidence.item) or world.titles[new] in truth.statement.text:
        return None
    return _as(
        "false contrast",
        truth,
        truth.statement.text.replace(f"“{world.titles[contrast.other]}”", f"“{world.titles[new]}”"),
    )


def _forged_fact(truth: Truth, world: World, rng: np.random.Generator) -> Planted | None:
    """Evidence and text agree on a person whom the catalog does not know the item by."""
    facts = truth.evidence.facts
    if not facts or facts[0].field not in PEOPLE or truth.statement.part != "reason":
        return None
    old, new = facts[0].value, world.values[facts[0].field][int(rng.integers(len(world.values[facts[0].field])))]
    if world.holds(truth.evidence.item, new) or old not in truth.statement.text:
        return None
    forged = replace(truth.evidence, facts=(replace(facts[0], value=new), *facts[1:]))
    return _as("forged evidence", truth, truth.statement.text.replace(old, new), evidence=forged)


def _forged_rule(truth: Truth, world: World, rng: np.random.Generator) -> Planted | None:
    if truth.statement.part != "rule" or not truth.evidence.rules:
        return None
    found = re.findall(r"\d{4}", truth.statement.text)
    if not found:
        return None
    year = str(int(found[-1]) + int(rng.integers(1, 30)))
    return _as("rule that nobody asked for", truth, truth.statement.text.replace(found[-1], year))


def _praise(truth: Truth, world: World, rng: np.random.Generator) -> Planted | None:
    more = ("It won an Oscar.", "Critics loved it.", "It is the best of its year.", "You will like it.")
    return _as("invented praise", truth, f"{truth.statement.text} {more[int(rng.integers(len(more)))]}")


def _denied(truth: Truth, world: World, rng: np.random.Generator) -> Planted | None:
    found = re.search(
        r"\b(is|was|were|are|has|have)\b", re.sub("“[^”]*”", lambda one: "_" * len(one[0]), truth.statement.text)
    )
    if found is None:
        return None
    return _as("negated", truth, f"{truth.statement.text[: found.end()]} not{truth.statement.text[found.end() :]}")


MAKERS: tuple[Maker, ...] = (
    _swapped_value("wrong director", ("director",)),
    _swapped_value("wrong actor", ("cast",)),
    _swapped_value("wrong genre, keyword or country", ("genres", "keywords", "country")),
    _wrong_decade, _added_year, _wrong_liked, _other_of_history, _swapped_item, _exchanged, _false_cause,
    _false_counterfactual, _counterfactual_of_another, _false_contrast, _forged_fact, _forged_rule, _praise, _denied,
)  # fmt: skip
