"""POST /v1/events and /v1/events/bulk: feedback in, acknowledged when it is durable. Does not know the database."""

from __future__ import annotations

from typing import Annotated

from fastapi import Header, Request

from serving.routes.shared import Served, note, note_user, router
from serving.schemas.events import Acknowledged, Event, Events
from serving.service import Service
from serving.store import NewEvent

routes = router("events", "events")
IdempotencyKey = Annotated[
    str | None, Header(max_length=200, pattern=r"^[\x21-\x7e]+$", description="In place of keys in the events.")
]


@routes.post("/v1/events", response_model=Acknowledged, summary="One event")
async def one(event: Event, request: Request, service: Served, idempotency_key: IdempotencyKey = None) -> Acknowledged:
    """Durable when it is answered; the user's next request sees it. The same key again is stored once."""
    note_user(request, service, event.user_id)
    return await _stored(service, request, [event], idempotency_key)


@routes.post("/v1/events/bulk", response_model=Acknowledged, summary="Many events, all or none")
async def bulk(many: Events, request: Request, service: Served, idempotency_key: IdempotencyKey = None) -> Acknowledged:
    """As one; without a key of its own, event i of the request takes the header's key and i."""
    return await _stored(service, request, many.events, idempotency_key)


async def _stored(service: Service, request: Request, events: list[Event], key: str | None) -> Acknowledged:
    new = [
        NewEvent(**{**event.model_dump(), "key": event.key or (f"{key}:{place}" if key else None)})
        for place, event in enumerate(events)
    ]
    done = await service.stored(service.store.append, new)
    for user_id in {event.user_id for event in events}:
        service.cache.drop(user_id)
    service.metrics.events.labels("stored").inc(done.stored)
    service.metrics.events.labels("duplicate").inc(done.duplicates)
    note(request, events=len(new))
    unknown = sum(not service.live.catalog.holds(event.item_id) for event in events)
    return Acknowledged(stored=done.stored, duplicates=done.duplicates, unknown_items=unknown)
