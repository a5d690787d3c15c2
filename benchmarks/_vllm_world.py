"""What benchmarks/decode_vllm.py measures on: a random model, a catalog, both sides' way to it. Measures nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from transformers import PreTrainedModel, Qwen3Config, Qwen3ForCausalLM

from genrec.decoding.asks import Ask, Want
from genrec.decoding.asynchronous import AsyncEngine, Loop
from genrec.decoding.driver import Driver, Voice
from genrec.decoding.meter import Meter
from genrec.items.trie import Trie
from genrec.model.vocabulary import END, PAD, train_tokenizer
from genrec.ragged import Int64

LEVELS, CODES = 3, 256
Result = TypeVar("Result")


def write_model(folder: Path, *, hidden: int, layers: int, vocabulary: int, context: int, seed: int) -> int:
    """A Qwen3 of random weights and a tokenizer as vLLM loads them; returns the number of parameters."""
    torch.manual_seed(seed)
    heads = max(1, hidden // 64)
    config = Qwen3Config(
        vocab_size=vocabulary, hidden_size=hidden, intermediate_size=3 * hidden, num_hidden_layers=layers,
        num_attention_heads=heads, num_key_value_heads=heads, head_dim=64, max_position_embeddings=context,
        tie_word_embeddings=True, pad_token_id=0, eos_token_id=1, bos_token_id=None,
    )  # fmt: skip
    build: Callable[[Qwen3Config], PreTrainedModel] = Qwen3ForCausalLM
    model = build(config)
    model.save_pretrained(str(folder), safe_serialization=True)
    tokenizer = train_tokenizer(["the quick brown fox"], 300)
    assert (tokenizer.pad_token, tokenizer.eos_token) == (PAD, END)
    names = [f"<{letter}_{code}>" for letter in "abc" for code in range(CODES)]
    fillers = vocabulary - len(tokenizer) - len(names)
    tokenizer.add_tokens([*(f"<|f{number}|>" for number in range(fillers)), *names])
    tokenizer.save_pretrained(str(folder))
    return sum(weight.numel() for weight in model.parameters())


def code_ids(vocabulary: int) -> tuple[Int64, ...]:
    """The last tokens of the vocabulary, level by level."""
    first = vocabulary - LEVELS * CODES
    return tuple(first + level * CODES + np.arange(CODES) for level in range(LEVELS))


def distinct_codes(items: int, seed: int) -> Int64:
    chosen = np.random.default_rng(seed).choice(CODES**LEVELS, items, replace=False)
    return np.stack(np.unravel_index(chosen, (CODES,) * LEVELS), axis=1).astype(np.int64)


@dataclass
class Ours:
    """The driver over a local vLLM. prompt: fresh random tokens every time, so that no cache knows them."""

    loop: Loop
    backend: Any
    engine: AsyncEngine
    voice: Voice
    vocabulary: int
    random: np.random.Generator

    @classmethod
    def start(cls, model: Path, vocabulary: int, context: int, threads: int, cache_gib: float) -> Ours:
        from genrec.decoding.vllm import LocalVllm, Settings

        settings = Settings(dtype="float32", context=context, cache_gib=cache_gib, block=32, threads=threads)
        loop = Loop("benchmark")

        async def started() -> Any:
            return LocalVllm(model, settings, {})

        backend = loop.run(started())
        voice = Voice(code_ids(vocabulary), (1,), ((1, vocabulary - LEVELS * CODES),))
        engine = AsyncEngine(
            loop, Driver(backend, voice, Meter()), levels=LEVELS, context=context, block=32, at_once=32
        )
        return cls(loop, backend, engine, voice, vocabulary, np.random.default_rng(7))

    def prompt(self, tokens: int) -> list[int]:
        found: list[int] = self.random.integers(300, self.vocabulary - LEVELS * CODES, tokens).tolist()
        return found

    def free(self, prompt: list[int], width: int) -> int:
        """A beam of three tokens that nothing constrains: the same driver, requests and processor."""

        async def beam() -> int:
            beams, scores = [list[int]()], np.zeros(1)
            for _ in range(LEVELS):
                answers = await self.backend.ask([Ask(prompt + beam, Want(None, width)) for beam in beams])
                total = np.concatenate([s + a.logprobs for s, a in zip(scores, answers, strict=True)])
                best = np.argsort(-total, kind="stable")[:width]
                rows = np.repeat(np.arange(len(answers)), [len(a.tokens) for a in answers])[best]
                tokens = np.concatenate([a.tokens for a in answers])[best]
                beams = [[*beams[row], token] for row, token in zip(rows.tolist(), tokens.tolist(), strict=True)]
                scores = total[best]
            return len(beams)

        return self.loop.run(beam())

    def close(self) -> None:
        self.loop.run(self.backend.close())
        self.loop.close()


class Stock:
    """vLLM's own beam search over its own defaults (cache block of 128 tokens), and with a grammar of a catalog."""

    def __init__(self, model: Path, context: int, threads: int, cache_gib: float) -> None:
        from vllm import LLM
        from vllm.v1.executor.uniproc_executor import UniProcExecutor

        from genrec.decoding.vllm import Settings, _environment

        with _environment(Settings(threads=threads)):
            self._llm = LLM(
                str(model), dtype="float32", max_model_len=context, enforce_eager=True, max_logprobs=200,
                kv_cache_memory_bytes=int(cache_gib * 2**30), disable_log_stats=True,
                structured_outputs_config={"backend": "xgrammar"},
                distributed_executor_backend=UniProcExecutor,  # as ours, else it would have one thread less
            )  # fmt: skip

    def beam(self, prompt: list[int], width: int, grammar: str | None = None) -> list[tuple[int, ...]]:
        """The code tokens of what it returns."""
        from vllm.sampling_params import BeamSearchParams, StructuredOutputsParams

        rule = None if grammar is None else StructuredOutputsParams(grammar=grammar)
        params = BeamSearchParams(beam_width=width, max_tokens=LEVELS, ignore_eos=True, structured_outputs=rule)
        found = self._llm.beam_search([{"prompt_token_ids": prompt}], params)
        return [tuple(one.tokens[len(prompt) : len(prompt) + LEVELS]) for one in found[0].sequences]

    def close(self) -> None:
        self._llm.llm_engine.engine_core.shutdown()


def grammar_of(codes: Int64) -> str:
    """The catalog as a grammar: one rule for each prefix, its followers as alternatives."""
    below: dict[tuple[int, ...], set[int]] = {}
    for row in codes.tolist():
        for depth in range(LEVELS):
            below.setdefault(tuple(row[:depth]), set()).add(row[depth])
    rules = []
    for prefix, after in below.items():
        level = len(prefix)
        name = "_".join(["n", *map(str, prefix)]) if prefix else "root"
        rest = [f'"<{"abc"[level]}_{code}>"' for code in sorted(after)]
        if level + 1 < LEVELS:
            rest = [
                f"{text} n_{'_'.join(map(str, (*prefix, code)))}"
                for text, code in zip(rest, sorted(after), strict=True)
            ]
        rules.append(f"{name} ::= {' | '.join(rest)}")
    return "\n".join(rules)


def timed(work: Callable[[], Result]) -> tuple[Result, float]:
    start = time.perf_counter()
    return work(), time.perf_counter() - start


def tries(sizes: Sequence[int], seed: int) -> dict[int, tuple[Int64, Trie]]:
    made = {}
    for size in sizes:
        codes = distinct_codes(size, seed)
        made[size] = (codes, Trie.build(codes))
    return made
