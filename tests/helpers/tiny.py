"""Small models whose answers are far from uniform, a small catalog, and what a plain forward pass says of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, PreTrainedModel

from genrec.items.index import ItemIndex
from genrec.model.adapters import LoraSettings, with_lora
from genrec.model.base import ScratchConfig, scratch
from genrec.model.vocabulary import Vocabulary, train_tokenizer

CONTEXT = 96
TEXTS = ["Once upon a time a film was made.", "The user watched", "and then next item follows", "她看了《霸王别姬》"]


def small_index(
    items: int = 60, sizes: Sequence[int] = (4, 6, 8), *, suffixed: bool = False, seed: int = 0
) -> ItemIndex:
    """Distinct random semantic IDs; with a suffix level the codes before it collide."""
    grid = np.random.default_rng(seed).permutation(int(np.prod(sizes)))[:items]
    codes = np.stack(np.unravel_index(grid, sizes), axis=1).astype(np.int64)
    levels = len(sizes) - suffixed
    books = np.zeros((levels, sizes[0], 2), dtype=np.float32)
    return ItemIndex([f"i{item}" for item in range(items)], codes, tuple(sizes), books)


def small_vocabulary(index: ItemIndex) -> Vocabulary:
    return Vocabulary.extend(train_tokenizer(TEXTS, 280), index, ["<|user|>"])


def qwen3(vocabulary: Vocabulary, *, tied: bool = False, seed: int = 0) -> PreTrainedModel:
    config = ScratchConfig(hidden=32, layers=2, heads=2, feed_forward=48, context=CONTEXT, tied=tied)
    return lively(scratch(config, len(vocabulary), pad_id=vocabulary.pad_id, end_id=vocabulary.end_id, seed=seed))


def llama(vocabulary: Vocabulary, *, tied: bool = False, seed: int = 0) -> PreTrainedModel:
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(vocabulary), hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=CONTEXT, tie_word_embeddings=tied, bos_token_id=None,
        pad_token_id=vocabulary.pad_id, eos_token_id=vocabulary.end_id,
    )  # fmt: skip
    return lively(LlamaForCausalLM(config))


def gpt2(vocabulary: Vocabulary, *, seed: int = 0) -> PreTrainedModel:
    torch.manual_seed(seed)
    config = GPT2Config(
        vocab_size=len(vocabulary), n_embd=32, n_layer=2, n_head=2, n_positions=CONTEXT,
        bos_token_id=None, pad_token_id=vocabulary.pad_id, eos_token_id=vocabulary.end_id,
    )  # fmt: skip
    return lively(GPT2LMHeadModel(config))


def adapted(vocabulary: Vocabulary, *, seed: int = 0) -> torch.nn.Module:
    """A Qwen3 with a LoRA adapter that changes its answers."""
    rows = [int(token) for level in vocabulary.code_ids for token in level]
    model = with_lora(qwen3(vocabulary, seed=seed), LoraSettings(rank=4), rows)
    shake(model, seed + 1)
    return model


def shake(model: torch.nn.Module, seed: int, scale: float = 0.3) -> None:
    """Moves every trainable weight, as training would."""
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.requires_grad:
                weight.add_(scale * torch.randn(weight.shape, generator=random))


def lively(model: PreTrainedModel) -> PreTrainedModel:
    """Freshly initialised models answer almost uniformly; ten times the weights give them opinions."""
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim > 1:
                weight.mul_(10)
    model.eval()
    return model


@torch.inference_mode()
def whole_passes(model: torch.nn.Module, vocabulary: Vocabulary, prompt: Sequence[int], index: ItemIndex) -> np.ndarray:
    """log p(semantic ID | prompt) of every item by one plain forward pass over prompt and codes, float64 [items]."""
    tokens = torch.from_numpy(vocabulary.semantic_tokens(index.codes))
    rows = torch.cat([torch.tensor(list(prompt)).expand(len(tokens), -1), tokens], dim=1)
    logprobs = model(input_ids=rows).logits.double().log_softmax(-1)[:, -tokens.shape[1] - 1 : -1]
    found: np.ndarray = logprobs.gather(2, tokens[:, :, None])[:, :, 0].sum(1).numpy()
    return found
