"""Streams of blocks in time order, of two data sets: what is learnt of each block, and what then asks. Part of
benchmarks/refresh.py."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from transformers import PreTrainedModel

from genrec.asking import NextItemPrompt
from genrec.bundle import Bundle
from genrec.catalog import Catalog
from genrec.examples import Examples, chosen_items, joined, last_item, next_item
from genrec.fusing import Fusion
from genrec.interactions import Interactions
from genrec.items.index import ItemIndex
from genrec.model.base import ScratchConfig, scratch
from genrec.model.vocabulary import Vocabulary, train_tokenizer
from genrec.preparing import load
from genrec.prompting import load_prompts
from genrec.ragged import Ragged
from genrec.recommender import Recommender
from genrec.resources import folder
from genrec.splitting import Cases, global_time
from genrec.tuning.evolving import Taught
from genrec.tuning.result import sample

Bool = npt.NDArray[np.bool_]
WEEK = 7 * 86400
CASES = 500
"""Cases of a block that are asked, drawn with a seed."""
SHAPE = ScratchConfig(hidden=96, layers=2, heads=4, feed_forward=256, text_vocabulary=400, context=256)
_EMPTY = Examples(Ragged.from_lists([]), Ragged.from_lists([]))


@dataclass(frozen=True)
class Step:
    """taught: what strategies learn of the block; valid: where training stops; tests: what asks afterwards."""

    taught: Taught
    valid: Examples
    tests: Cases


@dataclass(frozen=True)
class Stream:
    """start: folder of the model before the first step, None: it is to be learnt, as `base` says; old: cases of before
    the first step; fusion: of the bundle, where there is one."""

    name: str
    asking: NextItemPrompt
    vocabulary: Vocabulary
    steps: list[Step]
    old: Cases
    start: Path | None = None
    base: Step | None = None
    fusion: Fusion | None = None
    catalog: Catalog | None = None
    logs: tuple[Interactions, ...] = ()
    """What is known before each step's tests, where there are times."""

    def fresh_model(self) -> PreTrainedModel:
        ends = {"pad_id": self.vocabulary.pad_id, "end_id": self.vocabulary.end_id}
        return scratch(SHAPE, len(self.vocabulary), **ends, seed=0)

    @property
    def index(self) -> ItemIndex:
        return self.asking.index


def movietweetings(bundle: Path, data: Path, weeks: int) -> Stream:
    """Refreshed at the end of each week, asked about the next: everybody's first choice of it. The bundle's training
    ended with the first four fifths of the events."""
    opened, log = Bundle.open(bundle), load(data)
    recommender = Recommender.open(opened, width=20)
    asking, ids = recommender.fusion.asking, log.catalog.item_ids
    times = log.interactions.table["timestamp"]
    first = int(times[round(0.8 * len(times))])
    steps, logs = [], []
    for week in range(weeks):
        low, high = first + week * WEEK, first + (week + 1) * WEEK
        known = log.interactions.before(high)
        steps.append(_week(known, log.interactions.before(high + WEEK), ids, asking, low, high))
        logs.append(known)
    old = _next_cases(log.interactions.before(first), ids, first - WEEK)
    assert isinstance(asking.vocabulary, Vocabulary)
    return Stream(
        "movietweetings", asking, asking.vocabulary, steps, sample(old, CASES, 0), opened.folder / "model",
        fusion=recommender.fusion, catalog=log.catalog, logs=tuple(logs),
    )  # fmt: skip


def _week(
    known: Interactions, later: Interactions, ids: list[str], asking: NextItemPrompt, low: int, high: int
) -> Step:
    """Of the week's events the last tenth stops the training."""
    new = len(known.since(low))
    split = global_time(known, ids, valid=0.0, test=0.1 * new / len(known))
    histories = split.train.histories(ids)
    valid = sample(split.test, CASES, 0)
    return Step(
        _taught(histories.items, histories.times >= low, asking, histories.times >= low - WEEK),
        last_item(valid.histories, valid.targets, asking.head, asking.semantic, asking.window),
        _next_cases(later, ids, high),
    )


def _next_cases(log: Interactions, ids: list[str], cut: int) -> Cases:
    """Everybody's first choice after the cut."""
    share = len(log.since(cut)) / len(log)
    return global_time(log, ids, valid=0.0, test=share).test


