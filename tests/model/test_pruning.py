"""Pruned models: dead heads and channels go first and nothing changes, importance is the loss's slope, files load."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    PreTrainedModel,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from genrec.errors import ConfigError
from genrec.model.pruning import Importance, importance, pruned

TOKENS = 40
HEAD = 8  # width
DEAD_HEADS, DEAD_CHANNELS = (0, 3), (1, 2, 5, 7, 8, 11)  # of 4 key-value heads and 12 channels


@pytest.fixture
def model() -> Any:
    """Two query heads share a key-value head; nothing is near 0."""
    torch.manual_seed(0)
    made = Qwen3ForCausalLM(
        Qwen3Config(
            vocab_size=TOKENS, hidden_size=24, intermediate_size=12, num_hidden_layers=2, num_attention_heads=8,
            num_key_value_heads=4, head_dim=HEAD, initializer_range=0.3, pad_token_id=0, eos_token_id=1,
            bos_token_id=None,
        )
    )  # fmt: skip
    return made.eval()


def batch(seed: int = 0) -> dict[str, torch.Tensor]:
    inputs = torch.randint(2, TOKENS, (4, 9), generator=torch.Generator().manual_seed(seed))
    return {"input_ids": inputs, "labels": inputs}


@torch.no_grad()
def killed(model: PreTrainedModel) -> None:
    """Some heads and channels lead nowhere."""
    for block in model.model.layers:
        for head in DEAD_HEADS:
            block.self_attn.o_proj.weight[:, head * 2 * HEAD : (head + 1) * 2 * HEAD] = 0
        block.mlp.down_proj.weight[:, list(DEAD_CHANNELS)] = 0


@torch.no_grad()
def logits(model: PreTrainedModel) -> Any:
    return model(batch(7)["input_ids"]).logits


def test_what_is_dead_goes_first_and_nothing_changes(model: PreTrainedModel, tmp_path: Path) -> None:
    killed(model)
    felt = importance(model, [batch(1), batch(2)])
    assert [row.nonzero()[:, 0].tolist() for row in felt.heads] == [[1, 2]] * 2
    assert [row.nonzero()[:, 0].tolist() for row in felt.channels] == [[0, 3, 4, 6, 9, 10]] * 2
    small = pruned(model, felt, heads=0.5, channels=0.5)
    config = small.config
    assert (config.num_key_value_heads, config.num_attention_heads, config.head_dim) == (2, 4, HEAD)
    assert config.intermediate_size == 6
    torch.testing.assert_close(logits(small.eval()), logits(model))
    small.save_pretrained(tmp_path)
    torch.testing.assert_close(logits(AutoModelForCausalLM.from_pretrained(tmp_path)), logits(model))


def test_the_important_stay(model: PreTrainedModel) -> None:
    """Keeping other units than the important ones does change what the model says."""
    killed(model)
    felt = importance(model, [batch()])
    wrong = pruned(model, Importance(-felt.heads, -felt.channels), heads=0.5, channels=0.5)
    assert (logits(wrong.eval()) - logits(model)).abs().max() > 0.1


def loss(model: PreTrainedModel) -> float:
    """In float64, as far as the norms allow, which compute in float32."""
    given = batch()["input_ids"]
    said = model(given).logits[:, :-1].flatten(0, 1)
    return float(torch.nn.functional.cross_entropy(said, given[:, 1:].flatten()))


@pytest.mark.parametrize(
    ("part", "name", "places", "unit"),
    [("heads", "self_attn.o_proj", slice(2 * HEAD, 4 * HEAD), 1), ("channels", "mlp.down_proj", slice(4, 5), 4)],
)
def test_importance_is_the_slope_of_the_loss_along_a_unit(
    model: PreTrainedModel, part: str, name: str, places: slice, unit: int
) -> None:
    felt = importance(model.double(), [batch()])
    weight, step = model.model.layers[1].get_submodule(name).weight, 0.02
    losses, whole = [], weight.detach().clone()
    for scale in (1 + step, 1 - step):
        with torch.no_grad():
            weight.copy_(whole)[:, places] *= scale
            losses.append(loss(model))
    assert float(getattr(felt, part)[1, unit]) == pytest.approx(abs(losses[0] - losses[1]) / (2 * step), rel=0.02)


def test_all_of_it_is_the_model_itself(model: PreTrainedModel) -> None:
    same = pruned(model, importance(model, [batch()]), heads=1.0, channels=1.0)
    torch.testing.assert_close(logits(same.eval()), logits(model))


def test_at_least_one_of_each_stays(model: PreTrainedModel) -> None:
    least = pruned(model, importance(model, [batch()]), heads=0.01, channels=0.01)
    assert (least.config.num_attention_heads, least.config.intermediate_size) == (2, 1)
    assert torch.isfinite(logits(least.eval())).all()


def test_other_architectures_are_refused() -> None:
    other = GPT2LMHeadModel(
        GPT2Config(vocab_size=TOKENS, n_embd=8, n_layer=1, n_head=2, n_positions=16, bos_token_id=0, eos_token_id=1)
    )
    with pytest.raises(ConfigError, match="cannot be pruned"):
        importance(other, [batch()])
