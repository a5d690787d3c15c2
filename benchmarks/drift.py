"""Interest that moves: how soon genrec follows, what the detector finds, off-policy estimates, slates that cover.

    python benchmarks/drift.py            # some 20 minutes on one core; needs the demo's bundle and data (make demo)
    python benchmarks/drift.py --users 60 # a look in two minutes; intervals are wide

The demo's model and the baselines were trained on the demo's viewers; measured are other viewers of the same films
(`crowd`), whose changes the simulator knows. Settings were chosen on crowds 2, 3, 12, 13, 23, 31, 201 to 213 and 301
to 304; measured are 104, 106 to 108, 110 and 111. Not untouched: the detector's margin was lowered after crowds 101 and
102 had been measured, the exploration's pool and temperature were set after a look at 30 viewers of 104, and rankings
follow more mildly since crowd 109 was measured. The weight of calibrated slates is chosen in each run, on crowd 205.
Nothing is trained but the topics, on the training part of the demo's log.

Claims: drift.events_to_recover (choices of the new interest until NDCG@10 is at 90 % of the level before an abrupt
change, the model's own or that on the full history, whichever is higher), drift.sooner_than_full and, likewise, .sasrec
and .ease (share of the choices saved; a system that does not recover within 12 choices counts as 13),
drift.stable_cost, drift.detect_recall (changes followed by 30 choices or more), drift.false_alarms_per_10k,
drift.off_policy_covered (least of IPS, SNIPS, DR; of 100 runs); drift.coverage_gain (interests covered in proportion,
Σ min(wanted, slate's)), .coverage_ndcg_cost, .coverage_touched_gain (interests with an item or more) and
.miscalibration_cut; drift.early_gain (NDCG@10 of choices that follow one to five of the new interest, over the full
history's); drift.new_items.ndcg10 (after the first choice of a film that came after training, by viewers who turn to
such films; of the other systems, too) and .refreshed (by its child, which learnt of others what came since); .told of
a claim: of the same ranking told where the change was, which no detector can beat.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks._drift_detection import measure  # noqa: E402
from benchmarks._drift_new_items import refreshed, trained, turned  # noqa: E402
from benchmarks._drift_plots import draw  # noqa: E402
from benchmarks._drift_policies import Pools, covered_runs, true_interest  # noqa: E402
from benchmarks._drift_recovery import (  # noqa: E402
    AFTER,
    BEFORE,
    Curve,
    Float64,
    cost,
    early_gain,
    of_fusion,
    of_scorer,
    of_told,
    recovery_interval,
    sooner_interval,
)
from benchmarks._drift_slates import slates  # noqa: E402
from benchmarks._drift_worlds import Around, Viewers  # noqa: E402
from genrec.adapting import AdaptiveFusion  # noqa: E402
from genrec.benchmarking import RESULTS, Claim, claim, write_results  # noqa: E402
from genrec.evaluation.baselines import ease  # noqa: E402
from genrec.evaluation.bootstrap import mean_interval  # noqa: E402
from genrec.exploring import Exploration  # noqa: E402
from genrec.interactions import Histories  # noqa: E402
from genrec.interest.adapting import Adapter, AdaptPolicy  # noqa: E402
from genrec.interest.filtering import Filter  # noqa: E402
from genrec.interest.topics import Topics, item_vectors  # noqa: E402
from genrec.preparing import load  # noqa: E402
from genrec.priors import Mix, Sequential  # noqa: E402
from genrec.priors.mix import MixScorer  # noqa: E402
from genrec.recommender import Recommender  # noqa: E402
from genrec.tuning.settings import SplitSettings  # noqa: E402
from genrec.tuning.splits import split_of  # noqa: E402
from genrec.world.taste import TasteSpace  # noqa: E402

OURS, FULL, SASREC, EASE = "genrec, adapting", "genrec, full history", "SASRec", "EASE"
TOLD = "genrec, told the change"
POOL, SHOWINGS, RUNS = 60, 2000, 100
NEW_ITEMS = {
    OURS: "ndcg10", FULL: "ndcg10.full", SASREC: "ndcg10.sasrec", EASE: "ndcg10.ease",
    f"{OURS}, refreshed": "refreshed", f"{FULL}, refreshed": "refreshed.full",
}  # fmt: skip
"""System → the name of its claim."""


@dataclass(frozen=True)
class Setting:
    """What everything is measured with."""

    recommender: Recommender
    topics: Topics
    train: Histories
    ease: ease.Ease
    users: int

    @property
    def adaptive(self) -> AdaptiveFusion:
        return AdaptiveFusion(self.recommender.fusion, Adapter.of(self.topics, AdaptPolicy(on=True)))

    def viewers(self, kind: str, crowd: int, share: float, *, long: bool = True) -> Viewers:
        ids = self.recommender.catalog.item_ids
        return Viewers.of(kind, crowd, max(10, int(share * self.users)), list(ids), long=long)

    def systems(self) -> dict[str, Callable[[Around], Float64]]:
        fusion = self.recommender.fusion
        sequence = next(prior for prior in fusion.mix.priors if isinstance(prior, Sequential))
        sasrec = MixScorer(Mix((sequence,), {sequence.name: 1.0}), len(sequence.known), SASREC)
        return {
            OURS: lambda cases: of_fusion(self.adaptive, cases),
            FULL: lambda cases: of_fusion(fusion, cases),
            TOLD: lambda cases: of_told(fusion, self.adaptive.adapter.policy, cases),
            SASREC: lambda cases: of_scorer(sasrec, cases),
            EASE: lambda cases: of_scorer(self.ease, cases),
        }


def main() -> None:
    arguments = _arguments()
    claims: list[Claim] = []
    config: dict[str, Any] = _config() if arguments.only else {}
    for name in arguments.only or [*PARTS, NEW]:
        print(f"part: {name}", flush=True)
        found, measured = _part(name, arguments)
        config[name] = measured | {"users": arguments.users}
        claims += found
        write_results("drift", config, claims, keep=bool(arguments.only))
    print(*draw(config, ROOT / "docs" / "images"), sep="\n")


def _part(name: str, arguments: argparse.Namespace) -> tuple[list[Claim], dict[str, Any]]:
    if name == NEW:
        return new_items(arguments)
    return PARTS[name](opened(arguments.bundle, arguments.data, arguments.users))


@lru_cache(maxsize=1)
def opened(bundle: Path, data: Path, users: int) -> Setting:
    return setting_of(Recommender.open(bundle), data, users)


def setting_of(recommender: Recommender, data: Path, users: int) -> Setting:
    log, manifest = load(data), recommender.bundle.manifest
    split = split_of(
        SplitSettings.model_validate(manifest.split_settings), log.interactions, recommender.catalog.item_ids
    )
    train = split.train.histories(split.item_ids)
    topics = Topics.fit(train.items, item_vectors(recommender.bundle.index))
    return Setting(recommender, topics, train, ease.tune(train, split.valid, len(split.item_ids)).model, users)


def detection(setting: Setting) -> tuple[list[Claim], dict[str, Any]]:
    """The threshold from half of the stable viewers, measured on the other half; beside it the one that needs none."""
    stable = setting.viewers("stable", 106, max(16.0, 1500 / setting.users), long=False)
    changed = setting.viewers("abrupt", 107, 2.0)
    simulated, own = measure(Filter(setting.topics), setting.train, stable, changed)
    said = (
        f"alarms on {simulated.stationary:,} choices of stable viewers; the threshold without a simulator, from the "
        f"training log shuffled: {own.per_10k:.2f}, recall {own.recall:.3f}"
    )
    long = simulated.delays[simulated.after >= 30]
    low, high = _share_interval(np.isfinite(long))
    per = 1e4 / simulated.stationary
    noise = 1.96 * np.sqrt(simulated.alarms)
    claims = [
        claim("drift.detect_recall", simulated.recall, "share", ">=", 0.9, n=len(long), low=low, high=high,
              note=f"median delay {np.median(simulated.delays[np.isfinite(simulated.delays)]):.0f} choices; of all "
                   f"changes, however few choices follow: {np.isfinite(simulated.delays).mean():.3f}"),
        claim("drift.false_alarms_per_10k", simulated.per_10k, "alarms", "<=", 1.0, n=simulated.stationary,
              low=max(0.0, (simulated.alarms - noise) * per), high=(simulated.alarms + noise) * per, note=said),
    ]  # fmt: skip
    return claims, {"stable viewers": simulated.as_json(), "training log, shuffled": own.as_json()}


def recovery(setting: Setting) -> tuple[list[Claim], dict[str, Any]]:
    values: dict[str, dict[str, Float64]] = {}
    cases: dict[str, Around] = {}
    for kind, share in (("abrupt", 1.0), ("gradual", 0.15), ("recurring", 0.15), ("stable", 1.2)):
        viewers = setting.viewers(kind, 111, share)
        cases[kind] = (
            Around.shares(viewers, (0.3, 0.5, 0.7, 0.9)) if kind == "stable"
            else Around.changes(viewers, [*BEFORE, *AFTER])
        )  # fmt: skip
        systems = setting.systems()
        wanted = [OURS, FULL] if kind == "stable" else [name for name in systems if name != TOLD or kind == "abrupt"]
        values[kind] = {name: systems[name](cases[kind]) for name in wanted}
        print(kind, len(cases[kind]), {name: round(float(one.mean()), 4) for name, one in values[kind].items()})
    curves = {
        kind: {name: Curve.of(one, cases[kind].after) for name, one in found.items()}
        for kind, found in values.items() if kind != "stable"
    }  # fmt: skip
    config = {
        kind: {
            name: {"before": one.before, "at": one.at, "smooth": one.smooth, "recovered": _finite(one.recovered())}
            for name, one in found.items()
        }
        for kind, found in curves.items()
    }
    lost = cost(values["stable"][OURS], values["stable"][FULL], cases["stable"].names())
    config["stable"] = {name: {"ndcg": float(one.mean())} for name, one in values["stable"].items()}
    return _recovery_claims(curves["abrupt"], values["abrupt"], cases["abrupt"], lost.mean, (lost.low, lost.high),
                            len(cases["stable"])), config  # fmt: skip


def _recovery_claims(
    curves: dict[str, Curve], values: dict[str, Float64], cases: Around, lost: float, bounds: tuple[float, float],
    stable: int,
) -> list[Claim]:  # fmt: skip
    level, n = curves[FULL].before, len(set(cases.users.tolist()))
    ours = _finite(curves[OURS].recovered(level))
    low, high = recovery_interval(values[OURS], values[FULL], cases)
    found = [claim("drift.events_to_recover", ours, "choices", "<=", 5, n=n, low=low, high=high,
                   note="interpolated on a curve made rising; the interval by drawing viewers")]  # fmt: skip
    for ending, name in (("", FULL), (".sasrec", SASREC), (".ease", EASE)):
        theirs = _finite(curves[name].recovered())
        low, high = sooner_interval(values[OURS], values[name], values[FULL], cases)
        found.append(
            claim(f"drift.sooner_than_full{ending}", 1 - ours / theirs, "share", ">=", 0.3, n=n, low=low, high=high,
                  note=f"{name}: back at 90 % of its own level after {theirs:.1f} choices (13: not within 12)")
        )  # fmt: skip
    told = _finite(curves[TOLD].recovered(level))
    low, high = sooner_interval(values[TOLD], values[FULL], values[FULL], cases)
    found += [
        claim("drift.sooner_than_full.told", 1 - told / _finite(curves[FULL].recovered()), "share", ">=", None, n=n,
              low=low, high=high, note=f"back after {told:.1f} choices"),
        *(early_gain(f"drift.early_gain{ending}", values[name], values[FULL], cases)
          for ending, name in (("", OURS), (".told", TOLD))),
        claim("drift.stable_cost", lost, "share", "<=", 0.02, n=stable, low=bounds[0], high=bounds[1],
              note="NDCG@10 lost by viewers whose interest does not move"),
    ]  # fmt: skip
    return found


def off_policy(setting: Setting) -> tuple[list[Claim], dict[str, Any]]:
    """Logged: the full history's ranking, exploring; in question: the adapting one. The truth: the simulator's fit."""
    viewers = setting.viewers("abrupt", 104, 0.5)
    cases = Around.changes(viewers, (1, 2, 3))
    space = TasteSpace.of(viewers.world.catalog)
    pools = _pools(setting, cases, Exploration().pool)
    fit = np.einsum("ckt,ct->ck", space.affinity[pools.items], true_interest(cases, space))
    covered = covered_runs(pools, np.clip(0.02 + 0.6 * fit, 0, 1), RUNS, SHOWINGS)
    worst = min(covered.values())
    note = ", ".join(f"{name} {count}" for name, count in covered.items()) + f"; {SHOWINGS:,} showings a run"
    return [claim("drift.off_policy_covered", worst, "runs of 100", ">=", 90, n=RUNS, note=note)], {
        "covered": covered, "contexts": len(cases), "showings": SHOWINGS,
    }  # fmt: skip


def _pools(setting: Setting, cases: Around, most: int) -> Pools:
    """The full history's best items with its scores and the adapting ranking's; −inf where that lacks one."""
    fusion, allowed = setting.recommender.fusion, cases.allowed(len(setting.recommender.fusion.asking.index))
    whole = fusion.rank(cases.histories, POOL, allowed=allowed)
    other = setting.adaptive.rank(cases.histories, POOL, allowed=allowed)
    items, scores = np.stack([one.items[:most] for one in whole]), np.stack([one.scores[:most] for one in whole])
    others = np.full(scores.shape, -1e9)
    for row, one in enumerate(other):
        place = {item: at for at, item in enumerate(one.items.tolist())}
        for column, item in enumerate(items[row].tolist()):
            if item in place:
                others[row, column] = one.scores[place[item]]
    return Pools(items, scores, others)


def covering(setting: Setting) -> tuple[list[Claim], dict[str, Any]]:
    choosing, measured = (setting.viewers("stable", crowd, share) for crowd, share in ((205, 0.5), (108, 1.6)))
    return slates(setting.recommender, setting.topics, choosing, measured)


def new_items(arguments: argparse.Namespace) -> tuple[list[Claim], dict[str, Any]]:
    """Films that came after training, by the bundle as it is and refreshed by what others chose since."""
    recommender, data = trained(arguments.new_items, arguments.data)
    setting = setting_of(recommender, data, arguments.users)
    later = np.arange(len(recommender.catalog)) >= len(recommender.bundle.index)
    cases = Around.changes(turned(setting.viewers("abrupt", 110, 1.0), later), [*BEFORE, *AFTER[:6]])
    values = {name: system(cases) for name, system in setting.systems().items() if name != TOLD}
    child = replace(setting, recommender=refreshed(arguments.new_items, arguments.data))
    values |= {f"{name}, refreshed": child.systems()[name](cases) for name in (OURS, FULL)}
    after = cases.after >= 1
    names = [user for user, there in zip(cases.names(), after, strict=True) if there]
    curves, claims = {name: Curve.of(one, cases.after) for name, one in values.items()}, []
    for name, ending in NEW_ITEMS.items():
        found = mean_interval(values[name][after], names)
        note = f"{name}; before the change {curves[name].before:.4f}"
        claims.append(claim(f"drift.new_items.{ending}", found.mean, "NDCG@10", ">=", None, n=len(names),
                            low=found.low, high=found.high, note=note))  # fmt: skip
    return claims, {"new": int(later.sum())} | {
        name: {"before": one.before, "at": one.at, "smooth": one.smooth} for name, one in curves.items()
    }


PARTS = {"detection": detection, "recovery": recovery, "off_policy": off_policy, "slates": covering}
NEW = "new_items"


def _share_interval(values: np.ndarray[Any, Any]) -> tuple[float, float]:
    found = mean_interval(values.astype(np.float64))
    return found.low, found.high


def _finite(choices: float) -> float:
    return min(choices, max(AFTER) + 1.0)


def _config() -> dict[str, Any]:
    """Of the runs before."""
    path = RESULTS / "drift.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))["config"]) if path.exists() else {}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, default=Path("demo/bundle"))
    parser.add_argument("--data", type=Path, default=Path("demo/data"))
    parser.add_argument("--new-items", type=Path, default=Path("demo/bundle-new"), help="trained where it is missing")
    parser.add_argument("--only", nargs="+", choices=[*PARTS, NEW],
                        help="these parts anew; the others' figures stay")  # fmt: skip
    parser.add_argument("--users", type=int, default=600, help="viewers with an abrupt change; the rest in proportion")
    return parser.parse_args()


if __name__ == "__main__":
    main()
