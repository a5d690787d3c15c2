"""Rows of code tokens in two parts while they train: one of their own, and a linear map of what the code stands for.

What is learnt of one item then reaches every item like it, as content features do in a two-tower model, and a code
that nobody chose has a row all the same. `merge_rows` makes one row of both, so that no bundle or engine knows of it.
Does not know training.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from transformers import PreTrainedModel

from genrec.items.codes import FAR, Float32
from genrec.items.index import ItemIndex
from genrec.model.vocabulary import Vocabulary


def share_rows(
    model: PreTrainedModel, vocabulary: Vocabulary, index: ItemIndex, width: int, *, kept: bool = False
) -> None:
    """Embedding and head, untied, get a map each, float32 [width, hidden], of the codes' centroids along their `width`
    main axes.

    At first a row is its centroid under a random projection, which keeps distances (Johnson & Lindenstrauss 1984), with
    the spread that the model was initialised with, and its own part is 0: codes that mean the like start out alike.
    Suffix codes mean nothing and stay as they are. kept: the rows stay as they are, the map being what the centroids
    tell of them (least squares) and the rest their own part.
    """
    tokens, meanings = _meanings(vocabulary, index, width)
    draw = torch.Generator().manual_seed(0)
    projection = torch.randn(meanings.shape[1], model.config.hidden_size, generator=draw)
    projection *= model.config.initializer_range / (meanings @ projection).std().clamp_min(1e-9)
    tables: list[nn.Module] = [model.get_input_embeddings(), model.get_output_embeddings()]  # type: ignore[no-untyped-call]
    for table in tables:
        rows: Tensor = table.weight.data  # type: ignore[assignment]
        start = torch.linalg.lstsq(meanings, rows[tokens]).solution if kept else projection.clone()
        rows[tokens] = rows[tokens] - meanings @ start if kept else 0.0
        parametrize.register_parametrization(table, "weight", _Shared(tokens, meanings, start))


def merge_rows(model: nn.Module) -> None:
    """Both parts as one row; nothing happens to a model that has none."""
    for table in list(model.modules()):
        if parametrize.is_parametrized(table, "weight"):
            parametrize.remove_parametrizations(table, "weight")


class _Shared(nn.Module):
    """tokens: int64 [codes]; meanings: float32 [codes, width]; projection: float32 [width, hidden], learnt."""

    tokens: Tensor
    meanings: Tensor

    def __init__(self, tokens: Tensor, meanings: Tensor, projection: Tensor) -> None:
        super().__init__()
        self.register_buffer("tokens", tokens, persistent=False)
        self.register_buffer("meanings", meanings, persistent=False)
        self.projection = nn.Parameter(projection)

    def forward(self, own: Tensor) -> Tensor:
        return own.index_add(0, self.tokens, self.meanings @ self.projection)


def _meanings(vocabulary: Vocabulary, index: ItemIndex, width: int) -> tuple[Tensor, Tensor]:
    """Token numbers of the codes that are used, int64 [codes], and what they mean, float32 [codes, at most width]."""
    tokens, meanings = [], []
    for level, book in enumerate(index.codebooks):
        used = np.abs(book).max(axis=1) < FAR
        if not used.any():
            continue
        tokens.append(np.asarray(vocabulary.code_ids[level])[used])
        meanings.append(_main_axes(book[used], width))
    return torch.from_numpy(np.concatenate(tokens)), torch.from_numpy(np.concatenate(meanings))


def _main_axes(vectors: Float32, width: int) -> Float32:
    """Along the axes of most variance, at most `width` of them, with a deviation of 1 over all numbers."""
    centred = vectors - vectors.mean(axis=0)
    _, axes = np.linalg.eigh(centred.T @ centred)
    turned = centred @ axes[:, ::-1][:, :width]
    scaled: Float32 = (turned / max(float(turned.std()), 1e-9)).astype(np.float32)
    return scaled
