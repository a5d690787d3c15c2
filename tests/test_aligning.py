"""A bundle and preferences: no held-out target is learnt, a child only where it is surely better and finds no less."""

from __future__ import annotations

import json
import runpy
import sys
import warnings
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import polars as pl
import pytest

from genrec.aligning import Deciding, Verdict, separated
from genrec.bundle import Bundle
from genrec.errors import SplitError
from genrec.evaluation.protocol import Result
from genrec.formats import dataset
from genrec.formats.report import Tally
from genrec.interactions import Interactions
from genrec.preparing import load, save
from genrec.recommender import Recommender
from genrec.tuning.align_settings import AlignSettings
from genrec.tuning.preferences import Choices
from genrec.tuning.settings import SplitSettings
from genrec.tuning.splits import split_of
from tests.helpers.running import ROOT, Tiny

FAST = ("least=10", "rounds=1", "rejected=5", "batch_size=16")
LATER = (
    "split.kind=global_time",
    "split.valid=0.1",
    "split.test=0.05",
    "recent=0.2",
    "learning_rate=0.02",
    "dropout=0",
)


@pytest.fixture(scope="module")
def grown(tiny_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny data, and then sixty viewers who all choose the same rare films one after the other."""
    known, out = load(tiny_data), tmp_path_factory.mktemp("grown") / "data"
    counts = known.interactions.table["item_id"].value_counts().sort("count", "item_id")
    path = counts["item_id"][:6].to_list()
    end = int(known.interactions.table["timestamp"][-1])
    rows = [
        (f"later{one}", item, end + 15 * one + 100 * (place + 1))
        for one in range(60)
        for place, item in enumerate(path)
    ]
    table = known.interactions.table.select("user_id", "item_id", "timestamp")
    more = pl.DataFrame(rows, schema=table.schema, orient="row")
    save(dataset(Interactions.from_table(pl.concat([table, more])), known.catalog.table, Tally("grown")), out)
    return out


def aligned(bundle: Path, data: Path, out: Path, *words: str, options: tuple[str, ...] = ()) -> dict[str, Any]:
    """training/dpo.py in this process; its report."""
    path = ROOT / "training" / "dpo.py"
    arguments = [str(path), "--bundle", str(bundle), "--data", str(data), "--out", str(out), "--quiet", *options, "--"]
    with mock.patch.object(sys, "argv", [*arguments, *words]), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        runpy.run_path(str(path), run_name="__main__")
    report: dict[str, Any] = json.loads((out.with_name(out.name + "-run") / "align.json").read_text("utf-8"))
    return report


@pytest.mark.parametrize("method", ["preferences", "rewards"])
def test_a_better_child_is_written_with_its_descent(method: str, tiny: Tiny, grown: Path, tmp_path: Path) -> None:
    report = aligned(tiny.bundle, grown, tmp_path / "child", f"method={method}", "beta=0.2", "priors=0", *LATER, *FAST)
    parent, child = Bundle.open(tiny.bundle), Bundle.open(tmp_path / "child")
    assert (report["published"], report["version"], report["parent"]) == (True, child.version, parent.version)
    assert report["low"] > 0
    assert report["after"] > report["before"]
    (step,) = child.manifest.lineage
    assert (child.manifest.parent, step.parent, step.strategy) == (parent.version, parent.version, method)
    assert step.since <= step.until <= (child.manifest.learnt_until or 0)
    assert child.manifest.split_settings["valid"] == 0.1
    assert (child.index.codes == parent.index.codes).all()
    slate = Recommender.open(child).recommend(parent.index.item_ids[:2], 5)
    assert all(item.explanation for item in slate.items)


def test_a_child_that_is_no_better_is_not_written(tiny: Tiny, tmp_path: Path) -> None:
    report = aligned(tiny.bundle, tiny.data, tmp_path / "child", "learning_rate=1e-12", *FAST)
    assert (report["published"], report["version"]) == (False, report["parent"])
    assert not (tmp_path / "child").exists()


def test_what_was_turned_down_is_held_against_choices(tiny: Tiny, tmp_path: Path) -> None:
    table = load(tiny.data).interactions.table
    user = table["user_id"].mode().sort()[0]
    mine = table.filter(pl.col("user_id") == user).sort("timestamp")
    other = next(item for item in sorted(set(table["item_id"])) if item not in set(mine["item_id"]))
    no = mine.select("user_id", pl.lit(other).alias("item_id"), "timestamp")[3:4]
    save(dataset(Interactions.from_table(no), load(tiny.data).catalog.table, Tally("no")), tmp_path / "no")
    options = ("--refused", str(tmp_path / "no"))
    report = aligned(tiny.bundle, tiny.data, tmp_path / "child", "recent=1.0", "cases=16", *FAST, options=options)
    assert report["refused"] == 1


@pytest.mark.parametrize("kind", ["global_time", "leave_last_out"])
def test_no_target_of_validation_or_test_is_learnt(kind: str, tiny: Tiny) -> None:
    data = load(tiny.data)
    split = split_of(SplitSettings.model_validate({"kind": kind}), data.interactions, data.catalog.item_ids)
    choices = Choices.of(split.train, split.item_ids, 1.0, data.interactions)
    users = np.array(split.train.histories(split.item_ids).users)[choices.events.rows[choices.places]]
    learnt = set(zip(users.tolist(), choices.chosen.tolist(), choices.times.tolist(), strict=True))
    for cases in (split.valid, split.test):
        targets = [int(cases.targets[row][0]) for row in range(len(cases))]
        assert len(targets) > 5
        assert not learnt & set(zip(cases.users, targets, cases.times.tolist(), strict=True))
    if kind == "global_time":
        assert choices.times.max() < split.valid.times.min()


def test_halves_of_validation_share_no_case_and_too_few_are_refused(tiny: Tiny) -> None:
    data = load(tiny.data)
    settings = AlignSettings(least=10)
    split = split_of(separated(Bundle.open(tiny.bundle), settings), data.interactions, data.catalog.item_ids)
    found = Deciding.of(split, settings)
    assert not set(found.fit.users) & set(found.judged.users)
    assert len(found.fit) + len(found.judged) == len(split.valid)
    with pytest.raises(SplitError, match="too few validation cases"):
        Deciding.of(split, AlignSettings(least=100_000))


def verdict(ndcg: float, hits: float) -> Verdict:
    """Against a bundle of NDCG@10 .1 and half the targets among fifty; what is shown are items 0 to 9, then 5 to 14."""

    def result(name: str, gain: float, found: float, first: int) -> Result:
        cases = 40
        hit = (np.arange(cases) < found * cases).astype(np.float64)
        ranked = np.tile(np.arange(first, first + 10, dtype=np.int32), (cases, 1))
        return Result(name, True, [f"u{one}" for one in range(cases)], ranked,
                      {"ndcg@10": np.full(cases, gain), "recall@50": hit}, 0.0)  # fmt: skip

    return Verdict(result("before", 0.1, 0.5, 0), result("after", ndcg, hits, 5), lost=0.02)


@pytest.mark.parametrize(
    ("ndcg", "hits", "better"), [(0.12, 0.5, True), (0.1, 0.6, False), (0.12, 0.475, False), (0.08, 0.9, False)]
)
def test_only_a_sure_gain_that_loses_no_hits_is_better(ndcg: float, hits: float, better: bool) -> None:
    found = verdict(ndcg, hits)
    assert found.better is better
    assert found.hits == pytest.approx(hits / 0.5 - 1)
    assert found.coverage == (10, 10)
    assert f"0.1000 → {ndcg:.4f} on 40 cases" in str(found)
