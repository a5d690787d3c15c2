"""Runs the application until SIGTERM: says where it listens, and drains before it goes. Knows no route."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable
from types import FrameType
from typing import Any

import uvicorn

from genrec.errors import GenrecError
from serving.app import create_app
from serving.logs import say
from serving.service import Service


class Server(uvicorn.Server):
    """uvicorn with a lame-duck time: after SIGTERM readyz says no and every answer closes its connection, while new
    requests are still taken for `drain_s`, so that whoever sends them has time to look elsewhere."""

    def __init__(self, config: uvicorn.Config, service: Service, opened: Callable[[str], None]) -> None:
        super().__init__(config)
        self._service, self._opened = service, opened
        self._tasks: set[asyncio.Task[None]] = set()
        self.broken: GenrecError | None = None

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._later(self._say_open())

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._service.draining or sig == signal.SIGINT:
            super().handle_exit(sig, frame)
            return
        self._service.draining = True
        asyncio.get_running_loop().call_soon_threadsafe(lambda: self._later(self._drain()))

    def _later(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _drain(self) -> None:
        say("draining", seconds=self._service.settings.drain_s)
        await asyncio.sleep(self._service.settings.drain_s)
        self.should_exit = True

    async def _say_open(self) -> None:
        await self._service.room.settled.wait()
        self.broken = self._service.room.broken
        if self.broken is not None:
            self.should_exit = True
            return
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        self._opened(f"http://{f'[{host}]' if ':' in host else host}:{port}")


def run(service: Service, opened: Callable[[str], None]) -> None:
    """Serves until it is told to stop; opened(url): called once it is ready. Raises what kept the engine from it."""
    settings = service.settings
    config = uvicorn.Config(
        create_app(service), host=settings.host, port=settings.port, log_config=None, access_log=False,
        log_level=logging.WARNING, server_header=False, date_header=False,
        timeout_graceful_shutdown=round(settings.grace_s), timeout_keep_alive=30, backlog=1024,
    )  # fmt: skip
    server = Server(config, service, opened)
    server.run()
    if server.broken is not None:
        raise server.broken
