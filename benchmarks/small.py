"""What smaller costs: a bundle of the film world beside its exports in 8 and 4 bits, pruned and distilled children.

    python benchmarks/small.py                        # some ten minutes of one core
    python benchmarks/small.py --work folder          # keeps bundles there, and goes on from those that are there

Every row: test NDCG@10 with its priors and of the model alone, the paired 95 % interval of the difference to the full
bundle, bytes of the model's folder, milliseconds a slate (median, rows in turn). `untaught`: the distilled model's twin
that learnt from the same examples without the bundle. Claims: small.<row>.ndcg10 (that difference, with priors),
small.<row>.size and small.<row>.ms (bytes and milliseconds over the full bundle's). None has a target: they orient.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from genrec.benchmarking import RESULTS, Claim, claim, write_results
from genrec.bundle import Bundle
from genrec.cli.shared import quiet_models
from genrec.demo import Plan, make_data
from genrec.evaluation.generative import GenerativeRanker
from genrec.evaluation.protocol import Result, evaluate
from genrec.formats import Dataset
from genrec.model.exporting import export_quantised
from genrec.preparing import load
from genrec.programs import run_training
from genrec.recommender import Recommender
from genrec.resources import folder
from genrec.splitting import Cases
from genrec.tuning.result import sample
from genrec.tuning.settings import SplitSettings
from genrec.tuning.splits import split_of

Row = dict[str, Any]
NDCG = "ndcg@10"
FULL = "full"
FULL_SHAPE = ("scratch.hidden=128", "scratch.layers=2", "scratch.heads=4", "scratch.feed_forward=384")
ONLY = ("reasons_in=[]", "follow=false", "mixture.explain=100")
SMALL_SHAPE = ("scratch.hidden=64", "scratch.layers=1", "scratch.heads=2", "scratch.feed_forward=128")
MIXTURE = ("mixture.item_to_id=0.1", "mixture.id_to_item=0.05", "mixture.explain=100", "mixture.variants=8")
SLATES, ROUNDS = 20, 5


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(1)
    quiet_models()
    with tempfile.TemporaryDirectory(prefix="genrec-small-") as scrap:
        place = arguments.work or Path(scrap)
        made = bundles(place, arguments.users, arguments.minutes)
        data = load(place / "data")
        rows = measured(made, data, arguments.cases)
    config = {
        "users": arguments.users, "minutes": arguments.minutes, "full": FULL_SHAPE, "distilled": SMALL_SHAPE,
        "rows": rows,
    }  # fmt: skip
    write_results("small", config, claims_of(rows), arguments.out)


def bundles(place: Path, users: int, minutes: float) -> dict[str, Bundle]:
    """Those that are there already stay. minutes: each training's at most; half as long again the full one's, half the
    pruned one's."""
    data, seconds = place / "data", 60 * minutes
    if not data.exists():
        make_data(Plan(out=place, users=users))
    full = place / FULL
    if not full.exists():
        config = ["--config", str(folder("training") / "configs" / "demo.yaml")]
        limits = [f"optimiser.max_seconds={1.5 * seconds:.0f}", "sequence.max_seconds=90"]
        run_training(
            "sft.py", ["--data", str(data), "--out", str(full), "--quiet", *config, *FULL_SHAPE, *ONLY, *limits]
        )
    parent = Bundle.open(full)
    for bits in ("int8", "nf4"):
        if not (place / bits).exists():
            export_quantised(parent, place / bits, bits)
    long = ["optimiser.epochs=16", "optimiser.learning_rate=0.003", f"optimiser.max_seconds={seconds:.0f}"]
    short = ["optimiser.epochs=6", "optimiser.learning_rate=0.001", f"optimiser.max_seconds={seconds / 2:.0f}"]
    _shrunk(place, "pruned", [*short, "way=pruned"])
    _shrunk(place, "distilled", [*long, "way=distilled", *SMALL_SHAPE])
    _shrunk(place, "untaught", [*long, "way=distilled", *SMALL_SHAPE, "taught=0"])
    names = (FULL, "int8", "nf4", "pruned", "distilled", "untaught")
    return {name: Bundle.open(place / name) for name in names}


