"""Items that nobody chose in training, in catalogs of one code an item: their rows become those of their likes.

A code of its own that training never saw says nothing. Its rows in embedding and head become the weighted mean of those
of the nearest known items, so the model gives it, at every step, the mean of their log-weights, and reads it as them.
Does not know how items became vectors.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from peft import PeftModel
from transformers import PreTrainedModel

from genrec.items.index import ItemIndex
from genrec.items.text import unit
from genrec.model.vocabulary import Vocabulary

Bool = npt.NDArray[np.bool_]
Float32 = npt.NDArray[np.float32]
NEAREST = 5
"""Known items that a new one takes after."""
SHARPNESS = 20.0
"""Weights are exp(sharpness · cosine): an item that is twice as near counts far more than twice."""
_AT_ONCE = 4096  # new items compared with all known ones together


def settle(model: torch.nn.Module, vocabulary: Vocabulary, index: ItemIndex, known: Bool, vectors: Float32) -> int:
    """known: bool [items]; vectors: float32 [items, d]. Returns how many items were settled, 0 where codes are shared.

    Under an adapter its own rows of the codes are those that move."""
    fresh = np.flatnonzero(~known)
    if index.levels > 1 or not known.any() or not len(fresh):
        return 0
    near, weights = likes(vectors, known, fresh)
    for table, first in _tables(model, vocabulary):
        places = torch.from_numpy(index.codes[:, 0]) if first is None else first[torch.from_numpy(index.codes[:, 0])]
        rows = table.data[places[torch.from_numpy(near)]]
        table.data[places[torch.from_numpy(fresh)]] = (rows * torch.from_numpy(weights)[..., None]).sum(1)
    return len(fresh)


def _tables(model: torch.nn.Module, vocabulary: Vocabulary) -> list[tuple[torch.Tensor, torch.Tensor | None]]:
    """Embedding and head, one where they are tied, each with the row of every code; None: the code's own number, in an
    adapter that lists the codes in their order."""
    plain = model.get_base_model() if isinstance(model, PeftModel) else model
    assert isinstance(plain, PreTrainedModel)
    found: dict[int, tuple[torch.Tensor, torch.Tensor | None]] = {}
    for module in (plain.get_input_embeddings(), plain.get_output_embeddings()):  # type: ignore[no-untyped-call]
        adapter = getattr(module, "token_adapter", None)
        table = module.weight if adapter is None else adapter.trainable_tokens_delta["default"]
        assert isinstance(table, torch.Tensor)
        found[id(table)] = (table, torch.from_numpy(vocabulary.code_ids[0]) if adapter is None else None)
    return list(found.values())


def likes(vectors: Float32, known: Bool, fresh: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], Float32]:
    """The nearest known items of each fresh one, int64 [fresh, nearest], and their weights, which sum to 1."""
    old = np.flatnonzero(known)
    scaled = unit(vectors)
    most, near, weights = min(NEAREST, len(old)), [], []
    for start in range(0, len(fresh), _AT_ONCE):
        cosine = scaled[fresh[start : start + _AT_ONCE]] @ scaled[old].T
        best = np.argpartition(-cosine, most - 1, axis=1)[:, :most]
        found = np.exp(SHARPNESS * (np.take_along_axis(cosine, best, axis=1) - cosine.max(axis=1, keepdims=True)))
        near.append(old[best])
        weights.append(found / found.sum(axis=1, keepdims=True))
    return np.concatenate(near), np.concatenate(weights).astype(np.float32)
