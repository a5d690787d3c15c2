"""POST /v1/recommendations and /v1/explanations. Do not rank."""

from __future__ import annotations

from fastapi import Request
from fastapi.responses import Response

from serving import problems
from serving.answering import reasons, slate
from serving.engine.room import EngineDown
from serving.past import past_of
from serving.routes.shared import Served, note, note_user, router
from serving.schemas.recommendations import ExplanationRequest, Explanations, Slate, SlateRequest

routes = router("recommendations", "recommend")


@routes.post("/v1/recommendations", response_model=Slate, summary="The next items of a user")
async def recommendations(asked: SlateRequest, request: Request, service: Served) -> Slate:
    """Items that may come next, best first, with reasons. `id` is what feedback refers to."""
    note_user(request, service, asked.user_id)
    past = await past_of(service, asked.user_id, asked.history, asked.without, service.of(asked.model))
    made = await slate(service, asked, past)
    note(request, items=len(made.items), degraded=made.degraded)
    return made


@routes.post("/v1/explanations", response_model=Explanations, summary="Why these items")
async def explanations(asked: ExplanationRequest, request: Request, service: Served) -> Response | Explanations:
    """Reasons for items of your choice: which interactions speak for each, and what they share."""
    note_user(request, service, asked.user_id)
    live = service.of(asked.model)
    past = await past_of(service, asked.user_id, asked.history, live=live)
    try:
        told = await reasons(service, live, past, asked.items, asked.length, asked.language)
    except EngineDown:
        return problems.later("the language model is not available", service.settings.engine.rest_s)
    return Explanations(items=told, model=live.version)
