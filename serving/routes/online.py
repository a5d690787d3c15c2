"""GET /v1/metrics/online: how recommendations fare with users. Does not compute."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from serving.routes.shared import Served, router
from serving.schemas.events import Online

routes = router("metrics", "metrics", "admin")
When = Annotated[int | None, Query(ge=0, lt=100_000_000_000, description="UTC seconds")]


@routes.get("/v1/metrics/online", response_model=Online, summary="CTR and CVR by model version and slot")
async def online(service: Served, since: When = None, until: When = None) -> Online:
    """Of the slates shown in [since, until), with Wilson's 95 % intervals."""
    return Online(rows=await service.stored(service.store.online, since, until))
