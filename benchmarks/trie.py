"""How long a trie takes to build, what it weighs, and what a filter on it costs, up to twenty million items.

    python benchmarks/trie.py                       # 1, 10 and 20 million items; needs 3 GB of memory, some minutes
    python benchmarks/trie.py --millions 1 --out .  # a quick look that leaves the committed results alone

Claims, each the worst of all sizes and both kinds of codes: trie.build_s_per_million (semantic IDs → trie, one
thread), trie.bytes_per_item, filter.bits_per_item, filter.ms_per_million (two filters joined: AND and ranks).
A catalog is three levels of the codebook size that genrec chooses for it; its codes are uniform, or clustered as
residual k-means leaves them: few full buckets, many small ones. Figures of every catalog stand in `config`, with
those of a filter made from an item mask, of a prior's bounds and of a filter and a prior joined; beside the claims
stand two catalogs that weigh more per item: a small one, and the largest in four levels of 256 codes.
"""

from __future__ import annotations

import argparse
import gc
import os
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from genrec.benchmarking import RESULTS, Claim, claim, write_results
from genrec.items.codes import codebook_size
from genrec.items.trie import Bounds, Filter, Trie, View
from genrec.ragged import Int64

Figures = dict[str, Any]
WHOLE_WORDS = "exactly 96 bits for each word of 64 items, of which the last may be filled in part; "
FILTER_RUNS = 15  # a filter takes so little time that each run repeats it
OTHER_RUNS = 3  # of what nothing is promised of


@dataclass(frozen=True)
class Setting:
    """A catalog: skew 1 draws codes uniformly, more draws them from fewer buckets."""

    items: int
    levels: int
    size: int
    skew: float

    @property
    def name(self) -> str:
        kind = "uniform" if self.skew == 1 else "clustered"
        return f"{self.items / 1e6:g}M, {self.levels} x {self.size}, {kind}"


def main() -> None:
    arguments = _arguments()
    before = os.getloadavg()
    promised = [
        Setting(items, 3, codebook_size(items, 3), skew)
        for items in (round(1e6 * millions) for millions in arguments.millions)
        for skew in (1.0, 3.0)
    ]
    found = {setting.name: measured(setting, arguments) for setting in promised}
    heavier = [Setting(100_000, 3, codebook_size(100_000, 3), 1.0), replace(promised[-1], levels=4, size=256, skew=1.0)]
    beside = {setting.name: measured(setting, arguments) for setting in heavier}
    config = {
        "runs": arguments.runs,
        "seed": arguments.seed,
        "load_average_before_after": [before, os.getloadavg()],
        "peak_memory_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 1),
        "catalogs": found,
        "beside_the_claims": beside,
    }
    write_results("trie", config, claims(found, beside, arguments.runs), arguments.out)


def measured(setting: Setting, arguments: argparse.Namespace) -> Figures:
    """Times are [lower quartile, median, upper quartile] for a million items."""
    rng = np.random.default_rng(arguments.seed)
    trie, build = _built(semantic_ids(setting, rng), arguments.runs)
    masks = rng.random((2, setting.items), dtype=np.float32) < np.array([[0.5], [0.9]], dtype=np.float32)
    one, other = (Filter.of_items(trie, mask) for mask in masks)
    prior = rng.standard_normal(setting.items, dtype=np.float32)
    bounds = Bounds.of_items(trie, prior)
    root = np.zeros(1, dtype=np.int64)
    millions = setting.items / 1e6
    figures = {
        "build_s": (build / millions).tolist(),
        "bytes_per_item": trie.nbytes / setting.items,
        "filter_bits_per_item": 8 * one.nbytes / setting.items,
        "filter_and_ms": _ms(lambda: one & other, FILTER_RUNS * arguments.runs, millions),
        "filter_from_mask_ms": _ms(lambda: Filter.of_items(trie, masks[0]), OTHER_RUNS, millions),
        "prior_bounds_ms": _ms(lambda: Bounds.of_items(trie, prior), OTHER_RUNS, millions),
        "filter_and_prior_ms": _ms(lambda: View(trie, one, bounds).bound(0, root), OTHER_RUNS, millions),
        "nodes": [len(level) for level in trie.codes],
    }
    print(setting.name, figures, flush=True)
    return figures


