"""Dropout in a small model that has none of its own: after embedding, attention and feed-forward of every block.

Hooks, so that weights and architecture on disk stay what transformers knows. Does not know training.
"""

from __future__ import annotations

from typing import Any

from torch import nn
from transformers import Qwen3ForCausalLM


def add_dropout(model: Qwen3ForCausalLM, share: float) -> None:
    """In training, `share` of the numbers that enter the residual stream are dropped, as SASRec does it."""
    if not share:
        return
    parts: list[nn.Module] = [model.model.embed_tokens]
    for block in model.model.layers:
        parts += [block.self_attn, block.mlp]
    for part in parts:
        part.register_forward_hook(_Dropped(share))


class _Dropped:
    """A forward hook: dropout of a module's first output while the module is training."""

    def __init__(self, share: float) -> None:
        self._share = share

    def __call__(self, module: nn.Module, given: Any, output: Any) -> Any:
        if not module.training:
            return output
        if isinstance(output, tuple):
            return (nn.functional.dropout(output[0], self._share), *output[1:])
        return nn.functional.dropout(output, self._share)
