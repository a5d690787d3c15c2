"""Labels that are guessed, and labels that are chosen: the film world with few viewers, against the same done blindly.

    python benchmarks/labels.py --part pseudo
    python benchmarks/labels.py --part active --work folder    # keeps data and bundles there, and goes on from those

World, cases and settings are those of few_data.py, with fewer passes. A *label* is what a viewer watched after their
first `--known` films.

pseudo: `--viewers` are known whole, the others of the pool by their first films alone. A first bundle, which has learnt
both, continues the histories of the half whose ranking is most certain (least entropy) with its `--known` best films,
and the recipe is trained anew with these as if they had been watched: against the histories as they are (`none`), as
many films drawn at random (`random`) and what those viewers did watch (`true`, the upper bound). Validation and what is
tested is the same real events in all.

active: from `--start` whole viewers, two rounds buy as many again: those whose ranking after their first films has most
entropy (`uncertain`), those whose first films are farthest from all that is bought (`diverse`: k-centre on the mean
text vector; Sener & Savarese 2018), or any (`random`). Rules start from the same viewers; `--seeds` draws others.

Claims: labels.pseudo.<way>[.alone], labels.active.<rule>.<viewers> (test NDCG@10, seen masked, mean over seeds, 95 %
bootstrap interval over cases), ….over_none, ….over_random (paired). None has a target: they orient.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import torch
from scipy.special import softmax

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.few_data import NDCG, OTHERS, OURS, worlds
from genrec.benchmarking import RESULTS, Claim, claim, write_results
from genrec.cli.shared import quiet_models
from genrec.evaluation.bootstrap import difference_interval, mean_interval
from genrec.evaluation.generative import GenerativeRanker
from genrec.evaluation.metrics.relevance import Float64
from genrec.evaluation.protocol import evaluate
from genrec.formats import dataset
from genrec.formats.report import Tally
from genrec.fusing import unseen
from genrec.interactions import Interactions
from genrec.items.text import unit
from genrec.preparing import load, save
from genrec.priors import text_vectors
from genrec.programs import run_training
from genrec.ragged import Int64, Ragged
from genrec.recommender import Recommender
from genrec.resources import folder
from genrec.splitting import Cases

ONLY = ("reasons_in=[]", "follow=false", "mixture.explain=0", "optimiser.epochs=8", "sequence.epochs=20")
WAYS = ("none", "pseudo", "random", "true")
RULES = ("random", "uncertain", "diverse")
ALONE = "alone"
Found = dict[str, Float64]
"""With priors and the model alone → NDCG@10 of every case."""


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(1)
    quiet_models()
    with tempfile.TemporaryDirectory(prefix="genrec-labels-") as scrap:
        place = arguments.work or Path(scrap)
        place.mkdir(parents=True, exist_ok=True)
        cases = worlds(place, [arguments.pool], arguments.cases)
        part = pseudo if arguments.part == "pseudo" else active
        claims, rows = part(place, cases, arguments)
        told = {name: value for name, value in vars(arguments).items() if name not in ("work", "out")}
        config = {**told, "others": OTHERS, "settings": ONLY, "rows": rows}
        write_results("labels", config, claims, arguments.out, keep=True)


# Guessed labels


def pseudo(place: Path, cases: Cases, arguments: argparse.Namespace) -> tuple[list[Claim], dict[str, float]]:
    whole = load(place / f"data-{arguments.pool}").interactions.table
    found: dict[str, list[Found]] = {way: [] for way in WAYS}
    for seed in range(arguments.seeds):
        users = whole["user_id"].unique().sort().sample(fraction=1.0, shuffle=True, seed=seed)
        known = whole.filter(pl.col("user_id").is_in(users[: arguments.viewers].implode()))
        cuts = times_of(known)
        rest = early(whole, users[arguments.viewers :], arguments.known, cuts[0])
        short = rest.filter(pl.col("place") < arguments.known)
        name = f"pseudo-{arguments.viewers}-{seed}"
        first = trained(place, f"{name}-none", [known, short], seed, cuts)
        guessed = continued(first, short, arguments.known, seed)
        sure = guessed["pseudo"]["user_id"].implode()
        true = rest.filter((pl.col("place") >= arguments.known) & pl.col("user_id").is_in(sure))
        for way, more in {"none": None, **guessed, "true": true}.items():
            parts = [known, short] if more is None else [known, short, more]
            found[way].append(judged(trained(place, f"{name}-{way}", parts, seed, cuts), cases))
    claims = claims_of("labels.pseudo", found, cases, "none", "random")
    return claims, {f"{way}.{key}": mean(found[way], key) for way in WAYS for key in (OURS, ALONE)}


def times_of(known: pl.DataFrame) -> tuple[int, int]:
    """Seconds at which validation and test begin: where the last fifth and tenth of the known viewers' events do."""
    times = known["timestamp"].sort()
    return int(times[round(0.8 * (len(times) - 1))]), int(times[round(0.9 * (len(times) - 1))])


