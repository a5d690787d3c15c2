"""The engine's process as the server holds it: a template that lives long, and one run of the engine at a time.

Knows sockets and processes; does not know what is said.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from serving.settings import PREFIX, ServeSettings


class Template:
    """serving.engine.template, started when it is first needed and again when it is gone."""

    def __init__(self, settings: ServeSettings) -> None:
        self._settings = settings
        self._popen: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    def bear(self) -> Connection:
        """Our end of a new engine; the one before it is ended. Raises OSError."""
        if self._popen is None or self._popen.poll() is not None:
            self._start()
        assert self._control is not None
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self._control, [b"+"], [theirs.fileno()])
        return Connection(ours.detach())

    def close(self) -> None:
        """Ends it and its engine."""
        if self._control is not None:
            self._control.close()
        if self._popen is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._popen.wait(2)
            self._popen.kill()
            self._popen.wait()

    def _start(self) -> None:
        self.close()
        self._control, theirs = socket.socketpair()
        with theirs:
            words = [sys.executable, "-m", "serving.engine.template", str(theirs.fileno()), _as_json(self._settings)]
            self._popen = subprocess.Popen(
                words, pass_fds=[theirs.fileno()], env=_environment(self._settings), stdin=subprocess.DEVNULL,
                start_new_session=True,
            )  # fmt: skip


class Run:
    """One run of the engine, with a thread that writes to it and one that reads. heard: called in the loop."""

    def __init__(
        self, connection: Connection, heard: Callable[[Run, Any], None], loop: asyncio.AbstractEventLoop
    ) -> None:
        self._connection, self._heard, self._loop = connection, heard, loop
        self._out: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.began = time.monotonic()
        self.pid: int | None = None
        self.gone = asyncio.Event()
        for work in (self._write, self._read):
            threading.Thread(target=work, daemon=True).start()

    def send(self, message: Any) -> None:
        """Never waits: the socket may be full while the engine is busy."""
        self._out.put(message)

    def end(self) -> None:
        """Closes the socket, which is its sign to go, and ends it by force if we know its number."""
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(self._connection.fileno())) as twin:
            twin.shutdown(socket.SHUT_RDWR)
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)

    def _write(self) -> None:
        while (message := self._out.get()) is not None:
            try:
                self._connection.send(message)
            except OSError:
                return

    def _read(self) -> None:
        try:
            while True:
                self._tell(self._heard, self, self._connection.recv())
        except (EOFError, OSError):
            self._out.put(None)
            self.end()
            self._tell(self.gone.set)

    def _tell(self, what: Callable[..., None], *words: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended before us
            self._loop.call_soon_threadsafe(what, *words)


def _as_json(settings: ServeSettings) -> str:
    beside = None if settings.beside is None else str(settings.beside)
    return json.dumps({**settings.engine.model_dump(), "bundle": str(settings.bundle), "beside": beside})


def _environment(settings: ServeSettings) -> dict[str, str]:
    """The process finds the same packages as we do, and nothing of ours that is secret."""
    path = os.pathsep.join([str(Path(__file__).resolve().parents[2]), *filter(None, sys.path)])
    kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    threads = {"OMP_NUM_THREADS": str(settings.engine.threads)}
    vllm = {"VLLM_LOGGING_LEVEL": "ERROR", "VLLM_LOGGING_STREAM": "ext://sys.stderr"}  # unless set otherwise
    return {**vllm, **kept, **threads, "PYTHONPATH": path, "TOKENIZERS_PARALLELISM": "false"}
