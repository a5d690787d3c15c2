"""GET and DELETE /v1/users/{id}: what is known of a user, all of it as an export, and its removal; GET /v1/users: who
there is. Admin only."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import Path, Query, Request
from fastapi.responses import Response

from genrec.interest.past import Past
from serving import problems
from serving.past import past_of
from serving.routes.shared import Served, note_user, router
from serving.schemas.shared import UserId
from serving.schemas.users import Erased, Exported, Happened, Interests, Known, User, Users

routes = router("users", "admin")
Whose = Annotated[UserId, Path(description="The user's id.")]


@routes.get("/v1/users", response_model=Users, summary="Users with a history")
async def users(service: Served, most: Annotated[int, Query(ge=1, le=100)] = 20) -> Users:
    """Those with the newest interactions, newest first."""
    found = await service.stored(service.store.people, most)
    return Users(users=[Known(user_id=one.user_id, events=one.events, last=one.last) for one in found])


@routes.get("/v1/users/{user_id:path}", response_model=User, summary="Window, profile and timeline of a user")
async def user(
    user_id: Whose, request: Request, service: Served, most: Annotated[int, Query(ge=1, le=1000)] = 100
) -> User:
    """What a prompt shows of this user now, and the newest interactions; an unknown user has none."""
    note_user(request, service, user_id)
    past = await past_of(service, user_id, None)
    history = await service.stored(service.store.history, user_id, most)
    titles = _titles(service, history.item_ids)
    rows = zip(history.item_ids, history.kinds, history.timestamps, history.values, strict=True)
    timeline = [
        Happened(item_id=item, title=titles.get(item), kind=kind, timestamp=when, value=value)
        for item, kind, when, value in rows
    ]
    return User(
        user_id=user_id, version=past.version, window=past.window, shown=list(past.shown),
        disliked=list(past.disliked), timeline=timeline,
    )  # fmt: skip


@routes.get("/v1/interests/{user_id:path}", response_model=Interests, summary="How a user's interest moved")
async def interests(user_id: Whose, request: Request, service: Served) -> Response | Interests:
    """Segments in the catalog's words, when each change was noticed its sureness; a user without choices has none.
    404 where the bundle was trained on too little to tell changes from chance."""
    note_user(request, service, user_id)
    live = service.live
    if live.timelines is None:
        return problems.answer(404, "the bundle holds no detector of changes", remedy="train it on a larger log")
    kept = await service.stored(service.store.history, user_id, service.settings.limits.history)
    past = Past.of(live.catalog, kept.item_ids, kept.timestamps, kept.kinds, kept.values)
    found = await asyncio.to_thread(live.timelines.timeline, past)
    return Interests(
        user_id=user_id, version=kept.version, segments=found.segments, false_alarms=found.false_alarms,
        model=live.version,
    )  # fmt: skip


@routes.get("/v1/exports/{user_id:path}", response_model=Exported, summary="All that is stored on a user")
async def export(user_id: Whose, request: Request, service: Served) -> Any:
    """Every event and every slate, as JSON."""
    note_user(request, service, user_id)
    return await service.stored(service.store.export, user_id)


@routes.delete("/v1/users/{user_id:path}", response_model=Erased, summary="Erase a user")
async def erase(user_id: Whose, request: Request, service: Served) -> Erased:
    """Removes the user from all tables; a later export is empty."""
    note_user(request, service, user_id)
    removed = await service.stored(service.store.erase, user_id)
    service.cache.drop(user_id)
    return Erased(removed=removed)


def _titles(service: Served, items: list[str]) -> dict[str, str]:
    catalog = service.live.catalog
    known = [item for item in items if catalog.holds(item)]
    return {item: catalog.titles[number] for item, number in zip(known, catalog.numbers(known).tolist(), strict=True)}
