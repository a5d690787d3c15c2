"""Vectors → codes → distinct semantic IDs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as example_settings
from hypothesis import strategies as st
from pydantic import ValidationError

from genrec.errors import IndexingError
from genrec.items.codes import CodesConfig, Quantizer, code_levels, codebook_size, separate

# Two levels of four codes in one dimension: tens, then ones. 99 is far from everything.
RULER = Quantizer(np.array([[[0], [10], [20], [30]], [[0], [1], [2], [3]]], dtype=np.float32))


def vectors_of(seed: int, items: int, dimensions: int = 8, distinct: int | None = None) -> np.ndarray:
    """Random vectors; `distinct` of them different, the others repeat those."""
    rng = np.random.default_rng(seed)
    some = rng.normal(size=(distinct or items, dimensions)).astype(np.float32)
    return some[rng.integers(0, len(some), items)] if distinct else some


def ruled(*numbers: float, suffixed: bool = False, taken: np.ndarray | None = None) -> list[list[int]]:
    vectors = np.array(numbers, dtype=np.float32)[:, None]
    found: list[list[int]] = separate(*RULER.encode(vectors), RULER, suffixed=suffixed, taken=taken).tolist()
    return found


@pytest.mark.parametrize(
    ("items", "size"), [(1, 8), (16, 16), (100, 128), (680, 256), (20_000, 256), (4_000_000, 256), (4_200_000, 512)]
)
def test_codebooks_are_sized_to_the_catalog(items: int, size: int) -> None:
    """Small catalogs a code for each item at most, large ones by four slots for each item."""
    assert codebook_size(items, 3) == size
    assert size**3 >= 4 * items


@pytest.mark.parametrize(("items", "levels"), [(1, 1), (32768, 1), (32769, 3), (2_000_000, 3)])
def test_levels_are_fitted_to_the_catalog(items: int, levels: int) -> None:
    assert code_levels(items) == levels
    assert codebook_size(items, levels) ** levels >= (4 if levels > 1 else 1.25) * items - 1


def test_in_one_level_every_item_has_a_code_of_its_own() -> None:
    vectors = vectors_of(0, 100)
    codes, _ = Quantizer.fit(vectors).encode(vectors)
    assert len(np.unique(codes)) == 100


def test_fit_takes_the_size_given_or_the_catalogs() -> None:
    vectors = vectors_of(0, 100)
    assert Quantizer.fit(vectors).codebooks.shape == (1, 356, 8)
    assert Quantizer.fit(vectors, CodesConfig(levels=3)).codebooks.shape == (3, 128, 8)
    assert Quantizer.fit(vectors, CodesConfig(levels=2, size=16)).codebooks.shape == (2, 16, 8)


def test_levels_quantise_what_is_left_over() -> None:
    codes, residual = RULER.encode(np.array([[12.25], [29.0], [-4.0]], dtype=np.float32))
    assert codes.tolist() == [[1, 2], [3, 0], [0, 0]]
    assert residual.ravel().tolist() == [2.25, -1.0, -4.0]


def test_the_same_vectors_give_the_same_codes() -> None:
    vectors = vectors_of(1, 300)
    one, other = Quantizer.fit(vectors), Quantizer.fit(vectors.copy())
    assert (one.codebooks == other.codebooks).all()
    assert (one.encode(vectors)[0] == other.encode(vectors)[0]).all()


def test_near_vectors_share_their_first_codes() -> None:
    """Four far clusters: the first code names the cluster."""
    rng = np.random.default_rng(0)
    cluster = np.arange(200) % 4
    vectors = (100 * np.eye(4)[cluster] + rng.normal(size=(200, 4))).astype(np.float32)
    first = Quantizer.fit(vectors, CodesConfig(size=4)).encode(vectors)[0][:, 0]
    assert len(set(zip(first.tolist(), cluster.tolist(), strict=True))) == 4


@pytest.mark.parametrize("levels", [2, 3])
@pytest.mark.parametrize("suffixed", [False, True])
@pytest.mark.parametrize(("items", "distinct"), [(1, None), (2, 1), (60, 1), (50, 3), (200, None)])
def test_semantic_ids_are_distinct_even_of_equal_vectors(
    items: int, distinct: int | None, suffixed: bool, levels: int
) -> None:
    vectors = vectors_of(2, items, distinct=distinct)
    quantizer = Quantizer.fit(vectors, CodesConfig(levels=levels))
    codes = separate(*quantizer.encode(vectors), quantizer, suffixed=suffixed)
    assert len(np.unique(codes, axis=0)) == items
    assert codes.shape == (items, levels + suffixed)
    assert codes[:, :levels].max() < quantizer.size


@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.integers(1, 60), st.booleans())
@example_settings(max_examples=20)
def test_distinct_and_changed_as_little_as_can_be(seed: int, items: int, distinct: int, suffixed: bool) -> None:
    vectors = vectors_of(seed, items, 2, distinct)
    quantizer = Quantizer(vectors_of(seed + 1, 3 * 8, 2).reshape(3, 8, 2))
    codes, residual = quantizer.encode(vectors)
    found = separate(codes, residual, quantizer, suffixed=suffixed)
    assert len(np.unique(found, axis=0)) == items
    kept = (found[:, :3] == codes).all(axis=1)
    if suffixed:
        assert kept.all()
        return
    different = len(np.unique(codes, axis=0))
    assert kept.sum() == different  # of each code exactly one item keeps it
    loads = np.unique(codes[:, :2], axis=0, return_counts=True)[1]
    if loads.max() <= 8:  # room in every bucket: only last codes move
        assert (found[:, :2] == codes[:, :2]).all()


def test_the_nearest_item_keeps_the_code_and_others_take_the_nearest_free_one() -> None:
    assert ruled(12.2, 12.0, 12.4) == [[1, 3], [1, 2], [1, 1]]


def test_a_full_bucket_overflows_into_the_bucket_next_to_it() -> None:
    found = ruled(12, 12, 12, 12, 12)
    assert found[:4] == [[1, 2], [1, 1], [1, 3], [1, 0]]
    assert found[4] == [2, 0]  # 20 lies nearer to 12 than 0 + 3 does, seen from the first level


def test_suffixes_count_equal_codes() -> None:
    assert ruled(12, 5, 12, 12, suffixed=True) == [[1, 2, 0], [0, 3, 0], [1, 2, 1], [1, 2, 2]]


def test_taken_ids_are_left_alone() -> None:
    assert ruled(12, 12, taken=np.array([[1, 2], [1, 1]])) == [[1, 3], [1, 0]]
    assert ruled(12, 5, 12, suffixed=True, taken=np.array([[1, 2, 4], [1, 2, 0]])) == [[1, 2, 6], [0, 3, 0], [1, 2, 7]]


def test_no_free_code_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(IndexingError, match=r"no free semantic ID.*larger size or more levels"):
        ruled(*[12] * 17)


def test_one_level() -> None:
    quantizer = Quantizer(np.array([[[0], [1], [5]]], dtype=np.float32))
    vectors = np.array([[0], [0], [0]], dtype=np.float32)
    assert separate(*quantizer.encode(vectors), quantizer).tolist() == [[0], [1], [2]]


def test_vectors_that_cannot_be_quantised_are_errors() -> None:
    with pytest.raises(IndexingError, match="catalog is empty"):
        Quantizer.fit(np.zeros((0, 4), dtype=np.float32))
    with pytest.raises(IndexingError, match="item 1: a vector is not finite"):
        Quantizer.fit(np.array([[0.0], [np.nan]], dtype=np.float32))
    with pytest.raises(IndexingError, match=r"another shape.*\[items, 1\]"):
        RULER.encode(np.zeros((2, 3), dtype=np.float32))


def test_settings_are_checked() -> None:
    with pytest.raises(ValidationError, match="collisions"):
        CodesConfig(collisions="hash")
    with pytest.raises(ValidationError, match="greater than or equal to 1"):
        CodesConfig(levels=0)
