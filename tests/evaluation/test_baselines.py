"""Baselines without torch, on worlds small enough to solve by hand."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genrec.errors import ConfigError, DataError
from genrec.evaluation.baselines import Ease, ItemKnn, Popularity, RecentPopularity, item_knn, recent_popularity
from genrec.evaluation.baselines import ease as ease_file
from genrec.evaluation.baselines.ease import EaseConfig
from genrec.evaluation.baselines.item_knn import ItemKnnConfig
from genrec.evaluation.baselines.matrix import history_matrix
from genrec.evaluation.baselines.recent_popularity import RecentPopularityConfig
from genrec.evaluation.baselines.tuning import choose, single_ndcg, validation_ndcg
from genrec.evaluation.metrics.ndcg import ndcg
from genrec.evaluation.ranker import ScoreRanker
from genrec.interactions import Histories
from genrec.ragged import Ragged
from genrec.splitting import Cases

DAY = 86_400
# Items 0 and 1 go together, so do 2 and 3; 4 is cold.
ROWS = [[0, 1], [0, 1], [2, 3], [0, 1, 2]]
TRAIN = Histories([f"u{i}" for i in range(4)], Ragged.from_lists(ROWS), np.arange(9, dtype=np.int64) * DAY)


def _cases(histories, targets):
    users = [f"c{row}" for row in range(len(histories))]
    times = np.zeros(len(histories), dtype=np.int64)
    return Cases(users, Ragged.from_lists(histories), Ragged.from_lists(targets), times)


def test_history_matrix_counts_an_item_once():
    histories = Ragged.from_lists([[2, 0, 2], [], [1]])
    assert history_matrix(histories, 4).toarray().tolist() == [[1, 0, 1, 0], [0, 0, 0, 0], [0, 1, 0, 0]]
    assert histories.items.tolist() == [2, 0, 2, 1]


def test_history_matrix_halves_by_age():
    assert history_matrix(Ragged.from_lists([[0, 1, 2]]), 3, half_life=1.0).toarray().tolist() == [[0.25, 0.5, 1.0]]


def test_popularity_orders_by_count():
    model = Popularity.fit(TRAIN, 5)
    assert np.exp(model.scores(Ragged.from_lists([[], [1]]))).round().tolist() == [[4, 4, 3, 2, 1]] * 2


def test_recent_popularity_halves_by_age():
    train = Histories(["a"], Ragged.from_lists([[0, 0, 1]]), np.array([0, DAY, 2 * DAY], dtype=np.int64))
    model = RecentPopularity.fit(train, 3, RecentPopularityConfig(half_life_days=1))
    assert model.scores(Ragged.from_lists([[]])).tolist() == [[0.75, 1.0, 0.0]]


def test_the_half_life_is_chosen_on_validation():
    # Item 0 is old and frequent, item 1 new: the validation user wants the new one.
    train = Histories(["a"], Ragged.from_lists([[0, 0, 0, 1]]), np.array([0, 1, 2, 1000], dtype=np.int64) * DAY)
    tuned = recent_popularity.tune(train, _cases([[]], [[1]]), 3)
    assert tuned.config.half_life_days < 1000
    assert len(tuned.trials) == 6
    assert recent_popularity.tune(train, _cases([[]], [[0]]), 3).trials[-1][1] == 1.0


def test_item_knn_is_the_cosine():
    scores = ItemKnn.fit(TRAIN, 5).scores(Ragged.from_lists([[0], [2], []]))
    # counts 3, 3, 2, 1; together (0,1) 3, (0,2) 1, (1,2) 1, (2,3) 1
    np.testing.assert_allclose(scores[0], [0, 3 / 3, 1 / 6**0.5, 0, 0], rtol=1e-6)
    np.testing.assert_allclose(scores[1], [1 / 6**0.5, 1 / 6**0.5, 0, 1 / 2**0.5, 0], rtol=1e-6)
    assert not scores[2].any()


def test_item_knn_keeps_the_nearest_with_ties_by_number():
    model = ItemKnn.fit(TRAIN, 5, ItemKnnConfig(neighbours=1))
    nearest = model.similarity.toarray()
    assert (nearest > 0).sum(axis=1).tolist() == [1, 1, 1, 1, 0]
    assert nearest.argmax(axis=1)[:4].tolist() == [1, 0, 3, 2]


def test_item_knn_does_not_depend_on_its_chunks(monkeypatch):
    whole = ItemKnn.fit(TRAIN, 5).similarity.toarray()
    monkeypatch.setattr(item_knn, "_ROWS", 2)
    np.testing.assert_array_equal(ItemKnn.fit(TRAIN, 5).similarity.toarray(), whole)


def test_recency_lets_the_newest_item_decide():
    model = ItemKnn.fit(TRAIN, 5, ItemKnnConfig(half_life=0.1))
    assert model.scores(Ragged.from_lists([[0, 2]]))[0].argmax() == 3
    assert model.scores(Ragged.from_lists([[2, 0]]))[0].argmax() == 1


def test_item_knn_settings_are_chosen_on_validation():
    valid = _cases([[0, 2], [1, 2]], [[3], [3]])
    tuned = item_knn.tune(TRAIN, valid, 5)
    assert validation_ndcg(tuned.model, valid, k=10) == max(score for _, score in tuned.trials)
    assert len(tuned.trials) == len(item_knn.GRID)


def test_ease_solves_its_equation():
    model = Ease.fit(TRAIN, 5, EaseConfig(penalty=2.0))
    x = history_matrix(TRAIN.items, 5).toarray().astype(np.float64)
    inverse = np.linalg.inv(x.T @ x + 2.0 * np.eye(5))
    expected = np.eye(5) - inverse / np.diag(inverse)
    np.testing.assert_allclose(model.weights, expected, atol=1e-5)
    assert not np.diag(model.weights).any()
    np.testing.assert_allclose(model.scores(Ragged.from_lists([[0, 2]]))[0], expected[0] + expected[2], atol=1e-5)


def test_ease_penalty_is_chosen_on_validation():
    tuned = ease_file.tune(TRAIN, _cases([[0]], [[1]]), 5)
    assert tuned.trials[0][1] == 1.0
    assert tuned.config == ease_file.GRID[0]


def test_ease_weights_come_back_from_disk(tmp_path):
    model = Ease.fit(TRAIN, 5)
    model.save(tmp_path / "ease.safetensors")
    np.testing.assert_array_equal(Ease.load(tmp_path / "ease.safetensors").weights, model.weights)


def test_ease_refuses_a_catalog_it_cannot_hold(monkeypatch):
    monkeypatch.setattr(ease_file, "_MOST", 4)
    with pytest.raises(ConfigError, match="ItemKnn"):
        Ease.fit(TRAIN, 5)


def test_a_foreign_file_is_not_ease(tmp_path):
    from safetensors.numpy import save_file

    save_file({"other": np.zeros(1)}, tmp_path / "x.safetensors")
    with pytest.raises(DataError, match="not an EASE file"):
        Ease.load(tmp_path / "x.safetensors")


def test_no_settings_to_choose_from():
    with pytest.raises(ConfigError, match="no settings"):
        choose(lambda config: Popularity.fit(TRAIN, 5), [], _cases([[0]], [[1]]))


@given(data=st.data())
@settings(deadline=None, max_examples=60)
def test_a_place_that_is_counted_is_the_place_in_the_ranking(data):
    items, cases = data.draw(st.integers(2, 9)), data.draw(st.integers(1, 5))
    k = data.draw(st.integers(1, min(4, items)))
    number = st.integers(0, items - 1)
    value = st.sampled_from([-np.inf, -1.0, 0.0, 0.5, 2.0])
    scores = np.array(
        data.draw(st.lists(st.lists(value, min_size=items, max_size=items), min_size=cases, max_size=cases)), np.float32
    )
    histories = data.draw(st.lists(st.lists(number, max_size=4), min_size=cases, max_size=cases))
    targets = data.draw(st.lists(st.lists(number, min_size=1, max_size=1), min_size=cases, max_size=cases))
    for masked in (True, False):
        model, asked = _Fixed(scores), _cases(histories, targets)
        ranked = ScoreRanker(model).rank(asked.histories, k, mask_seen=masked)
        assert single_ndcg(model, asked, k, masked) == pytest.approx(ndcg(ranked, asked.targets, k))


@dataclass(frozen=True)
class _Fixed:
    """Says the same scores whatever it is asked."""

    table: np.ndarray
    name: str = "fixed"

    @property
    def n_items(self):
        return self.table.shape[1]

    def scores(self, histories):
        return self.table
