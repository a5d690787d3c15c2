"""`genrec evaluate`, `plot` and `bench report`: tables and pictures of what was measured. They measure nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genrec.cli.drift import past_of
from genrec.cli.shared import AsJson, BundleFolder, DataFolder, console, quiet_models, show_json
from genrec.doctor import require

if TYPE_CHECKING:
    from genrec.formats import Dataset

_USERS = 8  # whose interests are drawn
_OUTPUT = Path("-")


def evaluate(
    bundle: BundleFolder,
    data: DataFolder,
    json: Annotated[
        Path | None, typer.Option(help="File to write the results to, as JSON; -: standard output.")
    ] = None,
    sasrec_seconds: Annotated[float, typer.Option(min=0, help="Training time of the SASRec baseline; 0: none.")] = 60,
    cases: Annotated[int | None, typer.Option(min=1, help="Test cases at most, drawn with a seed.")] = None,
    plots: Annotated[Path | None, typer.Option(help="Folder to draw into: systems, time, training run, trie.")] = None,
) -> None:
    """One table of the bundle and tuned baselines on the test cases of the bundle's own split."""
    require("evaluate --plots" if plots else "evaluate")
    quiet_models()
    from genrec.comparing import compare, render, results_json
    from genrec.preparing import load
    from genrec.progress import watch
    from genrec.recommender import Recommender
    from genrec.storage import write_json

    watch()
    dataset, out = load(data), console(stderr=json == _OUTPUT)
    done = compare(
        Recommender.open(bundle), dataset, sasrec_seconds=sasrec_seconds or None, most=cases, say=out.print
    )  # fmt: skip
    for part in render(done):
        out.print(part)
    if json == _OUTPUT:
        show_json(results_json(done))
    elif json:
        write_json(json, results_json(done))
        out.print(f"wrote {json}")
    if plots:
        for picture in _drawn(bundle, plots, dataset, results_json(done)):
            out.print(f"wrote {picture}")


def plot(
    bundle: BundleFolder,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to draw into, as SVG.")],
    data: Annotated[Path | None, typer.Option("--data", "-d", help="Prepared data, for interests over time.")] = None,
    user: Annotated[list[str] | None, typer.Option(help="Whose interests; repeatable; default: most choices.")] = None,
    run: Annotated[Path | None, typer.Option(help="The training run; default: BUNDLE-run, beside it.")] = None,
    json: AsJson = False,
) -> None:
    """Draws a bundle: training curve, how its trie branches, and, with data, interests over time. Measures nothing."""
    require("evaluate --plots")
    quiet_models()
    from genrec.preparing import load

    pictures = _drawn(bundle, out, None if data is None else load(data), None, run, user or ())
    if json:
        show_json({"pictures": [str(one) for one in pictures]})
    else:
        print(*(f"wrote {one}" for one in pictures), sep="\n")


def _drawn(
    bundle: Path,
    out: Path,
    data: Dataset | None,
    results: dict[str, Any] | None,
    run: Path | None = None,
    users: Sequence[str] = (),
) -> list[Path]:
    """Interests are those of the users with most choices, where the bundle has learnt to find changes."""
    from genrec.bundle import Bundle
    from genrec.following import Follower, detector_of
    from genrec.items.trie import Trie
    from genrec.plotting import plot_all

    opened, timelines = Bundle.open(bundle), {}
    if data is not None and (detector := detector_of(opened)) is not None:
        follower = Follower.of(opened, detector)
        counts = data.interactions.table["user_id"].value_counts().sort("count", "user_id", descending=True)
        shown = users or counts["user_id"][:_USERS].to_list()
        timelines = {user: follower.timeline(past_of(opened, data, user)) for user in shown}
    run = run or bundle.with_name(bundle.name + "-run")
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
