"""Topics, the evidence for a change and the calibrated test, on a world of two groups of items that nobody mixes."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrec.errors import ConfigError, DataError
from genrec.interest.adapting import Adapter, AdaptPolicy
from genrec.interest.drift import Detector, Usual, posterior, sessions_of, shuffled, statistic
from genrec.interest.filtering import Filter
from genrec.interest.stored import load_detector, save_detector
from genrec.interest.topics import Topics, TopicsConfig, item_vectors
from genrec.ragged import Ragged
from tests.helpers.toyworld import grid

ITEMS, HALF = 60, 30


def written_down() -> Topics:
    """Topic 0 makes the first half 19 times likelier than the second, topic 1 the other way round; no likeness."""
    chances = np.full((2, ITEMS), 0.05 / HALF)
    chances[0, :HALF] = chances[1, HALF:] = 0.95 / HALF
    return Topics(TopicsConfig(topics=2, follow=0.0), chances, np.full(ITEMS, 1 / ITEMS))


def people(count: int, spans: tuple[tuple[int, int], ...], seed: int = 0) -> Ragged:
    """Each span: (half, choices), drawn from that half without repetition."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(count):
        halves = rng.permutation(HALF), HALF + rng.permutation(HALF)
        rows.append(np.concatenate([halves[half][:n] for half, n in spans]))
    return Ragged.from_lists(rows)


@cache
def detector() -> Detector:
    return Detector.calibrated(Filter(written_down(), 2.0), people(500, ((0, 20),)), 1e-3)


def test_topics_find_the_groups_that_histories_keep_to() -> None:
    angle = np.where(np.arange(ITEMS) < HALF, 0.0, 1.0)
    vectors = np.stack([np.cos(angle), np.sin(angle)], axis=1) + np.random.default_rng(0).normal(0, 0.05, (ITEMS, 2))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    both = [people(40, ((half, 15),), seed=half) for half in (0, 1)]
    histories = Ragged.from_lists([one[row] for one in both for row in range(len(one))])
    topics = Topics.fit(histories, vectors, TopicsConfig(topics=2, rounds=20, neighbours=5))
    mass = topics.chances[:, :HALF].sum(axis=1)
    assert sorted(mass.round(1).tolist()) == [0.0, 1.0]
    np.testing.assert_allclose(topics.chances.sum(axis=1), 1)
    assert topics.shares([0, 1, 2]).argmax() == mass.argmax()
    with pytest.raises(DataError, match="too little"):
        Topics.fit(histories, vectors[:5])


def test_interests_are_the_topics_that_choices_come_from() -> None:
    topics, rows = written_down(), people(1, ((0, 9), (1, 3)), seed=2)[0]
    found = topics.interests(rows)
    assert found.sum() == pytest.approx(1)
    assert found[0] == pytest.approx(0.75, abs=0.08)
    assert topics.interests(people(1, ((1, 12),))[0]).tolist() == [0, 1]  # less than a twentieth is none
    assert topics.interests([]).tolist() == [0.5, 0.5]


def test_an_item_is_of_an_interest_as_far_as_it_is_likelier_for_it() -> None:
    """Topic 0 alone: its items are 1.9 times likelier than usual, the others .1 times; half stands at three times."""
    found = written_down().within(np.array([1.0, 0.0]), [0, HALF])
    np.testing.assert_allclose(found, [[1.9 / 4.9, 0], [0.1 / 3.1, 0]])


def test_item_vectors_add_up_the_codes_of_an_item() -> None:
    index = grid(2, 3)
    index.codebooks[0, :2, 0], index.codebooks[1, :3, 0] = [1, 2], [10, 20, -30]
    assert item_vectors(index)[:, 0].tolist() == [1, 1, -1, 1, 1, -1]


def test_the_first_choices_evidence_by_hand() -> None:
    """Two choices of one half. Equal shares say of the first: .9 · (.5 · 1.9 + .5 · .1) + .1 = 1."""
    found = Filter(written_down(), 2.0).evidence(Ragged.from_lists([[0, 1]]))[0]
    assert found[0, 0] == pytest.approx(0.0)
    due = np.array([0.9 * 0.5 * 1.9, 0.9 * 0.5 * 0.1])  # of the first choice to the topics; the rest is chance
    weights = (due + 1.0) / (due.sum() + 2.0)
    left = 1 - np.array([0.95, 0.05]) / HALF
    expected = 0.9 * (weights * np.array([1.9, 0.1]) / left).sum() + 0.1 / (1 - 1 / ITEMS)
    assert found[0, 1] == pytest.approx(np.log(expected))
    assert found[1, 0] == 0


def test_evidence_does_not_depend_on_the_company() -> None:
    rows = [people(1, ((0, n),), seed=n)[0] for n in (3, 9, 1)]
    together = Filter(written_down()).evidence(Ragged.from_lists(rows))
    for row, one in zip(rows, together, strict=True):
        np.testing.assert_allclose(one, Filter(written_down()).evidence(Ragged.from_lists([row]))[0])


