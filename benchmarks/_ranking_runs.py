"""One run of benchmarks/ranking.py: a data set, a variant, a seed. Trains, evaluates, keeps both; knows no table."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from safetensors import safe_open

from genrec.comparing import ALONE, FUSED, PRIORS, Comparison, compare, results_json
from genrec.demo import Plan, make_data
from genrec.evaluation.report import to_json
from genrec.evaluation.strata import strata
from genrec.preparing import load, prepare
from genrec.programs import run_training
from genrec.recommender import Recommender

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = ROOT / "training" / "configs"
FILM = "film"
KEPT = ("recall@10", "ndcg@10")
SYSTEMS = {"": FUSED, ".generative": ALONE, ".priors": PRIORS, ".sasrec": "SASRec"}
"""Ending of a claim's name → the system that it is about."""

# Long texts would make two thirds of the tokens of an epoch: the words ↔ IDs tasks are cut for the CPU's sake.
LARGE = (
    "mixture.item_to_id=0.1",
    "mixture.id_to_item=0.02",
    "mixture.explain=100",
    "optimiser.epochs=6",
    "optimiser.evaluations=12",
)
PRODUCTS = ("items.fields=[attributes]", *LARGE)
Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Data:
    """A data set under one split. short: its name in claims; overrides: settings that its size asks for, the same for
    every variant."""

    name: str
    split: str
    short: str
    overrides: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        return f"{self.name}-{self.split}"


@dataclass(frozen=True)
class Run:
    """variant: its name; overrides: its settings beside the config's."""

    data: Data
    variant: str
    overrides: tuple[str, ...]
    seed: int


@dataclass(frozen=True)
class Places:
    """runs: what is made; source: folder of the data sets."""

    runs: Path
    source: Path

    def data(self, name: str) -> Path:
        return self.runs / "data" / name

    def run(self, run: Run) -> Path:
        return self.runs / run.data.label / f"{run.variant}-{run.seed}"


@dataclass(frozen=True)
class Done:
    """figures: what the run's JSON holds; cases: `system|masked or not|metric` → float64 [cases]."""

    figures: dict[str, Any]
    cases: dict[str, Float64]


def finished(run: Run, places: Places, part: Literal["test", "valid"], most: int | None) -> Done:
    """The run's figures, made now unless its folder has them."""
    place = places.run(run)
    if not _file(place, part, most, "json").is_file():
        trained(run, places)
        recommender = Recommender.open(place / "bundle")
        simple = places.runs / run.data.label / f"simple-{recommender.bundle.manifest.data_hash}"
        before = _kept(simple, part, most)
        data = load(places.data(run.data.name))
        done = compare(recommender, data, most=most, part=part, seed=0, simple=before is None, say=print)
        now = _joined(before, Done(_figures(run, place, done), _per_case(done)))
        _keep(place, part, most, now)
        if before is None:
            _keep(simple, part, most, _simple(now))
    found = _kept(place, part, most)
    assert found is not None
    return found


def _keep(place: Path, part: str, most: int | None, done: Done) -> None:
    place.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(_file(place, part, most, "npz"), **done.cases)  # type: ignore[arg-type]
    _file(place, part, most, "json").write_text(json.dumps(done.figures, indent=1), encoding="utf-8")


def _kept(place: Path, part: str, most: int | None) -> Done | None:
    if not _file(place, part, most, "json").is_file():
        return None
    with np.load(_file(place, part, most, "npz")) as held:
        return Done(json.loads(_file(place, part, most, "json").read_text(encoding="utf-8")), dict(held))


def _simple(done: Done) -> Done:
    """Of the systems that say the same whatever the model, the variant and the seed."""
    ours = set(SYSTEMS.values())
    of_simple = {name: _of(done.figures[name], ours) for name in ("strata", "ms_per_case")}
    return Done(of_simple, _of(done.cases, ours))


def _of(held: dict[str, Any], ours: set[str]) -> dict[str, Any]:
    return {key: value for key, value in held.items() if key.partition("|")[0] not in ours}


def _joined(before: Done | None, now: Done) -> Done:
    """With what an earlier run measured of the simple systems."""
    if before is None:
        return now
    figures = {name: {**before.figures[name], **now.figures[name]} for name in before.figures}
    return Done({**now.figures, **figures}, {**before.cases, **now.cases})


def _file(place: Path, part: str, most: int | None, ending: str) -> Path:
    return place / f"{part if most is None else f'{part}-{most}'}.{ending}"


def trained(run: Run, places: Places) -> None:
    """Trains the run's bundle unless its folder has it; data that is not prepared yet is."""
    place, data = places.run(run), places.data(run.data.name)
    if (place / "bundle").is_dir():
        return
    prepared(run.data.name, places)
    config = CONFIGS / ("demo.yaml" if run.data.name == FILM else "scratch.yaml")
    flags = ["--data", str(data), "--out", str(place / "bundle"), "--config", str(config), "--quiet", "--resume"]
    settings = [f"split.kind={run.data.split}", f"optimiser.seed={run.seed}", *run.data.overrides, *run.overrides]
    started = time.monotonic()
    run_training("sft.py", [*flags, "--cache", str(places.runs / "cache"), *settings])
    (place / "seconds.json").write_text(json.dumps(round(time.monotonic() - started, 1)), encoding="utf-8")


def prepared(name: str, places: Places) -> None:
    if places.data(name).is_dir():
        return
    if name == FILM:
        make_data(Plan(places.data(name).parent / "film-world"))
        (places.data(name).parent / "film-world" / "data").rename(places.data(name))
    else:
        prepare(places.source / name, places.data(name))


def _figures(run: Run, place: Path, done: Comparison) -> dict[str, Any]:
    train = done.split.train.histories(done.split.item_ids)
    parts = strata(train, done.cases, len(done.split.item_ids))
    recommender = Recommender.open(place / "bundle")
    return {
        "data": run.data.label, "variant": run.variant, "seed": run.seed,
        "overrides": [*run.data.overrides, *run.overrides],
        "train_seconds": json.loads((place / "seconds.json").read_text(encoding="utf-8")),
        "parameters": _parameters(place / "bundle" / "model"),
        "prior_weights": dict(recommender.fusion.mix.weights),
        "strata_cases": {name: int(rows.sum()) for name, rows in parts.items()},
        "strata": {
            f"{one.name}|{name}": {metric: float(one.per_case[metric][rows].mean()) for metric in KEPT}
            for one in done.results if one.mask_seen for name, rows in parts.items() if rows.any()
        },
        "ms_per_case": {one.name: 1000 * one.seconds / len(done.cases) for one in done.results if one.mask_seen},
        **results_json(done), **to_json(done.results, KEPT),
    }  # fmt: skip


def _parameters(folder: Path) -> int:
    total = 0
    for path in folder.glob("*.safetensors"):
        with safe_open(path, framework="numpy") as file:
            total += sum(int(np.prod(file.get_slice(name).get_shape())) for name in file.keys())  # noqa: SIM118
    return total


def _per_case(done: Comparison) -> dict[str, Float64]:
    variants = {True: "masked", False: "unmasked"}
    return {
        f"{one.name}|{variants[one.mask_seen]}|{metric}": one.per_case[metric]
        for one in done.results
        for metric in KEPT
    }
