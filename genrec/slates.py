"""A slate as a table for the terminal. Knows answers and catalogs; ranks nothing."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from genrec.catalog import Catalog
from genrec.recommender import Recommendation

_LAST = 5  # titles of the history that are repeated


def slate_table(catalog: Catalog, history: Sequence[str], slate: Recommendation, title: str = "") -> Table:
    """Rank, title and reason; above it the history's last titles."""
    reasons = any(item.explanation for item in slate.items)
    table = Table(title=Text(title or _after(catalog, history)), title_justify="left")
    table.add_column("#", justify="right")
    table.add_column("recommended", style="bold")
    table.add_column("score", justify="right")
    if reasons:
        table.add_column("why")
    for item in slate.items:
        row = [Text(str(item.rank)), Text(item.title), Text(f"{item.score:.2f}")]
        table.add_row(*row, *([Text(item.explanation or "")] if reasons else []))
    return table


def _after(catalog: Catalog, history: Sequence[str]) -> str:
    """`after … ; Alien; Blade Runner`, the newest last."""
    if not len(history):
        return "popular now"
    names = [catalog.titles[number] for number in catalog.numbers(history[-_LAST:])]
    return "after " + ("…; " if len(history) > _LAST else "") + "; ".join(names)