@given(st.lists(st.integers(0, ITEMS - 1), min_size=1, max_size=15, unique=True), st.floats(0.001, 0.5))
def test_the_posterior_is_one(items: list[int], hazard: float) -> None:
    found = posterior(Filter(written_down()).evidence(Ragged.from_lists([items]))[0], hazard)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert np.triu(found, 1).max(initial=0) == 0


def test_without_evidence_the_posterior_is_the_hazard() -> None:
    """Three choices that say nothing: began at 2 with h, at 1 with (1 − h)h, at 0 with (1 − h)²."""
    np.testing.assert_allclose(posterior(np.zeros((3, 3)), 0.2)[-1], [0.64, 0.16, 0.2])


def test_a_change_is_found_where_it_is_and_stable_people_are_left_alone() -> None:
    changed = detector().detect(people(60, ((0, 15), (1, 15)), seed=5))
    assert np.mean([len(one) == 1 for one in changed]) >= 0.9
    assert np.median([one[0].since for one in changed if one]) == 15
    assert all(one.noticed >= one.since for found in changed for one in found)
    stable = detector().detect(people(500, ((1, 20),), seed=6))
    assert sum(map(len, stable)) <= 20  # 10 expected of 10,000 choices at the rate of 1 in 1,000; 20 is far off


def test_the_interest_can_change_back() -> None:
    found = detector().detect(people(30, ((0, 12), (1, 12), (0, 12)), seed=7))
    assert np.median([len(one) for one in found]) == 2


def test_calibration_refuses_too_few_choices() -> None:
    with pytest.raises(ConfigError, match="too few stationary choices"):
        Detector.calibrated(Filter(written_down()), people(10, ((0, 10),)), 1e-4)


def test_usual_values_are_scaled_by_place() -> None:
    usual = Usual(np.array([1.0, 11.0]), np.array([0.0, 10.0]), np.array([1.0, 12.0]))
    np.testing.assert_allclose(usual.scaled(np.array([5.0, 5.5]), 6), [0.0, (5.5 - 6.0) / 1.6], atol=0.4)
    assert usual.scaled(np.array([12.0]), 11).tolist() == [1.0]


def test_the_statistic_begins_with_nothing() -> None:
    assert statistic(np.zeros((1, 1))).tolist() == [-np.inf]
    assert statistic(np.zeros((3, 3)))[1:].tolist() == pytest.approx([0.0, np.log(2)])


def test_shuffling_keeps_people_and_sessions_whole() -> None:
    histories = Ragged.from_lists([[1, 2, 3, 4], [5, 6]])
    times = np.array([0, 60, 90_000, 90_060, 0, 100_000])
    sessions = sessions_of(times, histories)
    assert sessions.tolist() == [0, 0, 1, 1, 0, 1]
    made = shuffled(histories, sessions, copies=20)
    assert {tuple(made[row].tolist()) for row in range(0, 40, 2)} == {(1, 2, 3, 4), (3, 4, 1, 2)}
    assert {tuple(made[row].tolist()) for row in range(1, 40, 2)} == {(5, 6), (6, 5)}


def test_a_detector_comes_back_from_disk(tmp_path: Path) -> None:
    save_detector(detector(), tmp_path / "detector.safetensors")
    back, histories = load_detector(tmp_path / "detector.safetensors"), people(5, ((0, 15), (1, 10)), seed=8)
    assert back.detect(histories) == detector().detect(histories)
    (tmp_path / "other").write_bytes(b"nothing of the kind")
    with pytest.raises(DataError, match="not a detector's file"):
        load_detector(tmp_path / "other")


def test_the_present_begins_where_the_interest_moved() -> None:
    adapter = Adapter.of(written_down(), AdaptPolicy(readiness=8))
    moved, stable, empty = adapter.present(
        Ragged.from_lists([people(1, ((0, 12), (1, 4)), seed=1)[0], people(1, ((0, 16),), seed=1)[0], []])
    )
    assert (moved.since, moved.kept.tolist()) == (12, [12, 13, 14, 15])
    assert moved.chance > 0.8 > 0.3 > stable.chance
    assert (empty.chance, len(empty.kept)) == (0.0, 0)


def test_what_fits_the_present_interest_comes_back() -> None:
    history = people(1, ((1, 3), (0, 12), (1, 5)), seed=2)[0]
    policy = AdaptPolicy(returning=1.2)
    found = Adapter.of(written_down(), policy).present(Ragged.from_lists([history[[0, 1, *range(3, 15), 15 + 3, 19]]]))
    assert set(found[0].kept.tolist()) >= {0, 1, 14, 15}
    assert not set(found[0].kept.tolist()) & set(range(2, 14))


def test_only_the_newest_choices_are_looked_at() -> None:
    history = people(1, ((0, 20), (1, 5)), seed=3)[0]
    found = Adapter.of(written_down(), AdaptPolicy(newest=12)).present(Ragged.from_lists([history]))[0]
    assert (found.since, len(found.began)) == (20, 25)
