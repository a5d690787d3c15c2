"""What hiding people costs: LoRAs on the film world, learnt plainly, privately at two ε, and by federated averaging.

    python benchmarks/private.py                      # some ten minutes of one core
    python benchmarks/private.py --work folder        # keeps bundles there, and goes on from those that are there

A bundle is trained on a few viewers who do not mind; the adapters learn from the others, and are measured on test cases
of those. Every row: test NDCG@10 of the model alone (priors are the first bundle's in all of them) and the paired 95 %
interval of the difference to the same LoRA learnt plainly in one place; seconds of training. Claims:
private.<row>.ndcg10 (that difference) and private.<row>.epsilon. None has a target: they orient.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import torch

from genrec.benchmarking import RESULTS, ROOT, Claim, claim, write_results
from genrec.bundle import Bundle
from genrec.cli.shared import quiet_models
from genrec.evaluation.generative import GenerativeRanker
from genrec.evaluation.protocol import Result, evaluate
from genrec.formats import dataset
from genrec.formats.report import Tally
from genrec.interactions import Interactions
from genrec.preparing import load, save
from genrec.programs import run_training
from genrec.recommender import Recommender
from genrec.resources import folder
from genrec.splitting import Cases
from genrec.tuning.result import sample
from genrec.tuning.settings import SplitSettings
from genrec.tuning.splits import split_of
from genrec.world import WorldConfig, load_films, simulate

Row = dict[str, Any]
NDCG, PLAIN, BEFORE = "ndcg@10", "plain", "before"
FEDERATED = "federated"
FLOWER = ROOT / ".venv-federated" / "bin" / "python"
SHAPE = ("scratch.hidden=96", "scratch.layers=2", "scratch.heads=4", "scratch.feed_forward=256")
ONLY = ("reasons_in=[]", "follow=false", "mixture.explain=50", "sequence.max_seconds=60")
EPOCHS, ROUNDS = 15, 5
LEARNING = (f"epochs={EPOCHS}", "users=64", "learning_rate=0.002", "lora.rank=8")
EPSILONS = (8.0, 2.0)


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(1)
    quiet_models()
    with tempfile.TemporaryDirectory(prefix="genrec-private-") as scrap:
        place = arguments.work or Path(scrap)
        worlds(place, arguments.known, arguments.hidden)
        made, seconds = bundles(place, arguments.flower)
        rows = measured(made, place, arguments.cases)
    for name, taken in seconds.items():
        rows[name]["seconds"] = round(taken, 1)
    config = {"known": arguments.known, "hidden": arguments.hidden, "shape": SHAPE, "learning": LEARNING, "rows": rows}
    write_results("private", config, claims_of(rows), arguments.out, keep=True)


def worlds(place: Path, known: int, hidden: int) -> None:
    """One world, its viewers in two parts: those the first bundle knows, and those to hide."""
    if (place / "hidden").exists():
        return
    world = simulate(load_films(), WorldConfig(users=known + hidden))
    users = world.interactions.table["user_id"].unique().sort().sample(fraction=1.0, shuffle=True, seed=0)
    parts = {"known": users[:known], "hidden": users[known:], "here": users[known::2], "there": users[known + 1 :: 2]}
    for name, part in parts.items():
        table = world.interactions.table.filter(pl.col("user_id").is_in(part.implode()))
        save(dataset(Interactions(table), world.catalog.table, Tally("simulated viewers")), place / name)


def bundles(place: Path, flower: Path) -> tuple[dict[str, Bundle], dict[str, float]]:
    """Those that are there already stay, without seconds."""
    config = ["--config", str(folder("training") / "configs" / "demo.yaml")]
    words = ["--data", str(place / "known"), "--out", str(place / BEFORE), "--quiet"]
    seconds: dict[str, float] = {}
    _once(place, BEFORE, seconds, lambda: run_training("sft.py", [*words, *config, *SHAPE, *ONLY]))
    names = {PLAIN: "null"} | {f"epsilon_{one:g}": str(one) for one in EPSILONS}
    for name, epsilon in names.items():
        _once(place, name, seconds, lambda name=name, epsilon=epsilon: _private(place, name, epsilon))  # type: ignore[misc]
    if flower.is_file():
        _once(place, FEDERATED, seconds, lambda: _federated(place, flower))
    else:
        print(f"no flower at {flower.name}: make federated; its row is left out")
    every = (BEFORE, *names, FEDERATED) if (place / FEDERATED).exists() else (BEFORE, *names)
    return {name: Bundle.open(place / name) for name in every}, seconds


def _private(place: Path, name: str, epsilon: str) -> None:
    words = ["--bundle", str(place / BEFORE), "--data", str(place / "hidden"), "--out", str(place / name)]
    run_training("private.py", [*words, *LEARNING, f"epsilon={epsilon}"])


def _federated(place: Path, flower: Path) -> None:
    """As many passes over every viewer as the others, in rounds, half of the viewers in either place."""
    words = ["--bundle", str(place / BEFORE), "--data", str(place / "here"), "--data", str(place / "there")]
    words += ["--out", str(place / FEDERATED), "--flower", str(flower), "--rounds", str(ROUNDS)]
    run_training("federated.py", [*words, *LEARNING[1:], f"epochs={EPOCHS // ROUNDS}"])


def _once(place: Path, name: str, seconds: dict[str, float], make: Callable[[], None]) -> None:
    if not (place / name).exists():
        started = time.monotonic()
        make()
        seconds[name] = time.monotonic() - started


def measured(made: dict[str, Bundle], place: Path, most: int) -> dict[str, Row]:
    """Test cases of the hidden viewers."""
    data, first = load(place / "hidden"), made[BEFORE]
    cut = SplitSettings.model_validate(first.manifest.split_settings)
    cases = sample(split_of(cut, data.interactions, first.catalog.item_ids).test, most, 0)
    ranked = {name: _ranked(bundle, cases) for name, bundle in made.items()}
    return {name: _row(made[name], one, ranked[PLAIN]) for name, one in ranked.items()}


def _ranked(bundle: Bundle, cases: Cases) -> Result:
    alone = Recommender.open(bundle).fusion.alone()
    return evaluate(GenerativeRanker(alone), cases, (10,), mask_seen=True)


def _row(bundle: Bundle, ours: Result, plain: Result) -> Row:
    difference, privacy = ours.difference(plain, NDCG), bundle.manifest.privacy
    return {
        NDCG: ours.mean(NDCG), "minus_plain": difference.mean, "low": difference.low, "high": difference.high,
        "cases": len(ours.users), "privacy": None if privacy is None else privacy.model_dump(),
    }  # fmt: skip


def claims_of(rows: dict[str, Row]) -> Sequence[Claim]:
    found = []
    for name, row in rows.items():
        note = f"NDCG@10 {row[NDCG]:.4f} minus that of the plain LoRA, model alone"
        found.append(
            claim(
                f"private.{name}.ndcg10", row["minus_plain"], "NDCG@10", ">=", None, n=row["cases"], low=row["low"],
                high=row["high"], note=note,
            )
        )  # fmt: skip
        if row["privacy"]:
            spent = row["privacy"]
            note = f"of a user, δ = {spent['delta']:.1e}, noise {spent['noise']:.3g}, {spent['accountant']} accountant"
            name_of = f"private.{name}.epsilon"
            found.append(claim(name_of, spent["epsilon"], "ε", "<=", None, n=spent["users"], note=note))
    return found


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--known", type=int, default=250, help="viewers that the first bundle learns from")
    parser.add_argument("--hidden", type=int, default=600, help="viewers to hide")
    parser.add_argument("--cases", type=int, default=1000, help="test cases at most")
    parser.add_argument("--flower", type=Path, default=FLOWER, help="Python of flower's environment")
    parser.add_argument("--work", type=Path, help="folder that keeps data and bundles")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the result file")
    return parser.parse_args()


if __name__ == "__main__":
    main()
