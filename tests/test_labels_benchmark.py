"""The parts of benchmarks/labels.py and benchmarks/transfer.py that decide what is compared with what."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from benchmarks import labels, transfer
from genrec.benchmarking import RESULTS, ROOT, Claim
from genrec.interactions import Interactions
from genrec.tuning.result import sample
from genrec.tuning.settings import SplitSettings
from genrec.tuning.splits import split_of

DAY = 86_400
START = int(datetime(2024, 1, 1, tzinfo=UTC).timestamp())


def log(users: int, events: int) -> pl.DataFrame:
    """User u watches film u + e on day e."""
    rows = [(f"u{user:03}", f"f{(user + event) % 12}", START + event * DAY) for event in range(events)
            for user in range(users)]  # fmt: skip
    return pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")


def test_further_early_events_move_no_cut() -> None:
    known, short = log(20, 30), log(50, 4).with_columns((pl.lit("v") + pl.col("user_id")).alias("user_id"))
    cuts = labels.times_of(known)
    for table in (known, pl.concat([known, short])):
        shares = dict(one.removeprefix("split.").split("=") for one in labels.shares_of(table["timestamp"], cuts))
        split = split_of(SplitSettings(**shares), Interactions(table.sort("timestamp")), [f"f{k}" for k in range(12)])
        assert int(split.train.table["timestamp"].max()) < cuts[0]  # type: ignore[arg-type]
        assert (int(split.valid.times.min()), int(split.test.times.min())) == cuts
        assert not any(user.startswith("v") for user in split.valid.users + split.test.users)


def test_only_viewers_with_enough_before_the_cut_are_continued() -> None:
    table = log(4, 12).filter((pl.col("user_id") != "u003") | (pl.col("timestamp") < START + 7 * DAY))
    found = labels.early(table, pl.Series(["u001", "u003"]), 5, START + 11 * DAY)
    assert found["user_id"].unique().to_list() == ["u001"]
    assert found.height == 10
    assert labels.early(table, pl.Series(["u001", "u003"]), 5, START + 9 * DAY).height == 0


def test_guessed_events_follow_what_is_known() -> None:
    last = pl.DataFrame({"user_id": ["a", "b"], "timestamp": [100, 200]})
    found = labels.events(["a", "b"], np.array([[2, 0], [1, 2]]), ["x", "y", "z"], last)
    rows = found.sort("user_id", "timestamp").select("user_id", "item_id", "timestamp").rows()
    assert rows == [("a", "z", 160), ("a", "x", 220), ("b", "y", 260), ("b", "z", 320)]


def test_the_surest_ranking_has_the_least_entropy() -> None:
    found = labels.entropy(np.array([[1.0, 0, 0, 0], [0.25, 0.25, 0.25, 0.25], [0.5, 0.5, 0, 0]]))
    np.testing.assert_allclose(found, np.log([1, 4, 2]), atol=1e-9)


def test_the_farthest_come_first_and_not_beside_each_other() -> None:
    angles = np.radians([0, 10, 90, 95, 180])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    taken = np.array([True, False, False, False, False])
    assert labels.farthest(vectors, taken, 3).tolist() == [4, 2, 1]


def test_nobody_is_learnt_from_who_is_tested() -> None:
    whole, ids = Interactions(log(40, 10)), [f"f{k}" for k in range(12)]
    split = split_of(SplitSettings(kind="leave_last_out"), whole, ids)
    cases = sample(split.test, 15, 0)
    users = transfer.learners(split, cases, transfer.PAIRS["products"])
    assert len(users) == 25
    assert not set(users) & set(cases.users)


# What was measured


@pytest.mark.parametrize(("name", "heading"), [("transfer", "From another catalog"), ("labels", "Fewer labels")])
def test_the_guide_says_what_was_measured(name: str, heading: str) -> None:
    """Every figure of the section is one of the result file, which promises nothing."""
    result = json.loads((RESULTS / f"{name}.json").read_text("utf-8"))
    claims = [Claim.model_validate(one) for one in result["claims"]]
    assert all(one.id.startswith(f"{name}.") and one.target is None for one in claims)
    guide = (ROOT / "docs" / "guide" / "recipes.md").read_text("utf-8")
    section = guide.partition(f"### {heading}\n")[2].partition("\n##")[0]
    said = re.findall(r"[+−]?\.\d+ \[[+−]?\.\d+, [+−]?\.\d+\]", section)
    measured = {text for one in claims for text in (told(one, "", 3), told(one, "+", 4))}
    assert len(said) > 5
    assert [text for text in said if text not in measured] == []


def told(one: Claim, sign: str, digits: int) -> str:
    values = [f"{value:{sign}.{digits}f}" for value in (one.value, one.low, one.high) if value is not None]
    middle, low, high = (value.replace("0.", ".", 1).replace("-", "−") for value in values)
    return f"{middle} [{low}, {high}]"
