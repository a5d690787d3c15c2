"""The space that items are coded in: shares by hand, new items read from their text, its file."""

from pathlib import Path

import numpy as np
import pytest

from genrec.errors import CorruptBundle
from genrec.items.space import ItemSpace

TEXT = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0.6, 0.8, 0, 0]], dtype=np.float32)
CHOSEN = np.array([[1, 0], [0, 1], [1, 0], [0, 1]], dtype=np.float32)


def cosines(vectors: np.ndarray) -> np.ndarray:
    return np.asarray(vectors @ vectors.T)


@pytest.mark.parametrize("weight", [0.0, 0.25, 0.8, 1.0])
def test_the_weight_is_the_share_of_the_squared_length(weight: float) -> None:
    vectors = ItemSpace.fit(TEXT, CHOSEN, weight=weight).vectors(TEXT, CHOSEN)
    np.testing.assert_allclose((vectors[:, -2:] ** 2).sum(axis=1), weight, atol=1e-5)
    np.testing.assert_allclose((vectors**2).sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(vectors[:, -2:], np.sqrt(weight) * CHOSEN, atol=1e-6)
    assert vectors.dtype == np.float32


def test_text_alone_keeps_its_distances() -> None:
    """All axes kept: cosines of the centred texts."""
    space = ItemSpace.fit(TEXT)
    centred = TEXT - TEXT.mean(axis=0)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True)
    np.testing.assert_allclose(cosines(space.vectors(TEXT)), cosines(centred), atol=1e-5)


def test_choices_of_nobody_are_text_alone() -> None:
    assert (
        ItemSpace.fit(TEXT, np.zeros((4, 2), dtype=np.float32)).vectors(TEXT).tolist()
        == ItemSpace.fit(TEXT).vectors(TEXT).tolist()
    )


def test_a_new_item_stands_where_its_text_says() -> None:
    """Texts of two kinds, chosen by two kinds of people: a new text of the first kind stands with the first."""
    random = np.random.default_rng(0)
    kinds = np.repeat([0, 1], 20)
    text = np.eye(6, dtype=np.float32)[kinds] + 0.1 * random.normal(size=(40, 6)).astype(np.float32)
    chosen = np.eye(2, dtype=np.float32)[kinds]
    space = ItemSpace.fit(text, chosen, weight=0.8)
    known = space.vectors(text, chosen)
    fresh = space.vectors(np.eye(6, dtype=np.float32)[:2])
    assert ((fresh @ known.T).argsort(axis=1)[:, -20:] < 20).tolist() == [[True] * 20, [False] * 20]
    np.testing.assert_allclose((fresh[:, -2:] ** 2).sum(axis=1), 0.8, atol=1e-5)


def test_an_item_that_nobody_chose_is_placed_by_its_text_too() -> None:
    chosen = CHOSEN.copy()
    chosen[3] = 0
    space = ItemSpace.fit(TEXT, chosen)
    assert space.vectors(TEXT, chosen)[3].tolist() == space.vectors(TEXT)[3].tolist()
    assert space.vectors(TEXT, chosen)[0].tolist() != space.vectors(TEXT)[0].tolist()


def test_texts_that_are_all_alike_stay() -> None:
    same = np.tile(TEXT[:1], (3, 1))
    assert ItemSpace.fit(same).vectors(same).tolist() == same.tolist()
    assert ItemSpace.fit(TEXT[:1]).vectors(TEXT[:1]).tolist() == TEXT[:1].tolist()


@pytest.mark.parametrize("chosen", [None, CHOSEN])
def test_what_was_saved_is_read(tmp_path: Path, chosen: np.ndarray | None) -> None:
    space = ItemSpace.fit(TEXT, chosen, weight=0.3)
    space.save(tmp_path / "space.safetensors")
    again = ItemSpace.load(tmp_path / "space.safetensors")
    assert again.weight == space.weight
    assert again.vectors(TEXT, chosen).tolist() == space.vectors(TEXT, chosen).tolist()
    assert again.vectors(TEXT).tolist() == space.vectors(TEXT).tolist()


def test_a_space_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(CorruptBundle, match=r"item space is missing.*train the bundle again"):
        ItemSpace.load(tmp_path / "space.safetensors")
