"""A model whose blocks are narrower: the attention heads and feed-forward channels that matter least are taken out.

What comes out is the same architecture with smaller numbers in its config, so everything that reads the one reads the
other. Every block keeps as many, because a config has one number for all. Does not know where batches come from.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from genrec.errors import ConfigError

_INTO = ("mlp.gate_proj", "mlp.up_proj")
_PARTS = (*_INTO, "mlp.down_proj", "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj")


class Importance(NamedTuple):
    """How much the loss hangs on them, float32. heads: [blocks, key-value heads], each with the query heads that share
    it; channels: [blocks, channels]."""

    heads: Tensor
    channels: Tensor


@dataclass(frozen=True)
class Sizes:
    """Of a block: query heads that share a key-value head, the width of a head, numbers of the two that are pruned."""

    shared: int
    width: int
    heads: int
    channels: int

    @classmethod
    def of(cls, model: PreTrainedModel) -> Sizes:
        """Raises ConfigError for an architecture whose blocks are built otherwise."""
        config: Any = model.config
        if not blocks(model) or not all(_has(block, name) for block in blocks(model) for name in _PARTS):
            raise ConfigError(
                "this architecture cannot be pruned", value=config.model_type,
                allowed="gated blocks as Qwen3's, Llama's or Mistral's", remedy="distil it: way=distilled",
            )  # fmt: skip
        width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        heads = config.num_key_value_heads
        return cls(config.num_attention_heads // heads, width, heads, config.intermediate_size)


def blocks(model: PreTrainedModel) -> list[nn.Module]:
    found: Any = model.get_decoder()  # type: ignore[no-untyped-call]
    return list(getattr(found, "layers", ()))


def importance(model: PreTrainedModel, batches: Iterable[dict[str, Tensor]]) -> Importance:
    """First-order Taylor expansion of the loss without a unit (Molchanov et al. 2019): |Σ gradient · weight| over the
    weights that lead out of it, added up over batches. batches: what the model is called with, labels included."""
    sizes, found = Sizes.of(model), []
    model.train(False)
    for batch in batches:
        model.zero_grad()
        model(**batch).loss.backward()
        found.append([_of_block(block, sizes) for block in blocks(model)])
    model.zero_grad()
    heads, channels = (
        torch.stack([torch.stack([one[part] for one in row]) for row in found]).sum(0) for part in (0, 1)
    )
    return Importance(heads, channels)


def _of_block(block: nn.Module, sizes: Sizes) -> tuple[Tensor, Tensor]:
    heads = _felt(block, "self_attn.o_proj").view(sizes.heads, -1).sum(1).abs()
    return heads, _felt(block, "mlp.down_proj").abs()


def _felt(block: nn.Module, name: str) -> Tensor:
    """Σ gradient · weight of every input of a layer."""
    weight: Any = block.get_submodule(name).weight
    found: Tensor = (weight.grad * weight).detach().sum(0)
    return found


def pruned(model: PreTrainedModel, felt: Importance, heads: float, channels: float) -> PreTrainedModel:
    """A new model with this share of the key-value heads (and their query heads) and of the channels, at least one."""
    sizes = Sizes.of(model)
    kept_heads, kept_channels = (_best(one, share) for one, share in zip(felt, (heads, channels), strict=True))
    config: Any = copy.deepcopy(model.config)
    config.num_key_value_heads = kept_heads.shape[1]
    config.num_attention_heads = kept_heads.shape[1] * sizes.shared
    config.head_dim, config.intermediate_size = sizes.width, kept_channels.shape[1]
    state = dict(model.state_dict())
    prefixes = _names(model)
    for prefix, few, rows in zip(prefixes, kept_heads, kept_channels, strict=True):
        _cut(state, prefix, _places(few, sizes.width), _places(few, sizes.shared * sizes.width), rows)
    made = type(model)(config)
    made.load_state_dict(state)
    cast: PreTrainedModel = made.to(model.dtype)  # type: ignore[arg-type]
    return cast


def _best(felt: Tensor, share: float) -> Tensor:
    """The most important of every block, in their order, int64 [blocks, kept]."""
    return felt.topk(max(1, round(share * felt.shape[1])), dim=1).indices.sort(dim=1).values


def _places(units: Tensor, width: int) -> Tensor:
    return (units[:, None] * width + torch.arange(width)).flatten()


def _cut(state: dict[str, Tensor], prefix: str, keys: Tensor, queries: Tensor, channels: Tensor) -> None:
    """Rows of what leads in, with their biases, and columns of what leads out."""
    into = {"self_attn.q_proj": queries, "self_attn.k_proj": keys, "self_attn.v_proj": keys}
    for name, rows in (into | dict.fromkeys(_INTO, channels)).items():
        for kind in ("weight", "bias"):
            if f"{prefix}.{name}.{kind}" in state:
                state[f"{prefix}.{name}.{kind}"] = state[f"{prefix}.{name}.{kind}"][rows]
    for name, columns in (("self_attn.o_proj", queries), ("mlp.down_proj", channels)):
        state[f"{prefix}.{name}.weight"] = state[f"{prefix}.{name}.weight"][:, columns]


def _names(model: PreTrainedModel) -> list[str]:
    names = {module: name for name, module in model.named_modules()}
    return [names[block] for block in blocks(model)]


def _has(block: nn.Module, name: str) -> bool:
    try:
        return isinstance(block.get_submodule(name), nn.Linear)
    except AttributeError:
        return False