def early(whole: pl.DataFrame, users: pl.Series, known: int, before: int) -> pl.DataFrame:
    """The first 2 · known events of those users who have had as many before a second, numbered by `place`."""
    place = pl.int_range(pl.len()).over("user_id").alias("place")
    theirs = whole.filter(pl.col("user_id").is_in(users.implode())).with_columns(place)
    theirs = theirs.filter((pl.col("place") < 2 * known) & (pl.col("timestamp") < before))
    return theirs.filter(pl.len().over("user_id") == 2 * known)


def continued(bundle: Path, short: pl.DataFrame, most: int, seed: int) -> dict[str, pl.DataFrame]:
    """Way → events that continue the surest half of the histories: the bundle's best films, or any."""
    recommender = Recommender.open(bundle)
    ids = recommender.catalog.item_ids
    told = Interactions(short).histories(ids)
    chances = chances_of(recommender, told.items)
    sure = np.sort(np.argsort(entropy(chances), kind="stable")[: len(told) // 2])
    best = np.argsort(-chances[sure], axis=1, kind="stable")[:, :most]
    rng = np.random.default_rng(seed)
    free = [np.flatnonzero(chances[row] > 0) for row in sure]
    drawn = np.stack([rng.choice(items, most, replace=False) for items in free])
    users = [told.users[row] for row in sure.tolist()]
    last = short.group_by("user_id").agg(pl.col("timestamp").max())
    return {way: events(users, items, ids, last) for way, items in (("pseudo", best), ("random", drawn))}


def events(users: list[str], items: Int64, ids: list[str], last: pl.DataFrame) -> pl.DataFrame:
    """A minute apart, after the last that is known of a user. items: int64 [users, events]."""
    rows = [(user, ids[item], place) for user, some in zip(users, items.tolist(), strict=True)
            for place, item in enumerate(some)]  # fmt: skip
    table = pl.DataFrame(rows, schema=["user_id", "item_id", "place"], orient="row").join(last, on="user_id")
    return table.with_columns((pl.col("timestamp") + 60 * (pl.col("place") + 1)).alias("timestamp"))


def chances_of(recommender: Recommender, histories: Ragged) -> Float64:
    """Of every item after each history, 0 for what it holds; float64 [histories, items]."""
    items = len(recommender.catalog.item_ids)
    scores = recommender.fusion.scores(histories, np.arange(items))
    scores[~np.stack([unseen(histories[row], items) for row in range(len(histories))])] = -np.inf
    found: Float64 = softmax(scores, axis=1)
    return found


def entropy(chances: Float64) -> Float64:
    """Nats, float64 [histories]."""
    found: Float64 = -(chances * np.log(np.maximum(chances, 1e-30))).sum(axis=1)
    return found


# Chosen labels


def active(place: Path, cases: Cases, arguments: argparse.Namespace) -> tuple[list[Claim], dict[str, float]]:
    whole = load(place / f"data-{arguments.pool}").interactions.table
    found: dict[str, list[Found]] = {}
    for seed in range(arguments.seeds):
        users = whole["user_id"].unique().sort().sample(fraction=1.0, shuffle=True, seed=seed)
        for rule in RULES:
            bought = users[: arguments.start].to_list()
            bundle = trained(place, f"active-{seed}-start", [of(whole, bought)], seed)
            for _ in range(2):
                bought += chosen(rule, bundle, whole, bought, arguments.start, arguments.known, seed)
                bundle = trained(place, f"active-{seed}-{rule}-{len(bought)}", [of(whole, bought)], seed)
                found.setdefault(f"{rule}.{len(bought)}", []).append(judged(bundle, cases))
    claims, rows = [], {f"{name}.{key}": mean(some, key) for name, some in found.items() for key in (OURS, ALONE)}
    for size in sorted({name.partition(".")[2] for name in found}, key=int):
        of_size = {f"{rule}.{size}": found[f"{rule}.{size}"] for rule in RULES}
        claims += claims_of("labels.active", of_size, cases, f"random.{size}")
    return claims, rows


def of(whole: pl.DataFrame, users: list[str]) -> pl.DataFrame:
    return whole.filter(pl.col("user_id").is_in(users))


def chosen(
    rule: str, bundle: Path, whole: pl.DataFrame, bought: list[str], count: int, known: int, seed: int
) -> list[str]:
    """The viewers whose histories are bought next; of them only the first films are looked at."""
    recommender = Recommender.open(bundle)
    first = whole.filter(pl.int_range(pl.len()).over("user_id") < known)
    told = Interactions(first).histories(recommender.catalog.item_ids)
    free = np.flatnonzero([user not in set(bought) for user in told.users])
    if rule == "random":
        order = np.random.default_rng([seed, len(bought)]).permutation(free)
    elif rule == "uncertain":
        order = free[np.argsort(-entropy(chances_of(recommender, told.items.take(free))), kind="stable")]
    else:
        vectors = text_vectors(recommender.fusion.mix.priors)
        assert vectors is not None
        means = unit(np.stack([vectors[told.items[row]].mean(axis=0) for row in range(len(told))]))
        order = farthest(means, np.isin(np.arange(len(told)), free, invert=True), count)
    return [told.users[row] for row in order[:count].tolist()]


def farthest(vectors: npt.NDArray[np.float32], taken: npt.NDArray[np.bool_], count: int) -> Int64:
    """Rows one after another that lie farthest from all that are taken by then, int64 [count]."""
    near = (1 - vectors @ vectors[taken].T).min(axis=1)
    found = []
    for _ in range(count):
        row = int(np.where(taken, -np.inf, near).argmax())
        found.append(row)
        taken = taken | (np.arange(len(taken)) == row)
        near = np.minimum(near, 1 - vectors @ vectors[row])
    return np.array(found, dtype=np.int64)


# Either


def trained(
    place: Path, name: str, parts: list[pl.DataFrame], seed: int, cuts: tuple[int, int] | None = None
) -> Path:  # fmt: skip
    """A bundle of these events over the whole catalog; cuts: seconds at which validation and test begin, so that
    further early events change neither."""
    out = place / f"bundle-{name}"
    if out.exists():
        return out
    catalog = load(next(place.glob("data-[0-9]*"))).catalog.table
    columns = ("user_id", "item_id", "timestamp")
    table = pl.concat([part.select(columns) for part in parts]).sort("timestamp", maintain_order=True)
    data = place / f"data-{name}"
    save(dataset(Interactions(table), catalog, Tally("simulated viewers")), data)
    shares = [] if cuts is None else shares_of(table["timestamp"], cuts)
    config = ["--config", str(folder("training") / "configs" / "demo.yaml"), "--cache", str(place / "cache"), "--quiet"]
    settings = [*ONLY, f"optimiser.seed={seed}", *shares]
    run_training("sft.py", ["--data", str(data), "--out", str(out), *config, *settings])
    return out


def shares_of(times: pl.Series, cuts: tuple[int, int]) -> list[str]:
    """The split's shares that cut at these seconds."""
    first, second = (float((times < cut).sum()) / len(times) for cut in cuts)
    return [f"split.valid={second - first:.6f}", f"split.test={1 - second:.6f}"]


def judged(bundle: Path, cases: Cases) -> Found:
    fusion = Recommender.open(bundle).fusion
    ways: dict[str, Callable[[], GenerativeRanker]] = {
        OURS: lambda: GenerativeRanker(fusion, OURS), ALONE: lambda: GenerativeRanker(fusion.alone(), ALONE),
    }  # fmt: skip
    return {key: evaluate(ranker(), cases, (10,), mask_seen=True).per_case[NDCG] for key, ranker in ways.items()}


def mean(found: list[Found], key: str) -> float:
    return float(np.mean([one[key].mean() for one in found]))


def claims_of(name: str, found: dict[str, list[Found]], cases: Cases, *others: str) -> list[Claim]:
    """Means over seeds with intervals over cases, and paired differences from each of `others`."""
    claims = []
    for key, ending in ((OURS, ""), (ALONE, ".alone")):
        over = {way: np.mean([one[key] for one in some], axis=0) for way, some in found.items()}
        for way, values in over.items():
            pairs = [(f"{way}{ending}", mean_interval(values, cases.users))]
            for other in others:
                short = f"{way}.over_{other.partition('.')[0]}{ending}"
                pairs += [(short, difference_interval(values, over[other], cases.users))] * (other != way)
            told: dict[str, Any] = {"n": len(values), "note": f"mean of {len(found[way])} seeds"}
            claims += [
                claim(f"{name}.{title}", one.mean, "NDCG@10", ">=", None, low=one.low, high=one.high, **told)
                for title, one in pairs
            ]
    return claims


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=("pseudo", "active"), required=True, help="what is measured")
    parser.add_argument("--pool", type=int, default=256, help="viewers in all who can be learnt from")
    parser.add_argument("--viewers", type=int, default=64, help="viewers known whole (pseudo)")
    parser.add_argument("--start", type=int, default=32, help="viewers at the start and in every round (active)")
    parser.add_argument("--known", type=int, default=5, help="first films of a viewer that are known without a label")
    parser.add_argument("--seeds", type=int, default=2, help="draws of viewers")
    parser.add_argument("--cases", type=int, default=600, help="test cases at most")
    parser.add_argument("--work", type=Path, help="folder that keeps data and bundles")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the result file")
    return parser.parse_args()


if __name__ == "__main__":
    main()
