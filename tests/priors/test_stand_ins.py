"""Fresh items have what is said of their likes: nearest and weights by hand, later items, the disk."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from genrec.priors import Collaborative, Content, Mix
from genrec.priors.stand_ins import NEAREST, SHARPNESS, StandIns, likes, means
from genrec.priors.stored import load_mix, load_stand_ins, save_priors
from genrec.ragged import Ragged
from tests.helpers.toyworld import Said

VECTORS = np.array([[1, 0], [0, 2], [-1, 0], [3, 4], [0, 0]], dtype=np.float32)
KNOWN = np.array([True, True, True, False, False])
ONE = Ragged.from_lists([[0]])


def by_hand() -> np.ndarray:
    """Weights of items 0, 1, 2 for item 3, whose cosines to them are .6, .8 and −.6."""
    wanted = np.exp(SHARPNESS * np.array([0.6, 0.8, -0.6]))
    return wanted / wanted.sum()


def test_weights_fall_with_the_angle() -> None:
    """Item 4 is like nothing, so like all."""
    near, weights = likes(VECTORS, KNOWN, np.array([3, 4]))
    assert sorted(near[0]) == sorted(near[1]) == [0, 1, 2]
    np.testing.assert_allclose(weights[0][np.argsort(near[0])], by_hand(), rtol=1e-4)
    np.testing.assert_allclose(weights[1], 1 / 3, rtol=1e-6)


def test_no_more_than_the_nearest() -> None:
    random = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
    known = np.arange(60) < 50
    near, weights = likes(random, known, np.arange(50, 60))
    assert near.shape == weights.shape == (10, NEAREST)
    assert known[near].all()
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-5)


def test_a_fresh_item_has_the_mean_of_its_likes_and_known_ones_their_own() -> None:
    stand_ins = StandIns.of(VECTORS, KNOWN, lift=0.5)
    values = np.array([[1, 2, 4, -9, -9]], dtype=np.float32)
    filled = stand_ins.filled(values)
    np.testing.assert_allclose(filled, [[1, 2, 4, by_hand() @ [1, 2, 4], 7 / 3]], rtol=1e-4)
    np.testing.assert_allclose(stand_ins.lifted(filled)[0, 3:], [by_hand() @ [1, 2, 4] + 0.5, 7 / 3 + 0.5], rtol=1e-4)
    assert values[0, 3] == -9


def test_where_everything_is_known_nothing_changes() -> None:
    stand_ins = StandIns.of(VECTORS, np.ones(5, dtype=bool), lift=3)
    values = np.arange(5, dtype=np.float32)[None]
    assert stand_ins.lifted(stand_ins.filled(values)).tolist() == [[0, 1, 2, 3, 4]]
    assert stand_ins.as_known(Ragged.from_lists([[0, 4]])).items.tolist() == [0, 4]


def test_a_mix_fills_what_counts_choices_and_leaves_what_reads_text() -> None:
    """popularity, standardised: ±1 with the fresh lowest; content speaks of the fresh item by itself."""
    known = np.array([True, True, False])
    vectors = np.array([[1, 0], [0, 1], [0, 1]], dtype=np.float32)
    fresh = StandIns.of(vectors, known, lift=0.25)
    counts = Said("popularity", (0.0, 6.0, 0.0))
    mix = Mix((counts, Content(vectors)), {"popularity": 1.0, "content": 0.0}, fresh)
    raw = Mix(mix.priors, mix.weights).values(ONE)[0]
    assert raw[2] == raw[0] < raw[1]
    values = mix.values(ONE)[0]
    np.testing.assert_allclose(values[:2], raw[:2])
    assert values[2] == pytest.approx(raw[1] + 0.25, abs=1e-6)
    content = mix.with_weights({"popularity": 0.0, "content": 1.0})
    assert content.values_of(mix.priors[1], ONE).tolist() == Mix(mix.priors, {}).values_of(mix.priors[1], ONE).tolist()


def test_items_that_come_later_are_like_known_ones_only() -> None:
    later = np.concatenate([VECTORS, [[3, 4], [0, 1]]]).astype(np.float32)
    grown = StandIns.of(VECTORS, KNOWN, lift=0.5).grown(later, 5)
    assert grown.items.tolist() == [3, 4, 5, 6]
    assert (grown.late, grown.lift) == (2, 0.5)
    np.testing.assert_allclose(grown.weights[2], grown.weights[0], rtol=1e-5)
    assert set(grown.near.ravel().tolist()) == {0, 1, 2}


@given(st.lists(st.integers(0, 6), min_size=1, max_size=7, unique=True))
def test_a_model_is_asked_for_the_likes_of_late_items_alone(asked: list[int]) -> None:
    later = np.concatenate([VECTORS, [[3, 4], [0, 1]]]).astype(np.float32)
    grown = StandIns.of(VECTORS, KNOWN).grown(later, 5)
    items = np.array(asked)
    told = grown.told(items)
    assert (told < 5).all()
    truth = np.array([-1.0, -2.0, -4.0, -8.0, -16.0])
    said = grown.said(items, told, truth[told])
    both = [*truth, *(grown.weights[2:] * truth[grown.near[2:]]).sum(axis=1)]
    np.testing.assert_allclose(said, np.array(both)[items], rtol=1e-5)


def test_histories_are_read_as_the_likest_known_items() -> None:
    """Item 3 is nearest to 1 (cosine .8), the later 5 as well and 6 exactly it; 4, late or not, is like all of them."""
    later = np.concatenate([VECTORS, [[3, 4], [0, 1]]]).astype(np.float32)
    grown = StandIns.of(VECTORS, KNOWN).grown(later, 5)
    histories = Ragged.from_lists([[0, 3, 6], [], [5, 2]])
    assert [row.tolist() for row in grown.as_known(histories)] == [[0, 1, 1], [], [1, 2]]
    assert [row.tolist() for row in grown.as_known(histories, late=True)] == [[0, 3, 1], [], [1, 2]]
    assert histories.items.tolist() == [0, 3, 6, 5, 2]


def test_a_prior_that_counts_choices_reads_a_fresh_item_as_its_likest() -> None:
    """After item 2 alone, which nobody chose and which is item 1 to the letter."""
    vectors = np.array([[1, 0], [0, 1], [0, 1]], dtype=np.float32)
    fresh = StandIns.of(vectors, np.array([True, True, False]))
    follows = Collaborative(csr_matrix(np.array([[0, 0, 0], [1, 0, 0], [0, 0, 0]], dtype=np.float32)))
    mix = Mix((follows,), {"collaborative": 1.0}, fresh)
    after = [mix.values(Ragged.from_lists([[item]]))[0] for item in (1, 2)]
    np.testing.assert_array_equal(after[1], after[0])
    assert after[1][0] > after[1][1]


def test_rows_of_all_items_out_of_those_of_known_ones() -> None:
    found = means(VECTORS, KNOWN, 3).toarray()
    np.testing.assert_allclose(found, [*np.eye(5)[:3], [*by_hand(), 0, 0], [1 / 3] * 3 + [0, 0]], rtol=1e-4)


def test_weights_from_and_to_an_item_that_was_never_chosen_are_those_of_its_likes() -> None:
    """Item 2 is item 1 to the letter; 1 leads to 0 by 3 and 0 to 1 by 2."""
    vectors = np.array([[1, 0], [0, 1], [0, 1]], dtype=np.float32)
    prior = Collaborative(csr_matrix(np.array([[0, 2, 0], [3, 0, 0], [0, 0, 0]], dtype=np.float32)))
    found = prior.likened(means(vectors, np.array([True, True, False]), 1)).weights.toarray()
    np.testing.assert_allclose(found, [[0, 2, 2], [3, 0, 0], [3, 0, 0]], rtol=1e-5)


def test_they_are_kept_with_the_priors(tmp_path: Path) -> None:
    fresh = StandIns.of(VECTORS, KNOWN, lift=1.5)
    save_priors(tmp_path, (Content(VECTORS),), fresh)
    mix = load_mix(tmp_path, {"content": 1.0, "forgotten": 2.0})
    assert mix.weights == {"content": 1.0}
    assert mix.fresh is not None
    assert mix.fresh.lift == 1.5
    for mine, theirs in ((mix.fresh.items, fresh.items), (mix.fresh.near, fresh.near)):
        assert mine.tolist() == theirs.tolist()
    save_priors(tmp_path, (Content(VECTORS),))
    assert load_stand_ins(tmp_path) is None
    assert load_stand_ins(tmp_path / "absent") is None
