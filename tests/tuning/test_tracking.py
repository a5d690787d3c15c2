"""Where curves go: each tracker for real, without a network, where it is installed; what is missing is taught."""

from __future__ import annotations

import importlib.util
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from transformers import TrainerCallback

from genrec.errors import MissingExtra
from genrec.tuning.tracking import Tracker, emitted, refuse_missing, trackers
from tests.helpers.running import PROGRAM, ROOT

pytestmark = pytest.mark.filterwarnings("ignore")  # the trainer's and the trackers' own

RUN = """
import sys
from pathlib import Path
from genrec.examples import Examples
from genrec.ragged import Ragged
from genrec.tuning.settings import OptimiserSettings
from genrec.tuning.tracking import emitted
from genrec.tuning.trainer import trainer
from tests.helpers.tiny import qwen3, small_index, small_vocabulary
vocabulary = small_vocabulary(small_index())
codes = [int(one) for one in vocabulary.code_ids[1][:3]]
rows = Ragged.from_lists([codes] * 8)
examples = Examples(rows, Ragged.from_lists([[-100, -100, codes[2]]] * 8))
settings = OptimiserSettings(batch_size=4, epochs=1, evaluations=2)
run, track = Path(sys.argv[1]), sys.argv[2]
made = trainer(qwen3(vocabulary), vocabulary.tokenizer, examples, examples, settings, run, passes=1, track=track)
made.train()
print("emitted", emitted(made))
"""
"""A run of two steps in a process of its own: trackers read their environment when they are imported."""


def ran(run: Path, track: Tracker) -> float | None:
    """What it emitted."""
    named = {name: value for name, value in os.environ.items() if not name.startswith(("WANDB", "TRACKIO", "HF_"))}
    here = {**named, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    here |= {"TRACKIO_DIR": str(run / "trackio"), "OMP_NUM_THREADS": "1"}
    words = [sys.executable, "-c", RUN, str(run), track]
    done = subprocess.run(words, env=here, capture_output=True, text=True, check=False, cwd=run.parent)
    assert done.returncode == 0, done.stderr[-3000:]
    said = next(line for line in done.stdout.splitlines() if line.startswith("emitted")).split()[1]
    return None if said == "None" else float(said)


def test_wandb_keeps_the_run_in_its_folder_until_it_is_sent(tmp_path: Path) -> None:
    pytest.importorskip("wandb", reason="pip install 'genrec[track]'")
    ran(tmp_path / "run", "wandb")
    (kept,) = (tmp_path / "run" / "wandb").glob("offline-run-*/*.wandb")
    assert b"eval/loss" in kept.read_bytes()
    assert not (tmp_path / "run" / "tensorboard").exists()


def test_trackio_keeps_the_run_on_this_machine(tmp_path: Path) -> None:
    pytest.importorskip("trackio", reason="pip install 'genrec[track]'")
    ran(tmp_path / "run", "trackio")
    (kept,) = (tmp_path / "run" / "trackio").rglob("genrec.db")
    with sqlite3.connect(kept) as found:
        logged = [str(row) for row in found.execute("select * from metrics")]
    assert any("eval/loss" in row for row in logged)


def test_what_a_run_emits_is_estimated_where_codecarbon_is_installed(tmp_path: Path) -> None:
    found = ran(tmp_path / "run", "tensorboard")
    assert list((tmp_path / "run" / "tensorboard").glob("events.*"))
    if importlib.util.find_spec("codecarbon") is None:
        assert found is None
    else:
        assert found is not None
        assert found >= 0


@pytest.mark.parametrize(("tracker", "extra"), [("wandb", "track"), ("trackio", "track"), ("tensorboard", "train")])
def test_a_package_that_is_missing_is_named_with_what_brings_it(
    tracker: Tracker, extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    for ask in (lambda: refuse_missing(tracker), lambda: trackers(tracker, tmp_path)):
        with pytest.raises(MissingExtra, match=rf"{tracker}.*genrec\[{extra}\]"):
            ask()


@pytest.mark.skipif(importlib.util.find_spec("wandb") is not None, reason="wandb is installed here")
def test_training_says_so_before_it_reads_anything(tmp_path: Path) -> None:
    places = ["--data", str(tmp_path / "none"), "--out", str(tmp_path / "out")]
    words, here = [sys.executable, str(PROGRAM), *places, "track=wandb"], {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=here)
    assert done.returncode == 2, done
    assert "pip install 'genrec[track]'" in done.stderr


def test_nobody_estimated_anything() -> None:
    class Bare:
        callback_handler = type("Handler", (), {"callbacks": [TrainerCallback()]})

    assert emitted(Bare()) is None  # type: ignore[arg-type]
