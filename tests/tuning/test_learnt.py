"""The head reads what is learnt and nothing else, says the same there, and the metric counts by hand."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import EvalPrediction

from genrec.examples import IGNORED
from genrec.tuning.learnt import NDCG, Padded, cross_entropy, flattened, gains, mean_gain
from tests.helpers.tiny import qwen3, small_index, small_vocabulary

ROWS = [
    {"input_ids": [5, 6, 7, 8, 9], "labels": [IGNORED, IGNORED, 7, 8, 9]},
    {"input_ids": [9, 8, 7], "labels": [IGNORED, IGNORED, 7]},
]


def test_a_batch_says_where_it_learns() -> None:
    batch = Padded(0)(ROWS)
    assert batch["input_ids"].tolist() == [[5, 6, 7, 8, 9], [9, 8, 7, 0, 0]]
    assert batch["labels"][1].tolist() == [IGNORED, IGNORED, 7, IGNORED, IGNORED]
    assert batch["logits_to_keep"].tolist() == [1, 2, 3, 6]


@pytest.mark.parametrize("adapted", [False, True])
def test_the_logits_are_those_of_the_whole(adapted: bool) -> None:
    model = qwen3(small_vocabulary(small_index())).eval()
    whole = get_peft_model(model, LoraConfig(target_modules=["q_proj"])) if adapted else model
    batch = Padded(0)(ROWS)
    labels = batch.pop("labels")
    with torch.no_grad():
        with flattened(whole):
            kept = whole(**batch).logits
        plain = whole(input_ids=batch["input_ids"]).logits
    torch.testing.assert_close(kept[0], plain[:, :-1][labels[:, 1:] != IGNORED])


def test_cross_entropy_is_the_whole_ones() -> None:
    labels = torch.tensor([[IGNORED, 3, 1], [IGNORED, 2, IGNORED]])
    logits = torch.randn(2, 3, 5, generator=torch.Generator().manual_seed(0))
    kept = SimpleNamespace(logits=logits[:, :-1][labels[:, 1:] != IGNORED][None])
    plain = torch.nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten())
    torch.testing.assert_close(cross_entropy(kept, labels), plain)
    torch.testing.assert_close(cross_entropy(kept, labels, 6), plain / 2)


def test_gains_by_hand() -> None:
    """The true token first, third and eleventh."""
    labels = torch.tensor([[IGNORED, 0, 0, 11]])
    logits = torch.stack(
        [torch.arange(12.0).flip(0), torch.tensor([1.0, 2, 3, *[0.0] * 9]), torch.arange(12.0).flip(0)]
    )
    assert gains(logits[None], labels).tolist() == [[1.0, 0.5, 0.0]]


def test_padding_of_batches_counts_for_nothing() -> None:
    found = EvalPrediction(predictions=np.array([[1.0, 0.5], [0.0, -100.0]]), label_ids=np.zeros(2))
    assert mean_gain(found) == {NDCG: 0.5}


def test_other_outputs_are_left_alone() -> None:
    model = qwen3(small_vocabulary(small_index())).eval()
    with flattened(model):
        pass
    assert model(input_ids=torch.tensor([[5, 6], [7, 8]])).logits.shape[:2] == (2, 2)
