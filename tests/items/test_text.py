"""Item texts and their vectors, with and without the offline encoder."""

import numpy as np
import polars as pl
import pytest

from genrec.catalog import Catalog
from genrec.errors import ConfigError
from genrec.items import text
from genrec.items.text import encode_texts, item_texts, offline_encoder_installed, unit

FILMS = Catalog.from_table(
    pl.DataFrame(
        {
            "item_id": ["1", "2", "3"],
            "title": ["Alien", None, "Solaris"],
            "genres": [["horror", "space"], ["comedy", None], []],
            "year": [1979, 1999, None],
        }
    )
)


def test_item_texts_are_title_and_fields() -> None:
    assert item_texts(FILMS) == ["Alien. genres: horror, space. year: 1979", "genres: comedy. year: 1999", "Solaris"]
    assert item_texts(FILMS, ["year"]) == ["Alien. year: 1979", "year: 1999", "Solaris"]
    assert item_texts(FILMS, []) == ["Alien", "", "Solaris"]


def test_unknown_fields_name_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"'colour'.*Allowed: genres, year"):
        item_texts(FILMS, ["colour"])


def test_very_long_texts_are_cut() -> None:
    long = Catalog.from_table(pl.DataFrame({"item_id": ["1"], "title": ["word " * 1000]}))
    assert len(item_texts(long)[0]) == 1000


def test_words_in_common_make_tfidf_vectors_near() -> None:
    vectors = encode_texts(["red apple", "red apple pie", "blue car"], "tfidf")
    near = vectors @ vectors.T
    assert vectors.dtype == np.float32
    assert np.allclose(np.diag(near), 1, atol=1e-5)
    assert near[0, 1] > 0.5
    assert abs(near[0, 2]) < 1e-5


def test_tfidf_takes_chinese_characters_for_words() -> None:
    near = encode_texts(["战争与和平", "和平", "苹果"], "tfidf")
    assert near[0] @ near[1] > 0.3
    assert abs(near[0] @ near[2]) < 1e-5


@pytest.mark.parametrize("texts", [["one"], ["", "!?"], ["same"] * 3, ["a", "b"], [f"w{n} common" for n in range(300)]])
def test_tfidf_takes_any_text(texts: list[str]) -> None:
    vectors = encode_texts(texts, "tfidf")
    assert len(vectors) == len(texts)
    assert vectors.shape[1] <= 128
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert (vectors == encode_texts(texts, "tfidf")).all()


def test_without_the_encoder_tfidf_stands_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "offline_encoder_installed", lambda: False)
    texts = ["red apple", "blue car"]
    assert (encode_texts(texts) == encode_texts(texts, "tfidf")).all()


@pytest.mark.skipif(not offline_encoder_installed(), reason="the offline encoder is not installed: genrec[train]")
def test_the_offline_encoder_knows_meaning() -> None:
    vectors = encode_texts(["a kitten on a mat", "a cat on a rug", "quarterly tax report"])
    near = vectors @ vectors.T
    assert vectors.shape == (3, 384)
    assert vectors.dtype == np.float32
    assert np.allclose(np.diag(near), 1, atol=1e-4)
    assert near[0, 1] > near[0, 2] + 0.3


def test_unit_leaves_zeros() -> None:
    assert unit(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist() == pytest.approx(np.array([[0.6, 0.8], [0, 0]]))


@pytest.mark.skipif(not offline_encoder_installed(), reason="needs the offline encoder")
def test_the_encoder_is_opened_once(monkeypatch: pytest.MonkeyPatch) -> None:
    first = encode_texts(["a tense film"])
    monkeypatch.setattr("sentence_transformers.SentenceTransformer", None)  # opening it again would fail
    assert np.array_equal(encode_texts(["a tense film"]), first)
