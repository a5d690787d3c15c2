"""Is a beam over the catalog worth its own decoder? The torch engine against `transformers`' generate, one model.

    OMP_NUM_THREADS=2 python benchmarks/decode_torch.py
    python benchmarks/decode_torch.py --hidden 1024 --layers 24     # bigger, slower

A Qwen3 of random weights, random distinct semantic IDs, prompts of random text tokens. The other side is
`generate(num_beams=B, prefix_allowed_tokens_fn=…)` with the fastest callback there is, one dictionary look-up. Both
sides, and a matrix product that says how fast the machine is just then, take turns; ratios are medians over turns.

Claims: decode_torch.speedup_b20, decode_torch.speedup_b50 (the other's time over ours), decode_torch.floor_share (the
time that the arithmetic alone would take over ours, at the widest beam).
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TypeVar

import numpy as np
import torch
from transformers import PreTrainedModel, Qwen3Config, Qwen3ForCausalLM

from genrec.benchmarking import Claim, claim, multiplications_per_second, write_results
from genrec.decoding.engine import Candidates, Float64
from genrec.decoding.torch_engine import TorchEngine
from genrec.items.trie import Trie, View
from genrec.ragged import Int64

Result = TypeVar("Result")
LEVELS, CODES = 3, 256
PAD, END, TEXT = 0, 1, 2  # the first text token
TARGETS = {"speedup_b20": 10.0, "speedup_b50": 20.0, "floor_share": 0.33}


@dataclass(frozen=True)
class Turn:
    """One prompt at one beam width. Seconds of each side, of the floor, and how far the answers agree.

    shared: share of our items that the other side found too; apart: largest difference of a shared item's score.
    """

    width: int
    ours: float
    generate: float
    floor: float
    shared: float
    apart: float


@dataclass(frozen=True)
class Setting:
    """What both sides get: a model, a catalog, and the catalog as either side reads it."""

    model: PreTrainedModel
    trie: Trie
    tokens: Int64
    engine: TorchEngine
    following: dict[tuple[int, ...], list[int]]

    @classmethod
    def make(cls, arguments: argparse.Namespace) -> Setting:
        model = _model(arguments)
        codes = _distinct_codes(arguments.items, arguments.seed)
        first = arguments.vocabulary - LEVELS * CODES + CODES * np.arange(LEVELS)
        code_ids = [start + np.arange(CODES) for start in first]
        tokens = codes + first
        engine = TorchEngine(model, code_ids, pad_id=PAD, end_id=END)
        return cls(model, Trie.build(codes), tokens, engine, _following(tokens))

    def beam(self, prompt: list[int], width: int) -> Candidates:
        return self.engine.beam([prompt], [View(self.trie)], width)[0]

    def generate(self, prompt: list[int], width: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Code tokens [width, levels] and log-probabilities [width] by transformers."""
        ids = torch.tensor([prompt], device=self.model.device)
        found = self.model.generate(  # type: ignore[operator]
            input_ids=ids, attention_mask=torch.ones_like(ids), num_beams=width, num_return_sequences=width,
            max_new_tokens=LEVELS, do_sample=False, length_penalty=0.0, pad_token_id=PAD, eos_token_id=END,
            prefix_allowed_tokens_fn=lambda _, written: self.following[tuple(written[len(prompt) :].tolist())],
            return_dict_in_generate=True, output_scores=True,
        )  # fmt: skip
        return found.sequences[:, len(prompt) :], found.sequences_scores

    def floor(self, prompt: int, width: int, rate: float) -> float:
        """Seconds of the multiplications alone: 2·P·T + 2·P·B·(L − 1), the head's only where a token is chosen."""
        head = self.model.get_output_embeddings().weight.numel()  # type: ignore[no-untyped-call]
        body = sum(weight.numel() for name, weight in self.model.named_parameters() if "embed_tokens" not in name)
        body -= 0 if self.model.config.tie_word_embeddings else head
        steps = width * (LEVELS - 1)
        return float((2 * body * (prompt + steps) + 2 * head * (1 + steps)) / rate)


def main() -> None:
    arguments = _arguments()
    setting = Setting.make(arguments)
    parameters = sum(weight.numel() for weight in setting.model.parameters())
    print(f"{parameters / 1e6:.0f} M parameters, {torch.get_num_threads()} threads, {arguments.items:,} items")
    turns = _measure(setting, arguments)
    config = vars(arguments) | {
        "parameters": parameters,
        "threads": torch.get_num_threads(),
        "dtype": "float32",
        "turns": [asdict(turn) for turn in turns],
    }
    print(write_results("decode_torch", config, _claims(turns)))


