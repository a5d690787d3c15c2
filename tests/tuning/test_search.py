"""The search: spaces that are none, a toy program with a known best, resuming, pruning, failures, and a real run."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import optuna
import pytest
from pydantic import ValidationError

from genrec.errors import ConfigError
from genrec.settings import load_settings
from genrec.tuning.search import Range, Search, Space, _evaluations, best_settings, line
from genrec.tuning.settings import SftSettings
from tests.helpers.running import PROGRAM, TINY, Tiny

TOY = """
import json, sys, time
from pathlib import Path
words = sys.argv[1:]
out, run = (Path(words[words.index(flag) + 1]) for flag in ("--out", "--run"))
settings = dict(word.split("=", 1) for word in words if "=" in word)
rate, kind = float(settings["optimiser.learning_rate"]), json.loads(settings["kind"])
assert kind != "broken"
for step in range(1, 1 + int(settings["steps"])):
    folder = run / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    history = [{"eval_loss": abs(rate - 0.5)} for _ in range(step)]
    (folder / "trainer_state.json").write_text(json.dumps({"log_history": history}))
    time.sleep(float(settings["pause"]))
value = {"value": 1 - abs(rate - 0.5) + (kind == "good"), "low": 0, "high": 2}
(out.parent / "done").touch()
out.mkdir()
(out / "quality.json").write_text(json.dumps(value))
"""


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """Best where the rate is a half and the kind is good."""
    from genrec.tuning import search

    def quality(bundle: Path) -> float:
        if not (bundle / "quality.json").is_file():
            raise search.TrialFailed(str(bundle))
        return float(json.loads((bundle / "quality.json").read_text())["value"])

    monkeypatch.setattr(search, "_quality", quality)
    monkeypatch.setattr(search, "_POLL_S", 0.01)
    (tmp_path / "toy.py").write_text(TOY)
    return (sys.executable, "-S", str(tmp_path / "toy.py"))


def space(*kinds: str) -> Space:
    return Space.model_validate({"optimiser.learning_rate": {"low": 0, "high": 0.99}, "kind": list(kinds)})


@pytest.mark.parametrize(
    "wrong", [{"a": {"low": 2, "high": 1}}, {"a": {"low": 0, "high": 1, "log": True}}, {"a": [1]},
              {"a": {"low": 0, "high": 1, "step": 2}}, {"a": 3}],
)  # fmt: skip
def test_what_is_no_space(wrong: object) -> None:
    with pytest.raises(ValidationError):
        Space.model_validate(wrong)


def test_whole_bounds_are_whole_numbers() -> None:
    assert Range(low=1, high=4).whole
    assert not Range(low=0.5, high=4).whole
    trial = optuna.trial.FixedTrial({"n": 3, "x": 0.5, "k": '"b"'})
    drawn = Space.model_validate({"n": {"low": 1, "high": 4}, "x": {"low": 0.1, "high": 1}, "k": ["a", "b"]})
    assert drawn.draw(trial) == {"n": 3, "x": 0.5, "k": "b"}  # type: ignore[arg-type]


def test_it_finds_the_best_and_goes_on_where_it_was(tmp_path: Path, program: tuple[str, ...]) -> None:
    search = Search(tmp_path / "found", space("good", "bad"), program, ("steps=1", "pause=0"))
    said: list[str] = []
    first = search.run(3, say=said.append)
    assert len(first.trials) == len(said) == 3
    study = search.run(12, say=said.append)
    assert len(study.trials) == len(said) == 12
    assert study.best_params["kind"] == '"good"'
    assert best_settings(study) == {
        "optimiser": {"learning_rate": study.best_params["optimiser.learning_rate"]}, "kind": "good",
    }  # fmt: skip
    assert line(study.best_trial).startswith(f"trial {study.best_trial.number}: validation ndcg@10 1.")


def test_one_that_trails_is_ended_early(tmp_path: Path, program: tuple[str, ...]) -> None:
    """Four quick ones that are right on the mark, then one that is far off and would take its time."""
    near = Space.model_validate({"optimiser.learning_rate": {"low": 0.49, "high": 0.51}, "kind": ["good", "bad"]})
    search = Search(tmp_path / "found", near, program, ("steps=3", "pause=0.1"))
    search.run(5, say=lambda text: None)
    study = search.study()
    study.enqueue_trial({"optimiser.learning_rate": 0.49, "kind": '"bad"'})
    far = Search(tmp_path / "found", near, program, ("steps=400", "pause=0.05"))
    far.run(6, say=lambda text: None)
    assert far.study().trials[-1].state == optuna.trial.TrialState.PRUNED
    assert not (tmp_path / "found" / "trial-5" / "done").exists()


def test_a_run_that_fails_costs_only_itself(tmp_path: Path, program: tuple[str, ...]) -> None:
    search = Search(tmp_path / "found", space("broken", "broken2"), program, ("steps=1", "pause=0"))
    study = search.study()
    study.enqueue_trial({"optimiser.learning_rate": 0.2, "kind": '"broken"'})
    search.run(1, say=lambda text: None)
    assert search.study().trials[0].state == optuna.trial.TrialState.FAIL
    assert "AssertionError" in (tmp_path / "found" / "trial-0" / "log.txt").read_text()
    with pytest.raises(ConfigError, match="no trial has ended well"):
        best_settings(search.study())


def test_no_trial_is_begun_when_the_time_is_up(tmp_path: Path, program: tuple[str, ...]) -> None:
    assert not Search(tmp_path / "found", space("good", "bad"), program).run(3, seconds=0).trials


def test_time_that_is_up_cuts_a_trial_off_and_it_comes_first_when_the_search_goes_on(
    tmp_path: Path, program: tuple[str, ...]
) -> None:
    place, both = tmp_path / "found", space("good", "bad")
    Search(place, both, program, ("steps=1", "pause=0")).run(1, say=lambda text: None)
    started, slow = time.monotonic(), ("steps=1000", "pause=0.1")
    study = Search(place, both, program, slow).run(2, seconds=1, say=lambda text: None)
    assert time.monotonic() - started < 60
    assert [one.state.name for one in study.trials] == ["COMPLETE", "FAIL", "WAITING"]
    study = Search(place, both, program, ("steps=1", "pause=0")).run(2, say=lambda text: None)
    assert [one.state.name for one in study.trials] == ["COMPLETE", "FAIL", "COMPLETE"]
    assert study.trials[2].params == study.trials[1].params


def test_what_a_killed_search_was_at_is_tried_again(tmp_path: Path, program: tuple[str, ...]) -> None:
    search = Search(tmp_path / "found", space("good", "bad"), program, ("steps=1", "pause=0"))
    chosen = search.space.draw(search.study().ask())  # and here it was killed
    study = search.run(1, say=lambda text: None)
    assert [one.state.name for one in study.trials] == ["FAIL", "COMPLETE"]
    assert study.trials[1].params["optimiser.learning_rate"] == chosen["optimiser.learning_rate"]


def test_a_search_that_goes_on_proposes_something_else(tmp_path: Path, program: tuple[str, ...]) -> None:
    for trials in (2, 4):
        study = Search(tmp_path / "found", space("good", "bad"), program, ("steps=1", "pause=0")).run(
            trials, say=lambda text: None
        )
    assert len({one.params["optimiser.learning_rate"] for one in study.trials}) == 4


def test_what_the_trainer_goes_by_decides_who_trails(tmp_path: Path) -> None:
    state = tmp_path / "checkpoint-4" / "trainer_state.json"
    state.parent.mkdir()
    entries = [{"loss": 3.0}, {"eval_loss": 2.0, "eval_code_ndcg@10": 0.1}, {"eval_loss": 1.0}]
    state.write_text(json.dumps({"log_history": entries}))
    assert list(_evaluations(tmp_path)) == [(1, 0.1), (2, -1.0)]


def test_another_space_is_refused(tmp_path: Path, program: tuple[str, ...]) -> None:
    Search(tmp_path / "found", space("good", "bad"), program).study()
    with pytest.raises(ConfigError, match="another space"):
        Search(tmp_path / "found", space("good", "other"), program).study()


def test_real_runs(tiny: Tiny, tmp_path: Path) -> None:
    """One trial of the real program; its bundle says what it reached."""
    command = (sys.executable, str(PROGRAM), "--data", str(tiny.data), "--cache", str(tmp_path / "cache"))
    real = Space.model_validate({"scratch.dropout": [0.0, 0.1]})
    study = Search(tmp_path / "search", real, command, TINY).run(1, say=lambda text: None)
    assert study.trials[0].state == optuna.trial.TrialState.COMPLETE, (
        tmp_path / "search" / "trial-0" / "log.txt"
    ).read_text()
    assert 0 <= study.best_value <= 1
    assert best_settings(study)["scratch"]["dropout"] in (0.0, 0.1)


@pytest.mark.parametrize("path", sorted((PROGRAM.parent / "spaces").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_space_is_read_and_names_real_settings(path: Path) -> None:
    space = load_settings(Space, path)
    for name, one in space.root.items():
        value = one.low if isinstance(one, Range) else one[0]
        load_settings(SftSettings, None, [f"{name}={json.dumps(value)}"])
