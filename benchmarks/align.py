"""Alignment: what preferences and rewards change in a trained bundle, against learning the same choices on.

    python benchmarks/align.py                                  # an hour or two of one core; goes on where it stopped
    python benchmarks/align.py --worlds film --ways S-DPO

Two worlds by global time: the simulated film world, and MovieTweetings cut down to users of 5 and films of 10 ratings.
A bundle of each is trained once; every way to align it begins there. Half of the validation cases choose the round and
weigh the priors, the other half say whether it would be published; the test is looked at last. Test figures of the
model alone and with priors, seen items masked, paired by case, 95 % by bootstrap. Claims:
align.{film,movietweetings}.{alone,fused}.{way}_low (NDCG@10) and …_hits50 (ratio of hits among fifty); of the way that
validation ranks first in both worlds, finetune.preference_low, the lower bound of the model alone that is smaller.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from benchmarks._align_runs import WORLDS, Way, World, cross_entropy
from benchmarks._ranking_runs import ROOT, Places
from genrec.benchmarking import RESULTS, Claim, claim, write_results
from genrec.cli.shared import quiet_models

SIZE = ("rounds=2", "cases=2500", "judged=1000", "dropout=0.2")
WAYS = (
    Way(
        "GRPO with priors",
        (*SIZE, "method=rewards", "penalty=0", "priors=1", "rejected=200", "recent=1", "learning_rate=5e-4"),
    ),
    Way("S-DPO", (*SIZE, "learning_rate=1e-4")),
    Way("cross-entropy", (*SIZE, "learning_rate=1e-4"), cross_entropy),
    Way("GRPO", (*SIZE, "method=rewards", "priors=0", "learning_rate=1e-4")),
    Way("DPO", (*SIZE, "rejected=1", "learning_rate=1e-4")),
)
CONTROL = "cross-entropy"
Table_ = dict[str, dict[str, Any]]
"""World → way → figures."""


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(1)
    quiet_models()
    places = Places(arguments.runs, arguments.source)
    worlds = [World.of(one, places, arguments.most) for one in WORLDS if one.short in arguments.worlds]
    table: Table_ = {one.data.short: {} for one in worlds}
    for way in (one for one in WAYS if one.name in arguments.ways):
        for world in worlds:
            found = world.aligned(way, places.runs / world.data.label / "aligned")
            table[world.data.short][way.name] = found
            print(_line(world.data.short, way.name, found), flush=True)
        config = {"test_cases": arguments.most, "worlds": table}
        write_results("align", config, [*_claims(table)], arguments.out, keep=True)
    Console(width=150).print(_shown(table))


def _claims(table: Table_) -> Iterator[Claim]:
    for world, ways in table.items():
        for way, found in ways.items():
            for system, one in found["test"].items():
                name = f"align.{world}.{system}.{way.lower().replace(' ', '_')}"
                ndcg, hits = one["ndcg"], one["hits"]
                target = None if way == CONTROL else 0.0
                yield claim(
                    f"{name}_low", ndcg["low"], "NDCG@10", ">=", target, n=one["cases"], low=ndcg["low"],
                    high=ndcg["high"], note=f"paired, low bound; mean {ndcg['mean']:+.4f}; one seed",
                )  # fmt: skip
                yield claim(
                    f"{name}_hits50", hits["after"] / hits["before"], "ratio", ">=", 0.98, n=one["cases"],
                    note="hits among fifty, after over before",
                )  # fmt: skip
    chosen = best(table)
    if chosen is not None and len(table) == len(WORLDS):
        worst = min(
            (ways[chosen]["test"]["alone"] for ways in table.values()), key=lambda one: float(one["ndcg"]["low"])
        )
        yield claim(
            "finetune.preference_low", worst["ndcg"]["low"], "NDCG@10", ">=", 0.0, n=worst["cases"],
            low=worst["ndcg"]["low"], high=worst["ndcg"]["high"],
            note=f"{chosen}, the model alone, the world in which it gains less",
        )  # fmt: skip


def best(table: Table_) -> str | None:
    """The way whose model alone gained most on validation, as a share, over all worlds."""
    common = set.intersection(*(set(ways) for ways in table.values())) - {CONTROL}
    return max(sorted(common), key=lambda way: sum(_gained(ways[way]) for ways in table.values()), default=None)


def _gained(found: dict[str, Any]) -> float:
    before, *after = found["rounds"]
    return float(max(after) / before)


def _line(world: str, way: str, found: dict[str, Any]) -> str:
    rounds = ", ".join(f"{value:.4f}" for value in found["rounds"])
    return f"{world}, {way}: validation alone {rounds}; {found['cpu_seconds']:.0f} s of the processor"


def _shown(table: Table_) -> Table:
    out = Table(title="NDCG@10 and hits among fifty on the test, before → after (paired 95 % interval)")
    for column in ("world", "way", "alone", "hits", "with priors", "hits", "items in first tens", "published"):
        out.add_column(column)
    for world, ways in table.items():
        for way, found in ways.items():
            alone, fused = found["test"]["alone"], found["test"]["fused"]
            items = f"{alone['items']['before']} → {alone['items']['after']}"
            out.add_row(world, way, *_cells(alone), *_cells(fused), items, "yes" if found["published"] else "no")
    return out


def _cells(one: dict[str, Any]) -> Sequence[str]:
    ndcg, hits = one["ndcg"], one["hits"]
    gain = f"{ndcg['mean']:+.4f} [{ndcg['low']:+.4f}, {ndcg['high']:+.4f}]"
    return f"{ndcg['before']:.4f} → {ndcg['after']:.4f} {gain}", f"{hits['before']:.3f} → {hits['after']:.3f}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", nargs="+", choices=[one.short for one in WORLDS],
                        default=[one.short for one in WORLDS])  # fmt: skip
    parser.add_argument("--ways", nargs="+", choices=[one.name for one in WAYS], default=[one.name for one in WAYS])
    parser.add_argument("--most", type=int, default=1200, help="test cases at most, drawn with a seed")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "align", help="bundles and figures of every run")
    parser.add_argument("--source", type=Path, default=ROOT.parent / "shared" / "data", help="folder of the data sets")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the result file")
    return parser.parse_args()


if __name__ == "__main__":
    main()
