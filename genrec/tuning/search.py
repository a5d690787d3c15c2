"""Search over training settings: optuna proposes, runs of training/sft.py answer with validation NDCG@10.

Every trial is kept in the folder's study.db, so a search that was stopped goes on: what was under way, or cut off when
the time was up, is tried again first. A trial that trails the others at the same point of its training is ended early.
Sees validation only. Does not know how a run trains.
"""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self

import optuna
from optuna.trial import Trial, TrialState
from pydantic import BaseModel, ConfigDict, Field, JsonValue, RootModel, model_validator

from genrec.bundle import Bundle
from genrec.errors import BundleError, ConfigError
from genrec.tuning.learnt import NDCG
from genrec.tuning.resuming import last_checkpoint

OBJECTIVE = "validation ndcg@10"
_POLL_S = 0.5
_STARTUP = 4  # trials that are never pruned, so that there is something to trail
_CUT = "cut"  # attribute of a trial that says nothing of its settings: it had no time to end


class Range(BaseModel):
    """Numbers between two bounds; whole ones where both bounds are."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    low: float
    high: float
    log: bool = False
    """Whether the logarithm is drawn evenly: for rates and sizes."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.low >= self.high or (self.log and self.low <= 0):
            raise ValueError("low must be below high, and above 0 on a log scale")
        return self

    @property
    def whole(self) -> bool:
        return self.low.is_integer() and self.high.is_integer()


class Space(RootModel[dict[str, Range | Annotated[list[JsonValue], Field(min_length=2)]]]):
    """Setting of training/sft.py, as section.key → a range, or two or more choices."""

    model_config = ConfigDict(frozen=True)

    def draw(self, trial: Trial) -> dict[str, Any]:
        return {name: _drawn(trial, name, one) for name, one in self.root.items()}


@dataclass(frozen=True)
class Search:
    """Where and what. command: the training program's words before --out; fixed: settings of every trial."""

    folder: Path
    space: Space
    command: tuple[str, ...]
    fixed: tuple[str, ...] = ()
    seed: int = 0

    def run(self, trials: int, seconds: float | None = None, say: Callable[[str], object] = print) -> optuna.Study:
        """Goes on until so many trials have ended in all, or the time is up; the one under way is then cut off."""
        study, ends = self.study(), math.inf if seconds is None else time.monotonic() + seconds
        for one in study.get_trials(states=[TrialState.RUNNING]):  # of a search that was killed
            _cut(study, one)
            study.tell(one.number, state=TrialState.FAIL)
        while _ended(study) < trials and time.monotonic() < ends:
            study.optimize(lambda trial: self._tried(study, trial, ends), n_trials=1, catch=(TrialFailed,))
            say(line(study.trials[-1]))
        return study

    def study(self) -> optuna.Study:
        """The study as it stands; raises ConfigError where the folder holds one of another space."""
        self.folder.mkdir(parents=True, exist_ok=True)
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        study = optuna.create_study(
            storage=f"sqlite:///{self.folder / 'study.db'}", study_name="genrec", direction="maximize",
            load_if_exists=True, pruner=optuna.pruners.MedianPruner(n_startup_trials=_STARTUP),
        )  # fmt: skip
        # With the same dice a search that goes on would propose again what it has proposed.
        study.sampler = optuna.samplers.TPESampler(seed=self.seed + len(study.trials))
        mine = self.space.model_dump(mode="json")
        if study.user_attrs.setdefault("space", mine) != mine:
            raise ConfigError(
                "the folder holds a search of another space", value=str(self.folder),
                remedy="give another folder, or the space that it was begun with",
            )  # fmt: skip
        study.set_user_attr("space", mine)
        return study

    def _tried(self, study: optuna.Study, trial: Trial, ends: float) -> float:
        place, chosen = self.folder / f"trial-{trial.number}", self.space.draw(trial)
        words = [*self.command, "--out", str(place / "bundle"), "--run", str(place / "run"), "--quiet", *self.fixed]
        words += [f"{name}={json.dumps(value)}" for name, value in chosen.items()]
        place.mkdir(parents=True, exist_ok=True)
        with (place / "log.txt").open("w", encoding="utf-8") as log:
            process = subprocess.Popen(words, stdout=log, stderr=log)
            try:
                self._watch(trial, process, place / "run", ends)
            except OutOfTime:
                _cut(study, study.trials[trial.number])
                raise
            finally:
                process.kill()
                process.wait()
        shutil.rmtree(place / "run", ignore_errors=True)
        return _quality(place / "bundle")

    def _watch(self, trial: Trial, process: subprocess.Popen[bytes], run: Path, ends: float) -> None:
        """Until it ends; raises TrialPruned where its validation trails, OutOfTime."""
        told = 0
        while process.poll() is None:
            time.sleep(_POLL_S)
            if time.monotonic() > ends:
                raise OutOfTime
            for step, quality in _evaluations(run):
                if step > told:
                    told = step
                    trial.report(quality, step)
                    if trial.should_prune():
                        raise optuna.TrialPruned


