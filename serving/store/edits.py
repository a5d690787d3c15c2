"""Edits of the catalog, one row for each item edited, as it stands now. On an open transaction; knows no bundle."""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import Connection, RowMapping, select, update

from genrec.errors import UnknownItem
from serving.store.records import CatalogChange, ItemEdit
from serving.store.statements import inserting
from serving.store.tables import CATALOG, catalog_items, counters


def changes(connection: Connection, since: int) -> list[CatalogChange]:
    """The items edited after version `since`, in the order of their latest edits."""
    found = select(catalog_items).where(catalog_items.c.version > since).order_by(catalog_items.c.version)
    return [CatalogChange(**row) for row in connection.execute(found).mappings()]


def version(connection: Connection) -> int:
    """That of the latest edit; 0 before the first."""
    return int(connection.execute(select(counters.c.value).where(counters.c.name == CATALOG)).scalar_one())


def put(connection: Connection, edit: ItemEdit) -> int:
    """The item is these fields and nothing else; available unless said otherwise."""
    number = _next(connection)
    return _store(connection, number, edit.item_id, edit.fields, True, edit.available is not False, False)


def patch(connection: Connection, edit: ItemEdit) -> int:
    """Fields laid over those that are there; None empties a field. Raises UnknownItem for a deleted item."""
    number = _next(connection)
    before = _before(connection, edit.item_id)
    if before is not None and before["deleted"]:
        raise UnknownItem("the item was deleted", value=edit.item_id, remedy="put it whole")
    fields = {**(before["fields"] if before is not None else {}), **edit.fields}
    was = bool(before["available"]) if before is not None else True
    available = was if edit.available is None else edit.available
    return _store(connection, number, edit.item_id, fields, bool(before and before["whole"]), available, False)


def delete(connection: Connection, item_id: str) -> int:
    """The item is gone, its fields with it; deleting it again changes nothing."""
    return _store(connection, _next(connection), item_id, {}, True, False, True)


def _next(connection: Connection) -> int:
    """The next version. The counter's row stays locked until the commit, so versions appear in their order."""
    raised = update(counters).where(counters.c.name == CATALOG).values(value=counters.c.value + 1)
    return int(connection.execute(raised.returning(counters.c.value)).scalar_one())


def _before(connection: Connection, item_id: str) -> RowMapping | None:
    return connection.execute(select(catalog_items).where(catalog_items.c.item_id == item_id)).mappings().first()


def _store(
    connection: Connection,
    number: int,
    item_id: str,
    fields: dict[str, Any],
    whole: bool,
    available: bool,
    deleted: bool,
) -> int:
    state = {"version": number, "fields": fields, "whole": whole, "available": available, "deleted": deleted}
    state["changed_at"] = int(time.time())
    adding = inserting(connection, catalog_items).values(item_id=item_id, **state)
    connection.execute(adding.on_conflict_do_update(index_elements=["item_id"], set_=state))
    return number
