"""Looks after the engine's process: asks it, waits no longer than allowed, and starts it again when it is gone.

Requests that the process holds are bounded; after failures in a row nobody waits until one that tries succeeds.
Does not know what is asked.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genrec.errors import GenrecError
from serving.engine.messages import Broken, Change, Done, Failed, Hold, Load, Measured, Ready, Unchanged, Use
from serving.engine.process import Run, Template
from serving.logs import say
from serving.metrics import Metrics
from serving.settings import ServeSettings

_WATCH_S = 0.25  # between looks for a process that no longer answers


class EngineDown(Exception):
    """No slate of the language model is to be had now; `reason` is a word for metrics."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class EngineBusy(Exception):
    """It holds as many requests as it may; `seconds`: when to come again."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(f"try again in {seconds:.1f} s")


@dataclass
class _Asked:
    answer: asyncio.Future[Any]
    began: float
    deadline: float


class Breaker:
    """Closed: all may pass. Open, after `trips` failures in a row: none, but one every `rest_s` that tries."""

    def __init__(self, trips: int, rest_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._trips, self._rest, self._clock = trips, rest_s, clock
        self._failed, self._next_try = 0, 0.0

    @property
    def open(self) -> bool:
        return self._failed >= self._trips

    def may_pass(self) -> bool:
        if not self.open:
            return True
        if self._clock() < self._next_try:
            return False
        self._next_try = self._clock() + self._rest
        return True

    def passed(self) -> None:
        self._failed = 0

    def failed(self) -> None:
        self._failed += 1
        self._next_try = self._clock() + self._rest


class EngineRoom:
    """One engine process and the requests that it holds. Used from one event loop."""

    def __init__(self, settings: ServeSettings, metrics: Metrics, version: str = "") -> None:
        """version: of the bundle that the server has opened; empty: any will do."""
        self._settings, self._metrics = settings, metrics
        engine = settings.engine
        self._breaker = Breaker(engine.trips, engine.rest_s)
        self._held: dict[int, _Asked] = {}
        self._number = 0
        self._edits: list[Change] = []
        self._run: Run | None = None
        self._template = Template(settings)
        self._tasks: list[asyncio.Task[None]] = []
        self._seconds = 0.1
        self._version = version
        self._loaded = ""
        self.up = False
        self.beside: frozenset[str] = frozenset()
        """Versions of the bundles that the process holds beside the one in use."""
        self._spoken: frozenset[str] = frozenset()
        """Those, and the ones that requests in work may still name."""
        self.settled = asyncio.Event()
        """Set once the first start has ended, well or not."""
        self.broken: GenrecError | None = None
        self.unfit: set[str] = set()
        """Ids of edits that the process could not take over: until it begins anew without them, it ranks nothing."""

    def start(self) -> None:
        """Begins to start the process; does not wait for it."""
        self._tasks = [asyncio.create_task(self._keep_up()), asyncio.create_task(self._watch())]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._run is not None:
            self._run.end()
        await asyncio.to_thread(self._template.close)

    @property
    def pid(self) -> int | None:
        return None if self._run is None else self._run.pid

    def edit(self, change: Change) -> None:
        """The catalog changes for all that is asked from now on, and after any start to come."""
        self._edits.append(change)
        if self.up and self._run is not None:
            self._run.send(change)

    def begin_anew(self) -> None:
        """The process starts again; edits up to here are forgotten."""
        self._edits, self.unfit = [], set()
        if self._run is not None:
            self._run.end()

    async def renew(self, version: str, change: Change | None) -> None:
        """The bundle that lies in the bundle's place now, of this version, ranks all that is asked from here on, with
        this change of its catalog; until it is loaded the one before does.

        Raises EngineDown and GenrecErrors where it cannot be loaded: all is then as it was.
        """
        if self.up and self._settings.engine.kind == "torch":
            found = await self._answered(
                "load", lambda number, deadline: Load(number, str(self._settings.bundle), deadline),
                self._settings.engine.start_s,
            )  # fmt: skip
            if found != version or self._run is None or not self.up:
                raise EngineDown("another bundle")
            self._run.send(Use(version))
            self._loaded = version
        elif self.up and self._run is not None:  # vLLM has no room for two: slates of the priors until it is back
            self._run.end()
            self.up = False
        self._version, self._edits, self.unfit = version, [] if change is None else [change], set()
        if self.up and change is not None and self._run is not None:
            self._run.send(change)
        if self._run is not None and not self.up and self._loaded == version:
            self._begin(self._run)

    async def hold(self, folders: Mapping[str, Path]) -> None:
        """The process holds the bundles of these versions beside the one in use, and no others.

        Raises EngineDown and GenrecErrors where one cannot be loaded: all is then as it was.
        """
        if not self.up:
            raise EngineDown("down")
        named, run = {version: str(folder) for version, folder in folders.items()}, self._run
        await self._answered(
            "hold", lambda number, deadline: Hold(number, named, tuple(self._edits), deadline),
            self._settings.engine.start_s,
        )  # fmt: skip
        if run is self._run and self.up:
            self._spoken, self.beside = self.beside | frozenset(folders), frozenset(folders)

    def speaks(self, version: str) -> bool:
        """Whether the process holds this bundle beside the one in use."""
        return version in self._spoken

    def reconcile(self) -> None:
        """The server's own bundle lies in the place: a process that loaded what lay there before begins anew."""
        if self._version and self._run is not None and self._loaded not in ("", self._version):
            self._run.end()

    async def ask(self, task: str, message: Callable[[int, float], Any], timeout_s: float | None = None) -> Any:
        """The answer to message(number, deadline).

        Raises EngineBusy, EngineDown, or the GenrecError that the request earned.
        """
        if not self.up or self._run is None:
            raise EngineDown("down")
        if not self._breaker.may_pass():
            raise EngineDown("resting")
        now = time.monotonic()
        waited_for = sum(asked.deadline > now for asked in self._held.values())  # the others have their answer already
        if waited_for >= self._settings.limits.waiting:
            raise EngineBusy(max(1.0, self._seconds * waited_for))
        return await self._answered(task, message, timeout_s or self._settings.engine.timeout_s)

    async def _answered(self, task: str, message: Callable[[int, float], Any], timeout_s: float) -> Any:
        assert self._run is not None
        self._number += 1
        number, began = self._number, time.monotonic()
        asked = _Asked(asyncio.get_running_loop().create_future(), began, began + timeout_s)
        self._held[number] = asked
        self._metrics.engine_waiting.set(len(self._held))
        self._run.send(message(number, asked.deadline))
        try:
            async with asyncio.timeout(timeout_s):
                done: Done = await asked.answer
        except TimeoutError:
            self._breaker.failed()
            raise EngineDown("slow") from None
        self._breaker.passed()
        took = time.monotonic() - began
        self._seconds += 0.1 * (took / max(1, len(self._held) + 1) - self._seconds)
        self._metrics.engine_seconds.labels(task).observe(took)
        self._metrics.engine_batch.observe(done.batch)
        return done.value

    def _heard(self, run: Run, message: Any) -> None:
        if run is not self._run:
            return
        if isinstance(message, Ready):
            self._come_up(run, message)
        elif isinstance(message, Measured):
            self._metrics.of_engine = message.text
        elif isinstance(message, Unchanged):
            say("edits of the catalog do not fit the engine", 50, kind=type(message.error).__name__)
            self.unfit.update(message.items)
        elif isinstance(message, Broken):
            self.broken = message.error
            self.settled.set()
        elif (asked := self._held.pop(message.number, None)) is not None:
            self._metrics.engine_waiting.set(len(self._held))
            if not asked.answer.done():
                self._resolve(asked, message)

    def _resolve(self, asked: _Asked, message: Any) -> None:
        if isinstance(message, Done):
            asked.answer.set_result(message)
        elif isinstance(message, Failed) and message.error is not None:
            asked.answer.set_exception(message.error)
        elif isinstance(message, Failed):
            say("the engine failed", 40, kind=message.kind, at=message.at)
            self._breaker.failed()
            asked.answer.set_exception(EngineDown("failed"))
        else:
            self._breaker.failed()
            asked.answer.set_exception(EngineDown("slow"))

    def _come_up(self, run: Run, ready: Ready) -> None:
        run.pid = ready.pid
        say("the engine is up", bundle=ready.version, seconds=round(ready.seconds, 2), pid=run.pid)
        self._loaded = ready.version
        self.beside = self._spoken = ready.beside
        if self._version in ("", ready.version):
            self._begin(run)
        self.settled.set()

    def _begin(self, run: Run) -> None:
        """The process has the server's bundle: it gets the edits and may be asked. One that has another, which was put
        there since, ranks nothing until the server has taken that over."""
        for change in self._edits:
            run.send(change)
        self._breaker.passed()
        self.up = True
        self._metrics.engine_up.set(1)

    async def _keep_up(self) -> None:
        """Starts the process whenever there is none; waits longer each time that it does not come up."""
        pause = 0.25
        while True:
            began = time.monotonic()
            self._metrics.engine_starts.inc()
            connection = await asyncio.to_thread(self._template.bear)
            self._run = Run(connection, self._heard, asyncio.get_running_loop())
            await self._run.gone.wait()
            lived = self.up
            self._fall(time.monotonic() - began)
            if self.broken is not None:
                return
            pause = 0.25 if lived else min(2 * pause, 30.0)
            await asyncio.sleep(pause)

    def _fall(self, lived: float) -> None:
        self.up, self._loaded = False, ""
        self.beside = self._spoken = frozenset()
        self._metrics.engine_up.set(0)
        held, self._held = self._held, {}
        self._metrics.engine_waiting.set(0)
        for asked in held.values():
            if not asked.answer.done():
                asked.answer.set_exception(EngineDown("died"))
        say("the engine is gone", 40, held=len(held), lived_s=round(lived, 1))

    async def _watch(self) -> None:
        """Ends a process that holds a request far beyond its time limit, or that does not finish loading."""
        stuck, start = self._settings.engine.stuck_s, self._settings.engine.start_s
        while True:
            await asyncio.sleep(_WATCH_S)
            run, now = self._run, time.monotonic()
            if run is None or run.gone.is_set():
                continue
            oldest = min((asked.deadline for asked in self._held.values()), default=now)
            if now - oldest > stuck or (not self.up and now - run.began > start):
                say("the engine does not answer and is ended", 40)
                run.end()
