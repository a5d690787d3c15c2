"""What the vLLM engine costs and saves: one model, one machine, both sides in turn.

    python benchmarks/decode_vllm.py               # about a quarter of an hour on two cores
    python benchmarks/decode_vllm.py --hidden 1024 --layers 28 --vocabulary 151936     # Qwen3-0.6B's dimensions

A Qwen3 of random weights, random distinct semantic IDs of three codes, prompts of fresh random tokens, so that no cache
knows them. The other side is vLLM's own beam search in an engine of its own with vLLM's default cache block (128);
both run eagerly, in float32, on the same threads. A prompt of 500 tokens is 8 tokens and 164 items: ours is cut to the
cache block as NextItemPrompt does (6 items), vLLM's is not. Ratios are medians of interleaved pairs. With `--parts`,
the claims of other parts stay in the result file, with the run that they are of.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks._vllm_fuzz import fuzzed_engine, fuzzed_masks
from benchmarks._vllm_world import (
    LEVELS,
    Ours,
    Stock,
    code_ids,
    distinct_codes,
    grammar_of,
    timed,
    tries,
    write_model,
)
from genrec.asking import fitting
from genrec.benchmarking import RESULTS, Claim, claim, multiplications_per_second, write_results
from genrec.items.trie import Trie, View

CONTEXT, HEAD = 1024, 8
PARTS = ("overhead", "filter", "floor", "load", "stock", "grammar", "fuzz")
Pairs = list[tuple[float, float]]


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    claims: list[Claim] = []
    detail: dict[str, Any] = {}
    failed: list[str] = []
    with tempfile.TemporaryDirectory() as place, ExitStack() as open_ones:
        parameters = _model(Path(place), arguments)
        config = vars(arguments) | {"results": None, "parameters": parameters, "dtype": "float32", "detail": detail}
        work = _work(Path(place), parameters, arguments, detail, open_ones)
        for part in arguments.parts or PARTS:
            try:
                claims += work[part]()
            except Exception:  # what the other parts measure is worth as much without it
                traceback.print_exc()
                failed.append(part)
                continue
            print(write_results("decode_vllm", config, claims, arguments.results, keep=True), flush=True)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


def _model(folder: Path, arguments: argparse.Namespace) -> int:
    return write_model(
        folder, hidden=arguments.hidden, layers=arguments.layers, vocabulary=arguments.vocabulary, context=CONTEXT,
        seed=arguments.seed,
    )  # fmt: skip


def _work(
    folder: Path, parameters: int, arguments: argparse.Namespace, detail: dict[str, Any], open_ones: ExitStack
) -> dict[str, Callable[[], list[Claim]]]:
    """Part → what measures it. Both sides' engines are up from the first part that needs them."""
    ours = Ours.start(folder, arguments.vocabulary, CONTEXT, arguments.threads, arguments.cache_gib)
    open_ones.callback(ours.close)
    catalogs = tries((10_000, 100_000, 1_000_000), arguments.seed)
    small, middle, large = catalogs.values()
    for width in (4, 50):  # first calls choose kernels
        ours.engine.beam([ours.prompt(100)], [View(small[1])], width)

    @cache
    def stock() -> Stock:
        found = Stock(folder, CONTEXT, arguments.threads, arguments.cache_gib)
        open_ones.callback(found.close)
        return found

    return {
        "overhead": lambda: _overheads(ours, catalogs, arguments, detail),
        "filter": lambda: [_filtered(ours, large[1], arguments, detail)],
        "floor": lambda: _floor(ours, middle[1], parameters, arguments, detail),
        "load": lambda: _under_load(ours, middle, arguments, detail),
        "stock": lambda: _against_stock(ours, stock(), small[1], arguments, detail),
        "grammar": lambda: [_against_grammar(ours, stock(), *small, arguments=arguments, detail=detail)],
        "fuzz": lambda: [_fuzzed(ours, small[1], arguments)],
    }


def _fuzzed(ours: Ours, trie: Trie, arguments: argparse.Namespace) -> Claim:
    wrong = fuzzed_engine(ours, trie, arguments.fuzz_engine, arguments.seed)
    wrong += fuzzed_masks(arguments.fuzz_masks, arguments.seed)
    note = f"{arguments.fuzz_masks:,} decodings of the mask function, {arguments.fuzz_engine:,} through the engine"
    return claim("decode_vllm.fuzz_invalid", wrong, "answers", "<=", 0, n=arguments.fuzz_masks, note=note)


def _pairs(one: Callable[[], object], other: Callable[[], object], count: int) -> Pairs:
    """Seconds of each, side by side, taking turns at going first."""
    found: Pairs = []
    for turn in range(count):
        if turn % 2:
            second = timed(other)[1]
            found.append((timed(one)[1], second))
        else:
            found.append((timed(one)[1], timed(other)[1]))
    return found


