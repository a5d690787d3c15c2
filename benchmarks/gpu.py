"""What a GPU gives: training and decoding there against the plain way, and the share of its matrix rate in use.

    python benchmarks/gpu.py                 # two minutes of a GPU; runs on a processor, too, slowly

Claims, all wall clock after a warm-up: gpu.tokens_over_hf.{size} (tokens that are no padding a second of `trainer` over
transformers' Trainer with its defaults on the same model, data and batch), gpu.matmul_share.{size} (6 multiplications a
parameter and token over what a large bfloat16 product reaches just then), gpu.decode_speedup.b{width} (transformers'
constrained beam search over ours, one prompt of 512 tokens), gpu.slates_per_second (32 prompts at once, width 50).
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedModel, Trainer

from benchmarks._finetune_world import Films, films, plain_trainer
from benchmarks.decode_torch import END, PAD, TEXT, Setting
from genrec.benchmarking import RESULTS, Claim, claim, write_results
from genrec.decoding.torch_engine import TorchEngine
from genrec.items.trie import View
from genrec.machine import best_device
from genrec.model.base import ScratchConfig
from genrec.tuning.learnt import cross_entropy, flattened
from genrec.tuning.settings import OptimiserSettings
from genrec.tuning.trainer import trainer

Figures = dict[str, Any]
SHAPES = {
    "1M": ScratchConfig(hidden=128, layers=3, heads=4, feed_forward=384, text_vocabulary=2048),
    "25M": ScratchConfig(hidden=512, layers=8, heads=8, feed_forward=1536, text_vocabulary=2048),
    "440M": ScratchConfig(hidden=1024, layers=28, heads=16, feed_forward=3072, text_vocabulary=2048),
}
BATCHES = {"1M": 64, "25M": 64, "440M": 32}


def main() -> None:
    arguments = _arguments()
    claims: list[Claim] = []
    figures: Figures = {"device": best_device(), "bf16_flops": rate()}
    for size in arguments.sizes if "training" in arguments.parts else ():
        world = films(arguments.users, 30, SHAPES[size])
        figures[size], more = training(size, world, arguments.pairs)
        claims += more
    if "decoding" in arguments.parts:
        figures["decoding"], more = decoding(arguments)
        claims += more
    write_results("gpu", figures, claims, arguments.out, keep=True)


def rate(seconds: float = 1.0) -> float:
    """Floating-point operations a second of a large bfloat16 product."""
    size = 8192 if best_device() == "cuda" else 2048
    left = torch.randn(size, size, device=best_device()).bfloat16()
    left @ left
    _wait()
    start, done = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        left @ left
        done += 1
        _wait()
    return done * 2 * size**3 / (time.perf_counter() - start)


def training(size: str, world: Films, pairs: int) -> tuple[Figures, list[Claim]]:
    """The same epoch by both loops in turn, from the same weights; the first of each is thrown away."""
    tokens, parameters = len(world.train.inputs.items), sum(weight.numel() for weight in world.model.parameters())
    loops: dict[str, Callable[[Films, PreTrainedModel, int], float]] = {"ours": _ours, "transformers": _plain}
    taken: dict[str, list[float]] = {name: [] for name in loops}
    for _ in range(pairs + 1):
        for name, loop in loops.items():
            taken[name].append(loop(world, world.fresh(), BATCHES[size]))
    seconds = {name: found[1:] for name, found in taken.items()}
    ratios = [plain / ours for ours, plain in zip(seconds["ours"], seconds["transformers"], strict=True)]
    embedding: Any = world.model.get_input_embeddings()
    work = 6 * (parameters - embedding.weight.numel()) * tokens
    share = work / statistics.median(seconds["ours"]) / rate()
    figures = {"parameters": parameters, "tokens": tokens, "batch": BATCHES[size], "seconds": seconds}
    note, speed = "bfloat16, wall clock", tokens / statistics.median(seconds["ours"])
    low, high, wanted = min(ratios), max(ratios), 0.4 if size == "25M" else None
    over, many = f"gpu.tokens_over_hf.{size}", f"gpu.tokens_per_second.{size}"
    return figures, [
        claim(over, statistics.median(ratios), "ratio", ">=", 1.5, n=pairs, low=low, high=high, note=note),
        claim(many, speed, "1/s", ">=", None, n=pairs, note=note),
        claim(f"gpu.matmul_share.{size}", share, "share", ">=", wanted, n=pairs, note=note),
    ]


def _ours(world: Films, model: PreTrainedModel, batch: int) -> float:
    settings = OptimiserSettings(batch_size=batch, epochs=1, evaluations=1, learning_rate=1e-3, bf16=True)
    few = world.valid.take(np.arange(min(8, len(world.valid))))
    with tempfile.TemporaryDirectory() as run:
        made = trainer(
            model, world.vocabulary.tokenizer, world.train, few, settings, Path(run), passes=1, loss=cross_entropy
        )
        made.args.save_strategy = "no"
        with flattened(model):
            return _seconds(made)


def _plain(world: Films, model: PreTrainedModel, batch: int) -> float:
    with tempfile.TemporaryDirectory() as run:
        made = plain_trainer(world, model, batch, run, bf16=True, use_cpu=best_device() == "cpu")
        return _seconds(made)


def _seconds(made: Trainer) -> float:
    """Of the steps: what comes before and after them is no part of a rate."""
    return float(made.train().metrics["train_runtime"])


def decoding(arguments: argparse.Namespace) -> tuple[Figures, list[Claim]]:
    """One prompt by both sides in turn, then a batch by ours."""
    asked = argparse.Namespace(seed=0, hidden=1024, layers=28, vocabulary=32_768, items=100_000)
    setting = Setting.make(asked)
    setting.model.to(best_device())  # type: ignore[arg-type]
    engine = TorchEngine(setting.model, setting.engine._codes, pad_id=PAD, end_id=END, batch_tokens=65536)
    random = np.random.default_rng(1)
    prompts = random.integers(TEXT, 30_000, (32, 512)).tolist()
    figures: Figures = {}
    claims = []
    for width in (20, 50):
        pairs = [_pair(setting, engine, prompts[turn], width) for turn in range(arguments.pairs + 1)][1:]
        ratios = [theirs / ours for ours, theirs in pairs]
        figures[f"b{width}"] = pairs
        name, note = f"gpu.decode_speedup.b{width}", "440M parameters, float32, one prompt"
        claims.append(claim(name, statistics.median(ratios), "ratio", ">=", None, n=len(ratios), note=note))
    views = [View(setting.trie)] * len(prompts)
    together = [_timed(lambda: engine.beam(prompts, views, 50)) for _ in range(3)][1:]
    rate_of, note = len(prompts) / min(together), "440M parameters, float32, 32 prompts of 512 tokens, width 50"
    claims.append(claim("gpu.slates_per_second", rate_of, "1/s", ">=", None, n=len(together), note=note))
    return {**figures, "together": together}, claims


def _pair(setting: Setting, engine: TorchEngine, prompt: list[int], width: int) -> tuple[float, float]:
    ours = _timed(lambda: engine.beam([prompt], [View(setting.trie)], width))
    return ours, _timed(lambda: setting.generate(prompt, width))


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    _wait()
    return time.perf_counter() - start


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=["training", "decoding"], default=["training", "decoding"])
    parser.add_argument("--sizes", nargs="+", choices=list(SHAPES), default=list(SHAPES))
    parser.add_argument("--users", type=int, default=300, help="simulated viewers")
    parser.add_argument("--pairs", type=int, default=3, help="turns that count")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the result file")
    return parser.parse_args()


if __name__ == "__main__":
    main()
