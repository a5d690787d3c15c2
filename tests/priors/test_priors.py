"""Popularity, content and collaborative values by hand, and the file that holds them."""

from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from genrec.evaluation.baselines.recent_popularity import RecentPopularity, RecentPopularityConfig
from genrec.interactions import Histories
from genrec.priors import Collaborative, Content, Mix, MixScorer, Popular, Prior, Recent, standardised
from genrec.priors.stored import load_priors, save_priors
from genrec.ragged import Ragged


def histories(*rows: list[int]) -> Histories:
    items = Ragged.from_lists(rows)
    return Histories([f"u{row}" for row in range(len(rows))], items, np.arange(len(items.items), dtype=np.int64))


def test_popularity_is_the_log_of_counts_for_everybody() -> None:
    popular = Popular.fit(histories([0, 1, 1], [1, 3]), 5)
    assert popular.counts.tolist() == [1, 3, 0, 1, 0]
    found = popular.values(Ragged.from_lists([[], [1, 2]]))
    np.testing.assert_allclose(found, [np.log([2, 4, 1, 2, 1])] * 2, rtol=1e-6)
    assert found.dtype == np.float32


def test_content_is_the_cosine_to_what_was_chosen_last() -> None:
    """Half-life 1: before the newest (0, 1) weighs half, so the taste is (1, 0.5) / √1.25."""
    content = Content(np.array([[1, 0], [0, 1], [0.6, 0.8]], dtype=np.float32), half_life=1.0)
    found = content.values(Ragged.from_lists([[0], [1, 0], []]))
    np.testing.assert_allclose(found[0], [1, 0, 0.6], atol=1e-6)
    np.testing.assert_allclose(found[1], np.array([1, 0.5, 1]) / 1.25**0.5, atol=1e-6)
    assert not found[2].any()
    assert found.dtype == np.float32


def test_content_finds_a_cold_item_by_its_text() -> None:
    content = Content(np.array([[1, 0, 0], [0, 1, 0], [0.8, 0.6, 0]], dtype=np.float32))
    assert content.values(Ragged.from_lists([[0]]))[0].argsort()[::-1].tolist() == [0, 2, 1]


def test_collaborative_sums_the_rows_of_the_chosen() -> None:
    weights = csr_matrix(np.array([[0, 4, 2], [8, 0, 0], [0, 0, 0]], dtype=np.float32))
    found = Collaborative(weights, half_life=1.0).values(Ragged.from_lists([[0], [1, 0], [2], []]))
    assert found.tolist() == [[0, 4, 2], [4, 4, 2], [0, 0, 0], [0, 0, 0]]
    assert found.dtype == np.float32


def test_ease_by_hand() -> None:
    """Two items always together, penalty 1, three people: G + I = [[4, 3], [3, 4]], so B off the diagonal is 3/4."""
    fitted = Collaborative.fit(histories([0, 1], [0, 1], [0, 1]), 3, penalty=1.0)
    wanted = np.array([[0, 0.75, 0], [0.75, 0, 0], [0, 0, 0]])
    np.testing.assert_allclose(fitted.weights.toarray(), wanted, atol=1e-6)


def test_only_the_strongest_weights_of_an_item_are_kept() -> None:
    """Item 0 goes with 1 three times, with 2 twice, with 3 once: the strongest are the oftenest."""
    train = histories([0, 1], [0, 1], [0, 1], [0, 2], [0, 2], [0, 3])
    whole = Collaborative.fit(train, 4, penalty=1.0).weights.toarray()
    for kept in (1, 2):
        some = Collaborative.fit(train, 4, penalty=1.0, kept=kept).weights.toarray()
        assert ((some != 0).sum(axis=1) == kept).all()
        assert (some[some != 0] == whole[some != 0]).all()
        for row in range(4):
            assert np.abs(some[row][some[row] != 0]).min() >= np.abs(whole[row][some[row] == 0]).max()
    assert np.flatnonzero(Collaborative.fit(train, 4, penalty=1.0, kept=1).weights.toarray()[0]).tolist() == [1]


@pytest.fixture
def four() -> tuple[Popular, Recent, Content, Collaborative]:
    train = histories([0, 1, 2], [1, 2], [0, 2])
    vectors = np.array([[1, 0], [0, 1], [0.6, 0.8]], dtype=np.float32)
    recent = Recent(np.array([0.5, 2, 0], dtype=np.float32))
    return Popular.fit(train, 3), recent, Content(vectors, half_life=2.0), Collaborative.fit(train, 3, half_life=3.0)


def test_saved_priors_say_the_same(tmp_path: Path, four: tuple[Popular, Recent, Content, Collaborative]) -> None:
    save_priors(tmp_path / "priors", four)
    again = load_priors(tmp_path / "priors")
    asked = Ragged.from_lists([[0, 1], [2], []])
    assert [prior.name for prior in again] == ["popularity", "recent", "content", "collaborative"]
    whole: tuple[Prior, ...] = four
    for before, after in zip(whole, again, strict=True):
        assert isinstance(after, type(before))
        np.testing.assert_allclose(after.values(asked), before.values(asked), atol=1e-3)  # text in half precision
        assert after.values(asked).dtype == np.float32
    assert again[0].values(asked).tolist() == four[0].values(asked).tolist()
    assert again[1].values(asked).tolist() == four[1].values(asked).tolist()
    assert again[3].values(asked).tolist() == four[3].values(asked).tolist()


def test_some_priors_or_none(tmp_path: Path, four: tuple[Popular, Recent, Content, Collaborative]) -> None:
    save_priors(tmp_path / "one", four[2:3])
    assert [prior.name for prior in load_priors(tmp_path / "one")] == ["content"]
    assert load_priors(tmp_path / "absent") == ()


def test_an_empty_history_has_its_row(four: tuple[Popular, Recent, Content, Collaborative]) -> None:
    priors: tuple[Prior, ...] = four
    for prior in priors:
        assert prior.values(Ragged.from_lists([[]])).shape == (1, 3)


def test_recent_choices_count_most() -> None:
    """Half-life one day: item 0 was chosen now and a day ago, item 1 two days ago."""
    train = Histories(["u"], Ragged.from_lists([[1, 0, 0]]), np.array([0, 86_400, 172_800], dtype=np.int64))
    recent = Recent.of_baseline(RecentPopularity.fit(train, 3, RecentPopularityConfig(half_life_days=1.0)))
    np.testing.assert_allclose(recent.values(Ragged.from_lists([[], [2]])), [np.log([2.5, 1.25, 1])] * 2, rtol=1e-6)


def test_a_mix_ranks_by_itself() -> None:
    content = Content(np.array([[1, 0], [0, 1], [0.6, 0.8]], dtype=np.float32))
    asked = Ragged.from_lists([[0], [1]])
    alone = MixScorer(Mix((content,), {"content": 2.0}), 3, "alone")
    np.testing.assert_allclose(alone.scores(asked), 2 * standardised(content.values(asked)), rtol=1e-6)
    assert not MixScorer(Mix((content,), {}), 3, "alone").scores(asked).any()
