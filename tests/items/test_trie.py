"""The trie against a dict of prefixes: children, leaves, filters, priors, and its file."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrec.errors import IndexingError
from genrec.items.trie import Bounds, Filter, Trie, View

# Three items: 10-20, 10-21 and 30-5, given in another order than the trie's.
TOY = np.array([[30, 5], [10, 21], [10, 20]])


def random_codes(seed: int, items: int, levels: int, size: int) -> np.ndarray:
    """Distinct rows in random order."""
    rng = np.random.default_rng(seed)
    flat = rng.choice(size**levels, min(items, size**levels), replace=False)
    return np.stack(np.unravel_index(flat, (size,) * levels), axis=1)


tables = st.builds(
    random_codes, st.integers(0, 2**32 - 1), st.integers(1, 200), st.integers(1, 5), st.sampled_from([2, 3, 7, 40])
)


def prefixes(codes: np.ndarray, level: int) -> list[tuple[int, ...]]:
    """What the nodes of a level stand for, in order."""
    return sorted({tuple(row[:level]) for row in codes.tolist()})


def below(codes: np.ndarray, prefix: tuple[int, ...]) -> list[int]:
    """Items under a prefix, in the order of their semantic IDs."""
    rows = [(tuple(row), item) for item, row in enumerate(codes.tolist())]
    return [item for row, item in sorted(rows) if row[: len(prefix)] == prefix]


def test_toy() -> None:
    trie = Trie.build(TOY)
    assert (len(trie), trie.levels) == (3, 2)
    assert trie.items.tolist() == [2, 1, 0]
    assert [level.tolist() for level in trie.codes] == [[10, 30], [20, 21, 5]]
    assert [level.tolist() for level in trie.starts] == [[0, 2], [0, 2, 3]]
    assert trie.nbytes == 3 * 4 + (2 + 3) * 2 + (2 + 3) * 4


def test_toy_children_and_leaves() -> None:
    trie = Trie.build(TOY)
    rows, nodes, codes = trie.children(1, np.array([1, 0]))
    assert (rows.tolist(), nodes.tolist(), codes.tolist()) == ([0, 1, 1], [2, 0, 1], [5, 20, 21])
    assert [part.tolist() for part in trie.leaves(0, np.array([0]))] == [[0], [3]]
    assert trie.children(1, np.array([], dtype=np.int64)).rows.tolist() == []


@given(tables)
def test_nodes_are_the_sorted_prefixes(codes: np.ndarray) -> None:
    trie = Trie.build(codes)
    for level in range(trie.levels):
        above, here = prefixes(codes, level), prefixes(codes, level + 1)
        rows, nodes, last = trie.children(level, np.arange(len(above)))
        assert nodes.tolist() == list(range(len(here)))
        assert [(*above[row], code) for row, code in zip(rows, last, strict=True)] == here


@given(tables)
def test_leaves_are_the_items_below(codes: np.ndarray) -> None:
    trie = Trie.build(codes)
    for level in range(trie.levels + 1):
        names = prefixes(codes, level)
        low, high = trie.leaves(level, np.arange(len(names)))
        found = [trie.items[a:b].tolist() for a, b in zip(low, high, strict=True)]
        assert found == [below(codes, name) for name in names]


@given(tables, st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.05, 0.5, 1.0]), st.booleans(), st.booleans())
def test_views_are_filters_and_priors_jointly(
    codes: np.ndarray, seed: int, share: float, filtered: bool, weighed: bool
) -> None:
    rng = np.random.default_rng(seed)
    allowed = rng.random(len(codes)) < share
    prior = rng.normal(size=len(codes)).astype(np.float32)
    prior[rng.random(len(codes)) < 0.3] = -np.inf
    trie = Trie.build(codes)
    view = View.of(trie, allowed=allowed if filtered else None, prior=prior if weighed else None)

    worth = np.where(allowed | (not filtered), prior if weighed else np.float32(0), -np.inf)
    assert view.allowed == np.isfinite(worth).sum()
    for level in range(trie.levels + 1):
        best = np.array([max(worth[below(codes, name)]) for name in prefixes(codes, level)])
        nodes = np.arange(len(best))
        assert view.permits(level, nodes).tolist() == np.isfinite(best).tolist()
        bound = view.bound(level, nodes)
        assert bound.dtype == np.float32
        assert bound.tolist() == (best.tolist() if weighed else [0.0] * len(best))


@pytest.mark.parametrize("items", [1, 63, 64, 65, 127, 128, 129])
def test_counts_at_word_boundaries(items: int) -> None:
    codes = random_codes(items, items, 2, 40)
    trie = Trie.build(codes)
    allowed = np.random.default_rng(items).random(items) < 0.5
    by_leaf = allowed[trie.items]
    held = Filter.of_items(trie, allowed)
    low, high = (ends.ravel() for ends in np.meshgrid(np.arange(items + 1), np.arange(items + 1)))
    sums = np.concatenate([[0], by_leaf.cumsum()])
    forward = low <= high
    assert (held.count(low, high) == sums[high] - sums[low])[forward].all()
    assert held.leaves(items).tolist() == by_leaf.tolist()
    assert len(held) == allowed.sum()
    assert held.nbytes == -(-items // 64) * 12


@given(tables, st.integers(0, 2**32 - 1))
def test_filters_intersect(codes: np.ndarray, seed: int) -> None:
    trie = Trie.build(codes)
    one, other = np.random.default_rng(seed).random((2, len(codes))) < 0.6
    both = Filter.of_items(trie, one) & Filter.of_items(trie, other)
    expected = Filter.of_items(trie, one & other)
    assert both.words.tolist() == expected.words.tolist()
    assert both.ranks.tolist() == expected.ranks.tolist()


def test_an_empty_filter_allows_nothing() -> None:
    trie = Trie.build(TOY)
    for prior in (None, np.zeros(3, dtype=np.float32)):
        view = View.of(trie, allowed=np.zeros(3, dtype=bool), prior=prior)
        assert view.allowed == 0
        assert not view.permits(0, np.array([0])).any()


def test_filter_and_prior_may_contradict_each_other() -> None:
    """Under node 10 the filter leaves item 1 and the prior item 2: alone each permits the node, together neither."""
    view = View.of(
        Trie.build(TOY), allowed=np.array([True, True, False]), prior=np.array([0, -np.inf, 1], dtype=np.float32)
    )
    assert view.permits(1, np.array([0, 1])).tolist() == [False, True]
    assert view.bound(0, np.array([0])).tolist() == [0.0]


def test_one_item() -> None:
    trie = Trie.build(np.array([[0, 0, 0]]))
    view = View.of(trie, allowed=np.array([True]), prior=np.array([0.5], dtype=np.float32))
    assert [trie.children(level, np.array([0])).codes.tolist() for level in range(3)] == [[0], [0], [0]]
    assert view.allowed == 1
    assert view.bound(0, np.array([0])).tolist() == [0.5]


def test_uint16_codes_to_the_top() -> None:
    codes = np.array([[65535, 0], [0, 65535]])
    assert Trie.build(codes).codes[0].tolist() == [0, 65535]
    assert Trie.build(codes.astype(np.uint16)).items.tolist() == [1, 0]


@given(st.integers(0, 2**32 - 1), st.integers(2, 200))
def test_the_argsort_path_equals_the_packed_one(seed: int, items: int) -> None:
    """Four levels of 16 bits leave no room for the item number in the sort key."""
    codes = random_codes(seed, items, 4, 7)
    wide = codes.copy()
    wide[codes == codes.max(axis=0)] = 65535  # keeps order and distinctness
    packed, sorted_by_index = Trie.build(codes), Trie.build(wide)
    assert sorted_by_index.items.tolist() == packed.items.tolist()
    assert [a.tolist() for a in sorted_by_index.starts] == [a.tolist() for a in packed.starts]


def test_more_than_64_bits_is_an_error() -> None:
    with pytest.raises(IndexingError, match=r"64 bits.*Remedy: fewer levels or codes"):
        Trie.build(np.array([[65535] * 4 + [1], [0] * 5]))


@pytest.mark.parametrize("code", [65536, -1])
def test_a_code_that_is_no_uint16_is_an_error(code: int) -> None:
    with pytest.raises(IndexingError, match=rf"out of range \(found {code}\).*0 to 65535"):
        Trie.build(np.array([[0, code], [1, 0]]))


@pytest.mark.parametrize("top", [9, 65535])
def test_equal_semantic_ids_are_an_error(top: int) -> None:
    twice = [3, 3, 3, top]
    with pytest.raises(IndexingError, match="two items have one semantic ID") as caught:
        Trie.build(np.array([twice, [1, 2, 65535, 4], twice]))
    assert caught.value.value == twice


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (3,)])
def test_no_semantic_ids_is_an_error(shape: tuple[int, ...]) -> None:
    with pytest.raises(IndexingError, match="at least one semantic ID"):
        Trie.build(np.zeros(shape, dtype=np.int64))


@pytest.mark.parametrize("prior", [np.nan, np.inf])
def test_a_prior_that_is_no_log_weight_names_the_item(prior: float) -> None:
    with pytest.raises(IndexingError, match="item 1: a prior is no log-weight"):
        View.of(Trie.build(TOY), prior=np.array([0, prior, 0], dtype=np.float32))


def test_filters_and_priors_of_another_catalog_are_errors() -> None:
    trie = Trie.build(TOY)
    with pytest.raises(IndexingError, match="one value for each of 3 items"):
        Filter.of_items(trie, np.ones(4, dtype=bool))
    with pytest.raises(IndexingError, match="one value for each of 3 items"):
        Bounds.of_items(trie, np.zeros(2, dtype=np.float32))


@given(codes=tables)
def test_save_and_load(codes: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("trie") / "trie.safetensors"
    trie = Trie.build(codes)
    trie.save(path)
    again = Trie.load(path)
    assert kinds_and_values(again) == kinds_and_values(trie)


def kinds_and_values(trie: Trie) -> list[tuple[str, list[int]]]:
    return [(array.dtype.name, array.tolist()) for part in (trie.codes, trie.starts, (trie.items,)) for array in part]


def test_a_loaded_trie_is_mapped_and_can_be_saved_again(tmp_path: Path) -> None:
    Trie.build(TOY).save(tmp_path / "one")
    loaded = Trie.load(tmp_path / "one")
    assert not loaded.items.flags.owndata
    assert not loaded.items.flags.writeable
    loaded.save(tmp_path / "other")
    assert (tmp_path / "other").read_bytes() == (tmp_path / "one").read_bytes()
    assert View.of(loaded, allowed=np.array([False, True, False])).allowed == 1
