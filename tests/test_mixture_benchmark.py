"""What benchmarks/finetune.py holds out of ratings and how it counts, by hand; the guide says what it found."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from benchmarks import _finetune_mixture as tasks
from benchmarks import _finetune_rating as rating
from genrec.formats import dataset
from genrec.formats.report import Tally
from genrec.interactions import Interactions
from genrec.judging import Answers
from tests.helpers.running import ROOT

ITEMS = [f"i{number}" for number in range(20)]


def log(**events: int) -> Interactions:
    """User u rates items 0, 1, … in their order, 1 and 5 in turn; all users' times interleave."""
    rows = [
        (user, ITEMS[place], place, 1.0 + 4 * (place % 2)) for user, count in events.items() for place in range(count)
    ]
    return Interactions.from_table(
        pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp", "value"], orient="row")
    )


def test_the_newest_fifth_is_neither_learnt_nor_shown() -> None:
    """Of 20 events 14 are learnt, 2 choose and 4 are the test; of 5, four and none and one; of 4, all are learnt."""
    catalog = pl.DataFrame({"item_id": ITEMS, "title": ITEMS})
    held = rating.held_out(dataset(log(a=20, b=5, c=4), catalog, Tally("toy")), 100)
    counts = dict(held.split.train.table.group_by("user_id").len().iter_rows())
    assert counts == {"a": 14, "b": 4, "c": 4}
    assert sorted(zip(held.valid.users, held.valid.items.tolist(), strict=True)) == [("a", 14), ("a", 15)]
    asked = sorted(zip(held.test.users, held.test.items.tolist(), held.test.values.tolist(), strict=True))
    assert asked == [("a", 16, 1.0), ("a", 17, 5.0), ("a", 18, 1.0), ("a", 19, 5.0), ("b", 4, 1.0)]
    assert (held.split.valid.users, held.split.test.users) == (["a"], ["a", "b"])
    assert held.split.test.targets.items.tolist() == [16, 4]
    assert held.split.test.histories.lengths.tolist() == [16, 4]


class Places:
    """A vocabulary of users or items: what is not in it is −1."""

    def __init__(self, *names: Any) -> None:
        self.names = list(names)

    def numbers(self, wanted: Any, missing: str) -> np.ndarray:
        assert missing == "negative"
        return np.array([self.names.index(one) if one in self.names else -1 for one in wanted])


def test_means_and_factors_add_up_and_the_unknown_adds_nothing() -> None:
    means = SimpleNamespace(
        users=Places("u", "v"), items=Places(3, 7), global_bias=3.0, user_biases=np.array([0.5, -0.5]),
        item_biases=np.array([0.25, -1.0]),
    )  # fmt: skip
    events = rating.Events(["u", "v", "w", "u"], np.array([3, 7, 3, 9]), np.zeros(4))
    assert rating._guessed(means, events).tolist() == [3.75, 1.5, 3.25, 3.5]
    factors = SimpleNamespace(
        bias=means, user_embeddings=np.array([[1.0, 2.0], [0.0, 1.0]]),
        item_embeddings=np.array([[0.5, 0.0], [0.0, 2.0]]),
    )  # fmt: skip
    assert rating._guessed(factors, events).tolist() == [4.25, 3.5, 3.25, 3.5]


def test_kinds_are_counted_beside_the_shares_of_all() -> None:
    """u has met 1, 5, 1 before the last event: (2, 1) of those, and a weight of 3 on halves, over 6."""
    whole = Answers("rating", ("1", "5")).judged(log(u=4), ITEMS)
    asked = tasks._cut(whole, 1)
    assert (asked.items.tolist(), asked.said.tolist(), asked.before.said.tolist()) == ([3], [1], [0, 1, 0])
    chances = tasks._counted(asked, np.array([0.5, 0.5]), 3.0)
    assert chances.tolist() == [pytest.approx([3.5 / 6, 2.5 / 6])]
    assert tasks._loss(chances, asked).tolist() == pytest.approx([-np.log(2.5 / 6)])


# What the guide says


def runs() -> dict[str, Any]:
    held = json.loads((ROOT / "benchmarks" / "results" / "finetune.json").read_text("utf-8"))
    return {name: part for one in [*held.get("earlier", ()), held] for name, part in one["config"].items()}


def number(value: float, digits: int = 3) -> str:
    return f"{value:.{digits}f}".replace("-", "−").replace("0.", ".", 1) if abs(value) < 1 else f"{value:.{digits}f}"


def interval(one: dict[str, float], digits: int = 3) -> str:
    return f"{number(one['value'], digits)} [{number(one['low'], digits)}, {number(one['high'], digits)}]"


def page() -> str:
    whole = (ROOT / "docs" / "guide" / "recipes.md").read_text("utf-8")
    return whole.partition("## Ratings and kinds of events")[2].partition("\n## ")[0]


def test_the_guide_says_how_far_ratings_are_off() -> None:
    for name, row in runs()["rating"]["ml-100k"]["rows"].items():
        gain = row.get("squared_over_factors")
        middle = number(row["mae_of_median"]["value"]) if "mae_of_median" in row else ""
        cells = [interval(row["rmse"]), number(row["mae"]["value"]), middle, interval(gain) if gain else ""]
        assert f"| {name} | {' | '.join(cells)} |" in page()


def test_the_guide_says_what_every_task_costs() -> None:
    for name, row in runs()["mixture"]["rows"].items():
        gain = row.get("over_alone")
        cells = [
            interval(row["ndcg@10"]),
            interval(gain, 4) if gain else "",
            f"{row['tokens']:,}",
            f"{row['seconds']:.0f}",
        ]
        assert f"| {name} | {' | '.join(cells)} |" in page()
