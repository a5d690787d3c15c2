"""An answer among few: answers are found in the log, the past alone is learnt, means are as worked out by hand."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from genrec.asking import NextItemPrompt
from genrec.bundle import Bundle
from genrec.decoding.engine import Float64, Prompt
from genrec.errors import ConfigError, DataError
from genrec.formats import dataset
from genrec.formats.report import Tally
from genrec.interactions import Interactions
from genrec.judging import MOST, Answers, Judge, JudgingPrompt, expected, known_answers, median, softmax, told
from genrec.preparing import load, save
from genrec.prompting import load_prompts
from genrec.ragged import Int64
from genrec.recommender import Recommender
from genrec.resources import folder
from genrec.splitting import global_time
from genrec.tuning.mixture import answers_of, judged_examples
from genrec.tuning.settings import MixtureSettings
from tests.helpers.running import Done, Tiny, trained_here
from tests.helpers.toyworld import Letters, grid

ROWS = [
    ("u", "i0", 1, "view", 4.0), ("v", "i1", 2, "like", 2.5), ("u", "i2", 3, None, None), ("u", "i3", 4, "like", 5.0),
    ("v", "i9", 5, "view", 4.0), ("v", "i0", 6, "view", 4.0), ("u", "i1", 7, "dislike", 0.5),
]  # fmt: skip
LOG = Interactions.from_table(
    pl.DataFrame(ROWS, schema=["user_id", "item_id", "timestamp", "kind", "value"], orient="row")
)
INDEX = grid(2, 2)
RATINGS, KINDS = Answers("rating", ("0.5", "2.5", "4", "5")), Answers("kind", ("dislike", "like", "view"))


class Words(Letters):
    """Answer tokens are one number each."""

    def ids(self, text: str) -> list[int]:
        return [1000 + int(text[3:-1])] if text.startswith(("<r_", "<k_")) else super().ids(text)


class Weights:
    """Says the same after every prompt, and notes what it was asked."""

    def __init__(self, *shares: float) -> None:
        self.shares = shares
        self.asked: list[tuple[list[int], list[int]]] = []

    def weigh(self, prompts: Sequence[Prompt], tokens: Sequence[Int64]) -> list[Float64]:
        self.asked += [(list(prompt), wanted.tolist()) for prompt, wanted in zip(prompts, tokens, strict=True)]
        return [np.log(self.shares) for _ in prompts]


def asking(window: int = 20) -> NextItemPrompt:
    return NextItemPrompt(load_prompts(folder("prompts"), "en"), Words(), INDEX, window)


# What may be answered


def test_answers_are_what_the_log_holds() -> None:
    assert Answers.found("rating", LOG) == RATINGS
    assert Answers.found("kind", LOG) == KINDS
    assert RATINGS.tokens == ["<r_0>", "<r_1>", "<r_2>", "<r_3>"]
    assert RATINGS.values.tolist() == [0.5, 2.5, 4.0, 5.0]
    assert RATINGS.numbers([4, 0.5]).tolist() == KINDS.numbers(["view", "dislike"]).tolist() == [2, 0]


@pytest.mark.parametrize("values", [[None] * 7, [3.0] * 7, None])
def test_a_log_without_a_choice_of_answers_is_refused(values: list[float] | None) -> None:
    table = (
        LOG.table.drop("value") if values is None else LOG.table.with_columns(value=pl.Series(values, dtype=pl.Float64))
    )
    with pytest.raises(DataError, match=r"no ratings to learn.*mixture\.rating=0"):
        Answers.found("rating", Interactions.from_table(table))


def test_prices_are_no_ratings() -> None:
    rows = pl.DataFrame({"user_id": "u", "item_id": "i", "timestamp": range(MOST + 1)})
    prices = Interactions.from_table(rows.with_columns(value=pl.col("timestamp") / 3))
    with pytest.raises(DataError, match="2 to 101 different"):
        Answers.found("rating", prices)
    steps = Answers.found("rating", prices.before(MOST))
    assert steps.numbers([1 / 3]).tolist() == [1]  # a third is written so that it is read as the same number
    assert len(steps.judged(prices, ["i"]).said) == MOST


def test_one_kind_is_no_task() -> None:
    table = LOG.table.with_columns(kind=pl.lit("view"))
    with pytest.raises(DataError, match=r"no kinds to learn.*'view'"):
        Answers.found("kind", Interactions.from_table(table))


def test_an_unknown_answer_is_named() -> None:
    with pytest.raises(DataError, match=r"no such rating.*'3'.*0\.5, 2\.5, 4, 5"):
        RATINGS.numbers([4, 3.0])


def test_events_without_an_answer_and_items_outside_the_catalog_stay_out() -> None:
    found = RATINGS.judged(LOG, INDEX.item_ids)
    assert found.users == ["u", "v"]
    assert found.items.items.tolist() == [0, 3, 1, 1, 0]
    assert found.items.offsets.tolist() == [0, 3, 5]
    assert [RATINGS.names[place] for place in found.said] == ["4", "5", "0.5", "2.5", "4"]
    assert len(replace(RATINGS, names=("4", "5")).judged(LOG, INDEX.item_ids).said) == 3


def test_nothing_of_the_future_is_learnt() -> None:
    """Whatever people said of items after the cut: the same answers, and the same examples."""
    settings, learnt = MixtureSettings(rating=1, kind=1), []
    for later in (0.5, 99.0):
        value = pl.when(pl.col("timestamp") > 4).then(pl.lit(later)).otherwise(pl.col("value"))
        table = LOG.table.with_columns(value=value)
        cut = global_time(Interactions.from_table(table), INDEX.item_ids, valid=0.2, test=0.2)
        assert len(cut.train) == 4
        answers = answers_of(settings, cut.train)
        assert [one.names for one in answers] == [("2.5", "4", "5"), ("like", "view")]
        learnt.append({task: one.columns() for task, one in judged_examples(asking(), answers, cut.train, 100).items()})
    assert learnt[0] == learnt[1]
    assert answers_of(MixtureSettings(), LOG) == []


# How it is asked


def test_a_prompt_is_judged_items_and_one_more() -> None:
    ask = asking(window=2)
    prompt = JudgingPrompt(ask, RATINGS, 100)
    tokens, head = ask.semantic.tolist(), prompt.head
    assert prompt.tokens.tolist() == [1000, 1001, 1002, 1003]
    assert prompt.ids([3, 0, 1], np.array([3, 2, 0]), 2) == [*head, *tokens[0], 1002, *tokens[1], 1000, *tokens[2]]
    assert prompt.ids([], np.zeros(0, dtype=np.int64), 2) == [*head, *tokens[2]]
    assert head != JudgingPrompt(ask, KINDS, 100).head


def test_examples_are_prompts_with_their_answers() -> None:
    """Every event is learnt once, each from no more than a prompt shows in use."""
    prompt = JudgingPrompt(asking(window=1), RATINGS, 100)
    found = prompt.examples(RATINGS.judged(LOG, INDEX.item_ids))
    tokens = prompt.asking.semantic.tolist()
    assert [found.inputs[row].tolist() for row in range(3)] == [
        [*prompt.head, *tokens[0], 1002],
        [*prompt.head, *tokens[3], 1003, *tokens[1], 1000],
        [*prompt.head, *tokens[1], 1001, *tokens[0], 1002],
    ]
    learnt = [row[row >= 0].tolist() for row in (found.labels[number] for number in range(3))]
    assert learnt == [[1002], [1003, 1000], [1001, 1002]]


def test_the_window_fits_the_context() -> None:
    head = len(JudgingPrompt(asking(), RATINGS, 1000).head)
    assert [JudgingPrompt(asking(), RATINGS, head + more).window for more in (6, 8, 9, 300)] == [1, 1, 2, 20]
    with pytest.raises(ConfigError, match="no judged item fits"):
        _ = JudgingPrompt(asking(), RATINGS, head + 5).window


# What comes of it


def test_chances_are_over_the_answers_alone() -> None:
    """A tenth, a tenth and a fifth of what the model might write: a quarter, a quarter and half of what it may."""
    engine, answers = Weights(0.1, 0.1, 0.2), Answers("rating", ("1", "3", "5"))
    prompt = JudgingPrompt(asking(), answers, 100)
    chances = Judge(engine, prompt).chances([[1, 2], [3]])
    assert chances.tolist() == [pytest.approx([0.25, 0.25, 0.5])] * 2
    assert engine.asked == [([1, 2], [1000, 1001, 1002]), ([3], [1000, 1001, 1002])]
    assert expected(chances, answers.values).tolist() == pytest.approx([3.5, 3.5])  # .25 · 1 + .25 · 3 + .5 · 5
    assert median(chances, answers.values).tolist() == [3, 3]
    (one,) = told(answers, chances[:1], ["i0"], ["Tea"])
    assert one.expected == pytest.approx(3.5)
    assert (one.title, one.median) == ("Tea", 3.0)
    assert one.chances == pytest.approx({"1": 0.25, "3": 0.25, "5": 0.5})


def test_the_mean_has_the_least_squared_error_and_the_median_the_least_absolute() -> None:
    values = np.arange(1, 6).astype(np.float64)
    chances = softmax(np.random.default_rng(0).normal(size=(50, 5)) * 2)
    guesses = np.linspace(1, 5, 401)
    squared = np.einsum("cv,gv->cg", chances, (guesses[:, None] - values) ** 2)
    absolute = np.einsum("cv,gv->cg", chances, np.abs(guesses[:, None] - values))
    assert expected(chances, values) == pytest.approx(guesses[squared.argmin(axis=1)], abs=0.006)
    mine = np.abs(median(chances, values)[:, None] - values)
    assert (chances * mine).sum(axis=1) == pytest.approx(absolute.min(axis=1), abs=1e-9)


def test_kinds_have_no_mean() -> None:
    (one,) = told(KINDS, np.array([[0.2, 0.3, 0.5]]), ["i0"], ["Tea"])
    assert (one.expected, one.median) == (None, None)
    assert one.chances == {"dislike": 0.2, "like": 0.3, "view": 0.5}


def test_a_bundle_says_what_it_has_not_learnt() -> None:
    assert known_answers("rating", {"rating": ("1", "2")}).names == ("1", "2")
    with pytest.raises(ConfigError, match=r"has not learnt kinds.*mixture\.kind=1.*column kind"):
        known_answers("kind", {"rating": ("1", "2")})


# A bundle that has learnt both


@pytest.fixture(scope="module")
def rated(tiny_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """Half of the viewers rate everything 5, the others 1 or 2; a 3 occurs in the last tenth of the log alone."""
    place, data = tmp_path_factory.mktemp("rated"), load(tiny_data)
    table = data.interactions.table
    odd = pl.col("user_id").str.slice(-1).cast(int) % 2
    low = 1.0 + (pl.int_range(pl.len()) % 2)
    value = pl.when(pl.int_range(pl.len()) > 0.95 * pl.len()).then(3.0).when(odd == 1).then(5.0).otherwise(low)
    log = Interactions.from_table(table.with_columns(value=value))
    save(dataset(log, data.catalog.table, Tally("toy")), place / "data")
    few = ("mixture.explain=0", "mixture.item_to_id=0", "mixture.id_to_item=0", "reasons_in=[]", "follow=false")
    fast = ("sequence.fitted=false", "mixture.variants=1", "optimiser.epochs=16", "optimiser.learning_rate=0.01")
    out = trained_here(
        place / "data", place / "bundle", *few, *fast, "mixture.rating=2", "mixture.kind=1", "optimiser.patience=9"
    )
    return Tiny(place / "data", out)


def test_the_answers_are_those_of_the_training_events(rated: Tiny) -> None:
    assert Bundle.open(rated.bundle).manifest.answers == {
        "rating": ("1", "2", "5"), "kind": ("dislike", "like", "view"),
    }  # fmt: skip


def test_it_rates_as_people_did_before(rated: Tiny) -> None:
    recommender = Recommender.open(rated.bundle)
    ids = recommender.catalog.item_ids
    high = recommender.ratings([(item, 5) for item in ids[:6]], ids[20:24])
    low = recommender.ratings([(item, 1 + place % 2) for place, item in enumerate(ids[:6])], ids[20:24])
    for one, other in zip(high, low, strict=True):
        assert one.title == other.title
        assert sum(one.chances.values()) == pytest.approx(1)
        assert one.expected == pytest.approx(sum(float(name) * chance for name, chance in one.chances.items()))
        assert one.expected is not None
        assert other.expected is not None
        assert one.expected > 4 > 3 > other.expected
    assert set(recommender.kinds([(ids[0], "view")], ids[:1])[0].chances) == {"dislike", "like", "view"}
    assert len(recommender.ratings([], ids[:2])) == 2


def test_rate_in_the_terminal(rated: Tiny, genrec_command: Callable[..., Done]) -> None:
    titles = [title for title in Bundle.open(rated.bundle).catalog.titles if not set(";=") & set(title)]
    words = ("rate", "--bundle", rated.bundle, "--item", "; ".join(titles[:2]))
    typed = genrec_command(*words, "--rated", f"{titles[5]} = 5; {titles[6]}=5")
    assert typed.code == 0, typed.err
    assert "from 2 ratings" in typed.out
    assert titles[0] in typed.out
    user = load(rated.data).interactions.users[0]
    of_user = genrec_command(*words, "--user", user, "--data", rated.data, "--json")
    shown = json.loads(of_user.out)
    assert [one["title"] for one in shown] == titles[:2]
    assert all(1 <= one["expected"] <= 5 for one in shown)
    for wrong, said in (
        (("--rated", titles[5]), "not a rating"), ((), "whose ratings"), (("--rated", f"{titles[5]} = 4"), "1, 2, 5"),
        (("--user", "nobody", "--data", rated.data), "no ratings of this user"),
    ):  # fmt: skip
        refused = genrec_command(*words, *wrong)
        assert (refused.code, refused.out) == (2, "")
        assert said in " ".join(refused.err.split())


def test_what_was_not_learnt_is_refused(tiny: Tiny, genrec_command: Callable[..., Done]) -> None:
    title = Bundle.open(tiny.bundle).catalog.titles[0]
    refused = genrec_command("rate", "--bundle", tiny.bundle, "--item", title, "--rated", f"{title}=4")
    assert refused.code == 2
    assert "mixture.rating=1" in " ".join(refused.err.split())


def test_a_run_goes_on_with_the_answers_of_its_bundle(rated: Tiny, tiny: Tiny, tmp_path: Path) -> None:
    """With an adapter, whose trained rows are those of the answers, too; and never from one without such tokens."""
    few = ("mixture.explain=0", "mixture.item_to_id=0", "mixture.id_to_item=0", "sequence.fitted=false")
    words = (*few, "mixture.variants=1", "reasons_in=[]", "follow=false", "adapter=lora", "lora.rank=2")
    options = ("--start", str(rated.bundle))
    child = Bundle.open(trained_here(rated.data, tmp_path / "child", *words, "mixture.rating=1", options=options))
    assert child.manifest.answers == Bundle.open(rated.bundle).manifest.answers
    assert len(Recommender.open(child).ratings([], child.catalog.item_ids[:2])) == 2
    with pytest.raises(ConfigError, match=r"no tokens for such answers.*from the start"):
        answers_of(MixtureSettings(rating=1), load(rated.data).interactions, Bundle.open(tiny.bundle))
