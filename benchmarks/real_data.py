"""The full path on real data sets: prepare, index, train, evaluate beside tuned baselines.

    python benchmarks/real_data.py                    # everything; hours on two cores, resumable
    python benchmarks/real_data.py --only amazon-beauty

Each run leaves its bundle and its figures under --runs, where benchmarks/ranking.py finds them too, and is not repeated
while they are there. Figures are of test cases, full ranking, both masking variants; settings are those of
training/configs/scratch.yaml, chosen on no data set of these; baselines are tuned on validation. One seed: the
intervals are over users, not over seeds.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks._ranking_runs import CONFIGS, PRODUCTS, ROOT, SYSTEMS, Data, Places, Run, finished, kept
from genrec.benchmarking import Claim, claim, write_results
from genrec.comparing import FUSED

SASREC_FLOOR = {"r10": 0.090, "n10": 0.053}  # below that the Beauty baseline is not tuned


@dataclass(frozen=True)
class Row:
    """One data set under one split. short: its name in claims."""

    data: Data
    short: str

    @property
    def run(self) -> Run:
        return Run(self.data, "default", (), seed=0)


ROWS = (
    Row(Data("ml-100k", "global_time"), "ml100k"),
    Row(Data("movietweetings", "global_time"), "movietweetings"),
    Row(Data("amazon-beauty", "leave_last_out", PRODUCTS), "beauty"),
    Row(Data("ml-100k", "leave_last_out"), "ml100k.leave_last_out"),
    Row(Data("movietweetings", "leave_last_out"), "movietweetings.leave_last_out"),
)


def main() -> None:
    arguments = _arguments()
    places = Places(arguments.runs, arguments.source)
    chosen = [row for row in ROWS if not arguments.only or row.data.name in arguments.only]
    if arguments.kept:
        chosen = [row for row in chosen if kept(row.run, places, "test", arguments.most)]
    figures = {row.data.label: finished(row.run, places, "test", arguments.most).figures for row in chosen}
    claims = [one for row in chosen for one in _claims(row, figures[row.data.label])]
    config = {"config": (CONFIGS / "scratch.yaml").read_text(encoding="utf-8"), "runs": figures}
    write_results("real_data", config, claims)


def _claims(row: Row, figures: dict[str, Any]) -> Iterator[Claim]:
    masked = {one["system"]: one for one in figures["results"] if one["mask_seen"]}
    for suffix, system in SYSTEMS.items():
        for short, metric in (("r10", "recall@10"), ("n10", "ndcg@10")) if system in masked else ():
            one = masked[system]["metrics"][metric]
            floor = SASREC_FLOOR[short] if (row.short, suffix) == ("beauty", ".sasrec") else None
            yield claim(
                f"ranking.{row.short}.{short}{suffix}", one["mean"], "share", ">=", floor,
                n=masked[system]["cases"], low=one["low"], high=one["high"],
                note=f"{row.data.split}, seen masked, {system}",
            )  # fmt: skip
    gain = figures["differences"][FUSED]["SASRec"]["ndcg@10"]
    yield claim(
        f"ranking.{row.short}.over_sasrec_low", gain["low"], "NDCG@10", ">=", None,
        n=masked[FUSED]["cases"], low=gain["low"], high=gain["high"], note=f"{FUSED} minus SASRec, paired",
    )  # fmt: skip


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, default=ROOT.parent / "shared" / "data", help="folder of the data sets")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "ranking", help="bundles and figures")
    names = sorted({row.data.name for row in ROWS})
    parser.add_argument("--only", action="append", choices=names, help="a data set to run; may be given again")
    parser.add_argument("--kept", action="store_true", help="only gather the runs that are there")
    parser.add_argument("--most", type=int, help="test cases at most, drawn with a seed")
    return parser.parse_args()


if __name__ == "__main__":
    main()
