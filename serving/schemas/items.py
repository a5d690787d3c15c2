"""Items of the catalog and their edits. Knows no route."""

from __future__ import annotations

from typing import Any

from pydantic import Field, JsonValue

from serving.schemas.shared import Answer, Body


class NewItem(Body):
    """The item is these fields and nothing else; `title` is needed, others are the catalog's own."""

    fields: dict[str, JsonValue] = Field(max_length=100)
    available: bool = True


class ItemPatch(Body):
    """Single fields (null empties one), or whether the item may be recommended."""

    fields: dict[str, JsonValue] = Field(default_factory=dict, max_length=100)
    available: bool | None = None


class Item(Answer):
    """An item as it stands. edition: number of the catalog's last edit."""

    item_id: str
    fields: dict[str, Any]
    available: bool
    edition: int


class Deleted(Answer):
    """It may no longer be recommended; histories that hold it can still be read."""

    item_id: str
    edition: int
