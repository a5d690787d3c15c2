"""The one mask function of every engine, against brute force: arrays only, no model.

A request is a whole beam from the root to the leaves. The fuzz asks 100,000 of them; each must come back valid,
distinct, allowed and never short.
"""

from dataclasses import dataclass

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from genrec.decoding.engine import widen
from genrec.items.trie import Trie, View

SEEDS = st.integers(0, 2**32 - 1)
EXAMPLES, VIEWS, REQUESTS = 100, 25, 40  # of tries, of views on each, of requests under each view
WIDTHS = (1, 2, 5, 20, 100)


@dataclass(frozen=True)
class World:
    """A random trie, and for every item what a view lets it weigh: −inf where it is forbidden."""

    codes: np.ndarray
    trie: Trie

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "World":
        levels, size = int(rng.integers(1, 5)), int(rng.integers(2, 9))
        flat = rng.permutation(size**levels)[: rng.integers(1, 80)]
        codes = np.stack(np.unravel_index(flat, (size,) * levels), axis=1)
        return cls(codes, Trie.build(codes))

    def view(self, rng: np.random.Generator) -> tuple[View, np.ndarray]:
        """A filter of any density, a prior of any strength with any share of −inf, both, or neither; and its sum."""
        items = len(self.trie)
        allowed = rng.random(items) < rng.choice([0.0, 0.05, 0.5, 1.0])
        prior = rng.normal(0, rng.choice([0.0, 0.1, 3, 100]), items).astype(np.float32)
        prior[rng.random(items) < rng.choice([0.0, 0.5, 0.95])] = -np.inf
        filtered, weighed = rng.integers(2, size=2, dtype=bool)
        worth = np.where(allowed | (not filtered), prior if weighed else np.float32(0), np.float32(-np.inf))
        return View.of(self.trie, allowed=allowed if filtered else None, prior=prior if weighed else None), worth

    def tables(self, rng: np.random.Generator, *requests: int) -> list[np.ndarray]:
        """For each level the log-probabilities after each of its nodes, float32 [*requests, nodes, codes]."""
        scale = rng.choice([0.0, 1.0, 50.0])  # 0: nothing but ties
        codes = int(self.codes.max()) + 1
        nodes = [len(starts) - 1 for starts in self.trie.starts]
        return [-scale * rng.random((*requests, count, codes), dtype=np.float32) for count in nodes]


def beam(view: View, tables: list[np.ndarray], width: int) -> tuple[np.ndarray, np.ndarray]:
    """Items and their log-probabilities, best first."""
    nodes, scores = np.zeros(1, dtype=np.int64), np.zeros(1)
    for level, table in enumerate(tables):
        _, nodes, _, scores = widen(view, level, nodes, scores, table[nodes], width)
    return view.trie.items[nodes], scores


@given(SEEDS, st.sampled_from(WIDTHS))
def test_one_step_keeps_the_best_allowed_children(seed: int, width: int) -> None:
    rng = np.random.default_rng(seed)
    world = World.draw(rng)
    view, worth = world.view(rng)
    level = int(rng.integers(world.trie.levels))
    prefixes = sorted({tuple(row[:level]) for row in world.codes.tolist()})
    nodes = rng.permutation(len(prefixes))[: rng.integers(1, len(prefixes) + 1)]
    scores, table = rng.normal(size=len(nodes)), world.tables(rng)[level]

    step = widen(view, level, nodes, scores, table[nodes], width)

    names = sorted({tuple(row[: level + 1]) for row in world.codes.tolist()})
    best = [max(worth[(world.codes[:, : level + 1] == name).all(axis=1)]) for name in names]
    score = {
        child: scores[row] + table[node, name[-1]]
        for row, node in enumerate(nodes)
        for child, name in enumerate(names)
        if name[:-1] == prefixes[node] and best[child] > -np.inf
    }
    expected = sorted(score, key=lambda child: (-(score[child] + best[child]), child))[:width]
    assert step.nodes.tolist() == expected
    assert step.scores.tolist() == [score[child] for child in expected]
    assert [names[child] for child in expected] == [
        (*prefixes[nodes[row]], code) for row, code in zip(step.parents, step.codes, strict=True)
    ]


@given(SEEDS)
def test_a_beam_as_wide_as_the_catalog_is_exhaustive(seed: int) -> None:
    rng = np.random.default_rng(seed)
    world = World.draw(rng)
    view, worth = world.view(rng)
    tables = world.tables(rng)
    items, scores = beam(view, tables, len(world.trie))

    whole = np.zeros(len(world.trie))
    for level, table in enumerate(tables):
        above = np.unique(world.codes[:, :level], axis=0, return_inverse=True)[1] if level else 0
        whole += table[np.reshape(above, -1), world.codes[:, level]]
    allowed = np.flatnonzero(worth > -np.inf)
    by_id = np.lexsort(world.codes.T[::-1]).argsort()  # ties go to the earlier semantic ID
    expected = allowed[np.lexsort((by_id[allowed], -(whole + worth)[allowed]))]
    assert items.tolist() == expected.tolist()
    assert scores.tolist() == whole[expected].tolist()


@given(SEEDS)
@settings(max_examples=EXAMPLES)
def test_fuzzed_requests_are_valid_distinct_allowed_and_never_short(seed: int) -> None:
    rng = np.random.default_rng(seed)
    world = World.draw(rng)
    for view, worth in (world.view(rng) for _ in range(VIEWS)):
        width = int(rng.choice(WIDTHS))
        tables = world.tables(rng, REQUESTS)
        answers = [beam(view, [table[request] for table in tables], width) for request in range(REQUESTS)]
        check(answers, worth, width)


def check(answers: list[tuple[np.ndarray, np.ndarray]], worth: np.ndarray, width: int) -> None:
    """All answers under one view at once: as many as there can be, so they form a table."""
    found = min(width, int((worth > -np.inf).sum()))
    assert {len(items) for items, _ in answers} == {found}
    items, scores = (np.stack(part).reshape(len(answers), found) for part in zip(*answers, strict=True))
    assert (items < len(worth)).all()  # item numbers are unsigned
    assert (worth[items] > -np.inf).all()
    assert (np.diff(np.sort(items, axis=1), axis=1) > 0).all()
    assert (np.diff(scores + worth[items], axis=1) <= 0).all()
