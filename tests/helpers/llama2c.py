"""llama2.c's legacy checkpoint and tokenizer files → a Hugging Face folder (safetensors, tokenizer.json).

Layout: seven int32 (dim, hidden, layers, heads, key/value heads, vocabulary, context; a negative vocabulary means an
untied head), then float32 weights; the tokenizer is a SentencePiece BPE as (score, length, bytes) per piece.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

UNKNOWN, BEGIN, END = "<unk>", "<s>", "</s>"


def convert(weights: Path, pieces: Path, out: Path) -> Path:
    """Writes model and tokenizer below `out` and returns it."""
    config = read_config(weights)
    model = LlamaForCausalLM(config)
    model.load_state_dict(read_weights(weights, config), strict=not config.tie_word_embeddings)
    model.save_pretrained(out)
    read_tokenizer(pieces, config.vocab_size).save_pretrained(out)
    return out


def read_config(path: Path) -> LlamaConfig:
    dim, hidden, layers, heads, kv_heads, vocabulary, context = np.fromfile(path, dtype="<i4", count=7).tolist()
    return LlamaConfig(
        vocab_size=abs(vocabulary), hidden_size=dim, intermediate_size=hidden, num_hidden_layers=layers,
        num_attention_heads=heads, num_key_value_heads=kv_heads, max_position_embeddings=context,
        tie_word_embeddings=vocabulary > 0, rms_norm_eps=1e-5, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip


def read_weights(path: Path, config: LlamaConfig) -> dict[str, torch.Tensor]:
    flat, at = np.fromfile(path, dtype="<f4", offset=28), 0

    def take(*shape: int) -> torch.Tensor:
        nonlocal at
        size = int(np.prod(shape))
        at += size
        return torch.from_numpy(flat[at - size : at].reshape(shape).copy())

    dim, hidden, layers, heads = (
        config.hidden_size, config.intermediate_size, config.num_hidden_layers, config.num_attention_heads,
    )  # fmt: skip
    head = dim // heads
    kv_dim = head * (config.num_key_value_heads or heads)
    state = {"model.embed_tokens.weight": take(config.vocab_size, dim)}
    stacked = [
        ("input_layernorm", take(layers, dim)),
        ("self_attn.q_proj", _halves(take(layers, dim, dim), head)),
        ("self_attn.k_proj", _halves(take(layers, kv_dim, dim), head)),
        ("self_attn.v_proj", take(layers, kv_dim, dim)),
        ("self_attn.o_proj", take(layers, dim, dim)),
        ("post_attention_layernorm", take(layers, dim)),
        ("mlp.gate_proj", take(layers, hidden, dim)),
        ("mlp.down_proj", take(layers, dim, hidden)),
        ("mlp.up_proj", take(layers, hidden, dim)),
    ]
    for name, values in stacked:
        state |= {f"model.layers.{layer}.{name}.weight": values[layer] for layer in range(layers)}
    state["model.norm.weight"] = take(dim)
    take(2, config.max_position_embeddings, head // 2)  # tables of the rotary embedding, computed anyway
    if not config.tie_word_embeddings:
        state["lm_head.weight"] = take(config.vocab_size, dim)
    assert at == len(flat), "the file is longer or shorter than its header says"
    return state


def _halves(rows: torch.Tensor, head: int) -> torch.Tensor:
    """llama2.c turns neighbouring dimensions together, Hugging Face the first half with the second."""
    layers, out, dim = rows.shape
    return rows.view(layers, out // head, head // 2, 2, dim).transpose(2, 3).reshape(layers, out, dim)


def read_tokenizer(path: Path, size: int) -> PreTrainedTokenizerFast:
    pieces = _pieces(path, size)
    vocabulary = {piece: number for number, (piece, _) in enumerate(pieces)}
    tokenizer = Tokenizer(models.BPE(vocabulary, _merges(pieces), unk_token=UNKNOWN, fuse_unk=True, byte_fallback=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace("▁", prepend_scheme="first", split=False)
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.add_special_tokens([AddedToken(token, normalized=False) for token in (UNKNOWN, BEGIN, END)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token=UNKNOWN, bos_token=BEGIN, eos_token=END,
        clean_up_tokenization_spaces=False,
    )  # fmt: skip


def _pieces(path: Path, size: int) -> list[tuple[str, float]]:
    """Text and score of every piece; the control pieces under their usual names."""
    raw, at, found = path.read_bytes(), 4, []
    for _ in range(size):
        score, length = struct.unpack_from("<fi", raw, at)
        at += 8 + length
        found.append((raw[at - length : at].decode("utf-8").replace(" ", "▁"), score))
    assert at == len(raw)
    controls = [(UNKNOWN, 0.0), (BEGIN, 0.0), (END, 0.0)]
    return controls + found[3:]


def _merges(pieces: list[tuple[str, float]]) -> list[tuple[str, str]]:
    """SentencePiece merges the neighbours whose joint piece scores highest: all its splits, best score first."""
    known = {piece for piece, _ in pieces}
    ranked = sorted(enumerate(pieces), key=lambda entry: (-entry[1][1], entry[0]))
    return [
        (piece[:cut], piece[cut:])
        for _, (piece, _) in ranked
        for cut in range(1, len(piece))
        if piece[:cut] in known and piece[cut:] in known and not piece.startswith("<0x")
    ]
