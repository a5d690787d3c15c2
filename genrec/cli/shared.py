"""Options and small helpers that several commands share. Knows no command."""

from __future__ import annotations

import json
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from genrec.errors import ConfigError

if TYPE_CHECKING:
    from genrec.bundle import Bundle

BundleFolder = Annotated[Path, typer.Option("--bundle", "-b", help="A bundle: the folder that train wrote.")]
DataFolder = Annotated[Path, typer.Option("--data", "-d", help="Prepared data: the folder that prepare wrote.")]
History = Annotated[
    list[str] | None, typer.Option("--history", help="Titles or item ids, oldest first: 'title; title'; repeatable.")
]
AsJson = Annotated[bool, typer.Option("--json", help="JSON on stdout, nothing else.")]
ConfigFile = Annotated[Path | None, typer.Option(help="YAML of settings; the shipped training/configs show all.")]
Overrides = Annotated[list[str] | None, typer.Argument(help="Settings over the file's, as section.key=value.")]


def console(stderr: bool = False) -> Console:
    """As wide as the terminal; at least 100 columns where there is none, so that tables in logs stay whole."""
    found = Console(stderr=stderr)
    return found if found.is_terminal else Console(width=max(100, found.width), stderr=stderr)


def show_json(data: Any) -> None:
    print(json.dumps(data, ensure_ascii=False, indent=1))


def bundle_facts(bundle: Bundle) -> dict[str, Any]:
    """What a script wants to know of a bundle that was made."""
    manifest = bundle.manifest
    return {
        "bundle": str(bundle.folder), "version": bundle.version, "parent": manifest.parent,
        "items": len(bundle.catalog), "files": len(manifest.files), "metrics": manifest.metrics,
    }  # fmt: skip


def titles(texts: Sequence[str] | None) -> list[str]:
    """The titles of `--history "a; b" --history c`, empty ones left out."""
    return [title.strip() for text in texts or () for title in text.split(";") if title.strip()]


def pairs(texts: Sequence[str] | None, option: str) -> dict[str, str]:
    """{"user_id": "customer"} of `--map user_id=customer`; raises ConfigError."""
    found: dict[str, str] = {}
    for text in texts or ():
        word, separator, name = text.partition("=")
        if not (separator and word.strip() and name.strip()):
            raise ConfigError("not a pair", value=text, where=option, allowed="word=column, as user_id=customer")
        found[word.strip()] = name.strip()
    return found


def child_arguments(about: str | None, config: str, *, in_place: bool = False) -> ArgumentParser:
    """What every program asks that makes a bundle of a bundle. in_place: the child may take the bundle's place."""
    goes = "folder of the child" + ("; default: the bundle's own" if in_place else "")
    parser = ArgumentParser(description=about, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, required=True, help="the bundle to begin from")
    parser.add_argument("--data", type=Path, required=True, help="prepared data, that which it learnt from included")
    parser.add_argument("--out", type=Path, required=not in_place, help=goes)
    parser.add_argument("--config", type=Path, help=f"YAML of settings; see training/configs/{config}")
    parser.add_argument("--run", type=Path, help="folder of logs, checkpoints and the report; default: OUT-run")
    parser.add_argument("--quiet", action="store_true", help="no progress bars")
    parser.add_argument("overrides", nargs="*", help="settings that override the file, as section.key=value")
    return parser


def quiet_models() -> None:
    """No progress bars and warnings of transformers between our lines."""
    import logging as standard
    import os

    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    standard.getLogger("bitsandbytes").setLevel(standard.ERROR)  # it tells every CPU of a GPU kernel it did not find
    from transformers.utils import logging

    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
