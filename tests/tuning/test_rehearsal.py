"""A dry run: it counts what the real run does, refuses what the model cannot read, and leaves nothing behind."""

import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

from genrec.errors import ConfigError
from genrec.examples import Examples
from genrec.model.vocabulary import Vocabulary
from genrec.ragged import Ragged
from genrec.tuning.learnt import cross_entropy, flattened
from genrec.tuning.rehearsal import Rehearsal, rehearse, shown
from genrec.tuning.settings import OptimiserSettings
from genrec.tuning.trainer import trainer
from tests.helpers.running import TINY, trained_here
from tests.helpers.tiny import CONTEXT, qwen3, small_index, small_vocabulary

pytestmark = pytest.mark.filterwarnings("ignore")  # the trainer's own

SETTINGS = OptimiserSettings(batch_size=8, accumulate=2, evaluations=3, epochs=2, patience=9)


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return small_vocabulary(small_index())


def examples(vocabulary: Vocabulary, longest: int, rows: int = 300) -> Examples:
    tokens = [int(level[0]) for level in vocabulary.code_ids]
    inputs = [[tokens[place % 3] for place in range(2 + row * (longest - 2) // (rows - 1))] for row in range(rows)]
    return Examples(Ragged.from_lists(inputs), Ragged.from_lists([[-100, *row[1:]] for row in inputs]))


def real(vocabulary: Vocabulary, train: Examples, run: Path) -> tuple[Any, float]:
    """The trainer after the whole run, and its seconds of the processor."""
    model = qwen3(vocabulary)
    made = trainer(model, vocabulary.tokenizer, train, train.take([0, 1]), SETTINGS, run, passes=2, loss=cross_entropy)  # type: ignore[arg-type]
    start = time.process_time()
    with flattened(model):
        made.train()
    return made, time.process_time() - start


def rehearsed(vocabulary: Vocabulary, train: Examples, run: Path) -> Rehearsal:
    return rehearse(
        qwen3(vocabulary), vocabulary.tokenizer, train, train.take([0, 1]), SETTINGS, run, passes=2, context=CONTEXT,  # type: ignore[arg-type]
        loss=cross_entropy, clock=time.process_time,
    )  # fmt: skip


def test_it_foretells_the_run(vocabulary: Vocabulary, tmp_path: Path) -> None:
    """How near it comes on a real world is `benchmarks/finetune.py`'s to say; here, the right order."""
    train = examples(vocabulary, 60)
    found = rehearsed(vocabulary, train, tmp_path / "dry")
    made, seconds = real(vocabulary, train, tmp_path / "real")
    assert found.updates == made.state.max_steps
    assert found.tokens == 2 * len(train.inputs.items)
    assert found.longest == 60
    assert 0 < found.padding < 0.2
    assert seconds / 10 < found.seconds + found.evaluating < 10 * seconds
    assert found.memory > 100 << 20


def test_an_example_that_the_model_cannot_read(vocabulary: Vocabulary, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="longer than the model reads"):
        rehearsed(vocabulary, examples(vocabulary, CONTEXT + 1), tmp_path)
    assert not list(tmp_path.iterdir())


def test_what_is_learnt_stands_behind_the_mark(vocabulary: Vocabulary) -> None:
    ids = vocabulary.ids("The user watched")
    told = Examples(Ragged.from_lists([ids]), Ragged.from_lists([[-100, -100, *ids[2:]]]))
    (line,) = shown(vocabulary.tokenizer, told, seed=0)
    assert line == f"{vocabulary.text(ids[:2])} ▸ {vocabulary.text(ids[2:])}"


def test_a_dry_run_writes_nothing(tiny_data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before = set(Path(tempfile.gettempdir()).glob("genrec-dry-run-*"))
    trained_here(tiny_data, tmp_path / "bundle", *TINY, options=("--dry-run",))
    assert not list(tmp_path.iterdir())
    assert set(Path(tempfile.gettempdir()).glob("genrec-dry-run-*")) == before
    told = capfd.readouterr().out
    assert told.count(" ▸ ") == 10
    assert "updates" in told
    assert "GiB at most" in told