def _shrunk(place: Path, name: str, overrides: list[str]) -> None:
    if (place / name).exists():
        return
    words = ["--bundle", str(place / FULL), "--data", str(place / "data"), "--out", str(place / name), "--quiet"]
    more = ["optimiser.evaluations=4", "optimiser.patience=3", "optimiser.weight_decay=0.05"]
    run_training("shrink.py", [*words, *MIXTURE, *more, *overrides])


def measured(made: dict[str, Bundle], data: Dataset, most: int) -> dict[str, Row]:
    full = made[FULL]
    cut = SplitSettings.model_validate(full.manifest.split_settings)
    cases = sample(split_of(cut, data.interactions, full.catalog.item_ids).test, most, 0)
    opened = {name: Recommender.open(bundle) for name, bundle in made.items()}
    ranked = {name: _ranked(one, cases) for name, one in opened.items()}
    taken = _milliseconds(opened, cases)
    return {
        name: _row(made[name], ranked[name], ranked[FULL]) | {"ms": statistics.median(taken[name]), "cases": len(cases)}
        for name in made
    }


def _ranked(recommender: Recommender, cases: Cases) -> tuple[Result, Result]:
    """With priors, and the model alone."""
    fusion = recommender.fusion
    whole, alone = (
        evaluate(GenerativeRanker(one), cases, (10,), mask_seen=True) for one in (fusion, fusion.alone())
    )  # fmt: skip
    return whole, alone


def _row(bundle: Bundle, ours: tuple[Result, Result], full: tuple[Result, Result]) -> Row:
    row: Row = {"bytes": sum(path.stat().st_size for path in (bundle.folder / "model").rglob("*.safetensors"))}
    for name, one, other in zip(("with_priors", "alone"), ours, full, strict=True):
        difference = one.difference(other, NDCG)
        row[name] = {
            NDCG: one.mean(NDCG), "minus_full": difference.mean, "low": difference.low, "high": difference.high
        }  # fmt: skip
    return row


def _milliseconds(opened: dict[str, Recommender], cases: Cases) -> dict[str, list[float]]:
    """Of single slates of ten, one system after another, so that what else the machine does meets all alike."""
    taken: dict[str, list[float]] = {name: [] for name in opened}
    for turn in range(ROUNDS + 1):
        for row in range(SLATES):
            for name, one in opened.items():
                history = [one.catalog.item_ids[item] for item in cases.histories[row].tolist()]
                start = time.perf_counter()
                one.recommend(history, 10, explain=False)
                if turn:  # the first round warms up
                    taken[name].append(1000 * (time.perf_counter() - start))
    return taken


def claims_of(rows: dict[str, Row]) -> list[Claim]:
    full = rows[FULL]
    found = [claim("small.full.ndcg10", full["with_priors"][NDCG], "NDCG@10", ">=", None, n=full["cases"])]
    found.append(claim("small.full.ms", full["ms"], "ms", "<=", None, n=SLATES * ROUNDS, note="a slate, 1 thread"))
    for name, row in rows.items():
        if name == FULL:
            continue
        against, n = row["with_priors"], row["cases"]
        found += [
            claim(
                f"small.{name}.ndcg10", against["minus_full"], "NDCG@10", ">=", None, n=n, low=against["low"],
                high=against["high"], note=f"minus full; alone {row['alone']['minus_full']:+.4f}",
            ),
            claim(f"small.{name}.size", row["bytes"] / full["bytes"], "ratio", "<=", None, note="of weights"),
            claim(f"small.{name}.ms", row["ms"] / full["ms"], "ratio", "<=", None, n=SLATES * ROUNDS),
        ]  # fmt: skip
    return found


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=600, help="simulated viewers")
    parser.add_argument("--cases", type=int, default=2000, help="test cases at most")
    parser.add_argument("--minutes", type=float, default=20, help="of each small training, at most")
    parser.add_argument("--work", type=Path, help="folder that keeps data and bundles")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the result file")
    return parser.parse_args()


if __name__ == "__main__":
    main()
