"""The driver obeys the engine contract over a backend that is a plain model and the mask function: no vLLM needed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
import torch

from genrec.decoding.asks import Answer, Ask, TextAsk, pack, unpack
from genrec.decoding.asynchronous import AsyncEngine, Loop
from genrec.decoding.driver import Driver, Voice
from genrec.decoding.engine import Prompt
from genrec.decoding.masking import constrain
from genrec.decoding.meter import Meter
from genrec.errors import EngineError
from genrec.items.trie import View
from genrec.model.voices import plain_voice
from tests.decoding.contract import EngineContract, World
from tests.helpers.tiny import CONTEXT, TEXTS, qwen3, small_index, small_vocabulary, whole_passes


class Plain:
    """One forward pass for every request, what is wanted packed and unpacked on the way."""

    block = 1

    def __init__(self, model: torch.nn.Module) -> None:
        self._model = model
        self.asked: list[Ask] = []

    async def ask(self, asks: Sequence[Ask]) -> list[Answer]:
        self.asked += asks
        return [self._answer(ask) for ask in asks]

    def _answer(self, ask: Ask) -> Answer:
        want = unpack(pack(ask.want))
        row = constrain(self._logits(ask.prompt), {0: want})[0]
        values, tokens = row.topk(want.returned)
        return Answer(tokens.numpy(), values.numpy(), len(ask.prompt))

    async def write(self, text: TextAsk) -> list[int]:
        dice, written = torch.Generator().manual_seed(text.rule.seed), list[int]()
        for _ in range(text.rule.max_tokens):
            row = constrain(self._logits(text.prompt + written), {0: unpack(pack(text.want))})[0]
            hot = text.rule.temperature
            drawn = torch.multinomial((row / hot).softmax(0), 1, generator=dice) if hot else row.argmax()[None]
            if int(drawn) in text.ends:
                break
            written.append(int(drawn))
        return written

    async def close(self) -> None:
        pass

    @torch.no_grad()
    def _logits(self, tokens: list[int]) -> torch.Tensor:
        found: torch.Tensor = self._model(torch.tensor([tokens])).logits[:, -1].float()
        return found


@pytest.fixture(scope="module")
def loop() -> Iterator[Loop]:
    made = Loop("test")
    yield made
    made.close()


@pytest.fixture(scope="module")
def world(loop: Loop) -> World:
    index = small_index()
    vocabulary = small_vocabulary(index)
    model = qwen3(vocabulary)
    voice = plain_voice(vocabulary, len(vocabulary))
    known: dict[tuple[int, ...], np.ndarray] = {}

    def exact(prompt: Prompt) -> np.ndarray:
        if tuple(prompt) not in known:
            known[tuple(prompt)] = whole_passes(model, vocabulary, prompt, index)
        return known[tuple(prompt)]

    def ending_at(end: int) -> AsyncEngine:
        ended = Voice(voice.code_ids, (end,), voice.writable)
        return AsyncEngine(loop, Driver(Plain(model), ended, Meter()), levels=3, context=CONTEXT)

    histories = ["".join(index.text(item) for item in items) for items in ([], [3], [7, 1, 3], range(12))]
    prompts = [vocabulary.ids(text + history) for text, history in zip(TEXTS, histories, strict=True)]
    return World(
        ending_at(vocabulary.end_id), index, vocabulary.code_ids, vocabulary.end_id, CONTEXT, prompts, exact, ending_at
    )


class TestDriver(EngineContract):
    pass


def asked(world: World, view: View, width: int) -> list[Ask]:
    """What a beam under this view sends."""
    index, vocabulary = world.index, small_vocabulary(world.index)
    backend = Plain(qwen3(vocabulary))
    driver = Driver(backend, plain_voice(vocabulary, len(vocabulary)), Meter())
    asyncio.run(driver.beam(world.prompts[0], view, width))
    assert index.levels == 3
    return backend.asked


def test_one_request_for_the_prompt_and_one_for_each_beam(world: World) -> None:
    lengths = [len(ask.prompt) - len(world.prompts[0]) for ask in asked(world, world.whole, 4)]
    assert lengths == [0] + 4 * [1] + 4 * [2]


def test_bounds_are_sent_only_where_something_must_be_left_out(world: World) -> None:
    view = View.of(world.index.trie, prior=np.arange(len(world.index), dtype=np.float32))
    below = [ask.want for ask in asked(world, view, 4) if len(ask.prompt) > len(world.prompts[0])]
    assert {want.bounds is None for want in below} == {True, False}
    assert all((want.bounds is None) == (want.allowed is not None and len(want.allowed) <= 4) for want in below)


def test_the_catalog_is_never_sent(world: World) -> None:
    """A request grows with the children of one node, not with the items."""
    view = View.of(world.index.trie, prior=np.zeros(len(world.index), dtype=np.float32))
    assert max(len(pack(ask.want)) for ask in asked(world, view, 20)) <= 20 + 8 * max(world.index.sizes)


def test_a_prompt_asked_before_is_not_read_again(world: World) -> None:
    vocabulary = small_vocabulary(world.index)
    backend = Plain(qwen3(vocabulary))
    driver = Driver(backend, plain_voice(vocabulary, len(vocabulary)), Meter())
    asyncio.run(driver.beam(world.prompts[0], world.whole, 4))
    before = len(backend.asked)
    asyncio.run(driver.score(world.prompts[0], world.index.codes[:3]))
    assert all(len(ask.prompt) > len(world.prompts[0]) for ask in backend.asked[before:])


def test_a_failing_backend_fails_the_call_alone(loop: Loop, world: World) -> None:
    class Broken(Plain):
        async def ask(self, asks: Sequence[Ask]) -> list[Answer]:
            raise EngineError("the process has ended")

    vocabulary = small_vocabulary(world.index)
    driver = Driver(Broken(torch.nn.Identity()), plain_voice(vocabulary, len(vocabulary)), Meter())
    engine = AsyncEngine(loop, driver, levels=3, context=CONTEXT)
    with pytest.raises(EngineError, match="ended"):
        engine.beam(world.prompts, [world.whole] * len(world.prompts), 3)
    assert len(world.one(world.prompts[0], world.whole, 3).items) == 3


def test_a_closed_loop_says_so(world: World) -> None:
    closed = Loop("closed")
    closed.close()
    closed.close()
    vocabulary = small_vocabulary(world.index)
    driver = Driver(Plain(torch.nn.Identity()), plain_voice(vocabulary, len(vocabulary)), Meter())
    with pytest.raises(EngineError, match="closed"):
        AsyncEngine(closed, driver, levels=3, context=CONTEXT).beam([[1]], [world.whole], 3)
