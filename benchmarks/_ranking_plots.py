"""Pictures of benchmarks/results/ranking.json: systems by data set, and what each switch of the model changes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib

from genrec.comparing import ALONE, FUSED, PRIORS

matplotlib.use("agg")
import matplotlib.pyplot as plt

METRIC = "ndcg@10"
SYSTEMS = {
    "recent popularity": "#c9c9c9", "item-kNN": "#a8b5c2", "EASE": "#7f93a8", "SASRec": "#4f6d8a",
    PRIORS: "#d9a441", ALONE: "#7fb069", FUSED: "#3f7d3a",
}  # fmt: skip
Table = Mapping[str, Mapping[str, Any]]


def systems(tables: Mapping[str, Table], path: Path) -> None:
    """Test NDCG@10 of every system on every data set, seen masked; whiskers: standard deviation over seeds."""
    figure, axes = plt.subplots(1, len(tables), figsize=(3.4 * len(tables), 3.6), squeeze=False)
    for axis, (data, table) in zip(axes[0], tables.items(), strict=True):
        one = table["default"]
        names = [name for name in SYSTEMS if f"{name}|masked" in one["systems"]]
        found = [one["systems"][f"{name}|masked"][METRIC] for name in names]
        axis.barh(names, [each["mean"] for each in found], xerr=[each["sd"] for each in found],
                  color=[SYSTEMS[name] for name in names])  # fmt: skip
        axis.invert_yaxis()
        axis.set_title(f"{data}\n{one['cases']:,} cases, {len(one['seeds'])} seed(s)", fontsize=9)
        axis.set_xlabel("NDCG@10")
        axis.tick_params(labelsize=8)
    _saved(figure, path)


def ablation(data: str, table: Table, path: Path) -> None:
    """Validation NDCG@10 of every variant, alone and with priors, beside the default's (dashed)."""
    names = sorted(table, key=lambda name: (name != "default", -_mean(table[name], FUSED)))
    figure, axis = plt.subplots(figsize=(7, 0.5 * len(names) + 1.4))
    places = range(len(names))
    for shift, system in ((-0.2, FUSED), (0.2, ALONE)):
        found = [table[name]["systems"][f"{system}|masked"][METRIC] for name in names]
        axis.barh([place + shift for place in places], [one["mean"] for one in found], height=0.38,
                  xerr=[one["sd"] for one in found], color=SYSTEMS[system], label=system)  # fmt: skip
        axis.axvline(_mean(table["default"], system), color=SYSTEMS[system], linestyle="--", linewidth=0.8)
    axis.set_yticks(list(places), names, fontsize=8)
    axis.invert_yaxis()
    axis.set_xlabel("validation NDCG@10, seen masked")
    axis.set_title(data, fontsize=10)
    axis.legend(fontsize=8, loc="lower left")
    _saved(figure, path)


def _mean(one: Mapping[str, Any], system: str) -> float:
    return float(one["systems"][f"{system}|masked"][METRIC]["mean"])


def _saved(figure: Any, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.tight_layout()
    figure.savefig(path, dpi=130)
    plt.close(figure)
