"""The application: routes behind the guard. Knows no port and no process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from genrec import __version__
from serving import examples, problems
from serving.guard import Guard
from serving.routes import about, chat, events, health, items, online, page, recommendations, tuning, users
from serving.service import Service

ROUTERS = (
    health.public, health.routes, recommendations.routes, chat.routes, events.routes, users.routes, about.routes,
    items.routes, online.routes, tuning.routes,
)  # fmt: skip


def create_app(service: Service) -> FastAPI:
    """The application of a service; starts and closes it with its own life."""

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        await service.start()
        yield
        await service.close()

    app = FastAPI(
        title="genrec", version=__version__, lifespan=life, docs_url=None, redoc_url=None,
        description="Recommendations with reasons, chat, and learning from feedback.",
    )  # fmt: skip
    app.state.service = service
    for one in ROUTERS:
        app.include_router(one)
    if service.settings.page:
        app.include_router(page.public)
    problems.install(app)
    examples.install(app, service.live)
    app.add_middleware(Guard, service=service)
    return app
