"""The fuzzing of benchmarks/decode_vllm.py: random views through the engine and through the mask function alone.

Both count wrong answers. Measures no time.
"""

from __future__ import annotations

import numpy as np

from benchmarks._vllm_world import Ours
from genrec.items.trie import Trie, View
from tests.decoding.test_widen import REQUESTS, WIDTHS, World, beam, check


def fuzzed_engine(ours: Ours, trie: Trie, count: int, seed: int) -> int:
    """Random views on random prompts: answers that are short, doubled, forbidden or not in the catalog."""
    random, wrong, batch = np.random.default_rng(seed + 5), 0, min(count, 500)
    for _ in range(count // batch):
        views, worths = [], []
        for _ in range(batch):
            worth = np.where(random.random(len(trie)) < random.choice([0.0002, 0.01, 0.5, 1]), 0.0, -np.inf)
            prior = (worth + random.normal(0, random.choice([0.1, 3, 30]), len(trie))).astype(np.float32)
            kind = random.integers(3)
            views.append(View.of(trie, allowed=worth == 0) if kind == 0 else View.of(trie, prior=prior))
            worths.append(worth)
        prompts = [ours.prompt(int(size)) for size in random.integers(1, 12, batch)]
        for worth, found in zip(worths, ours.engine.beam(prompts, views, 4), strict=True):
            items = found.items.tolist()
            allowed = min(4, int((worth == 0).sum()))
            good = len(set(items)) == len(items) == allowed and bool((worth[found.items] == 0).all())
            wrong += not (good and np.isfinite(found.logprobs).all())
    return wrong


def fuzzed_masks(count: int, seed: int) -> int:
    """As tests/decoding/test_widen.py, over and over: whole beams on random tries under random views."""
    rng, wrong, done = np.random.default_rng(seed), 0, 0
    while done < count:
        world = World.draw(rng)
        for _ in range(25):
            view, worth = world.view(rng)
            width, tables = int(rng.choice(WIDTHS)), world.tables(rng, REQUESTS)
            try:
                answers = [beam(view, [table[request] for table in tables], width) for request in range(REQUESTS)]
                check(answers, worth, width)
            except AssertionError:
                wrong += REQUESTS
            done += REQUESTS
    return wrong
