"""A bundle and new interactions: what is new, who decides, and a child only where it is surely better."""

from __future__ import annotations

import json
import runpy
import shutil
import sys
import warnings
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import polars as pl
import pytest

from genrec.bundle import Bundle
from genrec.errors import ConfigError, SplitError
from genrec.evaluation.bootstrap import Interval
from genrec.examples import chosen_items
from genrec.formats import dataset
from genrec.formats.report import Tally
from genrec.interactions import Interactions
from genrec.preparing import load, save
from genrec.priors import Sequential
from genrec.ragged import Ragged
from genrec.recommender import Recommender
from genrec.refreshing import Block, Verdict, beginning, grown
from genrec.tuning.settings import RefreshSettings
from genrec.world import load_films
from tests.helpers.running import ROOT, Tiny

FAST = (
    "least=10", "valid=0.4", "explain=0", "lora.rank=2", "optimiser.epochs=1", "optimiser.evaluations=1",
    "optimiser.learning_rate=0.01",
)  # fmt: skip
VIEWERS, LENGTH = 60, 6
NEW = 3  # the row of a film that the tiny world lacks


def later(data: Path, out: Path) -> Path:
    """The tiny data, and then viewers who all choose the same rare films one after the other, each of them a little
    later than the viewer before; the last film is new."""
    known, films = load(data), load_films().table
    catalog = pl.concat([known.catalog.table, films[[NEW]]], how="diagonal_relaxed")
    counts = known.interactions.table["item_id"].value_counts().sort("count", "item_id")
    path = [*counts["item_id"][: LENGTH - 1].to_list(), films["item_id"][NEW]]
    end = int(known.interactions.table["timestamp"][-1])
    rows = [
        (f"later{one}", item, end + 15 * one + 100 * (place + 1))
        for one in range(VIEWERS) for place, item in enumerate(path)
    ]  # fmt: skip
    table = known.interactions.table.select("user_id", "item_id", "timestamp")
    more = pl.DataFrame(rows, schema=table.schema, orient="row")
    save(dataset(Interactions.from_table(pl.concat([table, more])), catalog, Tally("later")), out)
    return out