def _measure(setting: Setting, arguments: argparse.Namespace) -> list[Turn]:
    random = np.random.default_rng(arguments.seed + 1)
    text = arguments.vocabulary - LEVELS * CODES
    for warm in (setting.beam, setting.generate):  # first calls allocate and choose kernels
        warm([TEXT] * 32, 2)
    turns = []
    for _ in range(arguments.repeats):
        for width in arguments.beams:
            turns.append(_turn(setting, random.integers(TEXT, text, arguments.prompt).tolist(), width))
            print(turns[-1], flush=True)
    return turns


def _turn(setting: Setting, prompt: list[int], width: int) -> Turn:
    """Ours twice, before and after the other side: what else the machine does is shared fairly."""
    rate = multiplications_per_second()
    ours, before = _timed(lambda: setting.beam(prompt, width))
    (tokens, scores), other = _timed(lambda: setting.generate(prompt, width))
    _, after = _timed(lambda: setting.beam(prompt, width))
    rate = (rate + multiplications_per_second()) / 2
    shared, apart = _agreement(setting, ours, tokens.numpy(), scores.double().numpy())
    return Turn(width, (before + after) / 2, other, setting.floor(len(prompt), width, rate), shared, apart)


def _timed(work: Callable[[], Result]) -> tuple[Result, float]:
    start = time.perf_counter()
    return work(), time.perf_counter() - start


def _agreement(setting: Setting, ours: Candidates, tokens: Int64, scores: Float64) -> tuple[float, float]:
    mine = dict(zip(map(tuple, setting.tokens[ours.items].tolist()), ours.logprobs.tolist(), strict=True))
    theirs = dict(zip(map(tuple, tokens.tolist()), scores.tolist(), strict=True))
    both = mine.keys() & theirs.keys()
    return len(both) / len(mine), max((abs(mine[one] - theirs[one]) for one in both), default=float("nan"))


def _claims(turns: list[Turn]) -> list[Claim]:
    widths = sorted({turn.width for turn in turns})
    agreed, apart = min(turn.shared for turn in turns), max(turn.apart for turn in turns)
    note = f"median, least and most of interleaved turns; both sides share {agreed:.0%} of the items or more, "
    note += f"whose scores differ by {apart:.0e} at most"
    measured = {
        f"speedup_b{width}": [turn.generate / turn.ours for turn in turns if turn.width == width] for width in widths
    }
    measured["floor_share"] = [turn.floor / turn.ours for turn in turns if turn.width == widths[-1]]
    return [
        claim(
            f"decode_torch.{name}", statistics.median(ratios), "share" if name == "floor_share" else "ratio", ">=",
            TARGETS.get(name), n=len(ratios), low=min(ratios), high=max(ratios), note=note,
        )
        for name, ratios in measured.items()
    ]  # fmt: skip


def _model(arguments: argparse.Namespace) -> PreTrainedModel:
    torch.manual_seed(arguments.seed)
    heads = max(1, arguments.hidden // 64)
    config = Qwen3Config(
        vocab_size=arguments.vocabulary, hidden_size=arguments.hidden, intermediate_size=3 * arguments.hidden,
        num_hidden_layers=arguments.layers, num_attention_heads=heads, num_key_value_heads=heads, head_dim=64,
        tie_word_embeddings=True, pad_token_id=PAD, eos_token_id=END, bos_token_id=None,
    )  # fmt: skip
    build: Callable[[Qwen3Config], PreTrainedModel] = Qwen3ForCausalLM
    model = build(config)
    model.train(False)
    return model


def _distinct_codes(items: int, seed: int) -> Int64:
    chosen = np.random.default_rng(seed).choice(CODES**LEVELS, items, replace=False)
    return np.stack(np.unravel_index(chosen, (CODES,) * LEVELS), axis=1).astype(np.int64)


def _following(tokens: Int64) -> dict[tuple[int, ...], list[int]]:
    """Every prefix of a semantic ID → the tokens that may come next."""
    found: dict[tuple[int, ...], set[int]] = {}
    for row in tokens.tolist():
        for depth in range(LEVELS):
            found.setdefault(tuple(row[:depth]), set()).add(row[depth])
    return {prefix: sorted(after) for prefix, after in found.items()}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--hidden", type=int, default=512, help="width of the model, a multiple of 64")
    parser.add_argument("--layers", type=int, default=8)
    parser.add_argument("--vocabulary", type=int, default=32_768, help="tokens, codes among them")
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--prompt", type=int, default=512, help="tokens")
    parser.add_argument("--beams", type=int, nargs="+", default=[20, 50])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
