"""Amazon reviews of 2014 and 2018 (reviewerID, asin, unixReviewTime in seconds) and 2023 (user_id, parent_asin,
timestamp in milliseconds), as JSON lines, .gz or not, with the products in a file named meta….

Each review is an interaction of kind "rating", the stars being its value. The 2014 products are Python literals, which
are parsed and never run. Product fields: title, brand (2023: store), price, categories (one flat list), description.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from genrec.errors import DataError
from genrec.formats.items import column_of
from genrec.formats.jsonlines import objects, parse, text_columns
from genrec.formats.lines import first_line
from genrec.formats.places import bare_suffix, files_of
from genrec.formats.report import Tally

_OLD = {"user_id": "reviewerID", "item_id": "asin", "timestamp": "unixReviewTime", "value": "overall"}
_NEW = {"user_id": "user_id", "item_id": "parent_asin", "timestamp": "timestamp", "value": "rating"}


def found(place: Path) -> bool:
    return _reviews(place) is not None


def _json_files(place: Path, *, meta: bool) -> list[Path]:
    named = [path for path in files_of(place) if bare_suffix(path) in (".json", ".jsonl")]
    return [path for path in named if path.name.lower().startswith("meta") is meta]


def _reviews(place: Path) -> tuple[Path, dict[str, str]] | None:
    """The file of reviews and its keys, told by the first line."""
    for path in _json_files(place, meta=False):
        keys = parse(first_line(path)[1]) or {}
        for names in (_OLD, _NEW):
            if names["user_id"] in keys and names["item_id"] in keys:
                return path, names
    return None


def events(place: Path, tally: Tally) -> Iterator[tuple[str, pl.DataFrame]]:
    reviews = _reviews(place)
    if reviews is None:
        allowed = "JSON lines whose first has reviewerID and asin, or user_id and parent_asin"
        raise DataError("no Amazon reviews here", where=str(place), allowed=allowed, remedy="name the format")
    path, names = reviews
    for block in objects(path, tally, "interactions"):
        table = text_columns(block, names, path.name, tally)
        yield path.name, table.with_columns(kind=pl.lit("rating"))


def items(place: Path, tally: Tally) -> tuple[str, pl.DataFrame] | None:
    path = next(iter(_json_files(place, meta=True)), None)
    if path is None:
        return None
    lines: list[int] = []
    products: list[dict[str, Any]] = []
    for block in objects(path, tally, "catalog", literals=True):
        lines += block.lines
        products += [_product(row) for row in block.rows]
    names = ("item_id", "title", "brand", "price", "categories", "description")
    columns = [column_of(name, [product[name] for product in products]) for name in names]
    return path.name, pl.DataFrame([pl.Series("line", lines, dtype=pl.Int64), *columns])


def _product(row: dict[str, Any]) -> dict[str, Any]:
    categories = dict.fromkeys(_flat(row.get("categories") or row.get("category") or row.get("main_category")))
    return {
        "item_id": _plain(row.get("parent_asin") or row.get("asin")),
        "title": _plain(row.get("title")),
        "brand": _plain(row.get("brand") or row.get("store")),
        "price": _price(row.get("price")),
        "categories": list(categories),
        "description": " ".join(_flat(row.get("description"))) or None,
    }


def _plain(value: Any) -> str | None:
    return None if value is None or isinstance(value, dict | list) else str(value)


def _flat(value: Any) -> list[str]:
    """The texts of a value that may be a text, a list or a list of lists."""
    if isinstance(value, list | tuple):
        return [text for one in value for text in _flat(one)]
    text = _plain(value)
    return [text.strip()] if text and text.strip() else []


def _price(value: Any) -> float | None:
    """12.99 from 12.99 or "$12.99"; None for what is no number (such as "from 9.99 - 12.99")."""
    try:
        price = float(str(value).strip().removeprefix("$").replace(",", ""))
    except ValueError:
        return None
    return price if 0 <= price < float("inf") else None
