"""How much there must be to learn from: the film world with 16, 64 and 256 viewers, tested on others.

    python benchmarks/few_data.py                     # some ten minutes of one core
    python benchmarks/few_data.py --work folder       # keeps data and bundles there, and goes on from those

One world; what so many viewers watched before the test begins is all that training sees (validation included). The
cases are those of 600 other viewers: their history up to the test, and what they watched next. So every point of the
curve is measured on the same cases. The settings are the demo's, whatever the number of viewers. Claims:
few_data.<viewers>.<system> (test NDCG@10, seen masked, 95 % bootstrap interval), few_data.<viewers>.over_<other>
(genrec minus the other, paired). None has a target: they orient.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import polars as pl
import torch

from genrec.benchmarking import RESULTS, Claim, claim, write_results
from genrec.cli.shared import quiet_models
from genrec.comparing import own_sasrec, priors_alone
from genrec.evaluation.baselines import Popularity
from genrec.evaluation.generative import GenerativeRanker
from genrec.evaluation.protocol import Result, evaluate
from genrec.evaluation.ranker import Ranker, ScoreRanker
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

NDCG, OURS = "ndcg@10", "genrec"
OTHERS = 600
ONLY = ("reasons_in=[]", "follow=false", "mixture.explain=50", "sequence.max_seconds=120")


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(1)
    quiet_models()
    with tempfile.TemporaryDirectory(prefix="genrec-few-") as scrap:
        place = arguments.work or Path(scrap)
        place.mkdir(parents=True, exist_ok=True)
        cases = worlds(place, arguments.viewers, arguments.cases)
        for viewers in arguments.viewers:
            trained(place, viewers)
            found = {one.name: one for one in measured(place, viewers, cases)}
            rows = {name: one.mean(NDCG) for name, one in found.items()}
            config = {"others": OTHERS, "settings": ONLY, "viewers": viewers, "rows": rows}
            write_results("few_data", config, claims_of(viewers, found), arguments.out, keep=True)


def worlds(place: Path, viewers: list[int], most: int) -> Cases:
    """Prepared data of the first so many viewers; test cases of the others."""
    catalog = load_films()
    whole = simulate(catalog, WorldConfig(users=OTHERS + max(viewers))).interactions
    users = whole.table["user_id"].unique().sort().sample(fraction=1.0, shuffle=True, seed=0)
    split = split_of(SplitSettings(), whole, catalog.item_ids)
    begun = int(split.test.times.min())
    for few in viewers:
        mine = pl.col("user_id").is_in(users[:few].implode()) & (pl.col("timestamp") < begun)
        if not (place / f"data-{few}").exists():
            table = whole.table.filter(mine)
            save(dataset(Interactions(table), catalog.table, Tally("simulated viewers")), place / f"data-{few}")
    others = set(users[max(viewers) :].to_list())
    rows = [row for row, user in enumerate(split.test.users) if user in others]
    return sample(split.test.take(pl.Series(rows, dtype=pl.Int64).to_numpy()), most, 0)


def trained(place: Path, viewers: int) -> None:
    out = place / f"bundle-{viewers}"
    if out.exists():
        return
    config = ["--config", str(folder("training") / "configs" / "demo.yaml"), "--cache", str(place / "cache")]
    run_training("sft.py", ["--data", str(place / f"data-{viewers}"), "--out", str(out), "--quiet", *config, *ONLY])


def measured(place: Path, viewers: int, cases: Cases) -> list[Result]:
    recommender, data = Recommender.open(place / f"bundle-{viewers}"), load(place / f"data-{viewers}")
    cut = SplitSettings.model_validate(recommender.bundle.manifest.split_settings)
    split = split_of(cut, data.interactions, recommender.catalog.item_ids)
    histories, fusion = split.train.histories(split.item_ids), recommender.fusion
    rankers: list[Ranker] = [
        GenerativeRanker(fusion, OURS),
        GenerativeRanker(fusion.alone(), "alone"),
        ScoreRanker(priors_alone(fusion.mix, split, 0)),
        ScoreRanker(Popularity.fit(histories, len(split.item_ids))),
    ]
    sasrec = own_sasrec(recommender)
    if sasrec is not None:
        rankers.append(ScoreRanker(sasrec))
    return [evaluate(ranker, cases, (10,), mask_seen=True) for ranker in rankers]


def claims_of(viewers: int, found: dict[str, Result]) -> list[Claim]:
    claims = []
    for name, one in found.items():
        short = name.removeprefix("genrec, ").lower().replace(" ", "_")
        interval = one.intervals([NDCG])[NDCG]
        told: dict[str, Any] = {"n": len(one.users), "low": interval.low, "high": interval.high}
        claims.append(claim(f"few_data.{viewers}.{short}", interval.mean, "NDCG@10", ">=", None, **told))
        if name != OURS:
            gain = found[OURS].difference(one, NDCG)
            told = {"n": len(one.users), "low": gain.low, "high": gain.high}
            claims.append(claim(f"few_data.{viewers}.over_{short}", gain.mean, "NDCG@10", ">=", None, **told))
    return claims


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--viewers", type=int, nargs="+", default=[16, 64, 256], help="points of the curve")
    parser.add_argument("--cases", type=int, default=600, help="test cases at most")
    parser.add_argument("--work", type=Path, help="folder that keeps data and bundles")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the result file")
    return parser.parse_args()


if __name__ == "__main__":
    main()
