"""Thousands of random requests to the real engine: whatever the rules, only allowed items, distinct, never short."""

import numpy as np
import pytest

from genrec.decoding.torch_engine import TorchEngine
from genrec.items.trie import View
from genrec.model.base import ScratchConfig, scratch
from tests.decoding.contract import prior_of
from tests.helpers.tiny import lively, small_index, small_vocabulary

REQUESTS = 500  # of each width


@pytest.mark.parametrize("suffixed", [False, True])
def test_every_answer_is_valid_distinct_and_allowed(suffixed: bool) -> None:
    index = small_index(300, (8, 8, 8, 3) if suffixed else (8, 8, 8), suffixed=suffixed)
    vocabulary = small_vocabulary(index)
    shape = ScratchConfig(hidden=16, layers=1, heads=2, feed_forward=32)
    model = lively(scratch(shape, len(vocabulary), pad_id=vocabulary.pad_id, end_id=vocabulary.end_id))
    engine = TorchEngine(model, vocabulary.code_ids, pad_id=vocabulary.pad_id, end_id=vocabulary.end_id)
    random = np.random.default_rng(int(suffixed))
    semantic = vocabulary.semantic_tokens(index.codes)
    for width in (1, 4, 10, 25):
        histories = [random.integers(len(index), size=size) for size in random.integers(1, 9, REQUESTS)]
        prompts = [[2, *semantic[history].ravel().tolist()] for history in histories]
        views = [_random_view(index.trie, random) for _ in prompts]
        for view, found in zip(views, engine.beam(prompts, views, width), strict=True):
            prior = prior_of(view)
            items = found.items.tolist()
            assert len(set(items)) == len(items) == min(width, int((prior > -np.inf).sum()))
            assert all(0 <= item < len(index) for item in items)
            assert (prior[found.items] > -np.inf).all()
            assert np.isfinite(found.logprobs).all()
            assert (np.diff(found.logprobs + prior[found.items]) <= 1e-6).all()


def _random_view(trie, random: np.random.Generator) -> View:
    """A filter of any density down to nothing, a prior of any strength with any share of −inf, both, or neither."""
    items = len(trie)
    allowed = random.random(items) < random.choice([0.0, 0.01, 0.1, 0.5, 1.0])
    prior = random.normal(0, random.choice([0.1, 3, 100]), items).astype(np.float32)
    prior[random.random(items) < random.choice([0.0, 0.5, 0.99, 1.0])] = -np.inf
    kind = random.integers(4)
    return View.of(trie, allowed=allowed if kind & 1 else None, prior=prior if kind & 2 else None)
