"""`genrec evaluate` and `genrec bench report`: tables of what was measured. Do not measure by themselves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genrec.cli.drift import past_of
from genrec.cli.shared import AsJson, BundleFolder, DataFolder, console, quiet_models, show_json
from genrec.doctor import require

if TYPE_CHECKING:
    from genrec.formats import Dataset

_USERS = 8  # whose interests are drawn


def evaluate(
    bundle: BundleFolder,
    data: DataFolder,
    json: Annotated[Path | None, typer.Option(help="File to write the results to, as JSON.")] = None,
    sasrec_seconds: Annotated[float, typer.Option(min=0, help="Training time of the SASRec baseline; 0: none.")] = 60,
    cases: Annotated[int | None, typer.Option(min=1, help="Test cases at most, drawn with a seed.")] = None,
    plots: Annotated[Path | None, typer.Option(help="Folder to draw into: systems, time, training run, trie.")] = None,
) -> None:
    """One table of the bundle and tuned baselines on the test cases of the bundle's own split."""
    require("evaluate --plots" if plots else "evaluate")
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
    if plots:
        for picture in _drawn(bundle, dataset, results_json(done), plots):
            out.print(f"wrote {picture}")


def _drawn(bundle: Path, data: Dataset, results: dict[str, Any], out: Path) -> list[Path]:
    """Interests are those of the users with most choices, where the bundle has learnt to find changes."""
    from genrec.bundle import Bundle
    from genrec.following import Follower, detector_of
    from genrec.items.trie import Trie
    from genrec.plotting import plot_all

    opened, timelines = Bundle.open(bundle), {}
    if (detector := detector_of(opened)) is not None:
        follower = Follower.of(opened, detector)
        users = data.interactions.table["user_id"].value_counts().sort("count", "user_id", descending=True)["user_id"]
        timelines = {user: follower.timeline(past_of(opened, data, user)) for user in users[:_USERS].to_list()}
    run = bundle.with_name(bundle.name + "-run")
    return plot_all(results, Trie.build(opened.index.codes), run, timelines, out)


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
