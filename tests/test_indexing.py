"""New items in a bundle's index: old ones keep their IDs, new ones get free ones near texts like theirs."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from genrec.bundle import Bundle, Manifest
from genrec.catalog import Catalog
from genrec.errors import IndexingError, StorageError
from genrec.indexing import build_index, extend_index, save_index
from genrec.items.codes import CodesConfig
from genrec.items.index import ItemIndex
from genrec.items.text import unit
from genrec.prompting import load_prompts
from genrec.ragged import Ragged
from genrec.resources import folder
from genrec.tuning.settings import ItemSettings

KINDS = {
    "sea": "whale ship harbour sailor storm anchor tide island",
    "war": "soldier trench rifle general battle tank medal truce",
    "tea": "cup kettle leaf scone saucer honey lemon garden",
}
TFIDF = ItemSettings(encoder="tfidf", collaborative=0.0, codes=CodesConfig(levels=2, size=8))


def titled(names: Sequence[str]) -> Catalog:
    """Items named `<kind><number>`, each with some of the words of its kind."""
    words = {kind: text.split() for kind, text in KINDS.items()}
    titles = [" ".join(words[name[:3]][(int(name[3:]) + step) % 8] for step in range(5)) for name in names]
    return Catalog.from_table(pl.DataFrame({"item_id": names, "title": titles}))


OLD = [f"{kind}{number}" for number in range(6) for kind in KINDS]
NEW = ["sea7", "tea7", "war7", "war6"]


def toy_encoder(texts: Sequence[str], *_: object, **__: object) -> np.ndarray:
    """How many words of each kind; the same text has the same vector in every catalog."""
    words = [word for text in KINDS.values() for word in text.split()]
    counts = np.array([[text.count(word) for word in words] for text in texts], dtype=np.float32)
    kinds = counts.reshape(len(texts), len(KINDS), -1).sum(axis=2)
    return unit(np.concatenate([3 * kinds, counts], axis=1))


def bundled(out: Path, names: Sequence[str], settings: ItemSettings, histories: Ragged | None = None) -> Bundle:
    """A bundle without a model: index and space of these items."""
    built = build_index(titled(names), histories or Ragged.from_lists([]), settings)
    manifest = Manifest(
        base="scratch", encoder=settings.encoder or "", window=9, context=64, split="", data_hash="", seed=0
    )  # fmt: skip
    return Bundle.write(
        out, manifest, catalog=titled(names), index=built.index, space=built.space,
        prompts=load_prompts(folder("prompts"), "en"), weights=lambda new: None,
    )  # fmt: skip


@pytest.fixture(params=["tfidf", "toy", "toy, was tfidf"])
def grown(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Bundle, ItemIndex]:
    """A bundle and its index extended to a catalog with new items among the old and some gone."""
    first, _, then = request.param.partition(", was ")
    settings = TFIDF.model_copy(update={"encoder": first})
    if not then and first == "toy":
        monkeypatch.setattr("genrec.indexing.encode_texts", toy_encoder)
    bundle = bundled(tmp_path / "bundle", OLD, TFIDF if then else settings)
    if then:
        monkeypatch.setattr("genrec.indexing.encode_texts", toy_encoder)
    return bundle, extend_index(bundle, titled([*NEW[:2], *OLD[::-1][:-2], *NEW[2:]]), settings).index


def test_old_items_keep_their_ids(grown: tuple[Bundle, ItemIndex]) -> None:
    bundle, index = grown
    before = {item: bundle.index.text(place) for place, item in enumerate(bundle.index.item_ids)}
    after = {item: index.text(place) for place, item in enumerate(index.item_ids)}
    assert {item: after[item] for item in OLD[2:]} == {item: before[item] for item in OLD[2:]}


def test_the_order_is_the_catalogs_and_what_is_gone_is_gone(grown: tuple[Bundle, ItemIndex]) -> None:
    assert grown[1].item_ids == [*NEW[:2], *OLD[::-1][:-2], *NEW[2:]]


def test_new_items_get_free_ids_that_the_vocabulary_has(grown: tuple[Bundle, ItemIndex]) -> None:
    bundle, index = grown
    everyone = np.concatenate([bundle.index.codes, index.codes[[index.item_ids.index(name) for name in NEW]]])
    assert len(np.unique(everyone, axis=0)) == len(everyone)  # nor that of an item that is gone
    assert index.sizes == bundle.index.sizes
    assert (index.codes < np.array(index.sizes)).all()
    assert index.codebooks.tolist() == bundle.index.codebooks.tolist()


def test_new_items_stand_near_texts_like_theirs(grown: tuple[Bundle, ItemIndex]) -> None:
    _, index = grown
    first = {name: int(index.codes[place, 0]) for place, name in enumerate(index.item_ids)}
    for name in NEW:
        assert first[name] in {first[old] for old in OLD[2:] if old[:3] == name[:3]}
        assert first[name] not in {first[old] for old in OLD[2:] if old[:3] != name[:3]}


def test_choices_place_new_items_too(tmp_path: Path) -> None:
    """With who-chose-what in the vectors, the collaborative part of a new item is read from its text."""
    settings = TFIDF.model_copy(update={"collaborative": 0.8})
    kind_by_kind = Ragged.from_lists([[place for place, name in enumerate(OLD) if name[:3] == kind] for kind in KINDS])
    bundle = bundled(tmp_path / "bundle", OLD, settings, kind_by_kind)
    index = extend_index(bundle, titled([*OLD, *NEW]), settings).index
    first = {name: int(index.codes[place, 0]) for place, name in enumerate(index.item_ids)}
    for name in NEW:
        assert first[name] in {first[old] for old in OLD if old[:3] == name[:3]}


def test_the_same_catalog_changes_nothing(tmp_path: Path) -> None:
    bundle = bundled(tmp_path / "bundle", OLD, TFIDF)
    built = extend_index(bundle, titled(OLD), TFIDF)
    assert built.index.version == bundle.index.version
    assert (built.collided, len(built.described)) == (0, len(OLD))


def test_with_suffixes(tmp_path: Path) -> None:
    settings = TFIDF.model_copy(update={"codes": CodesConfig(levels=1, size=4, collisions="suffix")})
    bundle = bundled(tmp_path / "bundle", OLD, settings)
    index = extend_index(bundle, titled([*OLD, *NEW]), settings).index
    assert index.codes[: len(OLD)].tolist() == bundle.index.codes.tolist()
    assert len(np.unique(index.codes, axis=0)) == len(index)


def test_nothing_tells_where_the_new_items_belong(tmp_path: Path) -> None:
    bundle = bundled(tmp_path / "bundle", OLD, TFIDF)
    with pytest.raises(IndexingError, match="holds no item of the bundle"):
        extend_index(bundle, titled(NEW), TFIDF)


def test_more_items_than_codes(tmp_path: Path) -> None:
    settings = TFIDF.model_copy(update={"codes": CodesConfig(levels=1, size=18)})
    bundle = bundled(tmp_path / "bundle", OLD, settings)
    with pytest.raises(IndexingError, match=r"no free semantic ID.*refit"):
        extend_index(bundle, titled([*OLD, *NEW]), settings)


def test_an_index_is_saved_in_its_place_only(tmp_path: Path) -> None:
    index = build_index(titled(OLD), Ragged.from_lists([]), TFIDF).index
    save_index(index, tmp_path / "index")
    save_index(index.select(np.arange(3)), tmp_path / "index")
    assert len(ItemIndex.load(tmp_path / "index")) == 3
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "diary.txt").write_text("mine", encoding="utf-8")
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    for place in ("notes", "file"):
        with pytest.raises(StorageError, match="something else"):
            save_index(index, tmp_path / place)
    assert (tmp_path / "notes" / "diary.txt").read_text(encoding="utf-8") == "mine"


def test_collisions_are_counted(tmp_path: Path) -> None:
    """Three items with one text have equal codes before they are separated."""
    names = ["sea0", "war0", "tea0"]
    table = titled(names).table
    twins = pl.DataFrame({"item_id": ["sea0a", "sea0b"], "title": [table["title"][0]] * 2})
    built = build_index(Catalog.from_table(pl.concat([table, twins])), Ragged.from_lists([]), TFIDF)
    assert built.collided == 3
    assert len(np.unique(built.index.codes, axis=0)) == 5
