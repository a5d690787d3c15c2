"""SASRec's settings and network. Does not know training, data nor ranking."""

from __future__ import annotations

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn


class SasrecConfig(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    width: int = Field(default=128, ge=1)
    """Numbers in an item vector; a multiple of the number of heads."""
    blocks: int = Field(default=1, ge=1)
    """Layers of attention and feed-forward."""
    heads: int = Field(default=2, ge=1)
    """Attention heads of a layer."""
    dropout: float = Field(default=0.5, ge=0, lt=1)
    """Share of numbers dropped in training; sparse data wants much."""
    length: int = Field(default=20, ge=1)
    """Events of a history that the model sees, the newest."""
    learning_rate: float = Field(default=1e-3, gt=0)
    """Step size of AdamW."""
    weight_decay: float = Field(default=0.05, ge=0)
    """Decoupled decay of all weights, item vectors included."""
    drawn: int | None = Field(default=None, ge=1)
    """Items that a step's targets are told from, drawn at random; None: all of the catalog."""
    batch: int = Field(default=128, ge=1)
    """Windows of a training step."""
    epochs: int = Field(default=60, ge=1)
    """Passes over the training windows at most."""
    patience: int = Field(default=4, ge=1)
    """Epochs without a better validation NDCG@10 before training stops."""
    max_seconds: float | None = Field(default=None, gt=0)
    """Training stops after so long, with the best epoch."""
    mask_seen: bool = True
    """Whether the validation that stops training masks seen items."""
    threads: int | None = Field(default=None, ge=1)
    """Torch threads while training; torch's own choice by default."""
    seed: int = 0
    """Seeds weights, order and dropout."""

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> SasrecConfig:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is not a multiple of heads {self.heads}; change one of them")
        return self


class _Block(nn.Module):
    def __init__(self, config: SasrecConfig) -> None:
        super().__init__()
        width = config.width
        self.heads, self.dropout = config.heads, config.dropout
        self.before_attention, self.before_feed = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query_key_value, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.feed = nn.Sequential(
            nn.Linear(width, width), nn.ReLU(), nn.Dropout(config.dropout), nn.Linear(width, width)
        )

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        x = x + self._drop(self._attend(self.before_attention(x), mask))
        return x + self._drop(self.feed(self.before_feed(x)))

    def _attend(self, x: Tensor, mask: Tensor) -> Tensor:
        rows, length, width = x.shape
        parts = self.query_key_value(x).view(rows, length, 3, self.heads, width // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        dropout = self.dropout if self.training else 0.0
        mixed = nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=dropout)
        return self.out(mixed.transpose(1, 2).reshape(rows, length, width))  # type: ignore[no-any-return]

    def _drop(self, x: Tensor) -> Tensor:
        return nn.functional.dropout(x, self.dropout, self.training)


class SasrecNetwork(nn.Module):
    """Windows of item numbers, int64 [rows, length] with −1 on the left, to states, float32 [rows, length, d]."""

    def __init__(self, n_items: int, config: SasrecConfig) -> None:
        super().__init__()
        self.items = nn.Parameter(torch.randn(n_items, config.width) * 0.02)
        self.places = nn.Parameter(torch.randn(config.length, config.width) * 0.02)
        self.blocks = nn.ModuleList(_Block(config) for _ in range(config.blocks))
        self.norm = nn.LayerNorm(config.width)
        self.dropout = config.dropout

    def forward(self, windows: Tensor) -> Tensor:
        real = windows >= 0
        vectors = nn.functional.embedding(windows.clamp_min(0), self.items) * self.items.shape[1] ** 0.5
        x = (
            nn.functional.dropout(vectors + self.places[-windows.shape[1] :], self.dropout, self.training)
            * real[..., None]
        )
        mask = _visible(real)
        for block in self.blocks:
            x = block(x, mask)
        return self.norm(x)  # type: ignore[no-any-return]


def _visible(real: Tensor) -> Tensor:
    """bool [rows, 1, length, length]: a place sees earlier real places, and itself so that no row is empty."""
    length = real.shape[1]
    earlier = torch.ones(length, length, dtype=torch.bool, device=real.device).tril()
    return ((earlier & real[:, None, :]) | torch.eye(length, dtype=torch.bool, device=real.device))[:, None]
