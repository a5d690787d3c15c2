"""Strategies through a stream, every step kept on disk so that a run goes on where it was stopped. Part of
benchmarks/refresh.py."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from peft import PeftModel

from benchmarks._refresh_streams import Stream, parameters
from genrec.evaluation.generative import GenerativeRanker
from genrec.evaluation.protocol import evaluate
from genrec.fusing import Fusion
from genrec.model.base import pretrained
from genrec.model.loading import engine_of
from genrec.priors import Mix
from genrec.splitting import Cases
from genrec.tuning.evolving import Refresher, Taught, Weights
from genrec.tuning.model import context_of
from genrec.tuning.settings import OptimiserSettings, ProximalSettings, RefreshSettings

Float64 = npt.NDArray[np.float64]
KEPT = "kept"
WIDTH = 20


def strategy(name: str, epochs: float, cumulative: float) -> RefreshSettings:
    """evolving.free: without the proximal term; evolving.kl: with the paper's."""
    kind, _, how = name.partition(".")
    rates = {"evolving": 1e-3, "two": 1e-3, "continued": 3e-4, "cumulative": 3e-3}
    return RefreshSettings(
        strategy=kind,  # type: ignore[arg-type]
        proximal=ProximalSettings(
            kind="kl" if how == "kl" else "l2", weight={"": 0.01, "kl": 2.0, "free": 0.0}[how]
        ),
        optimiser=OptimiserSettings(
            epochs=cumulative if kind == "cumulative" else epochs, batch_size=32, learning_rate=rates[kind],
            evaluations=3, patience=2, valid_cases=500,
        ),
    )  # fmt: skip


@dataclass(frozen=True)
class Line:
    """One strategy's steps: CPU seconds, and NDCG@10 of every case asked after each step and of the old cases."""

    name: str
    seconds: list[float]
    tests: list[Float64]
    likelihood: list[Float64]
    old: list[Float64]


def walk(stream: Stream, name: str, settings: RefreshSettings, work: Path) -> Line:
    """The strategy through all steps; a step that is there already is read."""
    line = Line(name, [], [], [], [])
    before = _beginning(stream, work)
    for number in range(len(stream.steps)):
        place = work / stream.name / name / str(number)
        if not (place / "told.json").is_file():
            _take(stream, settings, name, number, before, place)
        told, values = json.loads((place / "told.json").read_text()), np.load(place / "values.npz")
        line.seconds.append(told["cpu_seconds"])
        line.tests.append(values["tests"])
        line.likelihood.append(values["likelihood"])
        line.old.append(values["old"])
        before = before if name == KEPT else place / "weights"
    return line


def _take(stream: Stream, settings: RefreshSettings, name: str, number: int, before: Path, place: Path) -> None:
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    step, model, started = stream.steps[number], _opened(before), time.process_time()
    if name != KEPT:
        refresher = Refresher(
            settings, stream.vocabulary, stream.index, step.valid, place / "run", dropout=0.2,
            shared=64 if stream.index.levels == 1 else 0,
        )  # fmt: skip
        model = refresher.refreshed(model, step.taught)
    seconds = time.process_time() - started
    asked = {"tests": step.tests, "old": stream.old}
    found = {key: ndcg(stream, model, cases) for key, cases in asked.items()}
    found["likelihood"] = likelihood(stream, model, step.tests)
    _written(model, place / "weights")
    shutil.rmtree(place / "run", ignore_errors=True)
    np.savez(place / "values.npz", **found)
    told = {"cpu_seconds": seconds, "parameters": parameters(model)}
    (place / "told.json").write_text(json.dumps(told))
    shown = {key: round(float(one.mean()), 4) for key, one in found.items()}
    print(f"{stream.name} {name} step {number}: {seconds:.0f} s of CPU, {shown}", flush=True)


def _beginning(stream: Stream, work: Path) -> Path:
    """The weights before the first step: given, or learnt once from the stream's base."""
    if stream.start is not None:
        return stream.start.parent
    place = work / stream.name / "base"
    if not (place / "model").is_dir():
        assert stream.base is not None
        settings = strategy("cumulative", 1, 6)
        refresher = Refresher(
            settings, stream.vocabulary, stream.index, stream.base.valid, place / "run", dropout=0.2, shared=0
        )
        started = time.process_time()
        everything = Taught(*[stream.base.taught.fresh] * 4)
        _written(refresher.refreshed(stream.fresh_model(), everything), place)
        print(f"{stream.name} base: {time.process_time() - started:.0f} s of CPU", flush=True)
    return place


def _opened(place: Path) -> Weights:
    model = pretrained(str(place / "model"))
    if not (place / "adapter").is_dir():
        return model
    adapted: PeftModel = PeftModel.from_pretrained(model, str(place / "adapter"), is_trainable=True)
    return adapted


def _written(model: Weights, place: Path) -> None:
    shutil.rmtree(place / "model", ignore_errors=True)
    if isinstance(model, PeftModel):
        model.save_pretrained(str(place / "adapter"))
        model.unload().save_pretrained(str(place / "model"))
    else:
        model.save_pretrained(str(place / "model"))


def fused(stream: Stream, model: Weights, mix: Mix) -> Fusion:
    engine = engine_of(model.eval(), stream.vocabulary, context_of(model))
    return Fusion(engine, stream.asking, mix, WIDTH, WIDTH)


def ndcg(stream: Stream, model: Weights, cases: Cases, mix: Mix | None = None) -> Float64:
    """NDCG@10 of every case, whole catalog, seen items masked; without priors unless some are given."""
    ranker = GenerativeRanker(fused(stream, model, mix or Mix((), {})))
    found: Float64 = evaluate(ranker, cases, (10,), mask_seen=True).per_case["ndcg@10"]
    return found


def likelihood(stream: Stream, model: Weights, cases: Cases) -> Float64:
    """log p(semantic ID of the target | history) of every case, in nats."""
    fusion = fused(stream, model, Mix((), {}))
    targets = stream.index.codes[cases.targets.padded(1)]
    found = fusion.engine.score(stream.asking.batch(cases.histories), list(targets))
    return np.concatenate(found).astype(np.float64)


def told(line: Line) -> dict[str, Any]:
    return {
        "cpu_seconds": [round(one, 1) for one in line.seconds],
        "ndcg10": [round(float(one.mean()), 5) for one in line.tests],
        "log_likelihood": [round(float(one.mean()), 4) for one in line.likelihood],
        "old_ndcg10": [round(float(one.mean()), 5) for one in line.old],
    }