def _taught(items: Ragged, new: Bool, asking: NextItemPrompt, late: Bool) -> Taught:
    """late: events of this block and the one before."""
    chosen = partial(chosen_items, head=asking.head, semantic=asking.semantic, window=asking.window)
    plain = partial(next_item, head=asking.head, semantic=asking.semantic, window=asking.window)

    def fresh() -> Examples:
        return chosen(items, new)

    def old(times: float) -> Examples:
        whole = plain(items.where(~new))
        many = min(len(whole), round(times * len(fresh())))
        return whole.take(np.sort(np.random.default_rng(0).choice(len(whole), many, replace=False)))

    def before() -> Examples:
        last = late & ~new
        return joined([chosen(items, last), old(0.5)]) if last.any() else old(1.0)

    return Taught(fresh, lambda: joined([fresh(), old(0.5)]), before, lambda: plain(items))


def peso(data: Path) -> Stream:
    """The paper's protocol: of each block the last item of a user is asked, the last but one stops the training."""
    blocks = [json.loads((data / f"all.block_{block}.json").read_text("utf-8")) for block in range(5)]
    index = _index(json.loads((data / "index.json").read_text("utf-8")))
    prompts = load_prompts(folder("prompts"), "en")
    templates = [one.prompt + one.completion for one in prompts.by_name.values()]
    tokenizer = train_tokenizer(templates * 20, SHAPE.text_vocabulary)
    vocabulary = Vocabulary.extend(tokenizer, index, prompts.control_tokens)
    asking = NextItemPrompt(prompts, vocabulary, index, 20)
    lines: dict[str, list[int]] = {}
    steps = []
    for block in blocks:
        steps.append(_step(block, lines, asking))
        for user, one in block.items():
            lines.setdefault(user, []).extend(_numbers(one["current_block"])[:-2])
    return Stream("peso-video-games", asking, vocabulary, steps[1:], steps[0].tests, base=steps[0])


def _numbers(items: list[str]) -> list[int]:
    return [int(item) for item in items]


def _step(block: dict[str, dict[str, list[str]]], before: dict[str, list[int]], asking: NextItemPrompt) -> Step:
    """before: what each user had chosen, their tested items left out: nothing learns those."""
    users = sorted(block, key=int)
    past = [_numbers(block[user]["previous_block"]) for user in users]
    now = [_numbers(block[user]["current_block"]) for user in users]
    histories = Ragged.from_lists([old + new[:-2] for old, new in zip(past, now, strict=True)])
    new = histories.places >= np.repeat([len(one) for one in past], histories.lengths)
    former = Ragged.from_lists([items for user, items in before.items() if len(items) > 1] or [[0]])
    chosen = partial(chosen_items, head=asking.head, semantic=asking.semantic, window=asking.window)
    plain = partial(next_item, head=asking.head, semantic=asking.semantic, window=asking.window)

    def fresh() -> Examples:
        return chosen(histories, new)

    def old(times: float) -> Examples:
        whole = plain(former) if before else _EMPTY
        many = min(len(whole), round(times * len(fresh())))
        return whole.take(np.sort(np.random.default_rng(0).choice(len(whole), many, replace=False)))

    taught = Taught(
        fresh, lambda: joined([fresh(), old(0.5)]), lambda: old(1.5),
        lambda: joined([fresh(), *([plain(former)] if before else [])]),
    )  # fmt: skip
    asked = {back: _asked(users, past, now, back) for back in (1, 2)}
    valid = sample(asked[2], CASES, 0)
    return Step(
        taught, last_item(valid.histories, valid.targets, asking.head, asking.semantic, asking.window),
        sample(asked[1], CASES, 0),
    )  # fmt: skip


def _asked(users: list[str], past: list[list[int]], now: list[list[int]], back: int) -> Cases:
    histories = Ragged.from_lists([old + new[:-back] for old, new in zip(past, now, strict=True)])
    targets = Ragged.from_lists([[new[-back]] for new in now])
    return Cases(users, histories, targets, np.zeros(len(users), dtype=np.int64))


def _index(written: dict[str, list[str]]) -> ItemIndex:
    """The paper's semantic IDs; the 228 items that share theirs take the next free last code."""
    items = sorted(written, key=int)
    codes = np.array([[int(token[3:-1]) for token in written[item]] for item in items], dtype=np.int64)
    taken: set[tuple[int, ...]] = set()
    for row in codes:
        while tuple(row.tolist()) in taken:
            row[-1] = (row[-1] + 1) % 256
        taken.add(tuple(row.tolist()))
    return ItemIndex(items, codes, (256,) * 4, np.zeros((4, 256, 1), dtype=np.float32))


def parameters(model: torch.nn.Module) -> int:
    return sum(weight.numel() for weight in model.parameters())
