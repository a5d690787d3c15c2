"""Rows in two parts: what one code learns reaches the codes like it, and afterwards nothing but plain rows is left."""

from dataclasses import replace

import numpy as np
import torch
from transformers import PreTrainedModel

from genrec.items.codes import FAR
from genrec.items.index import ItemIndex
from genrec.model.shared_rows import merge_rows, share_rows
from tests.helpers.tiny import qwen3, small_index, small_vocabulary

ALIKE = np.array([[1.0, 0], [1, 0], [0, 1], [-2, -1]], dtype=np.float32)
"""Of level 0: codes 0 and 1 mean the same."""


def index_of() -> ItemIndex:
    index = small_index(16, sizes=(4, 4))
    books = np.full((2, 4, 2), FAR, dtype=np.float32)
    books[0, :4] = ALIKE
    return replace(index, codebooks=books)


def shared() -> tuple[PreTrainedModel, list[int]]:
    index = index_of()
    vocabulary = small_vocabulary(index)
    model = qwen3(vocabulary)
    share_rows(model, vocabulary, index, 2)
    return model, [int(token) for token in vocabulary.code_ids[0]]


def test_codes_of_one_meaning_start_as_one_and_those_without_stay_as_they_are() -> None:
    model, codes = shared()
    index = index_of()
    plain = qwen3(small_vocabulary(index))
    for table, before in zip(tables(model), tables(plain), strict=True):
        torch.testing.assert_close(table[codes[0]], table[codes[1]])
        assert not torch.allclose(table[codes[0]], table[codes[2]])
        others = [row for row in range(len(table)) if row not in codes]
        torch.testing.assert_close(table[others], before[others])


def test_what_one_code_learns_reaches_its_like() -> None:
    model, codes = shared()
    before = tables(model)[0].clone()
    step = torch.optim.SGD(model.parameters(), lr=0.1)
    model.get_input_embeddings().weight[codes[0]].sum().backward()
    step.step()
    moved = (tables(model)[0] - before).norm(dim=1)
    assert moved[codes[0]] > moved[codes[1]] > 0


def test_merged_it_is_a_plain_model_that_says_the_same() -> None:
    model, codes = shared()
    prompt = torch.tensor([codes])
    before = model(input_ids=prompt).logits
    merge_rows(model)
    merge_rows(model)
    torch.testing.assert_close(model(input_ids=prompt).logits, before)
    assert set(model.state_dict()) == set(qwen3(small_vocabulary(index_of())).state_dict())


def tables(model: PreTrainedModel) -> list[torch.Tensor]:
    return [model.get_input_embeddings().weight.detach(), model.get_output_embeddings().weight.detach()]
