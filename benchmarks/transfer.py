"""Whether one catalog helps another: trained on a source, carried over to few users of a target, against from nothing.

    python benchmarks/transfer.py --pair products              # amazon-beauty → amazon-sports
    python benchmarks/transfer.py --pair films --work folder   # ml-1m → movietweetings; goes on from what lies there

Both catalogs are cut to their cores (users of five choices and more, items of `--least` and more), so that a point
takes minutes of one core: figures are not those of the whole sets. The source learns from `--source-users` users. Then,
for each number of target users, the same recipe is trained for the same number of epochs from nothing (`scratch`), with
`base=` the source's bundle (`base`), and with a base whose encoder is said to be another (`words`), so that blocks and
words carry over and rows of items do not. A limit of time would favour whoever has the quieter machine; a step takes
as long whatever it starts from. The teacher, the semantic IDs and the priors are the target's own and the same in all
three. Cases: the last choices (products), or the first after the training part of the time line (films), of target
users that no run has seen. Claims: transfer.<pair>.<users>.<way>[.alone] (NDCG@10 with priors and of the model alone,
seen masked, 95 % bootstrap interval), ….<way>_over_scratch[.alone] (paired), and ….carried_weights[_over_scratch]: from
nothing, but with the weights of priors that the source's bundle has. None has a target: they orient.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import polars as pl
import torch

from genrec.benchmarking import RESULTS, ROOT, Claim, claim, write_results
from genrec.bundle import Bundle
from genrec.cli.shared import quiet_models
from genrec.evaluation.generative import GenerativeRanker
from genrec.evaluation.protocol import Result, evaluate
from genrec.formats import Dataset, dataset
from genrec.formats.report import Tally
from genrec.interactions import Interactions
from genrec.preparing import PrepareConfig, load, prepare, save
from genrec.programs import run_training
from genrec.recommender import Recommender
from genrec.resources import folder
from genrec.splitting import Cases, Split
from genrec.tuning.result import sample
from genrec.tuning.settings import SplitSettings
from genrec.tuning.splits import split_of

NDCG = "ndcg@10"
SHARED = ROOT / ".." / "shared" / "data"
ONLY = (
    "follow=false", "optimiser.epochs=16", "optimiser.evaluations=8", "optimiser.valid_cases=500", "sequence.epochs=20"
)  # fmt: skip
WAYS = ("scratch", "base", "words")


@dataclass(frozen=True)
class Pair:
    """kind: how the target is split; the source has an order only and is split by last choices."""

    source: str
    target: str
    recipe: str
    kind: Literal["global_time", "leave_last_out"]


PAIRS = {
    "products": Pair("amazon-beauty", "amazon-sports", "products.yaml", "leave_last_out"),
    "films": Pair("ml-1m", "movietweetings", "films.yaml", "global_time"),
}


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(1)
    quiet_models()
    with tempfile.TemporaryDirectory(prefix="genrec-transfer-") as scrap:
        place = (arguments.work or Path(scrap)) / arguments.pair
        place.mkdir(parents=True, exist_ok=True)
        measured(place, PAIRS[arguments.pair], arguments)


def measured(place: Path, pair: Pair, arguments: argparse.Namespace) -> None:
    for name in (pair.source, pair.target):
        core(SHARED / name, place / name, arguments.least)
    first_users(place / pair.source, place / "data-source", arguments.source_users)
    trained(place, pair, "source", "leave_last_out", place / "data-source")
    bases = {"base": place / "bundle-source", "words": unread(place)}
    cases = targets(place, pair, arguments.users, arguments.cases)
    for users in arguments.users:
        found: dict[str, Result] = {}
        for way in arguments.ways:
            base = [f"base={bases[way]}"] if way in bases else []
            trained(place, pair, f"{users}-{way}", pair.kind, place / f"data-{users}", *base)
            found |= judged(place, f"{users}-{way}", way, cases)
        rows = {name: one.mean(NDCG) for name, one in found.items()}
        config = {"pair": arguments.pair, "users": users, "source_users": arguments.source_users,
                  "least": arguments.least, "only": ONLY, "sizes": sizes(place, pair, users), "rows": rows}  # fmt: skip
        claims = list(claims_of(f"transfer.{arguments.pair}.{users}", found))
        write_results("transfer", config, claims, arguments.out, keep=True)


def core(source: Path, out: Path, least: int) -> None:
    """Prepared data of users of five choices and more and items of `least` and more; other items are left out."""
    if out.exists():
        return
    with tempfile.TemporaryDirectory() as scrap:
        data = prepare(source, Path(scrap) / "data", PrepareConfig(min_user=5, min_item=least))
    save(of_users(data, data.interactions.table), out)


def of_users(data: Dataset, table: pl.DataFrame, *, all_items: bool = False) -> Dataset:
    """These interactions, with the items that they hold, or all."""
    items = data.catalog.table
    if not all_items:
        items = items.filter(pl.col("item_id").is_in(table["item_id"].unique().implode()))
    return dataset(Interactions(table), items, Tally("a core"))


def first_users(data: Path, out: Path, most: int) -> None:
    if out.exists():
        return
    whole = load(data)
    users = whole.interactions.table["user_id"].unique().sort().sample(fraction=1.0, shuffle=True, seed=0)[:most]
    save(of_users(whole, whole.interactions.table.filter(pl.col("user_id").is_in(users.implode()))), out)


def targets(place: Path, pair: Pair, counts: list[int], most: int) -> Cases:
    """Test cases of target users; prepared data of so many others, each set within the next, before the test began."""
    whole = load(place / pair.target)
    split = split_of(SplitSettings(kind=pair.kind), whole.interactions, whole.catalog.item_ids)
    cases = sample(split.test, most, 0)
    others = learners(split, cases, pair)
    if len(others) < max(counts):
        raise SystemExit(f"{pair.target} has {len(others)} users to learn from beside the cases' users")
    begun = int(split.test.times.min()) if pair.kind == "global_time" else None
    for count in counts:
        table = whole.interactions.table.filter(pl.col("user_id").is_in(others[:count].implode()))
        table = table if begun is None else table.filter(pl.col("timestamp") < begun)
        if not (place / f"data-{count}").exists():
            save(of_users(whole, table, all_items=True), place / f"data-{count}")
    return cases


def learners(split: Split, cases: Cases, pair: Pair) -> pl.Series:
    """Users of three training events and more who are no case, in an order drawn with a seed."""
    many = split.train.table.group_by("user_id").len().filter(pl.col("len") >= 3)["user_id"]
    users = many.filter(~many.is_in(pl.Series(cases.users).implode())).sort()
    return users.sample(fraction=1.0, shuffle=True, seed=0)


def unread(place: Path) -> Path:
    """The source's bundle, said to be of another encoder: its items' rows tell nothing of the target's texts."""
    out = place / "bundle-source-unread"
    if not out.exists():
        Bundle.open(place / "bundle-source").extended(out, lambda new: None, encoder="another")
    return out


