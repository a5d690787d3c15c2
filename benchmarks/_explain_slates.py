"""Explained slates of the film world, kept line by line so that a run can be taken up again; and what is read off them.

Every statement is read by the checker, and once more by an auditor that shares no code with it: it looks at the raw
catalog, the history and the ids that the statement cites.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._explain_planted import Truth, World
from genrec.chatting.rules import Rule, allowed
from genrec.explaining import Explanation, Length
from genrec.fusing import Slated, unseen
from genrec.interactions import Histories
from genrec.ragged import Int64
from genrec.recommender import Recommender

K = 10
TURNS: tuple[Length, ...] = ("normal", "normal", "normal", "long", "short")
DELETED = 5  # in every so many slates, cited and random interactions are deleted
_QUOTED = re.compile("“([^“”]*)”")


@dataclass(frozen=True)
class Case:
    """One slate to explain. history: item numbers, oldest first."""

    number: int
    history: Int64
    length: Length
    rules: tuple[Rule, ...]


def cases(histories: Histories, n: int, seed: int = 0) -> Iterator[Case]:
    """`n` histories of random people, cut at a random event; every fourth request has a rule."""
    rng = np.random.default_rng(seed)
    for number in range(n):
        events = histories.items[int(rng.integers(len(histories)))]
        cut = int(rng.integers(min(5, len(events)), len(events) + 1))
        year = int(rng.integers(1950, 2001))
        rules = (Rule(field="year", op=">=", value=year),) if number % 4 == 0 else ()
        yield Case(number, np.asarray(events[:cut], dtype=np.int64), TURNS[number % len(TURNS)], rules)


def explained(recommender: Recommender, case: Case) -> tuple[list[Explanation], Slated]:
    """The reasons for the slate of a case, and its judge."""
    mask = unseen(case.history, len(recommender.catalog)) & allowed(recommender.catalog, case.rules)
    judge = Slated(recommender.fusion, K, mask)
    (items,) = judge.slates([case.history]) or []
    told = recommender.explainer.explain(
        case.history, items.tolist(), length=case.length, rules=case.rules, judge=judge
    )
    return told, judge


def run(recommender: Recommender, found: Sequence[Case], path: Path) -> list[dict[str, Any]]:
    """A line for each case, those of an earlier run of the same bundle as they are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    done = {one["case"]: one for one in map(json.loads, lines) if one["model"] == recommender.version}
    world = World.of(recommender.catalog)
    with path.open("a", encoding="utf-8") as file:
        for case in found:
            if case.number not in done:
                done[case.number] = _line(recommender, world, case)
                file.write(json.dumps(done[case.number], ensure_ascii=False) + "\n")
                file.flush()
    return [done[case.number] for case in found]


def _line(recommender: Recommender, world: World, case: Case) -> dict[str, Any]:
    told, judge = explained(recommender, case)
    history = case.history.tolist()
    said = [Truth(one, why.evidence, history) for why in told for one in why.statements]
    gone = [one for one in said if one.statement.part == "counterfactual"]
    there = {id(one) for one, still in zip(gone, still_there(world, gone, judge), strict=True) if still}
    statements = [
        {
            "part": one.statement.part, "plain": one.statement.plain, "checked": one.statement.checked,
            "resolved": bool(one.statement.cited) and resolved(recommender, one),
            "audit": audit(world, one, judge) or ("still there without them" if id(one) in there else ""),
        }
        for one in said
    ]  # fmt: skip
    return {
        "case": case.number, "model": recommender.version, "length": case.length,
        "texts": [why.text for why in told], "statements": statements,
        "lost": deletions(judge, case, told) if case.number % DELETED == 0 else [],
    }  # fmt: skip


def resolved(recommender: Recommender, truth: Truth) -> bool:
    """Whether every id that a statement cites leads to what it says."""
    citing = recommender.explainer.citing
    return all(citing.resolves(id, truth.evidence, truth.history) for id in truth.statement.cited)


def audit(world: World, truth: Truth, judge: Slated) -> str:
    """What is wrong with a statement by the raw catalog, the history and a run of its own; empty where nothing is."""
    text, evidence, part = truth.statement.text, truth.evidence, truth.statement.part
    ids = judge.fusion.asking.index.item_ids
    known = {world.titles[one] for one in (*truth.history, evidence.item)}
    if part == "contrast" and evidence.contrast:
        known.add(world.titles[evidence.contrast.other])
    named = {title.removesuffix("…") for title in _QUOTED.findall(text)}
    if strange := [one for one in named if not any(title.startswith(one) for title in known)]:
        return f"names {strange}"
    liked = [ids.index(one.split(":", 1)[1]) for one in truth.statement.cited if one.startswith("interaction:")]
    for id in truth.statement.cited:
        kind, _, rest = id.partition(":")
        field, _, value = rest.partition("=")
        if kind == "fact" and not all(world.holds(one, value) for one in (evidence.item, *liked)):
            return f"{field} {value} is not shared"
        if kind == "fact" and value.removesuffix("s").casefold() not in text.casefold():
            return f"{value} is not said"
    return ""


def still_there(world: World, truths: Sequence[Truth], judge: Slated) -> list[bool]:
    """Whether a slate still holds the item after a history without the films that a statement names, each."""
    left = []
    for truth in truths:
        named, events = set(_QUOTED.findall(truth.statement.text)), np.array(truth.history, dtype=np.int64)
        gone = [one for one in set(truth.history) if world.titles[one] in named and one != truth.evidence.item]
        left.append(events[~np.isin(events, gone)])
    slates = judge.slates(left) if left else []
    return [truth.evidence.item in slate.tolist() for truth, slate in zip(truths, slates or [], strict=True)]


def deletions(judge: Slated, case: Case, told: Sequence[Explanation]) -> list[tuple[float, float]]:
    """For each item what its score loses without the interactions that its statements cite, and without as many random
    others of the window."""
    rng = np.random.default_rng(case.number)
    window = np.unique(case.history[-judge.fusion.asking.window :])
    pairs: list[tuple[int, Int64, Int64]] = []
    for why in told:
        cited = np.array(_cited(why, judge), dtype=np.int64)
        free = window[~np.isin(window, cited)]
        if len(cited) and len(free) >= len(cited):
            pairs.append((why.item, cited, rng.choice(free, len(cited), replace=False)))
    if not pairs:
        return []
    gone = [case.history[~np.isin(case.history, one)] for _, *both in pairs for one in both]
    items = np.array([item for item, *_ in pairs], dtype=np.int64)
    scores = judge.scores([case.history, *gone], items)
    return [
        (float(scores[0, place] - scores[1 + 2 * place, place]), float(scores[0, place] - scores[2 + 2 * place, place]))
        for place in range(len(pairs))
    ]


def _cited(why: Explanation, judge: Slated) -> list[int]:
    ids = judge.fusion.asking.index.item_ids
    said = {
        id.removeprefix("interaction:") for one in why.statements for id in one.cited if id.startswith("interaction:")
    }
    return [one.item for one in why.evidence.interactions if ids[one.item] in said]


def truths(recommender: Recommender, found: Sequence[Case]) -> list[Truth]:
    """All statements about these cases, with what they were made from, said at length."""
    said = []
    for case in found:
        long = Case(case.number, case.history, "long", case.rules)
        for why in explained(recommender, long)[0]:
            said += [Truth(one, why.evidence, case.history.tolist()) for one in why.statements]
    return said
