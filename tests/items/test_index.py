"""ItemIndex: text round trips, versions, new items, its files."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as example_settings
from hypothesis import strategies as st

from genrec.errors import IndexingError, UnknownItem
from genrec.items.codes import CodesConfig, Quantizer
from genrec.items.index import ItemIndex, code_token

BOOKS = np.zeros((2, 4, 1), dtype=np.float32)
TOY = ItemIndex(["tea", "jam", "egg"], np.array([[3, 1], [0, 2], [3, 0]]), (4, 4), BOOKS)


def fitted(items: int, *, suffixed: bool, distinct: int = 0) -> ItemIndex:
    vectors = vectors_of(items, distinct)
    quantizer = Quantizer.fit(vectors, CodesConfig(levels=2, size=8))
    return ItemIndex.fit([f"i{n}" for n in range(items)], vectors, quantizer, suffixed=suffixed)


def vectors_of(items: int, distinct: int = 0, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    some = rng.normal(size=(distinct or items, 3)).astype(np.float32)
    return some[np.arange(items) % len(some)]


def test_tokens_and_texts() -> None:
    assert code_token(2, 17) == "<c_17>"
    assert TOY.tokens == ["<a_0>", "<a_1>", "<a_2>", "<a_3>", "<b_0>", "<b_1>", "<b_2>", "<b_3>"]
    assert [TOY.text(item) for item in range(3)] == ["<a_3><b_1>", "<a_0><b_2>", "<a_3><b_0>"]
    assert (len(TOY), TOY.levels, TOY.suffixed) == (3, 2, False)


def test_parse_reads_ids_out_of_prose() -> None:
    assert TOY.parse("After <a_3><b_0>, perhaps <a_0> <b_2>?") == [2, 1]
    assert TOY.parse("nothing") == []


@pytest.mark.parametrize("text", ["<a_3>", "<b_1><a_3>", "<a_3><b_1><a_0>", "<a_3><c_0>", "<a_3><a_0><b_2>"])
def test_half_semantic_ids_are_errors_that_show_a_whole_one(text: str) -> None:
    with pytest.raises(IndexingError, match="2 code tokens each, such as <a_3><b_1>"):
        TOY.parse(text)


@pytest.mark.parametrize("text", ["<a_1><b_1>", "<a_99999999999999999999><b_0>"])
def test_a_semantic_id_that_no_item_has_is_an_unknown_item(text: str) -> None:
    with pytest.raises(UnknownItem, match=TOY.version):
        TOY.parse(text)


@pytest.mark.parametrize("suffixed", [False, True])
def test_parse_undoes_text(suffixed: bool) -> None:
    index = fitted(40, suffixed=suffixed, distinct=10)
    assert index.parse("".join(index.text(item) for item in range(40))) == list(range(40))
    assert index.suffixed is suffixed
    assert set(index.tokens) >= {code_token(level, code) for row in index.codes for level, code in enumerate(row)}


def test_the_trie_holds_the_items() -> None:
    assert TOY.trie.items.tolist() == [1, 2, 0]


def test_the_version_is_the_mapping() -> None:
    same = ItemIndex(list(TOY.item_ids), TOY.codes.astype(np.int32), TOY.sizes, BOOKS + 1)
    assert same.version == TOY.version
    others = [
        replace(TOY, item_ids=["tea", "jam", "ham"]),
        replace(TOY, item_ids=["jam", "tea", "egg"]),
        replace(TOY, codes=np.array([[3, 1], [0, 2], [3, 3]])),
        replace(TOY, sizes=(4, 8)),
        TOY.select(np.array([0, 1])),
        TOY.select(np.array([1, 0, 2])),  # the numbers of items are part of the mapping
        replace(TOY, item_ids=["tea\njam", "egg", ""]),
        replace(TOY, item_ids=["tea", "jam\negg", ""]),
    ]
    versions = {index.version for index in others}
    assert len(versions) == len(others)
    assert TOY.version not in versions


@pytest.mark.parametrize("suffixed", [False, True])
def test_equal_vectors_have_different_ids(suffixed: bool) -> None:
    index = fitted(30, suffixed=suffixed, distinct=1)
    assert len(np.unique(index.codes, axis=0)) == 30


@given(st.integers(1, 20), st.integers(0, 12), st.integers(1, 8), st.booleans())
@example_settings(max_examples=20)
def test_new_items_leave_the_old_ones_alone(items: int, more: int, distinct: int, suffixed: bool) -> None:
    index = fitted(items, suffixed=suffixed, distinct=min(items, distinct))
    vectors = vectors_of(more, seed=1) if more else np.empty((0, 3), dtype=np.float32)
    grown = index.add([f"n{n}" for n in range(more)], vectors)
    assert grown.codes[:items].tolist() == index.codes.tolist()
    assert grown.item_ids == [f"i{n}" for n in range(items)] + [f"n{n}" for n in range(more)]
    assert len(np.unique(grown.codes, axis=0)) == items + more
    assert (grown.codes < np.array(grown.sizes)).all()
    assert (grown.version == index.version) is (more == 0)


@pytest.mark.parametrize("suffixed", [False, True])
def test_items_may_go_and_others_come(suffixed: bool) -> None:
    index = fitted(12, suffixed=suffixed, distinct=3).select(np.array([1, 2, 5, 7, 8, 11]))
    grown = index.add(["x", "y", "z"], vectors_of(3))
    assert len(np.unique(grown.codes, axis=0)) == 9


def test_adding_says_what_is_wrong() -> None:
    index = fitted(5, suffixed=True)
    with pytest.raises(IndexingError, match=r"an item is there already.*'i3'"):
        index.add(["new", "i3"], vectors_of(2))
    with pytest.raises(IndexingError, match=r"an item is there already.*'new'"):
        index.add(["new", "new"], vectors_of(2))
    with pytest.raises(IndexingError, match="one vector for each item id"):
        index.add(["new"], vectors_of(2))
    with pytest.raises(IndexingError, match=r"no suffix code is left.*refit"):
        index.add([f"n{n}" for n in range(19)], vectors_of(19, distinct=1))


def test_fitting_says_what_is_wrong() -> None:
    quantizer = Quantizer(BOOKS)
    with pytest.raises(IndexingError, match="catalog is empty"):
        ItemIndex.fit([], np.empty((0, 1), dtype=np.float32), quantizer)
    with pytest.raises(IndexingError, match="differ in number"):
        ItemIndex.fit(["a"], np.zeros((2, 1), dtype=np.float32), quantizer)
    with pytest.raises(IndexingError, match="there already"):
        ItemIndex.fit(["a", "a"], np.zeros((2, 1), dtype=np.float32), quantizer)


@pytest.mark.parametrize("suffixed", [False, True])
def test_save_and_load(tmp_path: Path, suffixed: bool) -> None:
    index = replace(fitted(20, suffixed=suffixed), item_ids=[f"物品 {n}" for n in range(20)])
    index.save(tmp_path / "index")
    again = ItemIndex.load(tmp_path / "index")
    assert (again.item_ids, again.sizes, again.version) == (index.item_ids, index.sizes, index.version)
    assert again.codes.dtype == np.int64
    assert again.codes.tolist() == index.codes.tolist()
    assert again.codebooks.tolist() == index.codebooks.tolist()
    assert again.add(["new"], vectors_of(1)).codes.tolist() == index.add(["new"], vectors_of(1)).codes.tolist()


def test_an_index_that_was_tampered_with_does_not_load(tmp_path: Path) -> None:
    TOY.save(tmp_path)
    file = tmp_path / "item_index.json"
    facts = json.loads(file.read_text())
    facts["item_ids"].reverse()
    file.write_text(json.dumps(facts))
    with pytest.raises(IndexingError, match="does not match its version"):
        ItemIndex.load(tmp_path)
