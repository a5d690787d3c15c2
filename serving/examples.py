"""Examples in the OpenAPI document, made of the bundle's own items, so that they work when pasted. Knows no handler."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from genrec.chatting.linking import examples as spoken
from serving.live import Live

USER, ITEM = "ann", "example-item"
Bodies = dict[tuple[str, str], dict[str, Any]]


def bodies(live: Live) -> Bodies:
    """(method, path) → name → request body; in an order in which they can be sent one after the other."""
    first, second, third = (live.catalog.item_ids * 3)[:3]
    title = live.catalog.titles[0]
    event = {"user_id": USER, "item_id": first, "kind": "like", "key": "example-1"}
    slates: dict[str, Any] = {
        "a stored user": {"user_id": USER, "k": 5},
        "a history": {"history": [first, second], "k": 3, "explain": False},
        "diverse": {"history": [first, second], "k": 5, "diversity": 0.4, "exclude": [third]},
    }
    if rule := _rule(live):
        slates["only some"] = {"user_id": USER, "k": 5, "filters": [rule]}
    return {
        ("post", "/v1/events"): {"a like": event},
        ("post", "/v1/events/bulk"): {
            "two": {"events": [event, {**event, "item_id": second, "kind": "view", "key": "example-2"}]}
        },
        ("post", "/v1/recommendations"): slates,
        ("post", "/v1/explanations"): {"why": {"history": [first], "items": [third]}},
        ("post", "/v1/chat/completions"): {
            "a wish": {"model": "genrec", "messages": [{"role": "user", "content": f"I liked “{title}”, give me 3"}]},
            "too vague": {"messages": [{"role": "user", "content": "hello"}]},
        },
        ("put", "/v1/catalog/items/{item_id}"): {"new": {"fields": {"title": "An example"}, "available": True}},
        ("patch", "/v1/catalog/items/{item_id}"): {"out of stock": {"available": False}},
    }


def install(app: FastAPI, live: Live) -> None:
    """The document of `app` with these examples, built when it is first asked for."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _filled(plain(), live)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _filled(schema: dict[str, Any], live: Live) -> dict[str, Any]:
    for (method, path), named in bodies(live).items():
        content = schema["paths"][path][method]["requestBody"]["content"]["application/json"]
        content["examples"] = {name: {"value": value} for name, value in named.items()}
    for operations in schema["paths"].values():
        for operation in operations.values():
            for parameter in operation.get("parameters", ()):
                if value := {"user_id": USER, "item_id": ITEM}.get(parameter["name"]):
                    parameter["example"] = value
    return schema


def _rule(live: Live) -> dict[str, Any] | None:
    """A rule that some items meet, as a user would state it."""
    for field in spoken(live.catalog):
        name, _, values = field.partition(" (")
        return {"field": name, "op": "=", "value": values.rstrip(")").split(", ")[0]}
    return None
