"""One run of benchmarks/align.py: a world, a way to align its bundle, what both say on the test. Knows no table."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from torch import Tensor

from benchmarks._ranking_runs import FILM, Data, Places, Run, prepared, trained
from genrec.aligning import HITS, NDCG, Aligner, Deciding, Verdict, separated
from genrec.bundle import Bundle
from genrec.evaluation.generative import GenerativeRanker
from genrec.evaluation.protocol import Result, evaluate
from genrec.formats import dataset
from genrec.formats.report import Tally
from genrec.fusing import Fusion
from genrec.preparing import PrepareConfig, load, prepare, save
from genrec.recommender import Recommender
from genrec.settings import load_settings
from genrec.splitting import Cases, Split
from genrec.tuning.align_settings import AlignSettings
from genrec.tuning.preferences import Choices
from genrec.tuning.preferring import Objective
from genrec.tuning.result import sample
from genrec.tuning.splits import split_of

CORE = "movietweetings-core"
WORLDS = (
    Data(FILM, "global_time", "film"),
    Data(
        CORE, "global_time", "movietweetings",
        ("mixture.item_to_id=0.1", "mixture.id_to_item=0.02", "mixture.explain=100", "optimiser.max_seconds=1000",
         "sequence.max_seconds=200"),
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Way:
    """overrides: settings of alignment; objective: in place of theirs."""

    name: str
    overrides: tuple[str, ...]
    objective: Objective | None = None


def cross_entropy(logprobs: Tensor, reference: Tensor, rewards: Tensor) -> Tensor:
    """The control: the same choices, learnt on as training had learnt them, nothing rejected, nothing held."""
    return -logprobs[:, 0]


@dataclass(frozen=True)
class World:
    """A bundle, the data that it was trained on, and the results of its model alone and with priors on test cases."""

    data: Data
    parent: Recommender
    folder: Path
    most: int

    @classmethod
    def of(cls, data: Data, places: Places, most: int) -> World:
        if data.name == CORE:
            _core(places)
        else:
            prepared(data.name, places)
        run = Run(data, "default", (), 0)
        trained(run, places)
        return cls(data, Recommender.open(Bundle.open(places.run(run) / "bundle")), places.data(data.name), most)

    @cached_property
    def cases(self) -> Cases:
        """Test cases."""
        split = self._split(AlignSettings())
        return sample(split.test, self.most, 0)

    @cached_property
    def before(self) -> dict[str, Result]:
        fusion = self.parent.fusion
        return {"alone": _measured(fusion.alone(), self.cases), "fused": _measured(fusion, self.cases)}

    def _split(self, settings: AlignSettings) -> Split:
        bundle, data = self.parent.bundle, load(self.folder)
        return split_of(separated(bundle, settings), data.interactions, self.parent.catalog.item_ids)

    def aligned(self, way: Way, run: Path) -> dict[str, Any]:
        """What the run's file says, or what a run now finds."""
        kept = run / f"{way.name}-{self.most}.json"
        if kept.is_file():
            found: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
            return found
        found = self._aligned(way, run)
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(found, indent=1), encoding="utf-8")
        return found

    def _aligned(self, way: Way, run: Path) -> dict[str, Any]:
        settings = load_settings(AlignSettings, None, way.overrides)
        split = self._split(settings)
        choices, deciding = Choices.of(split.train, split.item_ids, settings.recent), Deciding.of(split, settings)
        started, cpu = time.monotonic(), time.process_time()
        aligner = Aligner(self.parent, settings, run, way.objective)
        model, rounds = aligner.aligned(choices, deciding.fit)
        child = aligner.child(model, deciding.fit)
        seconds, cpu_seconds = time.monotonic() - started, time.process_time() - cpu
        verdict = Verdict.of(self.parent.fusion, child, deciding.judged, settings.lost)
        after = {"alone": _measured(child.alone(), self.cases), "fused": _measured(child, self.cases)}
        return {
            "overrides": list(way.overrides), "seconds": round(seconds, 1), "cpu_seconds": round(cpu_seconds, 1),
            "choices": len(choices), "rounds": rounds, "validation": verdict.figures(),
            "published": verdict.better, "prior_weights": dict(child.mix.weights),
            "test": {name: compared(self.before[name], one) for name, one in after.items()},
        }  # fmt: skip


def compared(before: Result, after: Result) -> dict[str, Any]:
    """NDCG@10 and hits among fifty of both, paired intervals, and how many items the first tens hold."""
    found: dict[str, Any] = {"cases": len(before.users)}
    for name, short in ((NDCG, "ndcg"), (HITS, "hits")):
        gain = after.difference(before, name)
        found[short] = {
            "before": before.mean(name), "after": after.mean(name), "mean": gain.mean, "low": gain.low,
            "high": gain.high,
        }  # fmt: skip
    items = [len(np.unique(one.ranked[:, :10])) for one in (before, after)]
    return found | {"items": {"before": items[0], "after": items[1]}}


def _measured(fusion: Fusion, cases: Cases) -> Result:
    return evaluate(GenerativeRanker(fusion), cases, (10, 50), mask_seen=True)


def _core(places: Places) -> None:
    """MovieTweetings with users of 5 and films of 10 ratings or more, and only those films: a third of the training."""
    out = places.data(CORE)
    if out.is_dir():
        return
    config = PrepareConfig(min_user=5, min_item=10)
    whole = prepare(places.source / "movietweetings", out.with_name("movietweetings-whole"), config)
    rated = whole.interactions.table["item_id"].unique().to_list()
    table = whole.catalog.table.filter(pl.col("item_id").is_in(rated))
    save(dataset(whole.interactions, table, Tally("users of 5 and films of 10 ratings")), out)
