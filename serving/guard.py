"""The door: every request passes it first. Keys, rates, sizes, headers, one log line; knows no route's work.

Deny by default: without a key only /healthz, /readyz and the files of the page answer, whatever routes are added.
"""

from __future__ import annotations

import asyncio
import math
import secrets
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving import page, problems
from serving.keys import Key
from serving.logs import say
from serving.service import Service

HEALTH = frozenset({"/healthz", "/readyz"})
PUBLIC = HEALTH | page.FILES.keys()
COSTLY = frozenset({"/v1/recommendations", "/v1/explanations", "/v1/chat/completions"})
"""What wants the engine. No more of it is let in than the engine may hold, so that a refusal costs next to nothing: at
ten times the load a server that first reads what it then refuses does nothing else."""
_BODY_S = 15.0  # seconds that a body may take to arrive
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class Buckets:
    """Requests per second for each key: a bucket of `burst` tokens that fills at the key's rate."""

    def __init__(self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._burst, self._clock = rate, burst, clock
        self._filled: dict[str, tuple[float, float]] = {}

    def wait(self, key: Key) -> float:
        """Takes a token; 0, or the seconds until there is one."""
        rate, now = key.rate or self._rate, self._clock()
        tokens, before = self._filled.get(key.name, (float(self._burst), now))
        tokens = min(float(self._burst), tokens + rate * (now - before))
        self._filled[key.name] = (tokens - 1 if tokens >= 1 else tokens, now)
        return 0.0 if tokens >= 1 else (1 - tokens) / rate


class Guard:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app, self._service = app, service
        limits = service.settings.limits
        self._limits = limits
        self._buckets = Buckets(limits.rate, limits.burst)
        self._open = self._costly = 0
        self._busy = problems.later("the engine has as much to do as it may hold", 1)
        self._busy_headers = [*self._busy.raw_headers, *((k.lower().encode(), v.encode()) for k, v in _HEADERS.items())]
        self._busy_count = service.metrics.requests.labels("none", "POST", "503")
        self._turned_away = Tally("requests are refused")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        costly = scope["path"] in COSTLY
        if costly and self._costly >= self._limits.waiting and self._key(Headers(scope=scope)) is not None:
            await self._turn_away(send)
            return
        visit = _Visit(scope, send, self._service)
        self._open += 1
        self._costly += costly
        self._service.metrics.open.set(self._open)
        try:
            await self._pass(visit, receive)
        finally:
            self._open -= 1
            self._costly -= costly
            self._service.metrics.open.set(self._open)
            visit.end()

    async def _turn_away(self, send: Send) -> None:
        """503, with as little work as can be: this is done a thousand times a second when it matters."""
        self._service.metrics.refused.labels("busy").inc()
        self._busy_count.inc()
        self._turned_away.add("busy")
        headers = [*self._busy_headers, (b"x-request-id", secrets.token_hex(8).encode())]
        if self._service.draining:
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": 503, "headers": headers})
        await send({"type": "http.response.body", "body": self._busy.body})

    async def _pass(self, visit: _Visit, receive: Receive) -> None:
        refused = self._refused(visit)
        if refused is None:
            try:
                async with asyncio.timeout(_BODY_S):
                    whole = await _body(receive, self._limits.body_bytes)
            except TimeoutError:
                refused = problems.answer(408, "the body did not arrive in time")
            else:
                if whole is None:
                    refused = self._too_large()
        try:
            if refused is not None:
                await refused(visit.scope, receive, visit.send)
            else:
                await self._app(visit.scope, _again(whole, receive), visit.send)
        except Exception as error:
            say("a request failed", 40, request=visit.id, error=error)
            if visit.status:  # the head is sent: nothing can be taken back
                raise
            await problems.answer(500, "an error of ours, not yours", request_id=visit.id)(
                visit.scope, receive, visit.send
            )

    def _refused(self, visit: _Visit) -> Response | None:
        """The answer to what may not pass."""
        if visit.scope["path"] in PUBLIC:
            return None
        visit.key = self._key(visit.headers)
        if visit.key is None:
            return problems.answer(
                401, "no valid API key", {"WWW-Authenticate": "Bearer"}, remedy="send Authorization: Bearer KEY"
            )
        if self._open > self._limits.open:
            return self._count(visit, "open", problems.later("too many requests at once", 1))
        if wait := self._buckets.wait(visit.key):
            later = problems.later("more requests than this key may send", math.ceil(wait), 429)
            return self._count(visit, "rate", later)
        length = visit.headers.get("content-length", "0")
        if not length.isdigit() or int(length) > self._limits.body_bytes:
            return self._too_large()
        return None

    def _too_large(self) -> Response:
        self._service.metrics.refused.labels("size").inc()
        allowed = f"at most {self._limits.body_bytes} bytes"
        return problems.answer(413, "the body is too large", allowed=allowed)

    def _count(self, visit: _Visit, reason: str, response: Response) -> Response:
        """For want of room or rate: such refusals come in thousands, so they share a line of the log."""
        self._service.metrics.refused.labels(reason).inc()
        self._turned_away.add(reason)
        visit.logged = False
        return response

    def _key(self, headers: Headers) -> Key | None:
        kind, _, secret = headers.get("authorization", "").partition(" ")
        return self._service.keys.find(secret.strip()) if kind.lower() == "bearer" else None


class Tally:
    """One line of the log a second at most, with how many of each kind there were since the last."""

    def __init__(self, event: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._event, self._clock = event, clock
        self._counts: Counter[str] = Counter()
        self._told = -math.inf

    def add(self, kind: str) -> None:
        self._counts[kind] += 1
        now = self._clock()
        if now - self._told >= 1:
            counts: dict[str, Any] = dict(self._counts)
            say(self._event, 30, **counts)
            self._counts.clear()
            self._told = now


class _Visit:
    """One request on its way: its number, key, status and time. logged: whether it has a line of its own."""

    logged = True

    def __init__(self, scope: Scope, send: Send, service: Service) -> None:
        self.scope, self._send, self._service = scope, send, service
        self.headers = Headers(scope=scope)
        self.id = secrets.token_hex(8)
        self._key: Key | None = None
        self.status = 0
        self._began = time.monotonic()
        scope.setdefault("state", {}).update(request_id=self.id, notes={})

    @property
    def key(self) -> Key | None:
        return self._key

    @key.setter
    def key(self, key: Key | None) -> None:
        self._key = self.scope["state"]["key"] = key

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = int(message["status"])
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
            headers["X-Request-Id"] = self.id
            if self._service.draining:
                headers["Connection"] = "close"
        await self._send(message)

    def end(self) -> None:
        route = getattr(self.scope.get("route"), "path", "none")
        took, method = time.monotonic() - self._began, self.scope["method"]
        method = method if method in _METHODS else "other"
        self._service.metrics.requests.labels(route, method, str(self.status)).inc()
        self._service.metrics.seconds.labels(route).observe(took)
        if self.logged and route not in PUBLIC:
            notes: dict[str, Any] = self.scope["state"]["notes"]
            key = None if self._key is None else self._key.name
            say(
                "request", request=self.id, method=method, route=route, status=self.status, key=key,
                ms=round(1000 * took, 1), **notes,
            )  # fmt: skip


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


async def _body(receive: Receive, most: int) -> bytes | None:
    """The whole body; None where it is larger than allowed. A client that leaves ends it early."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return b"".join(parts)
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > most:
            return None
        if not message.get("more_body"):
            return b"".join(parts)


def _again(whole: bytes | None, receive: Receive) -> Receive:
    """Gives the body out once more, then what else the client does."""
    given = False

    async def next_message() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": whole or b"", "more_body": False}

    return next_message
