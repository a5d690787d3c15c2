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
from genrec.model.vocabulary import Vocabulary
from genrec.priors.stand_ins import likes

Bool = npt.NDArray[np.bool_]
Float32 = npt.NDArray[np.float32]
NEAREST = 5
"""Known items that a row is the mean of: of more, rows are so much alike that the model singles out none."""


def settle(model: torch.nn.Module, vocabulary: Vocabulary, index: ItemIndex, known: Bool, vectors: Float32) -> int:
    """known: bool [items]; vectors: float32 [items, d]. Returns how many items were settled, 0 where codes are shared.

    Under an adapter its own rows of the codes are those that move."""
    fresh = np.flatnonzero(~known)
    if index.levels > 1 or not known.any() or not len(fresh):
        return 0
    near, weights = likes(vectors, known, fresh, NEAREST)
    for table, first in _tables(model, vocabulary):
        places = torch.from_numpy(index.codes[:, 0]) if first is None else first[torch.from_numpy(index.codes[:, 0])]
        rows = table.data[places[torch.from_numpy(near)]]
        table.data[places[torch.from_numpy(fresh)]] = (rows * torch.from_numpy(weights).to(rows)[..., None]).sum(1)
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
