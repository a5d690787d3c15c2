"""The recipes of training/configs by domain, small: prepared, trained, and compared with tuned baselines on the test.

    python benchmarks/domains.py --domains news courses

Writes benchmarks/results/domains.json; domains that are not named keep what was measured of them. News and courses are
simulated by training/worlds.py; games and places are the first users of the data sets in ../shared/data, so that a run
takes minutes: their figures are not those of the whole sets. Films and products are measured whole by ranking.py.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from genrec.benchmarking import Claim, claim, write_results  # noqa: E402
from genrec.cli.shared import quiet_models  # noqa: E402
from genrec.comparing import FUSED, Comparison, compare  # noqa: E402
from genrec.formats import dataset, gather  # noqa: E402
from genrec.interactions import Interactions  # noqa: E402
from genrec.preparing import PrepareConfig, load, prepare, save  # noqa: E402
from genrec.programs import run_training  # noqa: E402
from genrec.recommender import Recommender  # noqa: E402

SHARED = ROOT / ".." / "shared" / "data"
SOURCES = {"games": SHARED / "amazon-games", "places": SHARED / "yelp"}
DOMAINS = ("news", "courses", *SOURCES)
METRIC = "ndcg@10"


def main() -> None:
    arguments = _arguments()
    quiet_models()
    for name in arguments.domains:
        if name in SOURCES and not SOURCES[name].is_dir():
            print(f"{name}: {SOURCES[name]} is absent")
            continue
        with tempfile.TemporaryDirectory() as scratch:
            config, claims = measured(name, Path(scratch), arguments)
        write_results("domains", config, claims, keep=True)


def measured(name: str, folder: Path, arguments: argparse.Namespace) -> tuple[dict[str, Any], list[Claim]]:
    """One domain, from its source to its claims."""
    data = folder / "prepared"
    if name in SOURCES:
        first_users(SOURCES[name], data, arguments.users)
    else:
        program = [sys.executable, str(ROOT / "training" / "worlds.py"), name, str(folder / "world")]
        subprocess.run(program, check=True)
        prepare(folder / "world" / "log.csv", data, PrepareConfig(catalog=folder / "world" / "items.csv"))
    recipe = ROOT / "training" / "configs" / f"{name}.yaml"
    started = time.monotonic()
    words = ["--data", str(data), "--out", str(folder / "bundle"), "--config", str(recipe), "--quiet"]
    run_training("sft.py", [*words, *arguments.overrides])
    seconds = round(time.monotonic() - started, 1)
    recommender = Recommender.open(folder / "bundle")
    done = compare(recommender, load(data), most=arguments.cases, say=print)
    facts = load(data).report.facts
    config = {"domain": name, "recipe": recipe.read_text(encoding="utf-8"), "overrides": arguments.overrides,
              "facts": facts, "train_seconds": seconds, "systems": figures(done),
              "mix": mix_of(recommender)}  # fmt: skip
    return config, list(claims_of(name, done, seconds))


def first_users(source: Path, out: Path, users: int) -> None:
    """Prepared data of the first users of the log, in the order of their ids' first mention, and what they chose."""
    gathered = gather(source)
    table = gathered.interactions.table
    kept = table["user_id"].unique(maintain_order=True).sort()[:users]
    table = table.filter(table["user_id"].is_in(kept.implode()))
    items = None if gathered.items is None else gathered.items.filter(
        gathered.items["item_id"].is_in(table["item_id"].unique().implode()))  # fmt: skip
    save(dataset(Interactions.from_table(table), items, gathered.tally), out)


def mix_of(recommender: Recommender) -> dict[str, Any]:
    """Weights of the priors beside a model of weight 1, whether it joins them, and the lift of fresh items."""
    mix = recommender.fusion.mix
    return {"weights": dict(mix.weights), "model": mix.model, "lift": None if mix.fresh is None else mix.fresh.lift}


def figures(done: Comparison) -> dict[str, dict[str, float]]:
    return {
        name: {metric: round(done.result(name).mean(metric), 4) for metric in (METRIC, "recall@10")}
        for name in done.names
    }


def claims_of(name: str, done: Comparison, seconds: float) -> Iterator[Claim]:
    """NDCG@10 of the bundle, and its paired differences from popularity and SASRec, which it is to be above."""
    one = done.result(FUSED).intervals([METRIC])[METRIC]
    note = f"seen masked; training {seconds:.0f} s"
    yield claim(f"domains.{name}.n10", one.mean, "NDCG@10", ">=", None, n=len(done.cases), low=one.low, high=one.high,
                note=note)  # fmt: skip
    for other, key in (("popularity", "popularity"), ("SASRec", "sasrec")):
        gain = done.differences(FUSED)[other][METRIC]
        yield claim(f"domains.{name}.over_{key}_low", gain["low"], "NDCG@10", ">=", 0, n=len(done.cases),
                    low=gain["low"], high=gain["high"], note=f"difference of means {gain['mean']:+.4f}")  # fmt: skip


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--domains", nargs="+", choices=DOMAINS, default=list(DOMAINS), help="which recipes")
    parser.add_argument("--users", type=int, default=2000, help="of games and places")
    parser.add_argument("--cases", type=int, default=1000, help="test cases at most, drawn with a seed")
    parser.add_argument("overrides", nargs="*", help="settings over the recipe's, as section.key=value")
    return parser.parse_args()


if __name__ == "__main__":
    main()
