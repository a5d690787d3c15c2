"""Which choices are learnt from, and what they are held against: by hand, and no held-out target among them."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genrec.interactions import Interactions
from genrec.ragged import Ragged
from genrec.tuning.align_settings import AlignSettings
from genrec.tuning.preferences import Choices, compared, rewards
from tests.helpers.toyworld import Said, fusion, grid

IDS = [f"i{item}" for item in range(6)]
INDEX = grid(6)
OPINION = [0.3, 0.25, 0.2, 0.15, 0.06, 0.04]


def log_of(*rows: tuple[str, int, int]) -> Interactions:
    """(user, item number, time)."""
    table = pl.DataFrame(
        [(user, IDS[item], time) for user, item, time in rows],
        schema={"user_id": pl.String, "item_id": pl.String, "timestamp": pl.Int64}, orient="row",
    )  # fmt: skip
    return Interactions.from_table(table)


TRAIN = log_of(("a", 5, 10), ("a", 4, 20), ("a", 3, 30), ("b", 2, 15), ("b", 1, 40))


def rows_of(lists: Ragged) -> list[list[int]]:
    return [lists[row].tolist() for row in range(len(lists))]


def choices_of(train: Interactions = TRAIN, refused: Interactions | None = None) -> Choices:
    return Choices.of(train, IDS, 1.0, refused)


def test_every_choice_with_a_history_is_one() -> None:
    found = choices_of()
    assert (rows_of(found.histories), found.chosen.tolist()) == ([[5], [5, 4], [2]], [4, 3, 1])
    assert found.times.tolist() == [20, 30, 40]


def test_the_newest_share_alone() -> None:
    assert Choices.of(TRAIN, IDS, 0.4).chosen.tolist() == [3, 1]


def test_what_was_turned_down_stands_before_the_next_choice() -> None:
    """Before the first choice: its own history is empty, so it is no case; after the last: nothing was chosen since."""
    refused = log_of(("a", 0, 5), ("a", 1, 21), ("a", 2, 25), ("a", 3, 26), ("b", 4, 40), ("b", 5, 41), ("c", 0, 1))
    found = Choices.of(TRAIN, IDS, 1.0, refused)
    assert rows_of(found.refused) == [[], [1, 2], [4]]


def test_choices_after_refusals_come_first() -> None:
    found = Choices.of(TRAIN, IDS, 1.0, log_of(("a", 1, 21)))
    assert [found.drawn(1, seed).chosen.tolist() for seed in range(5)] == [[3]] * 5
    assert found.drawn(9, 0).chosen.tolist() == [4, 3, 1]


def test_the_beams_best_are_rejected_and_seen_items_are_not() -> None:
    found = fusion(INDEX, lambda history: OPINION)
    pairs = compared(choices_of(), found, None, AlignSettings(rejected=2))
    assert items_of(pairs.tokens) == [[4, 0, 1], [3, 0, 1], [1, 0, 3]]
    np.testing.assert_allclose(pairs.reference, np.log(np.array(OPINION)[items_of(pairs.tokens)]), rtol=1e-6)
    assert pairs.prompts.lengths.tolist() == [len(found.asking.head) + seen for seen in (1, 2, 1)]


def test_what_was_turned_down_comes_before_the_beam_and_once() -> None:
    choices = choices_of(refused=log_of(("a", 1, 21), ("a", 2, 25)))
    pairs = compared(choices, fusion(INDEX, lambda history: OPINION), None, AlignSettings(rejected=3))
    assert items_of(pairs.tokens)[1] == [3, 1, 2, 0]


def test_the_reference_says_what_the_bundle_said() -> None:
    now, before = fusion(INDEX, lambda history: OPINION), fusion(INDEX, lambda history: OPINION[::-1])
    pairs = compared(choices_of(), now, before.engine, AlignSettings(rejected=2))
    np.testing.assert_allclose(pairs.reference, np.log(np.array(OPINION[::-1])[items_of(pairs.tokens)]), rtol=1e-6)


def test_too_few_items_leave_places_empty() -> None:
    pairs = compared(choices_of(), fusion(INDEX, lambda history: OPINION), None, AlignSettings(rejected=5))
    assert np.isfinite(pairs.reference).sum(axis=1).tolist() == [5, 4, 5]


@settings(max_examples=10)
@given(seed=st.integers(0, 50), rejected=st.integers(1, 5))
@pytest.mark.parametrize("index", [INDEX, grid(2, 3)])
def test_rollouts_are_items_each_once_and_none_seen(index: object, seed: int, rejected: int) -> None:
    wanted = AlignSettings(method="rewards", rejected=rejected)
    choices = choices_of()
    pairs = compared(choices, fusion(index, lambda history: OPINION), None, wanted, seed)  # type: ignore[arg-type]
    known = fusion(index, lambda history: OPINION).asking.semantic.tolist()  # type: ignore[arg-type]
    for row, (tokens, said) in enumerate(zip(pairs.tokens, pairs.reference, strict=True)):
        held = [tuple(token) for token in tokens[np.isfinite(said)].tolist()]
        assert len(set(held)) == len(held) == min(1 + rejected, 6 - len(choices.histories[row]))
        seen = {tuple(known[item]) for item in choices.histories[row].tolist()}
        assert set(held) <= {tuple(one) for one in known} - seen


def test_rollouts_come_as_often_as_the_model_means_them() -> None:
    """One rollout beside the chosen item 4 after item 5: of the others .3, .25, .2, .15 over their sum .9."""
    train = log_of(*[(f"u{user}", item, time) for user in range(600) for item, time in ((5, 1), (4, 2))])
    drawn = AlignSettings(method="rewards", rejected=1)
    pairs = compared(choices_of(train), fusion(INDEX, lambda history: OPINION), None, drawn)
    counts = np.bincount([row[1] for row in items_of(pairs.tokens)], minlength=4)
    np.testing.assert_allclose(counts / 600, np.array(OPINION[:4]) / 0.9, atol=0.06)


def test_priors_have_no_say_in_what_the_model_is_held_against() -> None:
    found = fusion(INDEX, lambda history: OPINION, [Said("loud", (0.0, 0, 0, 0, 9, 9))], {"loud": 5.0})
    pairs = compared(choices_of(), found, None, AlignSettings(rejected=2))
    assert items_of(pairs.tokens)[2] == [1, 0, 3]


def test_priors_reward_and_draw() -> None:
    """So loud a prior that after item 5, where 4 is the chosen one, nothing but item 0 is drawn."""
    found = fusion(INDEX, lambda history: OPINION, [Said("loud", (1.0, 0, 0, 0, 1, 0))], {"loud": 99.0})
    drawn = AlignSettings(method="rewards", rejected=1, penalty=0.0, priors=0.5)
    pairs = compared(Choices.of(log_of(("a", 5, 1), ("a", 4, 2)), IDS, 1.0), found, None, drawn)
    values = 0.5 * found.mix.values(Ragged.from_lists([[5]]))[0]
    assert items_of(pairs.tokens) == [[4, 0]]
    np.testing.assert_allclose(pairs.rewards[0], [1 + values[4], values[0]], rtol=1e-6)


def test_rewards_by_hand() -> None:
    """Ranks 2 and 1 among the wrong ones: shares .63 and 1 of what they lose together."""
    share = 1 / np.log2(3)
    found = rewards(np.array([[-9.0, -3.0, -1.0, -np.inf]], dtype=np.float32), 0.5)
    wanted = [1, -0.5 * share / (1 + share), -0.5 / (1 + share), 0]
    np.testing.assert_allclose(found, [wanted], rtol=1e-6)


def items_of(tokens: np.ndarray) -> list[list[int]]:
    """Item numbers behind tokens of one level."""
    known = fusion(INDEX, lambda history: OPINION).asking.semantic[:, 0].tolist()
    return [[known.index(token) for token in row] for row in tokens[:, :, 0].tolist()]
