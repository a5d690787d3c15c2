"""Looks after the engine's process: asks it, waits no longer than allowed, and starts it again when it is gone.

Requests that the process holds are bounded; after failures in a row nobody waits until one that tries succeeds.
Does not know what is asked.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import queue
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from genrec.errors import GenrecError
from serving.engine.messages import Broken, Change, Done, Failed, Ready
from serving.logs import say
from serving.metrics import Metrics
from serving.settings import PREFIX, ServeSettings

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

    def __init__(self, settings: ServeSettings, metrics: Metrics) -> None:
        self._settings, self._metrics = settings, metrics
        engine = settings.engine
        self._breaker = Breaker(engine.trips, engine.rest_s)
        self._held: dict[int, _Asked] = {}
        self._number = 0
        self._edits: list[Change] = []
        self._process: _Process | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._seconds = 0.1
        self.up = False
        self.settled = asyncio.Event()
        """Set once the first start has ended, well or not."""
        self.broken: GenrecError | None = None

    def start(self) -> None:
        """Begins to start the process; does not wait for it."""
        self._tasks = [asyncio.create_task(self._keep_up()), asyncio.create_task(self._watch())]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._process is not None:
            await asyncio.to_thread(self._process.close)

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.popen.pid

    def edit(self, change: Change) -> None:
        """The catalog changes for all that is asked from now on, and after any start to come."""
        self._edits.append(change)
        if self.up and self._process is not None:
            self._process.send(change)

    async def ask(self, task: str, message: Callable[[int, float], Any], timeout_s: float | None = None) -> Any:
        """The answer to message(number, deadline).

        Raises EngineBusy, EngineDown, or the GenrecError that the request earned.
        """
        if not self.up or self._process is None:
            raise EngineDown("down")
        if not self._breaker.may_pass():
            raise EngineDown("resting")
        if len(self._held) >= self._settings.limits.waiting:
            raise EngineBusy(max(1.0, self._seconds * len(self._held)))
        return await self._answered(task, message, timeout_s or self._settings.engine.timeout_s)

    async def _answered(self, task: str, message: Callable[[int, float], Any], timeout_s: float) -> Any:
        assert self._process is not None
        self._number += 1
        number, began = self._number, time.monotonic()
        asked = _Asked(asyncio.get_running_loop().create_future(), began, began + timeout_s)
        self._held[number] = asked
        self._metrics.engine_waiting.set(len(self._held))
        self._process.send(message(number, asked.deadline))
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

    def _heard(self, process: _Process, message: Any) -> None:
        if process is not self._process:
            return
        if isinstance(message, Ready):
            self._come_up(process, message)
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

    def _come_up(self, process: _Process, ready: Ready) -> None:
        for change in self._edits:
            process.send(change)
        self._breaker.passed()
        self.up = True
        self._metrics.engine_up.set(1)
        say("the engine is up", bundle=ready.version, seconds=round(ready.seconds, 2), pid=process.popen.pid)
        self.settled.set()

    async def _keep_up(self) -> None:
        """Starts the process whenever there is none; waits longer each time that it does not come up."""
        pause = 0.25
        while True:
            began = time.monotonic()
            self._metrics.engine_starts.inc()
            self._process = await asyncio.to_thread(_Process, self._settings, self._heard, asyncio.get_running_loop())
            await self._process.gone.wait()
            lived = self.up
            self._fall(time.monotonic() - began)
            if self.broken is not None:
                return
            pause = 0.25 if lived else min(2 * pause, 30.0)
            await asyncio.sleep(pause)

    def _fall(self, lived: float) -> None:
        self.up = False
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
            process, now = self._process, time.monotonic()
            if process is None or process.gone.is_set():
                continue
            oldest = min((asked.deadline for asked in self._held.values()), default=now)
            if now - oldest > stuck or (not self.up and now - process.began > start):
                say("the engine does not answer and is ended", 40)
                process.popen.kill()


class _Process:
    """One run of serving.engine.worker, with a thread that writes to it and one that reads."""

    def __init__(
        self, settings: ServeSettings, heard: Callable[[_Process, Any], None], loop: asyncio.AbstractEventLoop
    ) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            words = [sys.executable, "-m", "serving.engine.worker", str(theirs.fileno()), _as_json(settings)]
            self.popen = subprocess.Popen(
                words, pass_fds=[theirs.fileno()], env=_environment(settings), stdin=subprocess.DEVNULL,
                start_new_session=True,
            )  # fmt: skip
        self._connection = Connection(ours.detach())
        self._out: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.began = time.monotonic()
        self.gone = asyncio.Event()
        self._loop, self._heard = loop, heard
        for work in (self._write, self._read):
            threading.Thread(target=work, daemon=True).start()

    def send(self, message: Any) -> None:
        """Never waits: the socket may be full while the process is busy."""
        self._out.put(message)

    def close(self) -> None:
        """Ends it: closing the socket is the sign."""
        self._out.put(None)
        try:
            self.popen.wait(5)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()

    def _write(self) -> None:
        while (message := self._out.get()) is not None:
            try:
                self._connection.send(message)
            except OSError:
                return
        with contextlib.suppress(OSError):
            socket.socket(fileno=os.dup(self._connection.fileno())).shutdown(socket.SHUT_RDWR)

    def _read(self) -> None:
        try:
            while True:
                self._tell(self._heard, self, self._connection.recv())
        except (EOFError, OSError):
            self.popen.kill()  # a process that has closed its end and still runs is of no use
            self.popen.wait()
            self._out.put(None)
            self._tell(self.gone.set)

    def _tell(self, what: Callable[..., None], *words: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended before us
            self._loop.call_soon_threadsafe(what, *words)


def _as_json(settings: ServeSettings) -> str:
    return json.dumps({**settings.engine.model_dump(), "bundle": str(settings.bundle)})


def _environment(settings: ServeSettings) -> dict[str, str]:
    """The process finds the same packages as we do, and nothing of ours that is secret."""
    path = os.pathsep.join([str(Path(__file__).resolve().parents[2]), *filter(None, sys.path)])
    kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    threads = {"OMP_NUM_THREADS": str(settings.engine.threads)} if settings.engine.threads else {}
    return {**kept, **threads, "PYTHONPATH": path, "TOKENIZERS_PARALLELISM": "false"}
