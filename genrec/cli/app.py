"""Puts the commands together. Knows their names and order, nothing of what they do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from genrec import __version__
from genrec.cli import (
    aligning,
    answers,
    bundles,
    checks,
    data,
    drift,
    measuring,
    rating,
    refreshing,
    serving,
    start,
    training,
)

EXIT_CODES = (
    "Exit codes: 0 done; 1 a check found something (validate: a row is bad; bench report: a claim misses its target);"
    " 2 an error, said in one panel; 130 stopped."
)
PANELS: dict[str, tuple[Callable[..., None], ...]] = {
    "Data": (data.prepare, data.validate, data.index),
    "Models": (
        training.train,
        training.train_chat,
        training.search,
        refreshing.refresh,
        aligning.align,
        measuring.evaluate,
        measuring.plot,
    ),
    "Answers": (answers.recommend, answers.explain, rating.rate, drift.drift, serving.chat),
    "Service": (serving.serve, serving.key),
    "Bundles": (bundles.copy, bundles.push, bundles.export, training.shrink),
    "Checks": (checks.doctor,),
}


def application() -> typer.Typer:
    app = typer.Typer(
        add_completion=True, pretty_exceptions_enable=False, rich_markup_mode="rich", epilog=EXIT_CODES,
        help="A generative recommender: a causal language model that writes the next item, and says why.",
    )  # fmt: skip
    app.callback(invoke_without_command=True)(_root)
    app.command()(training.demo)
    for panel, commands in PANELS.items():
        for command in commands:
            app.command(rich_help_panel=panel)(command)
    app.add_typer(measuring.benches(), name="bench", rich_help_panel="Checks")
    return app


def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True)] = False,
) -> None:
    if version:
        print(__version__)
        raise typer.Exit
    if context.invoked_subcommand is None:
        start.show(Path.cwd(), Console())
