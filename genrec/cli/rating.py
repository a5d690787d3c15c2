"""`genrec rate`: what somebody will rate items, from their earlier ratings. Does not know how that is found."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genrec.cli.answers import found
from genrec.cli.shared import AsJson, BundleFolder, console, quiet_models, show_json, titles
from genrec.doctor import require
from genrec.errors import ConfigError

if TYPE_CHECKING:
    from genrec.recommender import Recommender

Rated = list[tuple[str, float]]


def rate(
    bundle: BundleFolder,
    item: Annotated[list[str], typer.Option(help="Titles or ids of items to rate: 'title; title'; repeatable.")],
    rated: Annotated[
        list[str] | None, typer.Option(help="Earlier ratings, oldest first: 'title = 4; title = 2.5'; repeatable.")
    ] = None,
    user: Annotated[str | None, typer.Option(help="Take the ratings of this user of --data.")] = None,
    data: Annotated[Path | None, typer.Option("--data", "-d", help="Prepared data, for --user.")] = None,
    json: AsJson = False,
) -> None:
    """What somebody will rate items: the mean over the ratings that the model thinks possible. For a bundle that was
    trained with mixture.rating=1."""
    require("recommend")
    if (user is None) == (rated is None) or (user is not None and data is None):
        raise ConfigError(
            "whose ratings?", value=user, allowed="--rated, or --user with --data", remedy="--rated 'title = 4'"
        )
    quiet_models()
    from genrec.recommender import Recommender

    recommender = Recommender.open(bundle)
    known = _typed(recommender, rated or []) if data is None or user is None else _of_user(recommender, data, user)
    judged = recommender.ratings(known, found(recommender, item))
    if json:
        show_json([one.model_dump() for one in judged])
        return
    out = console()
    out.print(f"from {len(known)} ratings", highlight=False)
    for one in judged:
        said = max(one.chances, key=lambda name: one.chances[name])
        out.print(
            f"{one.expected:5.2f}  {one.title}  (median {one.median:g}; {said} with chance {one.chances[said]:.2f})",
            highlight=False, markup=False,
        )  # fmt: skip


def _typed(recommender: Recommender, texts: list[str]) -> Rated:
    rows = [text.rpartition("=") for text in titles(texts)]
    wrong = [text for text, (title, _, said) in zip(titles(texts), rows, strict=True) if not (title and _number(said))]
    if wrong:
        raise ConfigError("not a rating", value=wrong[0], where="--rated", allowed="title = number, as 'Heat = 4.5'")
    items = found(recommender, [title.strip() for title, _, _ in rows], split=False)
    return [(item, float(said)) for item, (_, _, said) in zip(items, rows, strict=True)]


def _number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _of_user(recommender: Recommender, data: Path, user: str) -> Rated:
    """What the user rated of the bundle's items, oldest first."""
    import polars as pl

    from genrec.preparing import load

    log = load(data).interactions
    rows = log.table.filter(pl.col("user_id") == user)
    rows = rows.drop_nulls("value") if "value" in rows.columns else rows.clear().with_columns(value=pl.lit(0.0))
    mine = rows.filter(pl.col("item_id").is_in(recommender.catalog.item_ids))
    if not len(mine):
        raise ConfigError(
            "the data hold no ratings of this user", value=user, where=str(data), remedy="--rated 'title = 4'"
        )
    return list(zip(mine["item_id"].to_list(), mine["value"].to_list(), strict=True))
