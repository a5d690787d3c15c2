"""New items take after the nearest known ones in a model."""

import numpy as np
import pytest
import torch

from genrec.items.index import ItemIndex
from genrec.priors.stand_ins import likes
from genrec.tuning.newcomers import NEAREST, settle
from tests.helpers.small_bundles import base_model, vocabulary_for
from tests.helpers.toyworld import grid

VECTORS = np.array([[1, 0], [0, 2], [-1, 0], [3, 4], [0, 0]], dtype=np.float32)
KNOWN = np.array([True, True, True, False, False])


@pytest.mark.parametrize("tied", [True, False])
def test_the_model_gives_a_new_item_the_mean_of_its_likes(tied: bool) -> None:
    index: ItemIndex = grid(9).select(np.array([7, 2, 4, 0, 8]))
    vocabulary = vocabulary_for(index)
    model = base_model(vocabulary, tied=tied)
    tokens = vocabulary.code_ids[0][index.codes[:, 0]]
    prompt = torch.tensor([[int(tokens[0]), 5, int(tokens[1])]])
    with torch.no_grad():
        before = model(prompt).logits[0, -1, tokens].numpy()
        assert settle(model, vocabulary, index, KNOWN, VECTORS) == 2
        after = model(prompt).logits[0, -1, tokens].numpy()
    near, weights = likes(VECTORS, KNOWN, np.array([3, 4]), NEAREST)
    np.testing.assert_allclose(after[:3], before[:3], rtol=1e-5)
    np.testing.assert_allclose(after[3:], (weights * before[near]).sum(axis=1), rtol=1e-3, atol=1e-4)


def test_nothing_is_done_where_codes_are_shared_or_all_is_known() -> None:
    index = grid(3, 3).select(np.arange(5))
    vocabulary = vocabulary_for(index)
    model = base_model(vocabulary)
    assert settle(model, vocabulary, index, KNOWN, VECTORS) == 0
    one = grid(9).select(np.arange(5))
    vocabulary = vocabulary_for(one)
    assert settle(base_model(vocabulary), vocabulary, one, np.ones(5, dtype=bool), VECTORS) == 0
