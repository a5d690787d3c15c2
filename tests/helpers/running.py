"""A small prepared world, training runs of seconds, and the command line in this process."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "training" / "sft.py"
TINY = (
    "scratch.hidden=32", "scratch.layers=1", "scratch.heads=2", "scratch.feed_forward=64",
    "scratch.text_vocabulary=400", "items.encoder=tfidf", "window=12", "mixture.explain=100",
    "reasons_in=[zh]", "optimiser.epochs=2", "optimiser.evaluations=2", "optimiser.batch_size=16",
)  # fmt: skip
"""Settings of a run that takes seconds; it learns next to nothing."""


@dataclass(frozen=True)
class Tiny:
    data: Path
    bundle: Path


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str


def prepared_world(folder: Path) -> Path:
    """Simulated viewers of every eighth film, as prepared data."""
    from genrec.formats import dataset
    from genrec.formats.report import Tally
    from genrec.preparing import save
    from genrec.world import WorldConfig, load_films, simulate

    world = simulate(load_films().select(range(0, 640, 8)), WorldConfig(users=60, events_per_user=16, max_events=30))
    save(dataset(world.interactions, world.catalog.table, Tally("simulated viewers")), folder)
    return folder


def trained(data: Path, out: Path, *overrides: str, options: tuple[str, ...] = ()) -> Path:
    """A bundle by training/sft.py, run as a program of its own."""
    words = [sys.executable, str(PROGRAM), *_words(data, out, overrides, options)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    return out


def trained_here(data: Path, out: Path, *overrides: str, options: tuple[str, ...] = ()) -> Path:
    """The same in this process, which has imported already what takes longest."""
    program_here(_words(data, out, overrides, options))
    return out


def program_here(words: Sequence[str], name: str = "sft.py") -> None:
    """A program of training/ with these arguments."""
    program = str(PROGRAM.with_name(name))
    with mock.patch.object(sys, "argv", [program, *words]), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the trainer's; they are no concern of the test
        runpy.run_path(program, run_name="__main__")


def command(capture: pytest.CaptureFixture[str], *words: str | Path) -> Done:
    """`genrec …` in this process."""
    from genrec.cli import main

    capture.readouterr()
    code = 0
    with mock.patch.object(sys, "argv", ["genrec", *map(str, words)]):
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
    return Done(code, *capture.readouterr())


def _words(data: Path, out: Path, overrides: tuple[str, ...], options: tuple[str, ...]) -> list[str]:
    return ["--data", str(data), "--out", str(out), "--quiet", *options, *TINY, *overrides]