class TrialFailed(Exception):
    """A run ended without a bundle; its log says why."""


class OutOfTime(TrialFailed):
    """The search's time was up before the run had ended."""


def _cut(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
    """It does not count, and its settings come first when the search goes on."""
    study.set_user_attr(_CUT, [*study.user_attrs.get(_CUT, []), trial.number])
    if trial.params:
        study.enqueue_trial(trial.params)


def _ended(study: optuna.Study) -> int:
    cut = study.user_attrs.get(_CUT, [])
    return sum(one.state.is_finished() and one.number not in cut for one in study.trials)


def line(trial: optuna.trial.FrozenTrial) -> str:
    """A trial for the eye."""
    ended = trial.state == TrialState.COMPLETE
    result = f"{OBJECTIVE} {trial.value:.4f}" if ended and trial.value is not None else trial.state.name.lower()
    seconds = f" after {trial.duration.total_seconds():.0f} s" if trial.duration else ""
    return f"trial {trial.number}: {result}{seconds}: " + ", ".join(f"{k}={v}" for k, v in trial.params.items())


def best_settings(study: optuna.Study) -> dict[str, Any]:
    """The best trial's settings by section, as a config has them; raises ConfigError where none has ended well."""
    ended = [one for one in study.trials if one.state == TrialState.COMPLETE]
    if not ended:
        raise ConfigError("no trial has ended well", value=len(study.trials), remedy="read a trial's log.txt")
    found: dict[str, Any] = {}
    for name, value in study.best_params.items():
        *sections, key = name.split(".")
        inner = found
        for section in sections:
            inner = inner.setdefault(section, {})
        inner[key] = json.loads(value) if isinstance(value, str) else value
    return found


def _drawn(trial: Trial, name: str, one: Range | Sequence[JsonValue]) -> Any:
    if not isinstance(one, Range):  # optuna keeps plain values only, so choices go in as JSON
        return json.loads(trial.suggest_categorical(name, [json.dumps(choice) for choice in one]))
    if one.whole:
        return trial.suggest_int(name, int(one.low), int(one.high), log=one.log)
    return trial.suggest_float(name, one.low, one.high, log=one.log)


def _evaluations(run: Path) -> Iterator[tuple[int, float]]:
    """Evaluations so far, from the newest checkpoint: number, counted from 1 as step sizes differ, and what the trainer
    keeps its best weights by: NDCG@10 of what is learnt where it is measured, else less loss."""
    newest = last_checkpoint(run)
    if newest is None:
        return
    try:
        state = json.loads((Path(newest) / "trainer_state.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):  # it is being written, or was just removed
        return
    entries = [entry for entry in state["log_history"] if "eval_loss" in entry]
    found = [entry.get(f"eval_{NDCG}", -entry["eval_loss"]) for entry in entries]
    yield from enumerate(found, 1)


def _quality(bundle: Path) -> float:
    try:
        return float(Bundle.open(bundle, verify=False).manifest.metrics[OBJECTIVE]["value"])
    except (BundleError, KeyError) as error:
        raise TrialFailed(str(bundle.parent / "log.txt")) from error
