"""`genrec prepare`, `validate` and `index`: from any source to prepared data and semantic IDs. Knows no model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genrec.cli.shared import AsJson, ConfigFile, Overrides, console, pairs, show_json

if TYPE_CHECKING:
    from genrec.catalog import Catalog
    from genrec.indexing import Built
    from genrec.preparing import PrepareConfig
    from genrec.ragged import Int64

Source = Annotated[Path, typer.Argument(help="A file or folder: CSV, Parquet, JSON lines, RecBole, MovieLens …")]
Format = Annotated[str | None, typer.Option(help="Name of the format; found out by itself otherwise.")]
Map = Annotated[list[str] | None, typer.Option("--map", help="word=column of a table: user_id=customer; repeatable.")]
Items = Annotated[Path | None, typer.Option("--catalog", help="A table of the items beside the log.")]
_EXAMPLES = 5


def prepare(
    source: Source,
    out: Annotated[Path, typer.Argument(help="Folder to write.")],
    format: Format = None,
    map: Map = None,
    catalog: Items = None,
    kind: Annotated[list[str] | None, typer.Option(help="Keep only interactions of this kind; repeatable.")] = None,
    min_value: Annotated[float | None, typer.Option(help="Keep only values (ratings) of at least this.")] = None,
    min_user: Annotated[int, typer.Option(min=1, help="Least interactions of a user.")] = 1,
    min_item: Annotated[int, typer.Option(min=1, help="Least interactions of an item.")] = 1,
    first_only: Annotated[bool, typer.Option(help="Of equal user and item keep the first only.")] = False,
    json: AsJson = False,
) -> None:
    """Reads a log in any known format, checks and filters it, and writes prepared data with a report."""
    from genrec.preparing import prepare as prepared
    from genrec.progress import watch

    watch()

    config = _config(format, map, catalog).model_copy(
        update={
            "kinds": tuple(kind) if kind else None, "min_value": min_value, "min_user": min_user, "min_item": min_item,
            "repeats": "first" if first_only else "keep",
        }
    )  # fmt: skip
    report = prepared(source, out, config).report
    if json:
        show_json(report.to_dict())
        return
    print(report.summary())
    print(f"wrote {out}; next: genrec train --data {out} --out bundle")


def validate(
    source: Source, format: Format = None, map: Map = None, catalog: Items = None, json: AsJson = False
) -> None:
    """Reports every problem of a log, row by row, and writes nothing. Exit code 1 when a row is bad."""
    from genrec.preparing import validate as validated
    from genrec.progress import watch

    watch()

    report = validated(source, _config(format, map, catalog))
    if json:
        show_json(report.to_dict())
    else:
        print(report.summary())
    raise typer.Exit(0 if report.ok else 1)


def index(
    data: Annotated[Path, typer.Argument(help="Prepared data.")],
    out: Annotated[Path, typer.Argument(help="Folder to write.")],
    overrides: Overrides = None,
    config: ConfigFile = None,
    json: AsJson = False,
) -> None:
    """Builds and saves the item index alone: which semantic ID each item gets, and how many had collided."""
    from genrec.doctor import require

    require("train")
    from genrec.indexing import build_index, save_index
    from genrec.preparing import load
    from genrec.progress import watch
    from genrec.settings import load_settings
    from genrec.tuning.settings import SftSettings
    from genrec.tuning.splits import split_of

    watch()
    settings = load_settings(SftSettings, config, overrides or ())
    dataset = load(data)
    split = split_of(settings.split, dataset.interactions, dataset.catalog.item_ids)
    built = build_index(dataset.catalog, split.train.histories(split.item_ids).items, settings.items)
    save_index(built.index, out)
    if json:
        show_json(_facts(built, dataset.catalog))
    else:
        _tell(built, dataset.catalog, out)


def _facts(built: Built, catalog: Catalog) -> dict[str, object]:
    index = built.index
    shown = [{"semantic_id": index.text(item), "title": catalog.titles[item]} for item in _examples(index.codes)]
    return {
        "items": len(index), "version": index.version, "sizes": list(index.sizes), "collided": built.collided,
        "trie_bytes": index.trie.nbytes,
        "examples": shown,
    }  # fmt: skip


def _tell(built: Built, catalog: Catalog, out: Path) -> None:
    from rich.table import Table

    facts = _facts(built, catalog)
    print(f"{len(built.index):,} items, semantic IDs of {facts['sizes']} codes, index {built.index.version}")
    print(f"{built.collided:,} items had codes that another item had, too; all are told apart now")
    table = Table(title="neighbours have equal first codes")
    table.add_column("semantic ID")
    table.add_column("title")
    for item in _examples(built.index.codes):
        table.add_row(built.index.text(item), catalog.titles[item])
    console().print(table)
    print(f"wrote {out}")


def _examples(codes: Int64) -> list[int]:
    """Items of the most frequent first code."""
    import numpy as np

    first = codes[:, 0]
    most = np.bincount(first).argmax()
    return [int(item) for item in np.flatnonzero(first == most)[:_EXAMPLES]]


def _config(format: str | None, map: list[str] | None, catalog: Path | None) -> PrepareConfig:
    from genrec.preparing import PrepareConfig

    return PrepareConfig(format=format, mapping=pairs(map, "--map"), catalog=catalog)
