"""Dropout by hooks: at work in training only, and nowhere in what is saved."""

from pathlib import Path

import torch
from transformers import AutoModelForCausalLM

from genrec.model.base import ScratchConfig, scratch
from genrec.model.dropout import add_dropout

SHAPE = ScratchConfig(hidden=16, layers=2, heads=2, feed_forward=16)
IDS = torch.arange(8)[None]


def logits(model: torch.nn.Module, seed: int) -> torch.Tensor:
    torch.manual_seed(seed)
    with torch.no_grad():
        return model(input_ids=IDS).logits


def test_training_drops_and_answering_does_not() -> None:
    plain, dropped = (scratch(SHAPE, 12, pad_id=0, end_id=1) for _ in range(2))
    add_dropout(dropped, 0.5)
    torch.testing.assert_close(logits(dropped.eval(), 1), logits(plain.eval(), 1))
    dropped.train()
    assert not torch.allclose(logits(dropped, 1), logits(dropped, 2))
    torch.testing.assert_close(logits(dropped, 1), logits(dropped, 1))


def test_a_share_of_nothing_changes_nothing() -> None:
    model = scratch(SHAPE, 12, pad_id=0, end_id=1)
    add_dropout(model, 0.0)
    torch.testing.assert_close(logits(model.train(), 1), logits(model.eval(), 2))


def test_what_is_saved_is_a_plain_model(tmp_path: Path) -> None:
    model = scratch(SHAPE, 12, pad_id=0, end_id=1)
    add_dropout(model, 0.5)
    model.save_pretrained(str(tmp_path))
    back = AutoModelForCausalLM.from_pretrained(str(tmp_path))
    torch.testing.assert_close(logits(back.train(), 1), logits(model.eval(), 2))
