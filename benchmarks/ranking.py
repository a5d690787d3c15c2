"""Ranking quality: data sets × variants of the model × seeds, one table, every run kept and never repeated.

    python benchmarks/ranking.py --data film --variants all --part valid      # the ablation table
    python benchmarks/ranking.py --data amazon-beauty-leave_last_out --seeds 0 1 2
    python benchmarks/ranking.py --plots                                      # docs/images/ranking-*.png

Full ranking, both masking variants, strata (cold, tail, head), cost. Baselines are tuned on validation, prior weights
are chosen there; a variant is looked at on validation (`--part valid`), the default on the test, last. Figures of one
data set are means over seeds with their standard deviation; differences are paired by case, each case the mean over
seeds, with a bootstrap over users. Claims: ranking.{data}.{r10,n10}[.system], ranking.{data}.{r10,n10}_over_sasrec
(ratios), ranking.{data}.over_{system}_low (NDCG@10),
ranking.{data}.cold_r10[.system] (variant `items new`).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks._ranking_runs import FILM, KEPT, LARGE, PRODUCTS, ROOT, SYSTEMS, Data, Done, Places, Run, finished
from genrec.benchmarking import RESULTS, Claim, claim, write_results
from genrec.comparing import ALONE, FUSED, PRIORS
from genrec.evaluation.bootstrap import difference_interval

SHORT = {"recall@10": "r10", "ndcg@10": "n10"}
CLAIMED = {"SASRec": "sasrec", PRIORS: "priors", ALONE: "generative"}
"""Other system → its name in the claim of a difference."""

DATA = (
    Data(FILM, "global_time", "film"),
    Data("ml-100k", "global_time", "ml100k"),
    Data("movietweetings", "global_time", "movietweetings"),
    Data("amazon-beauty", "leave_last_out", "beauty", PRODUCTS),
    Data("amazon-sports", "leave_last_out", "sports", PRODUCTS),
    Data("amazon-games", "leave_last_out", "games", LARGE),
    Data("yelp", "leave_last_out", "yelp", LARGE),
    Data("ml-100k", "leave_last_out", "ml100k.leave_last_out"),
    Data("movietweetings", "leave_last_out", "movietweetings.leave_last_out"),
)
TARGETS = {
    "ranking.beauty.r10": 0.110, "ranking.beauty.n10": 0.066,
    "ranking.beauty.r10.sasrec": 0.092, "ranking.beauty.n10.sasrec": 0.055,
    "ranking.sports.r10_over_sasrec": 1.15, "ranking.sports.n10_over_sasrec": 1.15,
    "ranking.beauty.cold_r10": 0.08,
}  # fmt: skip
COLD = "items new"
VARIANTS: dict[str, tuple[str, ...]] = {
    "default": (),
    "no teacher": ("sequence.taught=0",),
    "teacher alone": ("sequence.taught=1",),
    "three levels": ("items.codes.levels=3",),
    "three levels, no teacher": ("items.codes.levels=3", "sequence.taught=0"),
    "plain semantic IDs": ("items.codes.levels=3", "sequence.taught=0", "items.collaborative=0",
                           "mixture.item_to_id=0", "mixture.id_to_item=0", "mixture.explain=0"),
    "rows apart": ("scratch.shared=0",),
    "codes from text alone": ("items.collaborative=0",),
    "IDs only": ("mixture.item_to_id=0", "mixture.id_to_item=0", "mixture.explain=0"),
    "no dropout": ("scratch.dropout=0",),
    "histories thinned": ("mixture.dropped=0.2",),
    "window of 10": ("window=10",),
    "twice the width": ("scratch.hidden=256", "scratch.feed_forward=768"),
    COLD: ("split.cold=0.05",),
    "one layer": ("scratch.layers=1",),
    "Muon": ("optimiser.matrices=muon",),
}  # fmt: skip


def main() -> None:
    arguments = _arguments()
    if arguments.plots:
        _plotted(arguments.name)
        return
    places = Places(arguments.runs, arguments.source)
    chosen = list(VARIANTS) if arguments.variants == ["all"] else arguments.variants
    config, claims = _before(arguments.name)
    for data in (one for one in DATA if one.label in arguments.data or one.name in arguments.data):
        table: dict[str, Any] = {}
        for variant in chosen:
            overrides = (*VARIANTS[variant], *arguments.overrides)
            runs = [Run(data, variant, overrides, seed) for seed in arguments.seeds]
            done = [finished(run, places, arguments.part, arguments.most) for run in runs]
            table[variant] = summary(done)
            if variant == "default" and arguments.part == "test":
                claims |= {one.id: one for one in _claims(data, done)}
            if variant == COLD and arguments.part == "test":
                claims |= {one.id: one for one in _cold_claims(data, summary(done))}
        config.setdefault(arguments.part, {}).setdefault(data.label, {}).update(table)
        Console(width=140).print(_shown(data, table))
        write_results(arguments.name, config, list(claims.values()))


def summary(done: Sequence[Done]) -> dict[str, Any]:
    """Of one variant over its seeds: mean and standard deviation of every system, paired differences, cost, strata."""
    systems = {name: _spread(done, name) for name in dict.fromkeys(key.rpartition("|")[0] for key in done[0].cases)}
    figures = [one.figures for one in done]
    return {
        "seeds": [one["seed"] for one in figures],
        "overrides": figures[0]["overrides"],
        "cases": len(next(iter(done[0].cases.values()))),
        "systems": systems,
        "differences": {ours: dict(_differences(done, ours)) for ours in (FUSED, ALONE)},
        "parameters": figures[0]["parameters"],
        "train_seconds": [one["train_seconds"] for one in figures],
        "ms_per_case": figures[0]["ms_per_case"],
        "prior_weights": [one["prior_weights"] for one in figures],
        "strata_cases": figures[0]["strata_cases"],
        "strata": _mean_of([one["strata"] for one in figures]),
    }


def _spread(done: Sequence[Done], system: str) -> dict[str, dict[str, float]]:
    """metric → mean and standard deviation over seeds (0 for a single one)."""
    found = {metric: np.array([one.cases[f"{system}|{metric}"].mean() for one in done]) for metric in KEPT}
    deviation = {metric: float(values.std(ddof=1)) if len(values) > 1 else 0.0 for metric, values in found.items()}
    return {metric: {"mean": float(values.mean()), "sd": deviation[metric]} for metric, values in found.items()}


def _differences(done: Sequence[Done], ours: str) -> Iterator[tuple[str, dict[str, dict[str, float]]]]:
    for key in done[0].cases:
        other, masking, metric = key.split("|")
        if masking == "masked" and metric == KEPT[0] and other != ours:
            yield other, {name: _difference(done, ours, other, name) for name in KEPT}


def _difference(done: Sequence[Done], ours: str, other: str, metric: str) -> dict[str, float]:
    mine, theirs = (np.mean([one.cases[f"{name}|masked|{metric}"] for one in done], axis=0) for name in (ours, other))
    found = difference_interval(mine, theirs)
    return {"mean": found.mean, "low": found.low, "high": found.high}


def _mean_of(parts: Sequence[dict[str, dict[str, float]]]) -> dict[str, dict[str, float]]:
    return {
        name: {metric: float(np.mean([one[name][metric] for one in parts])) for metric in KEPT} for name in parts[0]
    }


def _claims(data: Data, done: Sequence[Done]) -> Iterator[Claim]:
    found, name, n = summary(done), f"ranking.{data.short}", len(next(iter(done[0].cases.values())))
    for metric, short in SHORT.items():
        for suffix, system in SYSTEMS.items():
            one = found["systems"].get(f"{system}|masked")
            if one is not None:
                yield _figure(f"{name}.{short}{suffix}", one[metric], n, len(done), system)
        ratio = _ratio(found["systems"], metric)
        if ratio is not None:
            yield _claimed(f"{name}.{short}_over_sasrec", ratio, "ratio", n, note=f"{FUSED} over SASRec, seen masked")
    for other, gain in found["differences"][FUSED].items():
        one = gain["ndcg@10"]
        yield claim(
            f"{name}.over_{CLAIMED.get(other, other.replace(' ', '_'))}_low", one["low"], "NDCG@10", ">=", 0.0,
            n=n, low=one["low"], high=one["high"],
            note=f"{FUSED} minus {other}, paired, low bound; mean {one['mean']:+.4f}; {len(done)} seed(s)",
        )  # fmt: skip


def _cold_claims(data: Data, found: dict[str, Any]) -> Iterator[Claim]:
    """Recall among targets that training did not hold, a twentieth of the items being held back."""
    for suffix, system in SYSTEMS.items():
        yield _claimed(
            f"ranking.{data.short}.cold_r10{suffix}", found["strata"][f"{system}|cold"]["recall@10"], "share",
            found["strata_cases"]["cold"], note=f"{system}, full ranking, seen masked, {len(found['seeds'])} seed(s)",
        )  # fmt: skip


def _figure(name: str, one: dict[str, float], n: int, seeds: int, system: str) -> Claim:
    low, high = one["mean"] - one["sd"], one["mean"] + one["sd"]
    note = f"{system}, seen masked, mean of {seeds} seed(s); the bounds are one standard deviation over seeds"
    return _claimed(name, one["mean"], "share", n, low=low, high=high, note=note)


def _claimed(name: str, value: float, unit: str, n: int, **more: Any) -> Claim:
    return claim(name, value, unit, ">=", TARGETS.get(name), n=n, **more)


def _ratio(systems: dict[str, Any], metric: str) -> float | None:
    ours, theirs = (systems.get(f"{name}|masked", {}).get(metric, {}).get("mean") for name in (FUSED, "SASRec"))
    return ours / theirs if ours and theirs else None


def _shown(data: Data, table: dict[str, Any]) -> Table:
    out = Table(title=f"{data.label}: NDCG@10 / recall@10, seen masked")
    for column in ("variant", "seeds", "alone", "with priors", "SASRec", "priors alone", "parameters", "seconds"):
        out.add_column(column)
    for variant, one in table.items():
        cells = [_cell(one["systems"].get(f"{name}|masked")) for name in (ALONE, FUSED, "SASRec", PRIORS)]
        seconds = f"{np.mean(one['train_seconds']):.0f}"
        out.add_row(variant, str(len(one["seeds"])), *cells, f"{one['parameters']:,}", seconds)
    return out


def _cell(one: dict[str, dict[str, float]] | None) -> str:
    if one is None:
        return "–"
    return " / ".join(f"{one[metric]['mean']:.4f} ± {one[metric]['sd']:.4f}" for metric in ("ndcg@10", "recall@10"))


def _plotted(name: str) -> None:
    """docs/images/ranking-*.png from the result file."""
    from benchmarks._ranking_plots import ablation, systems

    config, _ = _before(name)
    systems(config.get("test", {}), ROOT / "docs" / "images" / "ranking-systems.png")
    for data, table in config.get("valid", {}).items():
        ablation(data, table, ROOT / "docs" / "images" / f"ranking-ablation-{data}.png")


def _before(name: str) -> tuple[dict[str, Any], dict[str, Claim]]:
    """What earlier calls measured of other data and variants."""
    path = RESULTS / f"{name}.json"
    if not path.is_file():
        return {}, {}
    held = json.loads(path.read_text(encoding="utf-8"))
    return held["config"], {one["id"]: Claim.model_validate(one) for one in held["claims"]}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    labels = [name for one in DATA for name in (one.name, one.label)]
    parser.add_argument("--data", nargs="+", choices=labels, default=[one.label for one in DATA], metavar="DATA",
                        help=", ".join(one.label for one in DATA))  # fmt: skip
    parser.add_argument("--variants", nargs="+", choices=[*VARIANTS, "all"], default=["default"], metavar="VARIANT")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--part", choices=["test", "valid"], default="test", help="cases to look at")
    parser.add_argument("--most", type=int, help="cases at most, drawn with a seed")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "ranking", help="bundles and figures of every run")
    parser.add_argument("--source", type=Path, default=ROOT.parent / "shared" / "data", help="folder of the data sets")
    parser.add_argument("--name", default="ranking", help="the result file's name")
    parser.add_argument("--plots", action="store_true", help="draw what the result file holds, and end")
    parser.add_argument("overrides", nargs="*", help="settings of training for every variant, as section.key=value")
    return parser.parse_args()


if __name__ == "__main__":
    main()