def _ratio(
    name: str,
    pairs: Pairs,
    op: Any,
    target: float | None,
    detail: dict[str, Any],
    *,
    turned: bool = False,
    note: str = "",
) -> Claim:
    """The median of first over second (turned: second over first), with its quartiles."""
    detail[name] = [[round(part, 4) for part in pair] for pair in pairs]
    ratios = [other / one if turned else one / other for one, other in pairs]
    low, value, high = statistics.quantiles(ratios, n=4)
    seconds = [statistics.median(side) for side in zip(*pairs, strict=True)]
    note = f"{note}; " * bool(note) + f"median and quartiles; seconds {seconds[0]:.3f} and {seconds[1]:.3f}"
    return claim(f"decode_vllm.{name}", value, "ratio", op, target, n=len(pairs), low=low, high=high, note=note)


def _overheads(ours: Ours, catalogs: Any, arguments: argparse.Namespace, detail: dict[str, Any]) -> list[Claim]:
    """Constrained over unconstrained, catalogs of all sizes in turn."""
    claims = []
    for width, target in ((20, 1.02), (50, 1.03)):
        sizes = [list(catalogs)[turn % 3] for turn in range(arguments.repeats * 2)]
        views = iter([View(catalogs[size][1]) for size in sizes])
        pairs = _pairs(
            lambda: ours.engine.beam([ours.prompt(512)], [next(views)], width),  # noqa: B023
            lambda: ours.free(ours.prompt(512), width),  # noqa: B023
            len(sizes),
        )
        note = "10k, 100k and 1M items in turn, 512 tokens"
        claims.append(_ratio(f"overhead_b{width}", pairs, "<=", target, detail, note=note))
    return claims


def _filtered(ours: Ours, trie: Trie, arguments: argparse.Namespace, detail: dict[str, Any]) -> Claim:
    allowed = np.random.default_rng(3).random(len(trie)) < 0.01
    pairs = _pairs(
        lambda: ours.engine.beam([ours.prompt(512)], [View.of(trie, allowed=allowed)], 20),
        lambda: ours.engine.beam([ours.prompt(512)], [View(trie)], 20),
        arguments.repeats * 2,
    )
    note = "1M items, 20 beams; the filter's bitmap made anew for each request"
    return _ratio("filter_1pct", pairs, "<=", 1.02, detail, note=note)


def _floor(
    ours: Ours, trie: Trie, parameters: int, arguments: argparse.Namespace, detail: dict[str, Any]
) -> list[Claim]:
    """Multiplications alone, 2·P·T + 2·P·B·(L − 1), the head's only where a token is chosen, over what we take."""
    head = arguments.vocabulary * arguments.hidden
    body = parameters - head
    shares, parts = [], []
    for _ in range(arguments.repeats):
        before = multiplications_per_second()
        _, seconds = timed(lambda: ours.engine.beam([ours.prompt(512)], [View(trie)], 20))
        rate = (before + multiplications_per_second()) / 2
        steps = 20 * (LEVELS - 1)
        floor = (2 * body * (512 + steps) + 2 * head * (1 + steps)) / rate
        prompt = ours.prompt(512)
        _, first = timed(lambda: ours.engine.score([prompt], [np.zeros((1, LEVELS), dtype=np.int64)]))  # noqa: B023
        shares.append(floor / seconds)
        parts.append([round(part, 4) for part in (floor, seconds, first, rate / 1e9)])
    detail["floor, seconds, prompt and two more tokens, GFLOP/s"] = parts
    low, value, high = statistics.quantiles(shares, n=4)
    speed = statistics.median(part[3] for part in parts)
    note = f"20 beams, 512 tokens; {speed:.0f} GFLOP/s on {arguments.threads} threads"
    return [claim("decode_vllm.floor_share", value, "share", ">=", 0.5, n=len(shares), low=low, high=high, note=note)]


