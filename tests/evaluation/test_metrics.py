"""Accuracy metrics against hand-derived cases, ranx and their own laws; slate metrics against hand-derived cases."""

import subprocess
import sys
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genrec.errors import ConfigError
from genrec.evaluation.metrics import (
    ACCURACY,
    coverage,
    f1,
    gini,
    hit_rate,
    intra_list_diversity,
    mrr,
    ndcg,
    novelty,
    precision,
    recall,
)
from genrec.ragged import Ragged

# Case 0: targets 3 and 7, found at ranks 2 and 4. Case 1: target 9, not found.
# Case 2: target 1 at rank 1, then nothing.
RANKED = np.array([[5, 3, 0, 7], [1, 2, 3, 4], [1, -1, -1, -1]], dtype=np.int32)
TARGETS = Ragged.from_lists([[3, 7], [9], [1]])
LOG2_3, LOG2_5 = np.log2(3), np.log2(5)


@pytest.mark.parametrize(
    ("metric", "k", "expected"),
    [
        (recall, 2, [0.5, 0, 1]),
        (recall, 4, [1, 0, 1]),
        (hit_rate, 1, [0, 0, 1]),
        (hit_rate, 2, [1, 0, 1]),
        (mrr, 4, [1 / 2, 0, 1]),
        (mrr, 1, [0, 0, 1]),
        (precision, 4, [2 / 4, 0, 1 / 4]),
        (f1, 4, [2 * 0.5 * 1 / 1.5, 0, 2 * 0.25 / 1.25]),
        (ndcg, 4, [(1 / LOG2_3 + 1 / LOG2_5) / (1 + 1 / LOG2_3), 0, 1]),
        (ndcg, 2, [(1 / LOG2_3) / (1 + 1 / LOG2_3), 0, 1]),
        (ndcg, 1, [0, 0, 1]),
    ],
)
def test_accuracy_of_a_toy(metric, k, expected):
    values = metric(RANKED, TARGETS, k)
    assert values.dtype == np.float64
    np.testing.assert_allclose(values, expected, atol=1e-15)


@pytest.mark.parametrize("metric", ACCURACY.values(), ids=ACCURACY)
def test_a_case_without_targets_scores_nothing(metric):
    assert metric(np.array([[1, 2]]), Ragged.from_lists([[]]), 2).tolist() == [0.0]


@pytest.mark.parametrize("metric", ACCURACY.values(), ids=ACCURACY)
def test_a_target_named_twice_is_one_target(metric):
    once, twice = Ragged.from_lists([[4, 2]]), Ragged.from_lists([[4, 2, 4]])
    ranked = np.array([[2, 4, 1]])
    assert metric(ranked, once, 3) == metric(ranked, twice, 3)


def test_no_item_is_not_a_hit_even_beside_item_zero():
    assert hit_rate(np.array([[-1, -1]]), Ragged.from_lists([[0]]), 2).tolist() == [0.0]


def test_a_k_beyond_the_list_is_refused():
    with pytest.raises(ConfigError, match="1 to 4"):
        recall(RANKED, TARGETS, 5)


def test_lists_of_other_cases_are_refused():
    with pytest.raises(ConfigError, match="do not belong together"):
        recall(RANKED[:2], TARGETS, 1)