@pytest.fixture(scope="module")
def grown_data(tiny_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return later(tiny_data, tmp_path_factory.mktemp("later") / "data")


def refreshed(bundle: Path, data: Path, *words: str) -> dict[str, Any]:
    """training/refresh.py in this process; its report."""
    path = ROOT / "training" / "refresh.py"
    arguments = [str(path), "--bundle", str(bundle), "--data", str(data), "--quiet", "--", *words]
    with mock.patch.object(sys, "argv", arguments), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        runpy.run_path(str(path), run_name="__main__")
    report: dict[str, Any] = json.loads((bundle.with_name(bundle.name + "-run") / "refresh.json").read_text("utf-8"))
    return report


@pytest.mark.parametrize("strategy", ["evolving", "two", "continued", "cumulative"])
def test_a_better_child_takes_the_place(strategy: str, tiny: Tiny, grown_data: Path, tmp_path: Path) -> None:
    place = Path(shutil.copytree(tiny.bundle, tmp_path / "bundle"))
    parent = Bundle.open(tiny.bundle)  # a bundle reads its folder when it is asked, and the place gets another
    report = refreshed(place, grown_data, f"strategy={strategy}", *FAST)
    child = Bundle.open(place)
    assert (report["published"], report["version"], report["parent"]) == (True, child.version, parent.version)
    assert report["low"] > 0
    (step,) = child.manifest.lineage
    assert (child.manifest.parent, step.parent, step.strategy) == (parent.version, parent.version, strategy)
    assert step.since == (parent.manifest.learnt_until or 0) + 1 <= step.until == child.manifest.learnt_until
    assert child.manifest.adapter == ("lora" if strategy in ("evolving", "two") else None)
    assert child.index.item_ids[: len(parent.index)] == parent.index.item_ids
    assert (child.index.codes[: len(parent.index)] == parent.index.codes).all()
    assert child.index.item_ids[len(parent.index) :] == [load_films().item_ids[NEW]]
    kept = Bundle.open(place.with_name("bundle-before"))
    assert kept.version == parent.version
    recommender = Recommender.open(child)
    sequence = next(prior for prior in recommender.fusion.mix.priors if isinstance(prior, Sequential))
    assert sequence.known[-1]  # the new film, by what is like it, for the network itself did not learn
    slate = recommender.recommend(parent.index.item_ids[:2], 5)
    assert all(item.explanation for item in slate.items)


def test_a_child_that_is_no_better_changes_nothing(tiny: Tiny, grown_data: Path, tmp_path: Path) -> None:
    place = Path(shutil.copytree(tiny.bundle, tmp_path / "bundle"))
    before = (place / "manifest.json").read_bytes()
    still = ("priors=kept", "optimiser.learning_rate=1e-12", "optimiser.epochs=0.1")
    report = refreshed(place, grown_data, *FAST, *still)
    assert (report["published"], report["version"]) == (False, report["parent"])
    assert report["low"] <= 0
    assert (place / "manifest.json").read_bytes() == before
    assert not place.with_name("bundle-before").exists()


def test_the_newest_decide_and_are_not_learnt(tiny: Tiny, grown_data: Path) -> None:
    data, bundle = load(grown_data), Bundle.open(tiny.bundle)
    settings = RefreshSettings(least=10, valid=0.4)
    block = Block.of(data.interactions, data.catalog.item_ids, beginning(bundle, settings), settings)
    cut = int(block.train.table["timestamp"][-1])
    assert (np.concatenate([block.fit.times, block.judged.times]) > cut).all()
    assert not set(block.fit.users) & set(block.judged.users)
    assert len(block.fresh) < len(data.interactions.since(block.since))


def test_too_little_is_refused_and_a_bundle_that_does_not_say_is_asked(tiny: Tiny, grown_data: Path) -> None:
    data, bundle = load(grown_data), Bundle.open(tiny.bundle)
    end = int(data.interactions.table["timestamp"][-1])
    with pytest.raises(SplitError, match="too little is new"):
        Block.of(data.interactions, data.catalog.item_ids, end + 1, RefreshSettings())
    with pytest.raises(SplitError, match="too little is new"):
        Block.of(data.interactions, data.catalog.item_ids, end - 200, RefreshSettings(least=2000))
    silent = Bundle(bundle.folder, bundle.manifest.model_copy(update={"learnt_until": None}))
    with pytest.raises(ConfigError, match="since"):
        beginning(silent, RefreshSettings())
    assert beginning(silent, RefreshSettings(since=7)) == 7


def test_a_grown_catalog_keeps_old_numbers(tiny: Tiny, grown_data: Path) -> None:
    before = Recommender.open(tiny.bundle)
    after = grown(before, load(grown_data).catalog)
    assert after.catalog.item_ids == [*before.catalog.item_ids, load_films().item_ids[NEW]]
    assert grown(before, before.catalog) is before


@pytest.mark.parametrize(("low", "better"), [(0.001, True), (0.0, False), (-0.01, False)])
def test_only_a_sure_gain_is_better(low: float, better: bool) -> None:
    verdict = Verdict(0.1, 0.12, Interval(0.02, low, 0.04), 50)
    assert verdict.better is better
    assert "0.1000 → 0.1200 on 50 later cases" in str(verdict)


def test_examples_in_which_only_new_events_are_learnt() -> None:
    histories = Ragged.from_lists([[0, 1, 2], [1], [2, 0]])
    learnt = np.array([False, False, True, False, True, True])
    found = chosen_items(histories, learnt, [9], np.array([[10], [11], [12]]), window=5)
    assert found.columns()["input_ids"] == [[9, 10, 11, 12], [9, 12, 10]]
    assert found.columns()["labels"] == [[-100, -100, -100, 12], [-100, 12, 10]]
