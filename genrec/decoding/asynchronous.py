"""The synchronous engine over an asynchronous driver: an event loop in a thread of its own.

Calls from many threads run side by side in the model's batches. Knows no vLLM and no HTTP.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from typing import Any, TypeVar

from genrec.decoding.driver import Driver
from genrec.decoding.engine import Candidates, Float64, Prompt, TextRule, check
from genrec.errors import EngineError
from genrec.items.trie import View
from genrec.ragged import Int64

Found = TypeVar("Found")
Asked = TypeVar("Asked")


class Loop:
    """An event loop that runs in a thread until `close`."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, Found]) -> Found:
        """Runs to its end from any other thread; what it raises is raised here. EngineError once closed."""
        if not self._thread.is_alive():
            work.close()
            raise EngineError("the engine is closed", remedy="open it again")
        waiting = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return waiting.result()
        except BaseException:
            waiting.cancel()
            raise

    def close(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()


class AsyncEngine:
    """An Engine (see engine). at_once: prompts that one call keeps in flight; block: the cache block that prompts
    should be cut to (NextItemPrompt.block)."""

    def __init__(
        self, loop: Loop, driver: Driver, *, levels: int, context: int, block: int = 1, at_once: int = 8
    ) -> None:
        self._loop, self._driver, self._levels, self._context = loop, driver, levels, context
        self.block, self._at_once = block, at_once

    def beam(self, prompts: Sequence[Prompt], views: Sequence[View], width: int) -> list[Candidates]:
        if width < 1:
            raise EngineError("the beam is empty", value=width, allowed="1 or more")
        check(prompts, len(views), self._context - self._levels)
        return self._each(lambda row: self._driver.beam(prompts[row], views[row], width), len(prompts))

    def score(self, prompts: Sequence[Prompt], codes: Sequence[Int64]) -> list[Float64]:
        check(prompts, len(codes), self._context - self._levels)
        return self._each(lambda row: self._driver.score(prompts[row], codes[row]), len(prompts))

    def generate(self, prompts: Sequence[Prompt], rule: TextRule) -> list[list[int]]:
        if rule.max_tokens < 1:
            raise EngineError("a text of no tokens", value=rule.max_tokens, allowed="1 or more")
        check(prompts, len(prompts), self._context - rule.max_tokens)
        return self._each(lambda row: self._driver.text(prompts[row], rule), len(prompts))

    def weigh(self, prompts: Sequence[Prompt], tokens: Sequence[Int64]) -> list[Float64]:
        check(prompts, len(tokens), self._context)
        return self._each(lambda row: self._driver.weigh(prompts[row], tokens[row]), len(prompts))

    def _each(self, work: Callable[[int], Awaitable[Found]], count: int) -> list[Found]:
        return self._loop.run(_gathered(work, count, self._at_once)) if count else []


async def _gathered(work: Callable[[int], Awaitable[Found]], count: int, at_once: int) -> list[Found]:
    gate = asyncio.Semaphore(at_once)

    async def one(row: int) -> Found:
        async with gate:
            return await work(row)

    return await together(one(row) for row in range(count))


async def together(work: Iterable[Awaitable[Found]]) -> list[Found]:
    """All results, in order; the first failure, or being cancelled, cancels the others."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        return await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        raise
