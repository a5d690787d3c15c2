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


def settle(model: torch.nn.Module, vocabulary: Vocabulary, index: ItemIndex, known: Bool, vectors: Float32) -> int:
    """known: bool [items]; vectors: float32 [items, d]. Returns how many items were settled, 0 where codes are shared
    or weights are an adapter's."""
    fresh = np.flatnonzero(~known)
    if index.levels > 1 or isinstance(model, PeftModel) or not known.any() or not len(fresh):
        return 0
    assert isinstance(model, PreTrainedModel)
    tokens = torch.from_numpy(vocabulary.code_ids[0][index.codes[:, 0]])
    near, weights = likes(vectors, known, fresh)
    embedding, head = model.get_input_embeddings(), model.get_output_embeddings()  # type: ignore[no-untyped-call]
    for table in {embedding.weight, head.weight}:  # one where they are tied
        rows = table.data[tokens[torch.from_numpy(near)]]
        table.data[tokens[torch.from_numpy(fresh)]] = (rows * torch.from_numpy(weights)[..., None]).sum(1)
    return len(fresh)
