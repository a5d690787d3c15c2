"""The mixture of tasks, counted by hand on four items, and the newest share of a log."""

import re
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from genrec.asking import NextItemPrompt
from genrec.catalog import Catalog
from genrec.examples import IGNORED, Examples
from genrec.explaining.reviews import Library, Reviews
from genrec.interactions import Histories, Interactions
from genrec.model.vocabulary import Vocabulary, train_tokenizer
from genrec.prompting import load_prompts
from genrec.ragged import Ragged
from genrec.resources import folder
from genrec.tuning.mixture import mixture
from genrec.tuning.settings import MixtureSettings
from genrec.tuning.splits import newest
from tests.helpers.tiny import TEXTS
from tests.helpers.toyworld import grid

INDEX = grid(2, 2)
NAMES = ["i0", "i1", "i2", "i3"]
CATALOG = Catalog.from_table(
    pl.DataFrame({"item_id": NAMES, "title": ["Tea", "Jam", "Egg", "Ham"], "kind": ["drink", "food", "food", "food"]})
)
ROWS = [[0, 1, 2, 3, 0, 1, 2, 3], [3, 2]]
HISTORIES = Histories(["u0", "u1"], Ragged.from_lists(ROWS), np.arange(10, dtype=np.int64))
NEXT_ONLY = MixtureSettings(item_to_id=0, id_to_item=0, explain=0, dropped=0, variants=1)


@pytest.fixture(scope="module")
def asking() -> NextItemPrompt:
    prompts = load_prompts(folder("prompts"), "en")
    vocabulary = Vocabulary.extend(train_tokenizer([*TEXTS, "Tea Jam Egg Ham"], 300), INDEX, prompts.control_tokens)
    return NextItemPrompt(prompts, vocabulary, INDEX, 20)


def drawn(asking: NextItemPrompt, seed: int = 0, **settings: float) -> Examples:
    return mixture(asking, CATALOG, HISTORIES, NEXT_ONLY.model_copy(update=settings), seed)


def learnt(examples: Examples, row: int) -> list[int]:
    labels = examples.labels[row]
    return [int(token) for token in labels[labels != IGNORED]]


def test_next_item_alone_is_every_history(asking: NextItemPrompt) -> None:
    examples = drawn(asking)
    assert len(examples) == 2
    for row, items in enumerate(ROWS):
        assert learnt(examples, row) == asking.semantic[items].ravel().tolist()


def test_reviews_are_learnt_once_an_epoch(asking: NextItemPrompt) -> None:
    rows = [("u0", "i0", "Tea is warm and calm.", "Tea"), ("u1", "i0", "Calm tea.", "Tea")]
    table = pl.DataFrame(rows, schema=["user", "item", "text", "title"], orient="row")
    reviews = Reviews(table.with_columns(user_text=pl.lit(""), item_text=pl.lit("")))
    settings = NEXT_ONLY.model_copy(update={"variants": 2})
    examples = mixture(asking, CATALOG, HISTORIES, settings, 0, Library(reviews, np.arange(2)))
    assert len(examples) == 2 * (len(ROWS) + 2)
    vocabulary = asking.vocabulary
    said = [vocabulary.text(learnt(examples, row)[:-1]) for row in (2, 3, 6, 7)]  # type: ignore[attr-defined]
    assert said == ["{item} is warm and calm.", "Calm tea."] * 2


def test_reasons_are_learnt_in_every_language(asking: NextItemPrompt) -> None:
    prompts = load_prompts(folder("prompts"), "en", ["zh"])
    both = drawn(replace(asking, prompts=prompts), explain=3)
    assert len(both) == 2 + 2 * 3
    said = [asking.vocabulary.text(learnt(both, row)[:-1]) for row in range(2, 8)]  # type: ignore[attr-defined]
    assert [bool(re.search("[\u4e00-\u9fff]", one)) for one in said] == [False] * 3 + [True] * 3


def test_items_are_asked_for_as_often_as_said(asking: NextItemPrompt) -> None:
    """1.5 times: each of the four items once, and two of them again. The answer is an ID, then the end."""
    examples = drawn(asking, item_to_id=1.5)
    assert len(examples) == 2 + 6
    answers = [learnt(examples, row) for row in range(2, 8)]
    ids = asking.semantic.tolist()
    assert all(answer[-1] == asking.vocabulary.end_id for answer in answers)
    asked = [ids.index(answer[:-1]) for answer in answers]
    assert set(asked) == {0, 1, 2, 3}
    assert sorted(np.bincount(asked).tolist()) == [1, 1, 2, 2]


def test_titles_are_asked_for_by_id(asking: NextItemPrompt) -> None:
    examples = drawn(asking, id_to_item=1)
    assert isinstance(asking.vocabulary, Vocabulary)
    said = [asking.vocabulary.text(learnt(examples, row)[:-1]) for row in range(2, 6)]
    assert sorted(said) == ["Egg", "Ham", "Jam", "Tea"]


def test_variants_are_epochs_of_their_own(asking: NextItemPrompt) -> None:
    one, three = drawn(asking, item_to_id=0.5), drawn(asking, item_to_id=0.5, variants=3)
    assert (len(one), len(three)) == (4, 12)
    assert three.take(np.arange(4)).columns() == one.columns()
    turns = [three.take(np.arange(4 * turn, 4 * turn + 4)).columns()["labels"] for turn in range(3)]
    assert turns[0] != turns[1] or turns[1] != turns[2]


def test_dropped_items_leave_gaps_but_no_other_order(asking: NextItemPrompt) -> None:
    examples, ids = drawn(asking, dropped=0.5, variants=20), asking.semantic.tolist()
    kept = 0
    for row in range(len(examples)):
        tokens = learnt(examples, row)
        items = [ids.index(tokens[place : place + 2]) for place in range(0, len(tokens), 2)]
        whole = iter(ROWS[0])  # which the short history is a part of
        assert all(item in whole for item in items)
        kept += len(items)
    assert 60 < kept < 140  # of 200 events about half


def test_explanations_join_in(asking: NextItemPrompt) -> None:
    assert len(drawn(asking, explain=5)) > 2


def test_the_seed_decides(asking: NextItemPrompt) -> None:
    settings = {"item_to_id": 0.5, "dropped": 0.3, "variants": 2}
    assert drawn(asking, 1, **settings).columns() == drawn(asking, 1, **settings).columns()
    assert drawn(asking, 1, **settings).columns() != drawn(asking, 2, **settings).columns()


def log_of(times: list[int]) -> Interactions:
    count = len(times)
    return Interactions.from_table(
        pl.DataFrame({"user_id": ["u"] * count, "item_id": NAMES[:1] * count, "timestamp": times})
    )


@pytest.mark.parametrize(
    ("share", "kept"), [(1.0, 10), (0.5, 6), (0.3, 4), (0.01, 1)]
)  # times 0 to 9: from place round((1 − share) · 9) on
def test_the_newest_share(share: float, kept: int) -> None:
    found = newest(log_of(list(range(10))), share).table["timestamp"].to_list()
    assert found == list(range(10 - kept, 10))


def test_events_of_one_moment_stay_together() -> None:
    assert len(newest(log_of([1, 5, 5, 5, 5]), 0.2)) == 4
    assert len(newest(log_of([]), 0.2)) == 0
