"""`genrec evaluate` and `genrec bench report`: tables of what was measured. Do not measure by themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from genrec.cli.shared import AsJson, BundleFolder, DataFolder, console, quiet_models, show_json
from genrec.doctor import require


def evaluate(
    bundle: BundleFolder,
    data: DataFolder,
    json: Annotated[Path | None, typer.Option(help="File to write the results to, as JSON.")] = None,
    sasrec_seconds: Annotated[float, typer.Option(min=0, help="Training time of the SASRec baseline; 0: none.")] = 60,
    cases: Annotated[int | None, typer.Option(min=1, help="Test cases at most, drawn with a seed.")] = None,
) -> None:
    """One table of the bundle and tuned baselines on the test cases of the bundle's own split."""
    require("evaluate")
    quiet_models()
    from genrec.comparing import compare, render, results_json
    from genrec.preparing import load
    from genrec.recommender import Recommender
    from genrec.storage import write_json

    dataset, out = load(data), console()
    done = compare(
        Recommender.open(bundle), dataset, sasrec_seconds=sasrec_seconds or None, most=cases, say=out.print
    )  # fmt: skip
    for part in render(done):
        out.print(part)
    if json:
        write_json(json, results_json(done))
        out.print(f"wrote {json}")


def benches() -> typer.Typer:
    app = typer.Typer(help="The claims of benchmarks/ and what was measured.", no_args_is_help=True)
    app.callback()(_claims)
    app.command("report")(report)
    return app


def _claims() -> None:
    """The claims of benchmarks/ and what was measured."""


def report(
    folder: Annotated[Path | None, typer.Option(help="Result files; default: benchmarks/results of the clone.")] = None,
    json: AsJson = False,
) -> None:
    """All claims with their measured values, those that miss their target first. Exit code 1 when one misses."""
    from genrec import benchmarking

    claims = benchmarking.report(folder or benchmarking.RESULTS)
    if json:
        show_json([one.model_dump() | {"met": one.met} for one in claims])
    else:
        print(*map(benchmarking.line, claims) if claims else ["no results yet: make bench"], sep="\n")
    raise typer.Exit(0 if all(one.met for one in claims) else 1)
