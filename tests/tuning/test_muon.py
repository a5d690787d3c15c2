"""Orthogonal steps for matrices, AdamW's for the rest."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.utils import parametrize
from transformers import Qwen3Config, Qwen3ForCausalLM

from genrec.tuning.muon import FASTER, Muon, muon, orthogonalised


def model() -> Qwen3ForCausalLM:
    torch.manual_seed(0)
    return Qwen3ForCausalLM(
        Qwen3Config(
            vocab_size=32, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2,
            num_key_value_heads=2, head_dim=8, tie_word_embeddings=False,
        )
    )  # fmt: skip


def test_singular_values_come_near_one_and_vectors_stay() -> None:
    matrices = torch.randn(3, 12, 5, generator=torch.Generator().manual_seed(1))
    found = orthogonalised(matrices)
    u, _, v = torch.linalg.svd(matrices, full_matrices=False)
    inner = u.mT @ found @ v.mT
    values = torch.diagonal(inner, dim1=1, dim2=2)
    assert ((values > 0.6) & (values < 1.3)).all()
    assert (inner - torch.diag_embed(values)).abs().max() < 1e-4


def test_a_stack_is_stepped_as_each_alone() -> None:
    matrices = torch.randn(4, 6, 9, generator=torch.Generator().manual_seed(2))
    alone = torch.cat([orthogonalised(one[None]) for one in matrices])
    torch.testing.assert_close(orthogonalised(matrices), alone)


def test_every_weight_is_in_one_group_and_tables_are_not_orthogonal() -> None:
    net = model()
    groups = muon(net, 1e-3, 0.1, 0.98).param_groups
    assert sum(len(group["params"]) for group in groups) == len(list(net.parameters()))
    orthogonal = {id(weight) for group in groups if group["orthogonal"] for weight in group["params"]}
    assert id(net.lm_head.weight) not in orthogonal
    assert id(net.model.embed_tokens.weight) not in orthogonal
    assert len(orthogonal) == 2 * 7
    assert [group["lr"] for group in groups] == [FASTER * 1e-3, 1e-3, 1e-3]


def test_rows_in_two_parts_are_not_orthogonal_either() -> None:
    class Shifted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.by = nn.Parameter(torch.zeros(16))

        def forward(self, own: torch.Tensor) -> torch.Tensor:
            return own + self.by

    net = model()
    parametrize.register_parametrization(net.lm_head, "weight", Shifted())
    groups = muon(net, 1e-3, 0.1, 0.98).param_groups
    assert sum(len(group["params"]) for group in groups) == len(list(net.parameters()))
    assert sum(len(group["params"]) for group in groups if group["orthogonal"]) == 2 * 7


def test_the_first_step_of_a_matrix_has_the_rate_as_its_size() -> None:
    layer = nn.Linear(8, 8, bias=False)
    before = layer.weight.detach().clone()
    steps = Muon([{"params": [layer.weight], "lr": 0.01, "weight_decay": 0.0, "orthogonal": True}], lr=1.0)
    layer(torch.randn(32, 8)).square().sum().backward()
    steps.step()
    sizes = torch.linalg.svdvals(layer.weight.detach() - before)
    assert ((sizes > 0.006) & (sizes < 0.013)).all()


def test_the_rest_takes_the_very_steps_of_adamw() -> None:
    ours, theirs = nn.Linear(4, 3), nn.Linear(4, 3)
    theirs.load_state_dict(ours.state_dict())
    both = Muon(ours.parameters(), lr=0.1), torch.optim.AdamW(theirs.parameters(), lr=0.1)
    for _ in range(3):
        for layer, steps in zip((ours, theirs), both, strict=True):
            steps.zero_grad()
            layer(torch.ones(2, 4)).square().sum().backward()
            steps.step()
    torch.testing.assert_close(ours.weight, theirs.weight)


def test_a_run_that_goes_on_from_its_state_ends_where_an_unbroken_one_does() -> None:
    torch.manual_seed(3)
    tokens = torch.randint(0, 32, (4, 12))

    def train(net: Qwen3ForCausalLM, steps: Muon, count: int) -> None:
        for _ in range(count):
            steps.zero_grad()
            net(input_ids=tokens, labels=tokens).loss.backward()
            steps.step()

    whole, broken = model(), model()
    train(whole, muon(whole, 1e-3, 0.1, 0.98), 4)
    first = muon(broken, 1e-3, 0.1, 0.98)
    train(broken, first, 2)
    second = muon(broken, 1e-3, 0.1, 0.98)
    second.load_state_dict(first.state_dict())
    train(broken, second, 2)
    for one, other in zip(whole.parameters(), broken.parameters(), strict=True):
        torch.testing.assert_close(one, other)
