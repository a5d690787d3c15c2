"""What a finished run leaves: sampled cases, the hash of the events, priors, a window that must fit, the card."""

import hashlib

import numpy as np
import polars as pl
import pytest

from genrec.asking import NextItemPrompt
from genrec.bundle import Manifest
from genrec.errors import ConfigError
from genrec.evaluation.baselines import ease
from genrec.interactions import Histories, Interactions
from genrec.prompting import load_prompts
from genrec.ragged import Ragged
from genrec.resources import folder
from genrec.splitting import Cases
from genrec.tuning.card import Ran, model_card
from genrec.tuning.model import refuse_overlong
from genrec.tuning.result import data_hash, fit_priors, sample
from genrec.tuning.settings import OptimiserSettings, SftSettings
from tests.helpers.toyworld import Letters, grid

CASES = Cases(
    [f"u{row}" for row in range(6)],
    Ragged.from_lists([[row, 0] for row in range(6)]),
    Ragged.from_lists([[row] for row in range(6)]),
    np.arange(6, dtype=np.int64) * 10,
)
TABLE = pl.DataFrame({"user_id": ["a", "b", "a"], "item_id": ["x", "y", "z"], "timestamp": [1, 2, 3]})


def test_few_cases_are_all_taken() -> None:
    assert sample(CASES, 6, 0) is CASES


def test_a_sample_keeps_cases_whole_and_in_order() -> None:
    some = sample(CASES, 3, 0)
    assert len(some) == 3
    rows = [int(user[1:]) for user in some.users]
    assert rows == sorted(set(rows))
    assert [some.histories[place].tolist() for place in range(3)] == [[row, 0] for row in rows]
    assert some.targets.items.tolist() == rows
    assert some.times.tolist() == [10 * row for row in rows]
    assert sample(CASES, 3, 0).users == some.users
    assert {tuple(sample(CASES, 3, seed).users) for seed in range(20)} != {tuple(some.users)}


def test_the_hash_is_of_the_events_in_their_order() -> None:
    found = data_hash(Interactions(TABLE))
    assert found == hashlib.sha256(b"a,x,1\nb,y,2\na,z,3\n").hexdigest()[:16]
    assert data_hash(Interactions(TABLE.with_columns(value=1.0))) == found
    others = [
        TABLE.reverse(),
        TABLE[:2],
        TABLE.with_columns(timestamp=pl.col("timestamp") + 1),
        TABLE.with_columns(user_id=pl.Series(["a", "b", "c"])),
        TABLE.with_columns(user_id=pl.Series(["ax", "b", "a"]), item_id=pl.Series(["", "y", "z"])),
    ]
    assert len({found, *(data_hash(Interactions(table)) for table in others)}) == 6


def test_priors_of_a_small_catalog() -> None:
    histories = Histories(CASES.users, CASES.histories, np.zeros(12, dtype=np.int64))
    priors = fit_priors(histories, CASES, 6, np.eye(6, dtype=np.float32))
    assert [prior.name for prior in priors] == ["popularity", "recent", "content", "collaborative"]
    assert all(prior.values(CASES.histories).shape == (6, 6) for prior in priors)


def test_a_catalog_too_large_for_ease_has_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ease, "_MOST", 5)
    histories = Histories(CASES.users, CASES.histories, np.zeros(12, dtype=np.int64))
    priors = fit_priors(histories, CASES, 6, np.eye(6, dtype=np.float32))
    assert [prior.name for prior in priors] == ["popularity", "recent", "content"]


def test_a_window_that_does_not_fit_is_refused_with_one_that_does() -> None:
    asking = NextItemPrompt(load_prompts(folder("prompts"), "en"), Letters(), grid(2, 2, 2), 10)
    needed = len(asking.head) + 11 * 3  # ten items and the answer, three codes each
    refuse_overlong(asking, needed)
    with pytest.raises(ConfigError, match=r"too long.*up to 9 items of 3 codes"):
        refuse_overlong(asking, needed - 1)


def test_the_card_says_what_was_measured() -> None:
    manifest = Manifest(
        base="some/model", revision="abc", adapter="lora", window=9, context=64, split="global time", data_hash="d1",
        seed=3, prior_weights={"content": 0.4},
        metrics={"validation ndcg@10": {"value": 0.1234, "low": 0.1, "high": 0.2}},
    )  # fmt: skip
    card = model_card(manifest, 12345, 678, 90)
    for said in (
        "12,345",
        "678",
        "some/model at abc",
        "`adapter/` with peft",
        "content 0.4",
        "0.1234",
        "0.1000 to 0.2000",
    ):
        assert said in card
    assert "peft" not in model_card(manifest.model_copy(update={"adapter": None}), 1, 1, 1)
    assert "without the model" not in card
    assert "content 0.4; they rank without the model" in model_card(
        manifest.model_copy(update={"model_ranks": False}), 1, 1, 1
    )


def test_the_card_says_how_it_was_trained() -> None:
    manifest = Manifest(
        base="scratch", window=9, context=64, split="global time", data_hash="d1", seed=0, reasons_in=("zh",),
        split_settings={"kind": "global_time", "valid": 0.1, "test": 0.2},
    )  # fmt: skip
    settings = SftSettings(adapter="lora", optimiser=OptimiserSettings(epochs=3, bf16=True))
    card = model_card(manifest, 1, 1, 1, cases=1234, settings=settings, ran=Ran(4321, 0.00123))
    for said in (
        "1,234 cases", "hash `d1`", "global time (valid 0.1, test 0.2)", "4,321 steps",
        "1.23 g CO₂", "en and zh", '```text\nadapter="lora"\noptimiser.epochs=3.0\noptimiser.bf16=true\n```',
    ):  # fmt: skip
        assert said in card
    assert "CO₂" not in model_card(manifest, 1, 1, 1, ran=Ran(1))
    assert "training |" not in model_card(manifest, 1, 1, 1)
    assert "(none)" in model_card(manifest, 1, 1, 1, settings=SftSettings())
