"""The full path on real data sets: prepare, index, train, evaluate beside tuned baselines.

    python benchmarks/real_data.py                    # everything; hours on two cores, resumable
    python benchmarks/real_data.py --only amazon-beauty

Each run leaves its bundle and its figures under --runs and is not repeated while they are there. Figures are of test
cases, full ranking, both masking variants; settings are the defaults of training/configs/scratch.yaml, chosen on no
data set of these; baselines are tuned on validation. One seed: the intervals are over users, not over seeds.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genrec.benchmarking import Claim, claim, write_results
from genrec.comparing import ALONE, FUSED, compare, results_json
from genrec.evaluation.protocol import evaluate_both
from genrec.evaluation.ranker import ScoreRanker
from genrec.evaluation.report import to_json
from genrec.preparing import load, prepare
from genrec.priors import Sequential
from genrec.programs import run_training
from genrec.recommender import Recommender

ROOT = Path(__file__).resolve().parents[1]
CONFIG = ROOT / "training" / "configs" / "scratch.yaml"
SYSTEMS = {"": FUSED, ".generative": ALONE, ".sasrec": "SASRec"}
SASREC_FLOOR = {"r10": 0.090, "n10": 0.053}  # below that the Beauty baseline is not tuned

# Its long texts would make two thirds of the tokens of an epoch: the words ↔ IDs tasks are cut for the CPU's sake.
BEAUTY = (
    "items.fields=[attributes]",
    "mixture.item_to_id=0.1",
    "mixture.id_to_item=0.02",
    "optimiser.epochs=12",
    "optimiser.evaluations=12",
)


@dataclass(frozen=True)
class Run:
    """One data set under one split. short: its name in claims."""

    data: str
    split: str
    short: str
    overrides: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return f"{self.data}-{self.split}"


RUNS = (
    Run("ml-100k", "global_time", "ml100k"),
    Run("movietweetings", "global_time", "movietweetings"),
    Run("amazon-beauty", "leave_last_out", "beauty", BEAUTY),
    Run("ml-100k", "leave_last_out", "ml100k.leave_last_out"),
    Run("movietweetings", "leave_last_out", "movietweetings.leave_last_out"),
)


def main() -> None:
    arguments = _arguments()
    chosen = [run for run in RUNS if not arguments.only or run.data in arguments.only]
    if arguments.kept:
        chosen = [run for run in chosen if (arguments.runs / f"{run.name}.json").is_file()]
    figures = {run.name: _figures(run, arguments) for run in chosen}
    claims = [one for run in chosen for one in _claims(run, figures[run.name])]
    config = {"config": CONFIG.read_text(encoding="utf-8"), "runs": figures}
    write_results("real_data", config, claims)


def _figures(run: Run, arguments: argparse.Namespace) -> dict[str, Any]:
    """What was measured, from the run's folder where it has been measured already."""
    kept = arguments.runs / f"{run.name}.json"
    if not kept.is_file():
        figures = _measured(run, arguments)
        kept.write_text(json.dumps(figures, indent=1), encoding="utf-8")
    found: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
    return found


def _measured(run: Run, arguments: argparse.Namespace) -> dict[str, Any]:
    data, bundle = arguments.runs / "data" / run.data, arguments.runs / run.name
    if not data.is_dir():
        prepare(arguments.source / run.data, data)
    if not bundle.is_dir():
        flags = ["--data", str(data), "--out", str(bundle), "--config", str(CONFIG), "--quiet", "--resume"]
        settings = [f"split.kind={run.split}", *run.overrides, *arguments.overrides]
        run_training("sft.py", [*flags, "--cache", str(arguments.runs / "cache"), *settings])
    recommender = Recommender.open(bundle)
    done = compare(recommender, load(data), most=arguments.most, say=print)
    figures = {"split": done.split.name, "train_events": len(done.split.train), **results_json(done)}
    # The baseline costs little to rank: its own claims stand on every test case.
    sasrec = next(prior.model for prior in recommender.fusion.mix.priors if isinstance(prior, Sequential))
    whole = evaluate_both(ScoreRanker(sasrec), done.split.test, (10,))
    asked = {"most": arguments.most, "overrides": [*run.overrides, *arguments.overrides]}
    return figures | {"asked": asked, "sasrec_on_all_cases": to_json(whole)["results"]}


def _claims(run: Run, figures: dict[str, Any]) -> Iterator[Claim]:
    masked = {one["system"]: one for one in figures["results"] + figures["sasrec_on_all_cases"] if one["mask_seen"]}
    for suffix, system in SYSTEMS.items():
        for short, metric in (("r10", "recall@10"), ("n10", "ndcg@10")):
            one = masked[system]["metrics"][metric]
            floor = SASREC_FLOOR[short] if (run.short, suffix) == ("beauty", ".sasrec") else None
            yield claim(
                f"ranking.{run.short}.{short}{suffix}", one["mean"], "share", ">=", floor,
                n=masked[system]["cases"], low=one["low"], high=one["high"], note=f"{run.split}, seen masked, {system}",
            )  # fmt: skip
    gain = figures["differences"][FUSED]["SASRec"]["ndcg@10"]
    yield claim(
        f"ranking.{run.short}.over_sasrec_low", gain["low"], "NDCG@10", ">=", None,
        n=masked[FUSED]["cases"], low=gain["low"], high=gain["high"], note=f"{FUSED} minus SASRec, paired",
    )  # fmt: skip


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, default=ROOT.parent / "shared" / "data", help="folder of the data sets")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "real_data", help="bundles and figures")
    names = sorted({run.data for run in RUNS})
    parser.add_argument("--only", action="append", choices=names, help="a data set to run; may be given again")
    parser.add_argument("--kept", action="store_true", help="only gather the runs that are there")
    parser.add_argument("--most", type=int, help="test cases at most, drawn with a seed")
    parser.add_argument("overrides", nargs="*", help="settings of training, as section.key=value")
    arguments = parser.parse_args()
    arguments.runs.mkdir(parents=True, exist_ok=True)
    return arguments


if __name__ == "__main__":
    main()
