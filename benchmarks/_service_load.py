"""Load on a server of this machine, and what came of it: a small HTTP client, closed and open loops, memory.

The client is plain asyncio, because a comfortable one costs more CPU a request than a refusal does, and two cores are
all that both sides have. Knows no claims.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

Body = dict[str, Any]


@dataclass(frozen=True)
class Shot:
    """One request: when it was sent (seconds from the start), its status (0: no answer), how long it took."""

    at: float
    status: int
    seconds: float
    degraded: bool


@dataclass
class Client:
    """Kept connections to one server; `closing`: it said that it closes them."""

    url: str
    key: str
    path: str = "/v1/recommendations"
    closing: bool = False
    _idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = field(default_factory=list)
    _wire: dict[int, bytes] = field(default_factory=dict)

    async def post(self, body: Body) -> tuple[int, bytes]:
        """Status and body; raises OSError or EOFError where there is no answer."""
        reader, writer = self._idle.pop() if self._idle else await self._open()
        writer.write(self._written(body))
        lines = (await reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
        length = next((int(line[15:]) for line in lines if line.startswith("content-length:")), 0)
        found = await reader.readexactly(length)
        if "connection: close" in lines:
            self.closing = True
            writer.close()
        else:
            self._idle.append((reader, writer))
        return int(lines[0].split()[1]), found

    def _written(self, body: Body) -> bytes:
        """As it goes over the wire; bodies come again and again, and are made once."""
        if id(body) not in self._wire:
            data = json.dumps(body).encode()
            head = f"POST {self.path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.key}\r\n"
            head += f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
            self._wire[id(body)] = head.encode() + data
        return self._wire[id(body)]

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        parts = urlsplit(self.url)
        return await asyncio.open_connection(parts.hostname, parts.port)

    def close(self) -> None:
        for _, writer in self._idle:
            writer.close()
        self._idle.clear()


async def closed(client: Client, bodies: Sequence[Body], clients: int, seconds: float) -> list[Shot]:
    """So many clients, each sending its next request when it has its answer; they go when told that all closes."""
    shots: list[Shot] = []
    began = time.monotonic()

    async def one(number: int) -> None:
        for turn in range(1 << 30):
            if time.monotonic() - began > seconds or client.closing:
                return
            shots.append(await _shot(client, bodies[(number + turn * clients) % len(bodies)], began))

    await asyncio.gather(*(one(number) for number in range(clients)))
    return shots


async def opened(client: Client, bodies: Sequence[Body], rate: float, seconds: float, seed: int = 0) -> list[Shot]:
    """Requests at random moments, `rate` a second, whether answers come or not."""
    chance, began = random.Random(seed), time.monotonic()
    shots: list[Shot] = []
    running: set[asyncio.Task[None]] = set()
    due = 0.0

    async def one(body: Body) -> None:
        shots.append(await _shot(client, body, began))

    number = 0
    while (due := due + chance.expovariate(rate)) < seconds:
        await asyncio.sleep(max(0.0, began + due - time.monotonic()))
        task = asyncio.create_task(one(bodies[number % len(bodies)]))
        running.add(task)
        task.add_done_callback(running.discard)
        number += 1
    await asyncio.gather(*running)
    return shots


async def _shot(client: Client, body: Body, began: float) -> Shot:
    sent = time.monotonic()
    try:
        status, found = await client.post(body)
    except (OSError, EOFError):
        return Shot(sent - began, 0, time.monotonic() - sent, False)
    return Shot(sent - began, status, time.monotonic() - sent, b'"degraded":true' in found)


def quantile(shots: Sequence[Shot], share: float) -> float:
    """Seconds."""
    return float(np.quantile([shot.seconds for shot in shots], share)) if shots else float("nan")


def summary(shots: Sequence[Shot]) -> dict[str, Any]:
    """Milliseconds of answers, and what became of all."""
    good = [shot for shot in shots if shot.status == 200]
    statuses = sorted({shot.status for shot in shots})
    return {
        "sent": len(shots),
        "statuses": {str(status): sum(shot.status == status for shot in shots) for status in statuses},
        "degraded": sum(shot.degraded for shot in good),
        **{f"p{share}_ms": round(1000 * quantile(good, share / 100), 1) if good else None for share in (50, 99)},
    }


def memory_mib(pid: int) -> float:
    """Resident memory of a process."""
    text = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return round(int(text.split("VmRSS:")[1].split()[0]) / 1024, 1)
