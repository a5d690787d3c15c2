"""`genrec recommend` and `genrec explain`: a history in, a slate with reasons out. Do not know how either is made."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from genrec.cli.shared import AsJson, BundleFolder, History, console, quiet_models, show_json, titles
from genrec.doctor import require
from genrec.errors import ConfigError

if TYPE_CHECKING:
    from genrec.recommender import Recommendation, Recommender

LengthOption = Annotated[Literal["short", "normal", "long"], typer.Option(help="How much to say.")]
LanguageOption = Annotated[str | None, typer.Option(help="Of the reasons: en, zh, if the bundle speaks it.")]
_SHOWN = 5  # titles of the history that a table's caption repeats


def recommend(
    bundle: BundleFolder,
    history: History = None,
    user: Annotated[str | None, typer.Option(help="Take the history of this user of --data.")] = None,
    data: Annotated[Path | None, typer.Option("--data", "-d", help="Prepared data, for --user.")] = None,
    k: Annotated[int, typer.Option("-k", "--k", min=1, max=200, help="Items to recommend.")] = 10,
    exclude: Annotated[list[str] | None, typer.Option(help="Titles never to show: 'title; title'; repeatable.")] = None,
    explain: Annotated[bool, typer.Option(help="Say why.")] = True,
    length: LengthOption = "normal",
    language: LanguageOption = None,
    json: AsJson = False,
) -> None:
    """The next items after a history, with reasons; popular items, and a note, where there is no history."""
    require("recommend")
    if user is not None and (data is None or history):
        raise ConfigError("--user needs --data, and no --history", value=user, remedy="name the prepared data")
    quiet_models()
    from genrec.recommender import Recommender

    recommender = _speaking(Recommender.open(bundle), language)
    known, note = _of_user(recommender, data, user) if user and data else (found(recommender, history), "")
    left_out = found(recommender, exclude)
    slate = recommender.recommend(known, k, exclude=left_out, explain=explain, length=length, language=language)
    if note:
        slate = slate.model_copy(update={"note": "; ".join(filter(None, [note, slate.note]))})
    if json:
        show_json(slate.model_dump())
    else:
        show_slate(recommender, known, slate)


def explain(
    bundle: BundleFolder,
    item: Annotated[str, typer.Option(help="Title or id of the item to explain.")],
    history: History = None,
    length: LengthOption = "normal",
    language: LanguageOption = None,
    json: AsJson = False,
) -> None:
    """Why an item would be recommended after a history, and what the reason rests on."""
    require("recommend")
    quiet_models()
    from genrec.recommender import Recommender

    recommender = _speaking(Recommender.open(bundle), language)
    known, wanted = found(recommender, history), found(recommender, [item], split=False)
    if not known:
        raise ConfigError("no history to explain from", value=history, remedy='pass --history "title; title"')
    told = recommender.explain(known, wanted, length, language)[0]
    catalog = recommender.catalog
    moved = [(catalog.titles[one.item], float(one.drop)) for one in told.evidence.interactions]
    if json:
        facts = [f"{fact.field}: {fact.value}" for fact in told.evidence.facts]
        show_json(
            {
                "id": wanted[0], "title": catalog.titles[told.item], "explanation": told.text, "checked": told.checked,
                "moved_by": [{"title": title, "drop": drop} for title, drop in moved], "shared_facts": facts,
                "statements": [
                    {"kind": one.part, "text": one.text, "evidence": list(one.cited)} for one in told.statements
                ],
            }
        )  # fmt: skip
        return
    out = console()
    out.print(f"[bold]{catalog.titles[told.item]}[/bold]: {told.text}", highlight=False)
    for title, drop in moved:
        out.print(f"  without {title} its score falls by {drop:.2f}", highlight=False, markup=False)


def show_slate(recommender: Recommender, known: list[str], slate: Recommendation, title: str = "") -> None:
    """A table of the slate, the history's last titles above it."""
    from genrec.slates import slate_table

    out = console()
    if slate.note:
        out.print(f"[yellow]{slate.note}[/yellow]")
    out.print(slate_table(recommender.catalog, known, slate, title))


def _speaking(recommender: Recommender, language: str | None) -> Recommender:
    """The same; raises ConfigError where it does not speak the language."""
    manifest = recommender.bundle.manifest
    spoken = [manifest.language, *manifest.reasons_in]
    if language is not None and language not in spoken:
        raise ConfigError(
            "the bundle does not speak this language", value=language, where="--language", allowed=", ".join(spoken),
            remedy=f"train it with reasons_in=[{language}]",
        )  # fmt: skip
    return recommender


def found(recommender: Recommender, texts: list[str] | None, *, split: bool = True) -> list[str]:
    """Item ids of titles or ids; raises UnknownItem with the nearest titles."""
    wanted = titles(texts) if split else list(texts or ())
    ids = set(recommender.catalog.item_ids)
    return [text if text in ids else recommender.find([text])[0] for text in wanted]


def _of_user(recommender: Recommender, data: Path, user: str) -> tuple[list[str], str]:
    """The user's history of items that the bundle knows, oldest first, and what there is to note."""
    import polars as pl

    from genrec.preparing import load

    mine = load(data).interactions.table.filter(pl.col("user_id") == user)["item_id"].to_list()
    ids = set(recommender.catalog.item_ids)
    known = [item for item in mine if item in ids]
    if not mine:
        return [], f"user {user} is not in the data"
    return known, "" if len(known) == len(mine) else f"{len(mine) - len(known)} items are not in the bundle's catalog"