def trained(place: Path, pair: Pair, name: str, kind: str, data: Path, *more: str) -> None:
    out = place / f"bundle-{name}"
    if out.exists():
        return
    config = ["--config", str(folder("training") / "configs" / pair.recipe), "--cache", str(place / "cache"), "--quiet"]
    run_training("sft.py", ["--data", str(data), "--out", str(out), *config, *ONLY, f"split.kind={kind}", *more])


def judged(place: Path, name: str, way: str, cases: Cases) -> dict[str, Result]:
    """Of one bundle: with priors, the model alone, and from nothing also with the weights of the source's bundle."""
    fusion = Recommender.open(place / f"bundle-{name}").fusion
    systems = {way: fusion, f"{way}.alone": fusion.alone()}
    if way == "scratch":
        source = Bundle.open(place / "bundle-source").manifest
        mix = replace(fusion.mix.with_weights(source.prior_weights), model=source.model_ranks)
        systems["carried_weights"] = replace(fusion, mix=mix)
    return {key: evaluate(GenerativeRanker(one, key), cases, (10,), mask_seen=True) for key, one in systems.items()}


def claims_of(name: str, found: dict[str, Result]) -> list[Claim]:
    claims = []
    for key, one in found.items():
        told = one.intervals([NDCG])[NDCG]
        claims.append(claim(f"{name}.{key}", told.mean, "NDCG@10", ">=", None, n=len(one.users), low=told.low,
                            high=told.high))  # fmt: skip
        before = found.get("scratch.alone" if key.endswith(".alone") else "scratch")
        if before is None or one is before:
            continue
        gain = one.difference(before, NDCG)
        way, _, alone = key.partition(".")
        claims.append(claim(f"{name}.{way}_over_scratch{'.alone' if alone else ''}", gain.mean, "NDCG@10", ">=", None,
                            n=len(one.users), low=gain.low, high=gain.high))  # fmt: skip
    return claims


def sizes(place: Path, pair: Pair, users: int) -> dict[str, dict[str, int]]:
    """Users, items and interactions of source and target."""
    kept = ("users", "items", "interactions")
    found = {"source": place / "data-source", "target": place / f"data-{users}", "target whole": place / pair.target}
    return {name: {key: int(load(path).report.facts[key]) for key in kept} for name, path in found.items()}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pair", choices=list(PAIRS), required=True, help="source and target")
    parser.add_argument("--users", type=int, nargs="+", default=[256, 1000], help="target users that are learnt")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS), help="what is trained for each")
    parser.add_argument("--source-users", type=int, default=1500, help="users of the source, at most")
    parser.add_argument("--least", type=int, default=15, help="choices of an item, at least")
    parser.add_argument("--cases", type=int, default=500, help="test cases at most")
    parser.add_argument(
        "--seconds", type=float, default=90, help="of training a model at most; the source's has thrice"
    )
    parser.add_argument("--work", type=Path, help="folder that keeps data and bundles")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the result file")
    return parser.parse_args()


if __name__ == "__main__":
    main()
