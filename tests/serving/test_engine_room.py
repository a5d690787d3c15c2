"""The room with a process that never answers. No server, no model."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from serving.engine.room import EngineBusy, EngineDown, EngineRoom
from serving.metrics import Metrics
from serving.settings import EngineSettings, LimitSettings, ServeSettings


class Silent:
    """A run of the engine that takes everything and says nothing."""

    def send(self, message: Any) -> None: ...


def room(timeout_s: float) -> EngineRoom:
    engine = EngineSettings(timeout_s=timeout_s, trips=1, rest_s=0.01)
    silent = EngineRoom(ServeSettings(bundle=Path(), engine=engine, limits=LimitSettings(waiting=1)), Metrics())
    silent._run, silent.up = Silent(), True  # type: ignore[assignment]
    return silent


async def ask(silent: EngineRoom) -> None:
    await silent.ask("recommend", lambda number, deadline: number)


def test_who_tries_an_engine_that_hangs_is_not_told_that_it_is_busy() -> None:
    """Requests whose time was up still lie there, but nobody waits for them: the slate is the priors', not a 503."""

    async def several() -> None:
        silent = room(0.05)
        for _ in range(3):
            with pytest.raises(EngineDown, match="slow"):
                await ask(silent)
            await asyncio.sleep(0.02)

    asyncio.run(several())


def test_who_comes_while_another_waits_is_told_that_it_is_busy() -> None:
    async def two() -> None:
        silent = room(1.0)
        first = asyncio.create_task(ask(silent))
        await asyncio.sleep(0)
        with pytest.raises(EngineBusy):
            await ask(silent)
        first.cancel()

    asyncio.run(two())
