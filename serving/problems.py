"""Errors as answers: what was wrong with a request, taught; of our own faults only a number to ask for.

One shape for all routes, which OpenAI's clients read, too: {"error": {message, type, code, param, …}}.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from genrec.errors import EventConflict, GenrecError, IndexingError, StorageError, UnknownItem, UnknownModel, shorten
from serving.engine.room import EngineBusy
from serving.logs import say

_MOST = 5  # problems of one request that are told
_CODES = {400: "bad_request", 401: "no_key", 403: "scope", 404: "not_found", 405: "method", 408: "slow_body"}
_CODES |= {409: "conflict", 413: "too_large", 422: "invalid", 429: "rate", 500: "internal", 503: "unavailable"}


def body(status: int, message: str, **more: Any) -> dict[str, Any]:
    """The answer's JSON; empty parts are left out."""
    kind = "server_error" if status >= 500 else "invalid_request_error"
    return {"error": {"message": message, "type": kind, "code": _CODES.get(status, str(status)), **_kept(more)}}


def _kept(parts: dict[str, Any]) -> dict[str, Any]:
    return {name: _sound(value) for name, value in parts.items() if value not in (None, "")}


def _sound(value: Any) -> Any:
    """Text that JSON can carry: lone surrogates become question marks."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def answer(status: int, message: str, headers: dict[str, str] | None = None, **more: Any) -> JSONResponse:
    return JSONResponse(body(status, message, **more), status, headers)


def of(error: GenrecError, status: int = 422) -> JSONResponse:
    """A request's own error, with what was found, what is allowed and what to do."""
    status = {UnknownItem: 404, UnknownModel: 404, EventConflict: 409, IndexingError: 409}.get(type(error), status)
    found = None if error.value is None else shorten(error.value)
    return answer(
        status, _sound(error.problem), param=error.where, found=found, allowed=error.allowed, remedy=error.remedy
    )


def later(message: str, seconds: float, status: int = 503) -> JSONResponse:
    return answer(status, message, {"Retry-After": str(max(1, round(seconds)))}, remedy="come again later")


def install(app: FastAPI) -> None:
    """All errors of all routes."""

    @app.exception_handler(RequestValidationError)
    async def _(request: Request, error: RequestValidationError) -> JSONResponse:
        first, *others = [_told(one) for one in error.errors()[:_MOST]] or [{"message": "the request is not valid"}]
        return answer(422, first.pop("message"), **first, others=others or None)

    @app.exception_handler(GenrecError)
    async def _(request: Request, error: GenrecError) -> JSONResponse:
        if isinstance(error, StorageError):
            say("the store failed", 40, error=error)
            return later("the store cannot be reached", 2)
        return of(error)

    @app.exception_handler(EngineBusy)
    async def _(request: Request, error: EngineBusy) -> JSONResponse:
        request.app.state.service.metrics.refused.labels("engine").inc()
        return later("more requests than can be ranked now", error.seconds)

    @app.exception_handler(HTTPException)
    async def _(request: Request, error: HTTPException) -> JSONResponse:
        return answer(error.status_code, str(error.detail), dict(error.headers or {}))


def _told(one: Any) -> dict[str, Any]:
    """One of pydantic's findings: where, what, and what was found (cut)."""
    place = ".".join(str(part) for part in one["loc"] if part not in ("body", "query", "path"))
    found = one.get("input")
    shown = shorten(found) if isinstance(found, str | int | float | bool) else None
    return {"message": _sound(str(one["msg"])), **_kept({"param": place, "found": shown})}
