"""A prompt's key/values computed once, and many continuations reading them: attention over a token tree.

Each forward pass appends entries to one cache per prompt; a mask lets an entry see the prompt, its ancestors and
itself, so beams share the prompt instead of copying it. Does not know items, tries or scores.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from transformers import DynamicCache

from genrec.ragged import Int64

Bool = npt.NDArray[np.bool_]


class TokenTree:
    """Prompts prefilled left-padded; `logits` are those after each prompt, [prompts, vocabulary] in float32."""

    def __init__(self, model: torch.nn.Module, prompts: Sequence[Sequence[int]], pad_id: int) -> None:
        self._model = model
        self._device = next(model.parameters()).device
        self._lengths = np.array([len(prompt) for prompt in prompts])
        ids, held = _left_padded(prompts, pad_id)
        self._held = torch.from_numpy(held).to(self._device)
        self._cache = DynamicCache()
        positions = (self._held.long().cumsum(1) - 1).clamp(min=0)
        self.logits = self._forward(torch.from_numpy(ids).to(self._device), self._held.long(), positions, 1)[:, -1]

    def extend(self, tokens: Int64, depths: Int64, ancestors: Bool) -> torch.Tensor:
        """Logits after each new entry, float32 [prompts, entries, vocabulary].

        tokens: [prompts, entries]; depths: tokens between prompt and entry, [prompts, entries];
        ancestors: which earlier entries and which of these each sees besides itself, [prompts, entries, all entries].
        """
        seen = torch.from_numpy(ancestors).to(self._device)
        self_seen = torch.eye(tokens.shape[1], dtype=torch.bool, device=self._device)
        seen[:, :, -tokens.shape[1] :] |= self_seen
        prompt = self._held[:, None, :].expand(-1, tokens.shape[1], -1)
        positions = torch.from_numpy(self._lengths[:, None] + depths).to(self._device)
        return self._forward(
            torch.from_numpy(tokens).to(self._device), self._additive(torch.cat([prompt, seen], dim=2)), positions, 0
        )

    def _additive(self, seen: torch.Tensor) -> torch.Tensor:
        dtype = next(self._model.parameters()).dtype
        mask = torch.zeros(seen.shape, dtype=dtype, device=self._device)
        return mask.masked_fill_(~seen, torch.finfo(dtype).min)[:, None]

    def _forward(self, ids: torch.Tensor, mask: torch.Tensor, positions: torch.Tensor, keep: int) -> torch.Tensor:
        output = self._model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=keep,
        )
        logits: torch.Tensor = output.logits.float()
        return logits


def _left_padded(prompts: Sequence[Sequence[int]], pad_id: int) -> tuple[Int64, Bool]:
    longest = max(len(prompt) for prompt in prompts)
    ids = np.full((len(prompts), longest), pad_id, dtype=np.int64)
    for row, prompt in enumerate(prompts):
        ids[row, longest - len(prompt) :] = prompt
    lengths = np.array([len(prompt) for prompt in prompts])
    return ids, np.arange(longest) >= (longest - lengths)[:, None]
