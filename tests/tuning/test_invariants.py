"""What must not change what is learnt: how many processes share the work, and a kill in the midst of it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from genrec.bundle import Bundle
from genrec.ragged import Ragged
from genrec.tuning.order import ByLength
from genrec.tuning.resuming import last_checkpoint
from tests.helpers.running import PROGRAM, ROOT, TINY, trained, trained_here

WEIGHTS = "model/model.safetensors"
PLAIN = (
    *TINY, "sequence.epochs=2", "mixture.variants=1", "optimiser.epochs=2", "optimiser.evaluations=4",
    "optimiser.patience=9",
)  # fmt: skip


def started(data: Path, out: Path, *settings: str, launcher: tuple[str, ...] = ()) -> subprocess.Popen[bytes]:
    words = [sys.executable, *launcher, str(PROGRAM), "--data", str(data), "--out", str(out), "--quiet", *settings]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def logged(run: Path) -> list[tuple[float, float, float]]:
    """Step, loss and gradient norm wherever training said them."""
    checkpoint = last_checkpoint(run)
    assert checkpoint is not None
    lines = json.loads((Path(checkpoint) / "trainer_state.json").read_text("utf-8"))["log_history"]
    return [(one["step"], one["loss"], one["grad_norm"]) for one in lines if "loss" in one]


@pytest.mark.timeout(600)
def test_two_processes_learn_what_one_learns_with_twice_the_steps(tiny_data: Path, tmp_path: Path) -> None:
    """Without dropout, whose dice every process throws for itself; gloo, on this machine.

    At the end of a pass two processes fill up their last batches, so after the first one they agree but nearly."""
    settings = (*PLAIN, "scratch.dropout=0", "optimiser.batch_size=8")
    trained_here(tiny_data, tmp_path / "one", *settings, "optimiser.accumulate=2")
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    assert started(tiny_data, tmp_path / "two", *settings, launcher=launcher).wait() == 0
    one, two = logged(tmp_path / "one-run"), logged(tmp_path / "two-run")
    first = [line for line in one if line[0] < one[-1][0] // 2]
    assert len(first) >= 4
    assert two[: len(first)] == [pytest.approx(line, rel=1e-4) for line in first]
    assert [line[:2] for line in two] == [pytest.approx(line[:2], rel=1e-2) for line in one]


@pytest.mark.timeout(600)
def test_a_killed_run_goes_on_to_the_same_weights(tiny_data: Path, tmp_path: Path) -> None:
    """With dropout, in the second pass over the data: dice, order, optimiser and schedule are all taken up."""
    wanted = Bundle.open(trained(tiny_data, tmp_path / "whole", *PLAIN)).manifest.files[WEIGHTS]
    out, run = tmp_path / "cut", tmp_path / "cut-run"
    process = started(tiny_data, out, *PLAIN)
    while len(list(run.glob("checkpoint-*/trainer_state.json"))) < 2 and process.poll() is None:
        time.sleep(0.005)
    time.sleep(0.05)  # somewhere between two checkpoints
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not out.exists()
    kept = last_checkpoint(run)
    assert kept is not None
    state = json.loads((Path(kept) / "trainer_state.json").read_text("utf-8"))
    assert 0 < state["global_step"] < state["max_steps"]
    trained(tiny_data, out, *PLAIN, options=("--resume",))
    assert Bundle.open(out).manifest.files[WEIGHTS] == wanted


def test_the_order_hangs_on_seed_and_epoch_alone() -> None:
    lengths = [3 + place % 17 for place in range(200)]
    order = ByLength(lengths, 8, seed=1)
    first = list(order)
    assert sorted(first) == list(range(200))
    assert list(order) == first
    order.set_epoch(1)
    second = list(order)
    order.set_epoch(0)
    assert (second != first, list(order) == first, list(ByLength(lengths, 8, seed=2)) != first) == (True, True, True)
    widths = Ragged.from_lists([[lengths[place] for place in first[at : at + 8]] for at in range(0, 200, 8)])
    waste = int((widths.padded(8).max(axis=1) * 8 - widths.padded(8).sum(axis=1)).sum())
    assert waste < 0.15 * sum(lengths)  # of like length in one batch