def _built(codes: Int64, runs: int) -> tuple[Trie, npt.NDArray[np.float64]]:
    return Trie.build(codes), _timed(lambda: Trie.build(codes), runs)


def semantic_ids(setting: Setting, rng: np.random.Generator) -> Int64:
    """Distinct semantic IDs in random order, int64 [items, levels]."""
    keys = np.empty(0, dtype=np.int64)
    while len(keys) < setting.items:
        keys = np.unique(np.concatenate([keys, _drawn(setting, rng)]))
    rng.shuffle(keys)
    keys = keys[: setting.items]
    return np.stack(np.unravel_index(keys, (setting.size,) * setting.levels), axis=1)


def _drawn(setting: Setting, rng: np.random.Generator) -> Int64:
    """Packed semantic IDs, some equal; within each bucket other codes are the frequent ones."""
    keys = np.zeros(round(1.1 * setting.items), dtype=np.int64)
    for _ in range(setting.levels):
        code = (setting.size * rng.random(len(keys), dtype=np.float32) ** setting.skew).astype(np.int64)
        keys = keys * setting.size + (np.minimum(code, setting.size - 1) + 7919 * keys) % setting.size
    return keys


def _ms(work: Callable[[], object], runs: int, millions: float) -> list[float]:
    quartiles: list[float] = (1e3 * _timed(work, runs) / millions).tolist()
    return quartiles


def _timed(work: Callable[[], object], runs: int) -> npt.NDArray[np.float64]:
    """Quartiles of the seconds, after a first run that does not count."""
    work()
    gc.collect()
    seconds = []
    for _ in range(runs):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return np.asarray(np.quantile(seconds, [0.25, 0.5, 0.75]), dtype=np.float64)


def claims(found: dict[str, Figures], beside: dict[str, Figures], runs: int) -> list[Claim]:
    heavier = f"not among them {_spread(beside, 'bytes_per_item')}; "
    return [
        _slowest("trie.build_s_per_million", found, "build_s", "s", 0.15, runs),
        _largest("trie.bytes_per_item", found, "bytes_per_item", "bytes", 8, heavier),
        _largest("filter.bits_per_item", found, "filter_bits_per_item", "bits", 1.5, WHOLE_WORDS),
        _slowest("filter.ms_per_million", found, "filter_and_ms", "ms", 0.1, FILTER_RUNS * runs),
    ]


def _slowest(id: str, found: dict[str, Figures], figure: str, unit: str, target: float, runs: int) -> Claim:
    worst = max(found, key=lambda name: found[name][figure][1])
    low, median, high = found[worst][figure]
    note = f"worst of {len(found)} catalogs: {worst}; median and quartiles of runs; {_spread(found, figure)}"
    return claim(id, median, unit, "<=", target, n=runs, low=low, high=high, note=note)


def _largest(id: str, found: dict[str, Figures], figure: str, unit: str, target: float, more: str = "") -> Claim:
    worst = max(found, key=lambda name: found[name][figure])
    note = f"worst of {len(found)} catalogs: {worst}; a count, not a timing; {more}{_spread(found, figure)}"
    return claim(id, found[worst][figure], unit, "<=", target, n=len(found), note=note)


def _spread(found: dict[str, Figures], figure: str) -> str:
    return "; ".join(f"{name}: {np.median(figures[figure]):.4g}" for name, figures in found.items())


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--millions", type=float, nargs="+", default=[1, 10, 20], help="sizes of the catalogs")
    parser.add_argument("--runs", type=int, default=7, help="timed runs of each measurement")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the result file")
    return parser.parse_args()


if __name__ == "__main__":
    main()
