"""Ranking dense scores: order, ties, masking, what is left out, and batches."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from genrec.errors import EngineError
from genrec.evaluation import ranker
from genrec.evaluation.ranker import ScoreRanker, rank_scores
from genrec.ragged import Ragged

EMPTY = Ragged.from_lists([[]])


def _scores(*rows):
    return np.array(rows, dtype=np.float32)


def test_best_first_and_ties_by_item_number():
    assert rank_scores(_scores([1, 3, 3, -2]), EMPTY, 4, False).tolist() == [[1, 2, 0, 3]]


def test_zero_and_minus_zero_tie():
    assert rank_scores(_scores([-0.0, 0.0, -0.0]), EMPTY, 3, False).tolist() == [[0, 1, 2]]


def test_seen_items_are_masked_only_on_request():
    history = Ragged.from_lists([[1]])
    assert rank_scores(_scores([1, 3, 2]), history, 3, True).tolist() == [[2, 0, -1]]
    assert rank_scores(_scores([1, 3, 2]), history, 3, False).tolist() == [[1, 2, 0]]


def test_minus_infinity_is_never_recommended():
    assert rank_scores(_scores([-np.inf, -1e30]), EMPTY, 2, False).tolist() == [[1, -1]]


def test_a_k_beyond_the_catalog_leaves_places_empty():
    ranked = rank_scores(_scores([1, 2]), EMPTY, 4, False)
    assert ranked.tolist() == [[1, 0, -1, -1]]
    assert ranked.dtype == np.int32


def test_scores_are_left_as_they_are():
    scores = _scores([1, 2])
    rank_scores(scores, Ragged.from_lists([[0]]), 1, True)
    assert scores.tolist() == [[1, 2]]


def test_a_score_that_is_not_a_number_is_refused():
    with pytest.raises(EngineError, match="not a number"):
        rank_scores(_scores([np.nan, 1]), EMPTY, 1, False)


@given(hnp.arrays(np.float32, (3, 12), elements=st.floats(width=32, allow_nan=False)), st.integers(1, 14))
@settings(deadline=None, max_examples=80)
def test_equals_a_stable_sort(scores, k):
    ranked = rank_scores(scores, Ragged.from_lists([[], [], []]), k, False)
    for row, got in zip(scores, ranked, strict=True):
        order = [item for item in sorted(range(12), key=lambda item: -row[item]) if row[item] > -np.inf]
        assert got.tolist() == (order + [-1] * 14)[:k]


class _Echo:
    """Scores 1 for the item after the last of the history, so that a row tells which history it was made for."""

    name, n_items = "echo", 10

    def scores(self, histories):
        out = np.zeros((len(histories), 10), dtype=np.float32)
        out[np.arange(len(histories)), [histories[row][-1] + 1 for row in range(len(histories))]] = 1
        return out


def test_batches_keep_the_order_of_cases(monkeypatch):
    monkeypatch.setattr(ranker, "_CELLS", 20)  # two cases at a time
    histories = Ragged.from_lists([[3], [1, 7], [0], [2], [5]])
    ranked = ScoreRanker(_Echo()).rank(histories, 2, mask_seen=True)
    assert ranked[:, 0].tolist() == [4, 8, 1, 3, 6]
    assert ScoreRanker(_Echo()).name == "echo"
