"""A run goes on only from what it was begun with."""

from pathlib import Path

import pytest

from genrec.errors import ConfigError
from genrec.tuning.resuming import begin, forget, last_checkpoint

FACTS = {"index": "a1", "window": 10, "mixture": {"explain": 3}}


def kept(run: Path) -> Path:
    """A run folder with one whole checkpoint."""
    checkpoint = run / "checkpoint-7"
    checkpoint.mkdir(parents=True)
    (checkpoint / "trainer_state.json").write_text("{}", encoding="utf-8")
    return checkpoint


def test_the_same_run_goes_on(tmp_path: Path) -> None:
    begin(tmp_path / "run", FACTS)
    checkpoint = kept(tmp_path / "run")
    begin(tmp_path / "run", FACTS)
    assert last_checkpoint(tmp_path / "run") == str(checkpoint)


@pytest.mark.parametrize(("name", "value"), [("index", "b2"), ("window", 11), ("mixture", {"explain": 4}), ("new", 1)])
def test_another_run_s_checkpoints_are_refused_and_kept(tmp_path: Path, name: str, value: object) -> None:
    begin(tmp_path, FACTS)
    kept(tmp_path)
    with pytest.raises(ConfigError, match=name) as told:
        begin(tmp_path, {**FACTS, name: value})
    assert "--resume" in str(told.value.remedy)
    assert last_checkpoint(tmp_path) is not None
    begin(tmp_path, FACTS)


def test_checkpoints_of_unknown_origin_are_refused(tmp_path: Path) -> None:
    """What an older version left."""
    kept(tmp_path)
    with pytest.raises(ConfigError, match="index, window, mixture"):
        begin(tmp_path, FACTS)


def test_what_was_forgotten_binds_no_one(tmp_path: Path) -> None:
    begin(tmp_path, FACTS)
    kept(tmp_path)
    forget(tmp_path)
    begin(tmp_path, {**FACTS, "index": "b2"})
    assert last_checkpoint(tmp_path) is None
