"""The demo: simulated viewers of real films, a bundle trained from nothing, a table, and slates with reasons.

Every step is the library's own; this file only puts them in order and keeps to a time budget.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from genrec.comparing import Comparison, compare, render, results_json
from genrec.formats import dataset
from genrec.formats.report import Tally
from genrec.preparing import load, save
from genrec.programs import run_training
from genrec.recommender import Recommendation, Recommender
from genrec.resources import folder
from genrec.slates import slate_table
from genrec.splitting import Cases
from genrec.storage import write_json
from genrec.tuning.settings import time_limits
from genrec.world import WorldConfig, load_films, simulate

TRUTH = "The films are real; the viewers are simulated, so the figures say nothing about people."
_SAMPLES, _SLATE, _LEAST_HISTORY = 3, 5, 8


@dataclass(frozen=True)
class Plan:
    """What the demo does. seconds: time to aim at; users: simulated viewers; overrides: settings of training."""

    out: Path
    seconds: float = 330.0
    users: int = 2000
    overrides: tuple[str, ...] = ()
    chat: bool = False
    """Whether the bundle learns to read requests once all else is done; the time for it comes on top."""

    @property
    def settings(self) -> tuple[str, ...]:
        """What the run's settings override in training/configs/demo.yaml."""
        return (*time_limits(self.seconds), *self.overrides)


@dataclass(frozen=True)
class Sample:
    """One test case answered: `watched_next` is what the viewer watched then."""

    user: str
    history: list[str]
    watched_next: str
    slate: Recommendation


@dataclass
class Clock:
    """Seconds of every part, and of all."""

    parts: dict[str, float] = field(default_factory=dict)
    _started: float = field(default_factory=time.monotonic)

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        started = time.monotonic()
        yield
        self.parts[name] = round(time.monotonic() - started, 1)

    @property
    def total(self) -> float:
        return round(time.monotonic() - self._started, 1)


@dataclass(frozen=True)
class Outcome:
    """What a demo made: the comparison, the sample slates, seconds by part; all of it is in `out/results.json`."""

    comparison: Comparison
    samples: list[Sample]
    seconds: dict[str, float]


def show(plan: Plan, console: Console) -> Outcome:
    """Runs the demo, printing as it goes. Raises ProgramError when training fails, StorageError when the disk does."""
    clock = Clock()
    console.print(f"[bold]genrec demo[/bold]. {TRUTH}")
    with clock.part("world"):
        make_data(plan)
    with clock.part("train"):
        console.print(f"training: {plan.seconds / 2:.0f} s at most, then index and priors", highlight=False)
        run_training("sft.py", _training(plan))
    with clock.part("compare"):
        recommender, data = Recommender.open(plan.out / "bundle"), load(plan.out / "data")
        compared = compare(recommender, data, say=console.print)
    console.print(*render(compared), sep="\n")
    with clock.part("explain"):
        samples = answered(recommender, compared.split.test)
    for one in samples:
        _show_sample(one, recommender, console)
    if plan.chat:
        with clock.part("chat"):
            console.print("the bundle learns to read requests; how it ranks stays as it is", highlight=False)
            run_training("chat.py", ["--bundle", str(plan.out / "bundle"), "--quiet"])
    outcome = Outcome(compared, samples, clock.parts | {"total": clock.total})
    write_json(plan.out / "results.json", as_json(outcome, plan))
    _close(plan, outcome, console)
    return outcome


def make_data(plan: Plan) -> None:
    """The simulated world as prepared data in `out/data`."""
    world = simulate(load_films(), WorldConfig(users=plan.users))
    save(dataset(world.interactions, world.catalog.table, Tally("simulated viewers")), plan.out / "data")


def answered(recommender: Recommender, test: Cases) -> list[Sample]:
    """Slates with reasons for the first test cases, in a seeded order, whose history is not too short."""
    order = np.random.default_rng(0).permutation(len(test))
    rows = [row for row in order.tolist() if len(test.histories[row]) >= _LEAST_HISTORY][:_SAMPLES]
    return [_sample(recommender, test, row) for row in rows or order[:_SAMPLES].tolist()]


def as_json(outcome: Outcome, plan: Plan) -> dict[str, Any]:
    """Everything that was printed, as plain data."""
    return {
        "about": TRUTH,
        "users": plan.users,
        "budget_seconds": plan.seconds,
        "seconds": outcome.seconds,
        **results_json(outcome.comparison),
        "samples": [
            {
                "user": one.user, "history": one.history, "watched_next": one.watched_next,
                "slate": one.slate.model_dump(),
            }
            for one in outcome.samples
        ],
    }  # fmt: skip


def _training(plan: Plan) -> list[str]:
    places = ["--data", str(plan.out / "data"), "--out", str(plan.out / "bundle")]
    config = ["--config", str(folder("training") / "configs" / "demo.yaml")]
    return [*places, *config, *plan.settings]


def _sample(recommender: Recommender, test: Cases, row: int) -> Sample:
    ids = recommender.catalog.item_ids
    history = [ids[item] for item in test.histories[row].tolist()]
    slate = recommender.recommend(history, _SLATE)
    return Sample(test.users[row], history, ids[int(test.targets[row][0])], slate)


def _show_sample(one: Sample, recommender: Recommender, console: Console) -> None:
    catalog = recommender.catalog
    then = catalog.titles[int(catalog.numbers([one.watched_next])[0])]
    console.print(slate_table(catalog, one.history, one.slate))
    console.print(f"[dim]simulated viewer {one.user}; watched next: {then}[/dim]\n", highlight=False)


def _close(plan: Plan, outcome: Outcome, console: Console) -> None:
    parts = ", ".join(f"{name} {seconds:.0f}" for name, seconds in outcome.seconds.items())
    console.print(f"seconds: {parts}. Written: {plan.out}/data, bundle, results.json", highlight=False)
    console.print(TRUTH)
    ask = f'genrec recommend --bundle {plan.out / "bundle"} --history "Alien; Blade Runner"'
    console.print(f"Ask it yourself: {ask}", highlight=False, markup=False)
    if plan.chat:
        console.print(f"Talk to it: genrec chat --bundle {plan.out / 'bundle'}", highlight=False, markup=False)
