"""/healthz, /readyz, /metrics. The first two are the only routes that need no key."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST

from serving.routes.shared import Served, router
from serving.schemas.shared import Answer

public = APIRouter(tags=["health"])
routes = router("health", "metrics", "admin")


class Health(Answer):
    """status: ok, starting or stopping; engine: up or down."""

    status: str
    engine: str | None = None


@public.get("/healthz", response_model=Health, response_model_exclude_none=True, summary="Is the process alive?")
async def healthz() -> Health:
    """Answers as long as the server runs; says nothing of the engine, whose fall must not restart the server."""
    return Health(status="ok")


@public.get("/readyz", response_model=Health, summary="May it get requests?", responses={503: {"model": Health}})
async def readyz(service: Served) -> Response:
    """503 while starting and stopping and without a store; without the engine it answers from priors and is ready."""
    status = await service.status()
    found = Health(status=status, engine="up" if service.room.up else "down")
    return JSONResponse(found.model_dump(), 200 if status == "ok" else 503)


@routes.get("/metrics", response_class=Response, summary="For Prometheus")
async def metrics(service: Served) -> Response:
    """The exposition format; needs a key with the scope metrics."""
    return Response(service.metrics.text(), media_type=CONTENT_TYPE_LATEST)
