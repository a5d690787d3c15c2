"""`genrec refresh`: asks whether it is time, collects what the store has, and runs training/refresh.py. Trains nothing.

The one command between serving and training, which know nothing of each other.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from genrec.cli.shared import BundleFolder, ConfigFile, Overrides, console
from genrec.doctor import require
from genrec.errors import BundleError, ConfigError


def refresh(
    bundle: BundleFolder,
    overrides: Overrides = None,
    data: Annotated[
        Path | None, typer.Option("--data", "-d", help="Prepared data: old and new; with --store the old will do.")
    ] = None,
    store: Annotated[str | None, typer.Option(help="Event store of the server, whose events are the new ones.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Where a better child goes; default: the bundle's place.")
    ] = None,
    config: ConfigFile = None,
    run: Annotated[Path | None, typer.Option(help="Folder of data, checkpoints and report; default: OUT-run.")] = None,
    events: Annotated[int | None, typer.Option(min=1, help="Only after so many new events.")] = None,
    hours: Annotated[float | None, typer.Option(min=0, help="Only so many hours after the last one.")] = None,
    drift: Annotated[bool, typer.Option("--drift", help="Only when choices have become harder to predict.")] = False,
    calm: Annotated[int, typer.Option(min=50, help="Choices that say what is usual.")] = 500,
    every: Annotated[float | None, typer.Option(min=0.001, help="Go on, and look again every so many hours.")] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Put back the bundle that the last refresh replaced.")] = False,
    quiet: Annotated[bool, typer.Option(help="No progress bars.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON each time that it looks.")] = False,
) -> None:
    """Learns from new interactions; the child takes the bundle's place where it is surely better, else nothing changes.

    A server on that place takes it over by itself. Of --events, --hours and --drift any one makes it time.
    """
    place = out or bundle
    if undo:
        version = put_back(place)
        print(json.dumps({"version": version}) if as_json else f"{version} is back in {place}")
        return
    require("train")
    if data is None:
        raise ConfigError("no data to refresh with", allowed="--data FOLDER, with --store or without")
    if store is None and (events is not None or hours is not None or drift):
        raise ConfigError("only a store knows when it is time", remedy="add --store URL, or leave out the conditions")
    folder = run or place.with_name(place.name + "-run")
    words = [f"--events={events}"] * (events is not None) + [f"--hours={hours}"] * (hours is not None)
    words += ["--drift", f"--calm={calm}"] * drift
    ask = Ask(bundle, data, store, place, folder, config, words, quiet, overrides or (), as_json)
    while True:
        ask.once()
        if every is None:
            return
        time.sleep(3600 * every)


def put_back(place: Path) -> str:
    """The bundle before the last refresh takes its place again; its version. Raises BundleError where there is none."""
    from genrec.bundle import Bundle
    from genrec.storage import replaced

    kept = place.with_name(place.name + "-before")
    if not kept.is_dir():
        raise BundleError("no bundle was kept", value=str(kept), remedy="only a refresh in place keeps the one before")
    Bundle.open(kept)
    with replaced(place) as new:
        shutil.copytree(kept, new, dirs_exist_ok=True)
    return Bundle.open(place).version


@dataclass(frozen=True)
class Ask:
    """One command's wishes. conditions: words for serving.due; without any it is always time."""

    bundle: Path
    data: Path
    store: str | None
    out: Path
    run: Path
    config: Path | None
    conditions: list[str]
    quiet: bool
    overrides: Sequence[str]
    as_json: bool = False

    def once(self) -> None:
        from genrec.programs import run_serving, run_training

        if self.conditions and not self._due():
            return
        data = self.data
        if self.store is not None:
            data = self.run / "data"
            run_serving("serving.collecting", ["--store", self.store, "--data", str(self.data), "--out", str(data)])
        words = ["--bundle", str(self.bundle), "--data", str(data), "--out", str(self.out), "--run", str(self.run)]
        words += ["--config", str(self.config)] if self.config else []
        run_training("refresh.py", [*words, *["--quiet"] * self.quiet, "--", *self.overrides])
        report = json.loads((self.run / "refresh.json").read_text(encoding="utf-8"))
        self._say({"due": True, **report}, _verdict(report))

    def _due(self) -> bool:
        from genrec.programs import ask_serving

        report = self.run / "refresh.json"
        words = ["--store", self.store or "", "--bundle", str(self.bundle), *self.conditions]
        if report.is_file():  # a refresh that was not published counts as well
            words.append(f"--since={int(report.stat().st_mtime)}")
        found = json.loads(ask_serving("serving.due", words))
        alarm = "none" if found["alarm"] is None else f"at choice {found['alarm']}"
        told = f"{found['events']:,} new events, {found['hours']:.1f} hours, alarm: {alarm}"
        told += f"; {'due by ' + ', '.join(found['reasons']) if found['due'] else 'not yet due'}"
        if not (found["due"] and self.as_json):  # what comes of it is said by the report
            self._say(found, told)
        return bool(found["due"])

    def _say(self, facts: dict[str, Any], words: str) -> None:
        if self.as_json:
            print(json.dumps(facts), flush=True)
        else:
            console().print(words, highlight=False)


def _verdict(report: dict[str, Any]) -> str:
    gain = f"{report['after'] - report['before']:+.4f} ({report['low']:+.4f} to {report['high']:+.4f})"
    said = f"NDCG@10 {report['before']:.4f} → {report['after']:.4f}, {gain}, on {report['cases']:,} later cases"
    end = f"published as {report['version']}" if report["published"] else f"{report['parent']} stays"
    return f"{said}: {end}"
