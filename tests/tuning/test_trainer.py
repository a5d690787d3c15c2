"""The trainer on toy examples: it stops when validation worsens or time is up, keeps the best, logs where it should."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from genrec.examples import Examples
from genrec.model.vocabulary import Vocabulary
from genrec.ragged import Ragged
from genrec.tuning.resuming import last_checkpoint
from genrec.tuning.settings import OptimiserSettings
from genrec.tuning.trainer import trainer
from tests.helpers.tiny import qwen3, small_index, small_vocabulary

pytestmark = pytest.mark.filterwarnings("ignore")  # the trainer's own

LIKE = OptimiserSettings(batch_size=8, learning_rate=3e-3, evaluations=8, epochs=4)


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return small_vocabulary(small_index())


def examples(vocabulary: Vocabulary, answer: int, rows: int = 32) -> Examples:
    """Two code tokens, and then always the same one."""
    level = vocabulary.code_ids[1]
    inputs = [[int(level[row % 3]), int(level[row % 4]), int(level[answer])] for row in range(rows)]
    return Examples(Ragged.from_lists(inputs), Ragged.from_lists([[-100, -100, row[2]] for row in inputs]))


def run_of(vocabulary: Vocabulary, settings: OptimiserSettings, run: Path, valid: int, passes: float) -> Any:
    model = qwen3(vocabulary)
    train = examples(vocabulary, 4)
    sft = trainer(model, vocabulary.tokenizer, train, examples(vocabulary, valid, 8), settings, run, passes=passes)
    sft.train()
    return sft


def losses(sft: Any) -> list[float]:
    return [entry["eval_loss"] for entry in sft.state.log_history if "eval_loss" in entry]


def test_what_training_teaches_is_learnt_and_logged(vocabulary: Vocabulary, tmp_path: Path) -> None:
    sft = run_of(vocabulary, LIKE, tmp_path / "run", valid=4, passes=4)
    assert sft.state.global_step == 4 * 32 // 8
    assert len(losses(sft)) == 8
    assert losses(sft)[-1] < losses(sft)[0] / 2
    assert list((tmp_path / "run" / "tensorboard").glob("events.*"))
    other = run_of(vocabulary, LIKE, tmp_path / "other", valid=4, passes=1)
    assert list((tmp_path / "other" / "tensorboard").glob("events.*"))  # a second run in one process logs in its own
    assert other.state.global_step == 4


def test_it_stops_early_and_keeps_the_best_weights(vocabulary: Vocabulary, tmp_path: Path) -> None:
    """Validation wants another answer than training teaches: every step makes it worse."""
    settings = LIKE.model_copy(update={"patience": 2, "evaluations": 40})
    sft = run_of(vocabulary, settings, tmp_path / "run", valid=0, passes=40)
    found = losses(sft)
    assert len(found) < 40
    assert min(found) < min(found[-2:])
    assert len(found) - 1 - found.index(min(found)) == 2
    assert sft.evaluate()["eval_loss"] == pytest.approx(min(found), abs=1e-4)


def test_the_time_is_up(vocabulary: Vocabulary, tmp_path: Path) -> None:
    """Training ends after the step that runs over, with an evaluation and a checkpoint."""
    settings = LIKE.model_copy(update={"max_seconds": 1e-6, "evaluations": 1})
    sft = run_of(vocabulary, settings, tmp_path / "run", valid=4, passes=100)
    assert sft.state.global_step == 1
    assert len(losses(sft)) == 1
    assert last_checkpoint(tmp_path / "run") == str(tmp_path / "run" / "checkpoint-1")
    state = json.loads((tmp_path / "run" / "checkpoint-1" / "trainer_state.json").read_text(encoding="utf-8"))
    assert state["best_metric"] == losses(sft)[0]


def test_the_same_seed_gives_the_same_weights(vocabulary: Vocabulary, tmp_path: Path) -> None:
    first, again, other = (
        run_of(vocabulary, LIKE.model_copy(update={"seed": seed}), tmp_path / str(turn), valid=4, passes=1).model
        for turn, seed in enumerate((5, 5, 6))
    )
    same = [torch.equal(one, two) for one, two in zip(first.parameters(), again.parameters(), strict=True)]
    assert all(same)
    assert not all(torch.equal(one, two) for one, two in zip(first.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize("evaluations", [1, 3])
def test_evaluations_are_spread_over_the_run(vocabulary: Vocabulary, tmp_path: Path, evaluations: int) -> None:
    settings = LIKE.model_copy(update={"evaluations": evaluations})
    sft = run_of(vocabulary, settings, tmp_path / "run", valid=4, passes=3)
    assert len(losses(sft)) == evaluations


def test_no_checkpoint_yet(tmp_path: Path) -> None:
    assert last_checkpoint(tmp_path / "absent") is None
    assert last_checkpoint(tmp_path) is None
