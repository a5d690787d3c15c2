"""POST /v1/chat/completions and GET /v1/models, as OpenAI's clients know them. Does not understand messages."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from typing import Any

from fastapi import Request
from fastapi.responses import Response, StreamingResponse

from serving.live import Live
from serving.past import Past, past_of
from serving.routes.shared import Served, note, note_user, router
from serving.schemas.chat import ChatCompletion, ChatRequest, Choice, Model, Models, Said, Understood, chunk
from serving.schemas.shared import MODEL
from serving.service import Service
from serving.talking import Talk, held_of, talk, understand

routes = router("chat", "recommend")


_STREAM: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {}}, "description": "Whole, or as a stream"}
}


@routes.post(
    "/v1/chat/completions", response_model=ChatCompletion, summary="Chat, as OpenAI's clients do", responses=_STREAM
)
async def completions(asked: ChatRequest, request: Request, service: Served) -> Response | ChatCompletion:
    """The text names the items; `items` carries them, `constraints` what was understood, `followup` a question."""
    note_user(request, service, asked.user)
    live = service.of(asked.model)
    held = held_of(live, asked.understood)
    past = await past_of(service, asked.user, asked.history, asked.without, live)
    done = await talk(service, asked, past, await understand(service, asked.messages, held))
    answer = _completion(live, done, past)
    note(request, items=len(answer.items), degraded=answer.degraded, stream=asked.stream)
    if asked.stream:
        return StreamingResponse(_streamed(answer), media_type="text/event-stream")
    return answer


@routes.get("/v1/models", response_model=Models, summary="Names that a request's model may be")
async def models(service: Served) -> Models:
    """`genrec`, the version of the bundle that is behind it, and the bundles beside it by name."""
    main = service.live
    named = {MODEL: main, main.version: main, **service.beside.lives}
    return Models(data=[_model(service, name, live) for name, live in named.items()])


def _model(service: Service, name: str, live: Live) -> Model:
    ready = service.room.up and (not live.beside or service.room.speaks(live.version))
    adapter = live.bundle.manifest.adapter
    return Model(id=name, created=service.started, version=live.version, adapter=adapter, ready=ready)


def _completion(live: Live, done: Talk, past: Past) -> ChatCompletion:
    made, whole = done.slate, done.whole
    return ChatCompletion(
        id=f"chatcmpl-{made.id if made is not None else 'question'}", created=int(time.time()),
        model=live.version, choices=[Choice(message=Said(content=done.text))],
        recommendation_id=made.id if made is not None else None,
        items=made.items if made is not None else [],
        constraints=Understood(
            liked=list(whole.liked), disliked=list(whole.disliked), seen=list(whole.seen),
            shown=list(whole.shown), rules=list(whole.rules), language=whole.language,
            liked_traits=list(whole.liked_traits), disliked_traits=list(whole.disliked_traits),
            moods=list(whole.moods), unwanted_moods=list(whole.unwanted_moods), count=whole.count,
            surprise=whole.surprise, unlinked=list(whole.unlinked), taken_as=dict(whole.taken_as),
        ),
        followup=done.followup, no_match=made.no_match if made is not None else None,
        window=made.window if made is not None else past.window, degraded=made is not None and made.degraded,
    )  # fmt: skip


async def _streamed(answer: ChatCompletion) -> AsyncIterator[str]:
    """The role, the text line by line, the extras with the last chunk, and the end sign."""
    whole: dict[str, Any] = answer.model_dump(mode="json")
    identity = {name: whole.pop(name) for name in ("id", "created", "model")}
    text = whole.pop("choices")[0]["message"]["content"]
    del whole["object"]
    yield _event(chunk(identity, {"role": "assistant", "content": ""}))
    for line in text.splitlines(keepends=True):
        yield _event(chunk(identity, {"content": line}))
    yield _event(chunk(identity, {}, "stop", **whole))
    yield "data: [DONE]\n\n"


def _event(data: dict[str, Any]) -> str:
    return f"data: {json.dumps(data, ensure_ascii=False)}\n\n"
