"""A model before whose every sequence stand learnt keys and values: what prefix and prompt tuning leave.

A learnt prompt is read once, here; then both kinds are a piece of cache that every prompt begins with, and an engine
calls the model as any other. Does not know engines, tries or training.
"""

from __future__ import annotations

from typing import Any

import torch
from peft import PeftModel, PeftType
from torch import Tensor, nn
from transformers import DynamicCache, PreTrainedModel


class Prefixed(nn.Module):
    """learnt: keys and values of each layer, float [layers, 2, heads, places, d]."""

    learnt: Tensor

    def __init__(self, model: PreTrainedModel, learnt: Tensor) -> None:
        super().__init__()
        self.model, self.config = model, model.config
        self.register_buffer("learnt", learnt, persistent=False)

    def forward(
        self, *, attention_mask: Tensor, position_ids: Tensor, past_key_values: DynamicCache, **rest: Any
    ) -> Any:
        """As the model's own, with a mask of all that is held or an additive one; an empty cache gets the prefix."""
        places, rows = self.learnt.shape[3], len(position_ids)
        if not past_key_values.get_seq_length():
            for layer, (keys, values) in enumerate(self.learnt):
                past_key_values.update(keys.expand(rows, -1, -1, -1), values.expand(rows, -1, -1, -1), layer)
        additive = attention_mask.ndim == 4
        seen = attention_mask.new_full((*attention_mask.shape[:-1], places), 0 if additive else 1)
        return self.model(
            attention_mask=torch.cat([seen, attention_mask], dim=-1), position_ids=position_ids + places,
            past_key_values=past_key_values, **rest,
        )  # fmt: skip


def spoken(model: nn.Module) -> nn.Module:
    """What an engine runs: prefix and prompt adapters as a `Prefixed`, any other model as it is."""
    if not isinstance(model, PeftModel) or not virtual_of(model):
        return model
    base: Any = model.get_base_model()
    return Prefixed(base, _learnt(model.eval(), base))


def virtual_of(model: nn.Module) -> int:
    """Places that an adapter takes of the model's context."""
    config: Any = model.active_peft_config if isinstance(model, PeftModel) else None
    return int(config.num_virtual_tokens) if config is not None and config.is_prompt_learning else 0


def embedded_of(model: nn.Module) -> int:
    """Those of them that are tokens, whose hidden states come before the prompt's."""
    return virtual_of(model) if isinstance(model, PeftModel) and model.peft_type == PeftType.PROMPT_TUNING else 0


@torch.no_grad()
def _learnt(model: PeftModel, base: Any) -> Tensor:
    found: Any = model.get_prompt(batch_size=1)
    if embedded_of(model):
        found = base(inputs_embeds=found.to(base.dtype), use_cache=True, logits_to_keep=1).past_key_values
    return torch.stack([torch.stack([layer.keys[0], layer.values[0]]) for layer in found.layers]).detach()