@pytest.fixture
def ranx(monkeypatch):
    """ranx without numba's compiler, whose minutes buy nothing on sixty cases; its warnings are numba's."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        numba = pytest.importorskip("numba")
        monkeypatch.setattr(numba.config, "DISABLE_JIT", 1)
        yield pytest.importorskip("ranx")


def test_accuracy_agrees_with_ranx(ranx):
    rng = np.random.default_rng(0)
    ranked = np.stack([rng.permutation(40)[:20] for _ in range(60)]).astype(np.int32)
    targets = Ragged.from_lists([rng.permutation(40)[: rng.integers(1, 8)] for _ in range(60)])
    case = [f"q{row:03d}" for row in range(60)]
    qrels = ranx.Qrels({c: {str(i): 1 for i in targets[row]} for row, c in enumerate(case)})
    run = ranx.Run({c: {str(i): 1 / (place + 1) for place, i in enumerate(ranked[row])} for row, c in enumerate(case)})
    for name, metric in ACCURACY.items():
        for k in (1, 5, 10, 20):
            ranx.evaluate(qrels, run, f"{name}@{k}")
            expected = [run.scores[f"{name}@{k}"][c] for c in case]
            np.testing.assert_allclose(metric(ranked, targets, k), expected, atol=1e-9, rtol=0)


@st.composite
def _lists(draw):
    n_items = draw(st.integers(1, 15))
    one = st.lists(st.integers(0, n_items - 1), unique=True)
    cases = draw(st.lists(st.tuples(one, one), min_size=1, max_size=6))
    ranked = np.full((len(cases), n_items), -1, dtype=np.int32)
    for row, (items, _) in enumerate(cases):
        ranked[row, : len(items)] = items
    return ranked, Ragged.from_lists([wanted for _, wanted in cases])


@given(_lists())
@settings(deadline=None, max_examples=60)
def test_accuracy_is_bounded_and_the_cumulative_ones_grow_with_k(lists):
    ranked, targets = lists
    for name, metric in ACCURACY.items():
        values = np.stack([metric(ranked, targets, k) for k in range(1, ranked.shape[1] + 1)])
        assert ((values >= 0) & (values <= 1 + 1e-12)).all(), name
        if name in ("recall", "hit_rate", "mrr"):
            assert (np.diff(values, axis=0) >= 0).all(), name


@given(_lists())
@settings(deadline=None, max_examples=60)
def test_targets_in_front_are_a_perfect_list(lists):
    _, targets = lists
    k = max(1, int(targets.lengths.max()))
    ranked = np.full((len(targets), k), -1, dtype=np.int32)
    for row in range(len(targets)):
        ranked[row, : len(targets[row])] = targets[row]
    wanted = (targets.lengths > 0).astype(float)
    for metric in (recall, ndcg, hit_rate, mrr):
        np.testing.assert_allclose(metric(ranked, targets, k), wanted)


def test_coverage_counts_items_shown_at_least_once():
    assert coverage(np.array([[0, 1], [1, -1]]), 4) == 0.5


def test_gini_of_equal_and_of_single_item_slates():
    assert gini(np.array([[0, 1], [2, 3]]), 4) == 0.0
    assert gini(np.array([[2], [2]]), 4) == pytest.approx(3 / 4)
    assert gini(np.array([[-1]]), 4) == 0.0


def test_gini_of_counts_one_and_three():
    # sorted counts 1, 3: (−1 · 1 + 1 · 3) / (2 · 4)
    assert gini(np.array([[0], [1], [1], [1]]), 2) == pytest.approx(0.25)


def test_novelty_is_the_mean_self_information():
    # counts 2, 0, 0, 0 → shares 3/6, 1/6, 1/6, 1/6
    values = novelty(np.array([[0, -1], [0, 1], [-1, -1]]), np.array([2, 0, 0, 0]))
    np.testing.assert_allclose(values, [1.0, (1.0 + np.log2(6)) / 2, 0.0])


def test_diversity_of_equal_orthogonal_and_opposite_items():
    vectors = np.array([[1.0, 0], [2, 0], [0, 3], [-1, 0]])
    slates = np.array([[0, 1, -1], [0, 2, -1], [0, 3, -1], [0, 1, 2], [0, -1, -1]])
    # three items: cosines 1, 0, 0
    np.testing.assert_allclose(intra_list_diversity(slates, vectors), [0, 1, 2, 1 - 1 / 3, 0], atol=1e-12)


def test_metrics_do_not_import_torch():
    code = "import sys, genrec.evaluation.metrics; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
