"""Vectors from histories: two communities that never meet, and items that nobody chose."""

import numpy as np
import pytest

from genrec.items.collaborative import neighbour_vectors
from genrec.items.space import ItemSpace, join_vectors
from genrec.items.text import unit
from genrec.ragged import Ragged

# Items 0-3 are chosen together, 4-7 too; 8 stands alone in its history and 9 in none.
COMMUNITY = np.array([0, 0, 0, 0, 1, 1, 1, 1])


def worlds(users: int = 60) -> Ragged:
    rng = np.random.default_rng(0)
    together = [rng.permutation(4) + 4 * (user % 2) for user in range(users)]
    return Ragged.from_lists([*together, np.array([8])])


def text_vectors() -> np.ndarray:
    """Text tells the communities apart a little; item 9 reads like the second one."""
    rng = np.random.default_rng(1)
    side = np.array([-1.0] * 4 + [1.0] * 4 + [-1.0, 1.0])
    return unit(np.column_stack([side, rng.normal(size=(10, 3))]))


def test_communities_separate() -> None:
    vectors = neighbour_vectors(worlds(), 10, dimensions=2)
    near = vectors @ vectors.T
    same = COMMUNITY[:, None] == COMMUNITY
    assert near[:8, :8][same].min() > 0.9
    assert np.abs(near[:8, :8][~same]).max() < 0.1


def test_vectors_are_unit_and_the_unseen_are_zero() -> None:
    vectors = neighbour_vectors(worlds(), 10, dimensions=4)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors[:8], axis=1), 1, atol=1e-5)
    assert not vectors[8:].any()


def test_the_same_histories_give_the_same_vectors() -> None:
    assert (neighbour_vectors(worlds(), 10) == neighbour_vectors(worlds(), 10)).all()


@pytest.mark.parametrize("histories", [Ragged.from_lists([]), Ragged.from_lists([[0], [1], []])])
def test_histories_without_neighbours_tell_nothing(histories: Ragged) -> None:
    assert not neighbour_vectors(histories, 3).any()
    assert not neighbour_vectors(histories, 1).any()


def test_neighbours_do_not_reach_over_users() -> None:
    """0 and 1 end one history and begin the next: they never meet."""
    vectors = neighbour_vectors(Ragged.from_lists([[2, 0], [1, 3]]), 5, dimensions=4)
    assert abs(vectors[0] @ vectors[1]) < 1e-5
    assert abs(vectors[0] @ vectors[3]) < 1e-5


def test_unseen_items_are_filled_from_their_text() -> None:
    chosen = neighbour_vectors(worlds(), 10, dimensions=2)
    joined = join_vectors(text_vectors(), chosen, weight=0.99)
    near = joined @ joined.T
    assert near[9, 4:8].min() > near[9, :4].max() + 0.3
    assert near[8, :4].min() > near[8, 4:8].max() + 0.3


def test_weight_is_the_collaborative_share_of_the_squared_length() -> None:
    text, chosen = text_vectors(), neighbour_vectors(worlds(), 10, dimensions=2)
    joined = join_vectors(text, chosen, weight=0.25)
    assert joined.dtype == np.float32
    assert joined.shape == (10, 4 + 2)
    assert np.allclose((joined[:, 4:] ** 2).sum(axis=1), 0.25, atol=1e-5)
    assert np.allclose((joined**2).sum(axis=1), 1, atol=1e-5)


def test_without_choices_the_text_stands_alone() -> None:
    text = text_vectors()
    alone = join_vectors(text, None)
    assert np.allclose(np.linalg.norm(alone, axis=1), 1, atol=1e-5)
    assert (alone == join_vectors(text, np.zeros((10, 4), dtype=np.float32))).all()
    assert join_vectors(text, None, dimensions=2).shape == (10, 2)


def test_texts_all_alike_stay_as_they_are() -> None:
    same = np.full((3, 4), 0.5, dtype=np.float32)
    assert join_vectors(same, None).tolist() == same.tolist()


def test_a_new_item_stands_where_its_text_says_and_the_space_is_kept(tmp_path) -> None:
    chosen = np.zeros((10, 2), dtype=np.float32)
    chosen[:9] = text_vectors()[:9, :2]
    space = ItemSpace.fit(text_vectors(), chosen, weight=0.5)
    space.save(tmp_path / "space.safetensors")
    again = ItemSpace.load(tmp_path / "space.safetensors")
    assert np.allclose(again.vectors(text_vectors()[9:]), space.vectors(text_vectors(), chosen)[9:], atol=1e-6)
