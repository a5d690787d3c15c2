"""PUT, PATCH, DELETE and GET /v1/catalog/items/{id}: edits that are live at once and durable. Admin only."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path
from fastapi.responses import Response

from genrec.changing import ItemChange, checked_row, row_of
from genrec.errors import UnknownItem
from serving import problems
from serving.engine.room import EngineDown
from serving.fields import plain
from serving.routes.shared import Served, router
from serving.schemas.items import Deleted, Item, ItemPatch, NewItem
from serving.schemas.shared import ItemId
from serving.service import Service

routes = router("catalog", "admin")
Which = Annotated[ItemId, Path(description="The item's id.")]
PATH = "/v1/catalog/items/{item_id:path}"


@routes.get(PATH, response_model=Item, summary="An item as it stands")
async def get(item_id: Which, service: Served) -> Item:
    """Its fields, and whether it may be recommended."""
    return _item(service, item_id)


@routes.put(PATH, response_model=Item, summary="A new item, or one that is whole another")
async def put(item_id: Which, new: NewItem, service: Served) -> Response | Item:
    """Recommended from the next request on, without retraining: it takes a free semantic ID near its text. A new item
    is refused where none is left (409), and for a moment where the engine, which knows, is away (503)."""
    checked_row(service.live.catalog, item_id, new.fields)
    try:
        await service.put(item_id, new.fields, available=new.available)
    except EngineDown:
        return problems.later("the language model, which gives a new item its semantic ID, is not available", 1)
    return _item(service, item_id)


@routes.patch(PATH, response_model=Item, summary="Single fields, or stock")
async def patch(item_id: Which, edit: ItemPatch, service: Served) -> Item:
    """`{"available": false}` takes it out of all slates at once."""
    _known(service, item_id)
    if edit.fields:
        row_of(service.live.catalog, ItemChange(item_id, edit.fields, whole=False))
    await service.stored(service.store.patch_item, item_id, edit.fields or None, edit.available)
    await service.sync()
    return _item(service, item_id)


@routes.delete(PATH, response_model=Deleted, summary="An item that is gone")
async def delete(item_id: Which, service: Served) -> Deleted:
    """Never recommended again, until it is put anew."""
    _known(service, item_id)
    await service.stored(service.store.delete_item, item_id)
    await service.sync()
    return Deleted(item_id=item_id, edition=service.live.edition)


def _known(service: Service, item_id: str) -> int:
    if not service.live.catalog.holds(item_id):
        raise UnknownItem("no such item in the catalog", value=item_id, remedy="put it whole")
    return int(service.live.catalog.numbers([item_id])[0])


def _item(service: Service, item_id: str) -> Item:
    live, number = service.live, _known(service, item_id)
    fields = {name: plain(value) for name, value in live.catalog.row(number).items() if name != "item_id"}
    return Item(item_id=item_id, fields=fields, available=bool(live.available[number]), edition=live.edition)
