"""`genrec train`, `shrink`, `train-chat` and `demo` run the shipped training programs; none knows how they train."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from genrec.cli.shared import (
    AsJson,
    BundleFolder,
    ConfigFile,
    DataFolder,
    Overrides,
    bundle_facts,
    console,
    quiet_models,
    show_json,
)
from genrec.doctor import require
from genrec.errors import ConfigError
from genrec.located import read_yaml


def train(
    data: DataFolder,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the bundle to write.")],
    overrides: Overrides = None,
    config: ConfigFile = None,
    start: Annotated[Path | None, typer.Option(help="A bundle to go on from: its index, words and weights.")] = None,
    run: Annotated[Path | None, typer.Option(help="Folder of checkpoints and logs; default: OUT-run.")] = None,
    resume: Annotated[bool, typer.Option(help="Go on from the run's last checkpoint.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what it will take and show examples; write nothing.")
    ] = False,
    track: Annotated[
        str | None, typer.Option(help="Where curves go: tensorboard (as the settings say), wandb or trackio.")
    ] = None,
    quiet: Annotated[bool, typer.Option(help="No progress bars.")] = False,
    minutes: Annotated[
        float | None, typer.Option(min=0.1, help="Time to aim at for all of it; default: as the settings say.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Trains a bundle from prepared data: runs training/sft.py."""
    require("train")
    from genrec.programs import run_training
    from genrec.tuning.settings import time_limits

    arguments = ["--data", str(data), "--out", str(out)]
    arguments += ["--config", str(config)] if config else []
    arguments += ["--start", str(start)] if start else []
    arguments += ["--run", str(run)] if run else []
    arguments += ["--resume"] * resume + ["--quiet"] * quiet + ["--dry-run"] * dry_run
    limits = [] if minutes is None else time_limits(60 * minutes)
    tracked = [] if track is None else [f"track={track}"]
    run_training("sft.py", [*arguments, "--", *limits, *tracked, *(overrides or ())])
    if dry_run:
        return
    _tell(out, json, f'next: genrec recommend --bundle {out} --history "a title; another title"')


def shrink(
    bundle: BundleFolder,
    data: DataFolder,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the smaller bundle.")],
    overrides: Overrides = None,
    config: ConfigFile = None,
    run: Annotated[Path | None, typer.Option(help="Folder of checkpoints and logs; default: OUT-run.")] = None,
    quiet: Annotated[bool, typer.Option(help="No progress bars.")] = False,
    json: AsJson = False,
) -> None:
    """Makes a smaller bundle, pruned or distilled, that the bundle teaches: runs training/shrink.py."""
    require("train")
    from genrec.programs import run_training

    arguments = ["--bundle", str(bundle), "--data", str(data), "--out", str(out)]
    arguments += ["--config", str(config)] if config else []
    arguments += ["--run", str(run)] if run else []
    arguments += ["--quiet"] * quiet
    run_training("shrink.py", [*arguments, "--", *(overrides or ())])
    _tell(out, json, f"next: genrec evaluate --bundle {out} --data {data}")


def train_chat(
    bundle: BundleFolder,
    overrides: Overrides = None,
    config: ConfigFile = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Where to write; default: the bundle itself.")] = None,
    phrasings: Annotated[Path | None, typer.Option(help="Folder with <language>/chat/families.yaml.")] = None,
    quiet: Annotated[bool, typer.Option(help="No progress bars.")] = False,
    json: AsJson = False,
) -> None:
    """Teaches a bundle to read requests, English and Chinese: runs training/chat.py. How it ranks does not change."""
    require("train")
    from genrec.programs import run_training

    arguments = ["--bundle", str(bundle)]
    arguments += ["--config", str(config)] if config else []
    arguments += ["--out", str(out)] if out else []
    arguments += ["--phrasings", str(phrasings)] if phrasings else []
    arguments += ["--quiet"] * quiet
    run_training("chat.py", [*arguments, "--", *(overrides or ())])
    _tell(out or bundle, json, f"next: genrec chat --bundle {out or bundle}")


def search(
    data: DataFolder,
    space: Annotated[Path, typer.Option(help="YAML of what is open: setting: [choices], or {low, high, log}.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the study, its trials and best.yaml.")],
    overrides: Overrides = None,
    config: ConfigFile = None,
    trials: Annotated[int, typer.Option(min=1, help="Trials in all, those of earlier calls among them.")] = 20,
    minutes: Annotated[
        float | None, typer.Option(min=0.1, help="Time for this call; the trial under way is then cut off.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the proposals.")] = 0,
    json: AsJson = False,
) -> None:
    """Looks for better settings on validation; goes on where it was when it is called again. The best are in best.yaml,
    for `genrec train --config`. Runs training/search.py."""
    require("train")
    from genrec.programs import run_training

    arguments = ["--data", str(data), "--space", str(space), "--out", str(out), "--trials", str(trials)]
    arguments += ["--config", str(config)] if config else []
    arguments += ["--seconds", str(60 * minutes)] if minutes is not None else []
    run_training("search.py", [*arguments, "--seed", str(seed), "--", *(overrides or ())])
    if json:
        show_json({"out": str(out), "best": read_yaml(out / "best.yaml", ConfigError)[1]})


def _tell(made: Path, json: bool, line: str) -> None:
    from genrec.bundle import Bundle

    if json:
        show_json(bundle_facts(Bundle.open(made)))
    else:
        console().print(line, highlight=False, markup=False)


def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for data, bundle and results.")] = Path("demo"),
    seconds_budget: Annotated[float, typer.Option(min=60, help="Time to aim at, in seconds.")] = 330,
    users: Annotated[int, typer.Option(min=50, help="Simulated viewers.")] = 2000,
    chat: Annotated[bool, typer.Option(help="Whether the bundle then learns to read requests (minutes more).")] = True,
    json: AsJson = False,
) -> None:
    """Trains, measures, recommends and explains on the bundled films, in minutes on two cores."""
    require("train")
    quiet_models()
    from genrec.demo import Plan, as_json, show
    from genrec.progress import watch

    watch()
    plan = Plan(out=out, seconds=seconds_budget, users=users, chat=chat)
    done = show(plan, console(stderr=json))
    if json:
        show_json(as_json(done, plan))
