"""A typed client of `genrec serve`. Knows no model; needs httpx (pip install 'genrec[serve]').

with Client("http://127.0.0.1:8000", key) as client:
    slate = client.recommend(user_id="ann", k=5)
    client.event("ann", slate.items[0].id, "click", recommendation_id=slate.id, slot=1)
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict

from genrec.answers import RecommendedItem, ToldItem
from genrec.errors import MissingExtra, ServiceError

_AGAIN = (429, 503)
_LONGEST_PAUSE = 10.0  # seconds between tries


class _Received(BaseModel):
    """An answer; what a later server adds is kept, too."""

    model_config = ConfigDict(extra="allow", frozen=True)


class Slate(_Received):
    """Items, best first; `id` goes back with events."""

    id: str
    items: list[RecommendedItem]
    constraints: dict[str, str]
    model: str
    degraded: bool
    note: str = ""


class Acknowledged(_Received):
    """Events that are durable now, or were so before."""

    stored: int
    duplicates: int
    unknown_items: int


class ChatAnswer(_Received):
    """text names the items; followup: a question, where the request is too vague."""

    text: str
    items: list[RecommendedItem]
    followup: str | None
    constraints: dict[str, Any]
    recommendation_id: str | None


class Client:
    """Talks to one server. Raises ServiceError with what the server says; tries again when it says later."""

    def __init__(
        self, url: str = "http://127.0.0.1:8000", key: str | None = None, *, timeout: float = 30.0, tries: int = 3
    ) -> None:
        """key: default GENREC_API_KEY; timeout: seconds; tries: of a request that the server refuses for now."""
        try:
            import httpx
        except ImportError:
            raise MissingExtra("the client needs httpx", remedy="pip install 'genrec[serve]'") from None
        secret = key if key is not None else os.environ.get("GENREC_API_KEY", "")
        self._http = httpx.Client(base_url=url, timeout=timeout, headers={"Authorization": f"Bearer {secret}"})
        self._tries, self._lost = tries, (httpx.ConnectError, httpx.RemoteProtocolError, httpx.ReadError)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def recommend(
        self,
        user_id: str | None = None,
        history: Sequence[str] | None = None,
        k: int = 10,
        *,
        filters: Sequence[Mapping[str, Any]] = (),
        **more: Any,
    ) -> Slate:
        """The next items of a user, or after a history; more: exclude, repeats, weights, diversity, cover,
        explain, length, language."""
        body = {"user_id": user_id, "history": history, "k": k, "filters": [dict(rule) for rule in filters], **more}
        return Slate.model_validate(self._send("POST", "/v1/recommendations", body))

    def explain(
        self,
        items: Sequence[str],
        user_id: str | None = None,
        history: Sequence[str] | None = None,
        length: str = "normal",
    ) -> list[ToldItem]:
        """Why these items; length: short, normal or long."""
        body = {"user_id": user_id, "history": history, "items": list(items), "length": length}
        return [ToldItem.model_validate(one) for one in self._send("POST", "/v1/explanations", body)["items"]]

    def chat(self, messages: str | Sequence[Mapping[str, str]], user_id: str | None = None, **more: Any) -> ChatAnswer:
        """One answer to a message or to a conversation (role, content)."""
        whole = (
            [{"role": "user", "content": messages}] if isinstance(messages, str) else [dict(one) for one in messages]
        )
        found = self._send("POST", "/v1/chat/completions", {"messages": whole, "user": user_id, **more})
        return ChatAnswer.model_validate({**found, "text": found["choices"][0]["message"]["content"]})

    def event(self, user_id: str, item_id: str, kind: str, **more: Any) -> Acknowledged:
        """One event; more: timestamp, value, key, recommendation_id, slot."""
        return self.events([{"user_id": user_id, "item_id": item_id, "kind": kind, **more}])

    def events(self, events: Sequence[Mapping[str, Any]]) -> Acknowledged:
        """Many, all or none; each gets an idempotency key if it has none, so that trying again doubles nothing."""
        keyed = [{"key": uuid.uuid4().hex, **event} for event in events]
        return Acknowledged.model_validate(self._send("POST", "/v1/events/bulk", {"events": keyed}))

    def user(self, user_id: str) -> dict[str, Any]:
        """Window, profile and timeline (scope admin)."""
        return self._send("GET", f"/v1/users/{_quoted(user_id)}")

    def export(self, user_id: str) -> dict[str, Any]:
        """All that is stored on a user (scope admin)."""
        return self._send("GET", f"/v1/exports/{_quoted(user_id)}")

    def erase(self, user_id: str) -> int:
        """Rows removed (scope admin)."""
        return int(self._send("DELETE", f"/v1/users/{_quoted(user_id)}")["removed"])

    def put_item(self, item_id: str, fields: Mapping[str, Any], *, available: bool = True) -> dict[str, Any]:
        """A new item, or one that is whole another (scope admin)."""
        return self._send("PUT", _item(item_id), {"fields": dict(fields), "available": available})

    def patch_item(
        self, item_id: str, fields: Mapping[str, Any] | None = None, available: bool | None = None
    ) -> dict[str, Any]:
        """Single fields, or stock (scope admin)."""
        return self._send("PATCH", _item(item_id), {"fields": dict(fields or {}), "available": available})

    def delete_item(self, item_id: str) -> dict[str, Any]:
        """Never recommended again (scope admin)."""
        return self._send("DELETE", _item(item_id))

    def online(self) -> list[dict[str, Any]]:
        """CTR and CVR by model version and slot (scope metrics or admin)."""
        return list(self._send("GET", "/v1/metrics/online")["rows"])

    def ready(self) -> bool:
        """Whether it takes requests."""
        try:
            return bool(self._http.get("/readyz").status_code == 200)
        except self._lost:
            return False

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """All calls may be sent twice: reads, edits that say how things stand, and events with keys."""
        kept = None if body is None else {name: value for name, value in body.items() if value is not None}
        for left in range(self._tries - 1, -1, -1):
            try:
                answer = self._http.request(method, path, json=kept)
            except self._lost as error:
                if not left:
                    raise ServiceError("the server cannot be reached", value=str(self._http.base_url)) from error
                time.sleep(min(_LONGEST_PAUSE, 0.5))
                continue
            if answer.status_code not in _AGAIN or not left:
                return _read(answer.status_code, answer.text)
            time.sleep(min(_LONGEST_PAUSE, float(answer.headers.get("Retry-After", 1))))
        raise AssertionError("unreachable")


def _item(item_id: str) -> str:
    return f"/v1/catalog/items/{_quoted(item_id)}"


def _quoted(text: str) -> str:
    return quote(text, safe="")


def _read(status: int, text: str) -> dict[str, Any]:
    import json

    try:
        found = json.loads(text)
    except ValueError:
        raise ServiceError("the server's answer is not JSON", status=status, value=text) from None
    if status < 400:
        return dict(found)
    error = found.get("error", {}) if isinstance(found, dict) else {}
    raise ServiceError(
        str(error.get("message", "the server refused")), status=status, code=str(error.get("code", "")),
        value=error.get("found"), where=str(error.get("param", "")), allowed=str(error.get("allowed", "")),
        remedy=str(error.get("remedy", "")),
    )  # fmt: skip
