"""The torch engine obeys the contract on every architecture, with a suffix level, and with an adapter."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from genrec.decoding.engine import Prompt
from genrec.decoding.torch_engine import TorchEngine
from genrec.errors import EngineError
from genrec.items.trie import View
from genrec.model.vocabulary import Vocabulary
from tests.decoding.contract import EngineContract, World, assert_same
from tests.helpers.tiny import CONTEXT, TEXTS, adapted, gpt2, llama, qwen3, small_index, small_vocabulary, whole_passes

pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")  # peft 0.21

MODELS: dict[str, Callable[[Vocabulary], torch.nn.Module]] = {
    "qwen3": qwen3,
    "llama": llama,
    "gpt2": gpt2,
    "lora": adapted,
}


def engine_of(model: torch.nn.Module, vocabulary: Vocabulary, end_id: int | None = None, **limits: int) -> TorchEngine:
    end = vocabulary.end_id if end_id is None else end_id
    return TorchEngine(model, vocabulary.code_ids, pad_id=vocabulary.pad_id, end_id=end, **limits)


@pytest.fixture(scope="module", params=["plain", "suffixed"])
def suffixed(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "suffixed")


@pytest.fixture(scope="module", params=MODELS)
def world(request: pytest.FixtureRequest, suffixed: bool) -> World:
    index = small_index(60, (5, 4, 3, 6), suffixed=True) if suffixed else small_index()
    vocabulary = small_vocabulary(index)
    model = MODELS[request.param](vocabulary)
    known: dict[tuple[int, ...], np.ndarray] = {}

    def exact(prompt: Prompt) -> np.ndarray:
        if tuple(prompt) not in known:
            known[tuple(prompt)] = whole_passes(model, vocabulary, prompt, index)
        return known[tuple(prompt)]

    histories = ["".join(index.text(item) for item in items) for items in ([], [3], [7, 1, 3], range(12))]
    prompts = [vocabulary.ids(text + history) for text, history in zip(TEXTS, histories, strict=True)]
    engine = engine_of(model, vocabulary)
    return World(
        engine, index, vocabulary.code_ids, vocabulary.end_id, CONTEXT, prompts, exact,
        lambda end: engine_of(model, vocabulary, end),
    )  # fmt: skip


class TestTorchEngine(EngineContract):
    pass


def test_the_adapter_is_what_answers() -> None:
    index = small_index()
    vocabulary = small_vocabulary(index)
    model = adapted(vocabulary)
    engine, prompt = engine_of(model, vocabulary), vocabulary.ids(TEXTS[0])
    with_adapter = engine.beam([prompt], [View(index.trie)], len(index))[0]
    with model.disable_adapter():  # type: ignore[operator]
        without = engine.beam([prompt], [View(index.trie)], len(index))[0]
        plain = whole_passes(model, vocabulary, prompt, index)
    assert with_adapter.items.tolist() != without.items.tolist()
    np.testing.assert_allclose(without.logprobs, plain[without.items], atol=1e-4)


def test_small_batches_change_nothing() -> None:
    index = small_index()
    vocabulary = small_vocabulary(index)
    model = qwen3(vocabulary)
    random = np.random.default_rng(0)
    prompts = [random.integers(2, 250, size).tolist() for size in random.integers(1, 30, 20)]
    views = [View(index.trie)] * 20
    whole = engine_of(model, vocabulary).beam(prompts, views, 6)
    split = engine_of(model, vocabulary, batch_tokens=64).beam(prompts, views, 6)
    for found, other in zip(whole, split, strict=True):
        assert_same(found, other)
    codes = [index.codes[random.integers(len(index), size=5)] for _ in prompts]
    scores = engine_of(model, vocabulary, batch_tokens=64).score(prompts, codes)
    np.testing.assert_allclose(
        np.stack(scores), np.stack(engine_of(model, vocabulary).score(prompts, codes)), atol=1e-4
    )


def test_a_window_of_attention_bounds_the_context() -> None:
    """Layers that look back only so far would see another prompt than the tree does: refused, never served wrong."""
    index = small_index()
    vocabulary = small_vocabulary(index)
    model = qwen3(vocabulary)
    model.config.sliding_window = 16
    with pytest.raises(EngineError, match="longer"):
        engine_of(model, vocabulary).beam([vocabulary.ids("x" * 20)], [View(index.trie)], 3)


def test_half_precision_scores_stay_near() -> None:
    index = small_index()
    vocabulary = small_vocabulary(index)
    model = qwen3(vocabulary)
    prompt = vocabulary.ids(TEXTS[0])
    exact = whole_passes(model, vocabulary, prompt, index)
    found = engine_of(model.bfloat16(), vocabulary).beam([prompt], [View(index.trie)], len(index))[0]
    assert len(found.items) == len(index)
    assert np.abs(found.logprobs - exact[found.items]).max() < 0.1 * np.abs(exact).max()
