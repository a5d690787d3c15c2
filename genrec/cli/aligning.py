"""`genrec align`: collects what the store has, and runs training/dpo.py. Trains nothing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Annotated, Any

import typer

from genrec.cli.shared import BundleFolder, ConfigFile, DataFolder, Overrides, console
from genrec.doctor import require


def align(
    bundle: BundleFolder,
    data: DataFolder,
    out: Annotated[Path, typer.Option("--out", "-o", help="Where a better child goes.")],
    overrides: Overrides = None,
    refused: Annotated[
        Path | None, typer.Option(help="Prepared data of what users turned down (prepare --kind dislike).")
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(help="Event store of the server: its choices join, and what stood above them unchosen."),
    ] = None,
    config: ConfigFile = None,
    run: Annotated[Path | None, typer.Option(help="Folder of data, logs and report; default: OUT-run.")] = None,
    quiet: Annotated[bool, typer.Option(help="No progress bars.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The report as JSON.")] = False,
) -> None:
    """Learns from preferences; the child is written where validation surely ranks better with it, else nothing is.

    What was chosen is held against what the model itself would put there, and against what users turned down.
    """
    require("train")
    from genrec.programs import run_serving, run_training

    run = run or out.with_name(out.name + "-run")
    if store is not None:
        collected, turned = run / "data", run / "refused"
        shutil.rmtree(turned, ignore_errors=True)
        words = ["--store", store, "--data", str(data), "--out", str(collected), "--refused", str(turned)]
        run_serving("serving.collecting", words)
        data = collected
        refused = refused or (turned if turned.is_dir() else None)
    words = ["--bundle", str(bundle), "--data", str(data), "--out", str(out), "--run", str(run)]
    words += ["--config", str(config)] if config else []
    words += ["--refused", str(refused)] if refused else []
    run_training("dpo.py", [*words, *["--quiet"] * quiet, "--", *(overrides or ())])
    report = json.loads((run / "align.json").read_text(encoding="utf-8"))
    if as_json:
        print(json.dumps(report))
    else:
        console().print(_verdict(report, out), highlight=False, markup=False)


def _verdict(report: dict[str, Any], out: Path) -> str:
    gain = f"{report['after'] - report['before']:+.4f} ({report['low']:+.4f} to {report['high']:+.4f})"
    hits = f"hits among fifty {report['hits_before']:.3f} → {report['hits_after']:.3f}"
    said = f"NDCG@10 {report['before']:.4f} → {report['after']:.4f}, {gain}, {hits}, on {report['cases']:,} cases"
    end = f"published as {report['version']} in {out}" if report["published"] else f"{report['parent']} stays"
    return f"{said}: {end}"