def _against_stock(
    ours: Ours, stock: Stock, trie: Trie, arguments: argparse.Namespace, detail: dict[str, Any]
) -> list[Claim]:
    stock.beam(ours.prompt(100), 4)
    cut = HEAD + LEVELS * fitting(HEAD, (500 - HEAD) // LEVELS, LEVELS, ours.engine.block)
    claims = []
    for tokens, mine, target, note in ((500, cut, 5, f"ours reads {cut}"), (512, 512, 1.3, "")):
        pairs = _pairs(
            lambda: ours.engine.beam([ours.prompt(mine)], [View(trie)], 20),  # noqa: B023
            lambda: stock.beam(ours.prompt(tokens), 20),  # noqa: B023
            arguments.repeats,
        )
        claims.append(_ratio(f"stock_t{tokens}", pairs, ">=", target, detail, turned=True, note=f"20 beams; {note}"))
    return claims


def _against_grammar(
    ours: Ours, stock: Stock, codes: Any, trie: Trie, arguments: argparse.Namespace, detail: dict[str, Any]
) -> Claim:
    grammar, ids = grammar_of(codes), code_ids(arguments.vocabulary)
    known = {tuple(int(ids[level][code]) for level, code in enumerate(row)) for row in codes.tolist()}
    returned: list[int] = []

    def theirs() -> None:
        returned.append(len(set(stock.beam(ours.prompt(512), 20, grammar)) & known))

    pairs = _pairs(lambda: ours.engine.beam([ours.prompt(512)], [View(trie)], 20), theirs, 3)
    note = f"10k items, 20 beams, its compilation in every call; it returned {min(returned)} valid items, ours 20"
    return _ratio("xgrammar_10k", pairs, ">=", 5, detail, turned=True, note=note)


def _under_load(ours: Ours, catalog: Any, arguments: argparse.Namespace, detail: dict[str, Any]) -> list[Claim]:
    """Eight clients, with and without a new catalog every second, in turns."""
    codes, trie = catalog
    quiet: list[float] = []
    swapped: list[float] = []
    failures = [0, 0]
    for _ in range(arguments.rounds):
        for seconds, swaps in ((quiet, False), (swapped, True)):
            seconds += _clients(ours, codes, trie, arguments.each, failures if swaps else [0, 0], swaps)
    detail["latencies of 8 clients"] = [round(one, 3) for one in quiet]
    detail["latencies under swaps"] = [round(one, 3) for one in swapped]
    p50, p99, under = np.percentile(quiet, 50), np.percentile(quiet, 99), np.percentile(swapped, 99)
    note = f"p50 {p50:.2f} s, p99 {p99:.2f} s, 20 beams, fresh prompts of 512 tokens"
    return [
        claim("decode_vllm.p99_over_p50_c8", float(p99 / p50), "ratio", "<=", 2, n=len(quiet), note=note),
        claim("decode_vllm.swap_p99", float(under / p99), "ratio", "<=", 1.05, n=len(swapped), note="a swap a second"),
        claim("decode_vllm.swap_failures", sum(failures), "answers", "<=", 0, n=len(swapped), note="failed or mixed"),
    ]  # fmt: skip


def _clients(ours: Ours, codes: Any, trie: Trie, each: int, failures: list[int], swaps: bool) -> list[float]:
    current, stop = [(codes, trie)], threading.Event()
    prompts = [[ours.prompt(512) for _ in range(each)] for _ in range(8)]

    others = [_half_new(codes, seed) for seed in range(1, 9)] if swaps else []

    def swapper() -> None:
        for fresh in itertools.cycle(others):
            if stop.wait(1.0):
                return
            current[0] = (fresh, Trie.build(fresh))

    def client(own: list[list[int]]) -> list[float]:
        taken = []
        for prompt in own:
            mine, tree = current[0]
            found, seconds = timed(lambda: ours.engine.beam([prompt], [View(tree)], 20)[0])  # noqa: B023
            taken.append(seconds)
            failures[0] += len(set(found.items.tolist())) != 20 or int(found.items.max()) >= len(mine)
        return taken

    watch = threading.Thread(target=swapper)
    if swaps:
        watch.start()
    with ThreadPoolExecutor(8) as pool:
        taken = [one for part in pool.map(client, prompts) for one in part]
    stop.set()
    if swaps:
        watch.join()
    return taken


def _half_new(codes: Any, seed: int) -> Any:
    """Another catalog of about the size, half of it as it was; making it up is no part of a swap."""
    fresh = distinct_codes(len(codes), seed)
    fresh[: len(codes) // 2] = codes[: len(codes) // 2]
    return np.unique(fresh, axis=0)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--hidden", type=int, default=512, help="width of the model, a multiple of 64")
    parser.add_argument("--layers", type=int, default=8)
    parser.add_argument("--vocabulary", type=int, default=16_384, help="tokens, codes among them")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cache-gib", type=float, default=2.0)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=2, help="of 8 clients, with and without swaps")
    parser.add_argument("--each", type=int, default=8, help="requests of each client and round")
    parser.add_argument("--fuzz-engine", type=int, default=10_000)
    parser.add_argument("--fuzz-masks", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--parts", nargs="+", choices=PARTS, help="only these; claims of others stay as they were")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the result file")
    return parser.parse_args()


if __name__ == "__main__":
    start = time.perf_counter()
    main()
    print(f"{time.perf_counter() - start:.0f} s")
