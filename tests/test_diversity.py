"""MMR, DPP and calibrated slates by hand."""

from __future__ import annotations

import numpy as np

from genrec.diversity import calibrated, determinantal, spread

VECTORS = np.array([[1, 0], [1, 0], [0, 1]], dtype=np.float32)
SCORES = np.array([3.0, 2.9, 1.0])


def test_weight_zero_keeps_the_order() -> None:
    assert spread(SCORES, VECTORS, 3, 0.0).tolist() == [0, 1, 2]


def test_a_twin_waits() -> None:
    """Second pick: the twin has .5 · .95 − .5 · 1 < 0, the other .5 · 0 − .5 · 0 = 0."""
    assert spread(SCORES, VECTORS, 3, 0.5).tolist() == [0, 2, 1]


def test_ends() -> None:
    assert spread(SCORES, VECTORS, 9, 1.0).tolist() == [0, 2, 1]
    assert spread(np.array([]), np.zeros((0, 2), dtype=np.float32), 3, 0.5).tolist() == []
    assert spread(np.ones(2), VECTORS[:2], 2, 0.3).tolist() == [0, 1]


def test_a_process_of_weight_zero_keeps_the_order_and_else_lets_a_twin_wait() -> None:
    assert determinantal(SCORES, VECTORS, 3, 0.0).tolist() == [0, 1, 2]
    assert determinantal(SCORES, VECTORS, 3, 0.5).tolist() == [0, 2, 1]  # the twin adds no volume
    assert determinantal(np.array([]), np.zeros((0, 2), dtype=np.float32), 3, 0.5).tolist() == []


def test_a_process_is_greedy_on_the_determinant() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(8, 5)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    scores, weight = rng.normal(size=8), 0.6
    quality = np.exp((scores - scores.min()) / np.ptp(scores) * (1 - weight) / weight)
    kernel, chosen = quality[:, None] * (vectors @ vectors.T) * quality, list[int]()
    for _ in range(4):
        gains = [
            np.linalg.det(kernel[np.ix_([*chosen, one], [*chosen, one])]) if one not in chosen else -1
            for one in range(8)
        ]
        chosen.append(int(np.argmax(gains)))
    assert determinantal(scores, vectors, 4, weight).tolist() == chosen


def test_a_calibrated_slate_covers_the_interests_in_proportion() -> None:
    """Ten candidates of one interest stand before ten of another; the person has .75 of the first."""
    scores = np.linspace(1, 0, 20)
    shares = np.repeat(np.eye(2), 10, axis=0)
    wanted = np.array([0.75, 0.25])
    assert calibrated(scores, shares, wanted, 4, 0.0).tolist() == [0, 1, 2, 3]
    assert sorted((calibrated(scores, shares, wanted, 4, 0.9) >= 10).tolist()) == [False, False, False, True]
    assert calibrated(np.array([]), np.zeros((0, 2)), wanted, 4, 0.5).tolist() == []


def test_a_calibrated_slate_stands_in_the_order_of_its_scores_and_items_of_no_interest_fill_nothing() -> None:
    """The two that stand first are of no interest; the slate wants half and half."""
    scores = np.array([0.0, -0.1, -0.2, -0.3, -0.4, -0.5])
    shares = np.array([[0, 0], [0, 0], [1, 0], [1, 0], [0, 1], [0, 1.0]])
    assert calibrated(scores, shares, np.array([0.5, 0.5]), 4, 0.9).tolist() == [2, 3, 4, 5]
    assert calibrated(scores, shares, np.array([0.5, 0.5]), 2, 0.9).tolist() == [2, 4]


def test_a_certain_choice_is_kept_whatever_the_shares() -> None:
    scores = np.array([20.0, 0.0, 0.0])
    assert 0 in calibrated(scores, np.array([[1.0, 0], [0, 1], [0, 1]]), np.array([0.1, 0.9]), 2, 0.3)
