"""GET /v1/about and /v1/catalog/items: what a page needs to show a catalog. Change nothing."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import Query, Request
from rapidfuzz import fuzz, process, utils

from genrec.chatting.rules import Bool
from genrec.errors import ConfigError
from serving.fields import plain
from serving.keys import Key
from serving.live import Live
from serving.routes.shared import Served, router
from serving.schemas.about import About, Card, Cards
from serving.schemas.shared import ItemId

routes = router("about", "recommend")
_MOST = 200
Ids = Annotated[list[ItemId] | None, Query(alias="id", max_length=_MOST, description="Item ids; repeatable.")]
Words = Annotated[str | None, Query(min_length=1, max_length=200, description="Words of a title, perhaps misspelt.")]


@routes.get("/v1/about", response_model=About, summary="What is served")
async def about(request: Request, service: Served) -> About:
    """The catalog's fields, the priors and their weights, and what this key may do."""
    live, key = service.live, request.scope["state"]["key"]
    assert isinstance(key, Key)
    manifest = live.bundle.manifest
    return About(
        model=live.version, items=int(live.available.sum()), language=manifest.language,
        languages=[manifest.language, *manifest.reasons_in],
        reads="grammar" if manifest.chat is None else "model",
        priors={name: float(live.mix.weights.get(name, 0.0)) for name in live.mix.names()},
        fields=await asyncio.to_thread(lambda: live.spoken.fields), scopes=list(key.scopes),
        most=service.settings.limits.k, interests=live.timelines is not None,
    )  # fmt: skip


@routes.get("/v1/catalog/items", response_model=Cards, summary="Items by id or by words of the title")
async def items(
    service: Served, ids: Ids = None, q: Words = None, most: Annotated[int, Query(ge=1, le=_MOST)] = 10
) -> Cards:
    """Either `id`, repeated: these items in this order; or `q`: the `most` best titles that may be recommended."""
    live = service.live
    if (ids is None) == (q is None):
        raise ConfigError("name items or words", where="id, q", allowed="one of the two")
    if q is not None:
        return Cards(items=[_card(live, number) for number in await asyncio.to_thread(_found, live, q, most)])
    return Cards(items=[_card(live, number) for number in live.catalog.numbers(ids or ()).tolist()])


def _found(live: Live, words: str, most: int) -> list[int]:
    """Numbers of items, the best title first; those whose titles begin with the words before others as good."""
    titles = live.catalog.titles
    scored = process.extract(
        words, titles, scorer=fuzz.WRatio, processor=utils.default_process, score_cutoff=60, limit=4 * most
    )
    said = words.casefold().strip()
    ranked = sorted(scored, key=lambda one: (said not in one[0].casefold(), -one[1]))
    return [number for _, _, number in ranked if _available(live.available, number)][:most]


def _available(available: Bool, number: int) -> bool:
    return bool(available[number])


def _card(live: Live, number: int) -> Card:
    row = live.catalog.row(number)
    fields = {name: plain(row[name]) for name in live.catalog.fields if row[name] is not None}
    return Card(
        id=live.catalog.item_ids[number], title=live.catalog.titles[number], fields=fields,
        available=bool(live.available[number]),
    )  # fmt: skip
