"""The figures of docs/drift.md, drawn from benchmarks/results/drift.json. Measures nothing.

python -m benchmarks._drift_plots
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

NEW = "new_items"
ROOT = Path(__file__).resolve().parents[1]


def draw(config: dict[str, Any], folder: Path) -> list[Path]:
    """config: as the result file has it. Raises ImportError without matplotlib."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.hashsalt": "genrec", "axes.spines.top": False, "axes.spines.right": False})
    folder.mkdir(parents=True, exist_ok=True)
    kinds = config["recovery"] | {name: one for name, one in config.items() if name == NEW}
    return [_recovery(kinds, folder), _delays(config["detection"], folder), _trades(config, folder)]


def _recovery(kinds: dict[str, Any], folder: Path) -> Path:
    from matplotlib import pyplot

    shown = [kind for kind in ("abrupt", "gradual", "recurring", NEW) if kind in kinds]
    figure, axes = pyplot.subplots(1, len(shown), figsize=(4 * len(shown), 3.6), sharey=True, squeeze=False)
    colours: dict[str, int] = {}
    for axis, kind in zip(axes[0], shown, strict=True):
        for system, one in ((name, one) for name, one in kinds[kind].items() if isinstance(one, dict)):
            places = [-1, *map(int, one["at"])]
            values, colour = [one["before"], *one["at"].values()], f"C{colours.setdefault(system, len(colours))}"
            axis.plot(places, values, marker=".", color=colour, label=system)
        axis.axvline(-0.5, color="grey", linewidth=0.8)
        axis.set_title("to new items" if kind == NEW else f"{kind} change")
        axis.set_xlabel("choices of the new interest seen (−1: before)")
    axes[0][0].set_ylabel("NDCG@10")
    axes[0][0].set_ylim(bottom=0)
    told = [axis.get_legend_handles_labels() for axis in axes[0]]
    lines = {label: line for handles, labels in told for line, label in zip(handles, labels, strict=True)}
    figure.legend(lines.values(), lines, loc="upper center", ncols=len(colours), frameon=False, fontsize=8)
    return _saved(figure, folder / "drift_recovery.svg", 0.94)


def _delays(found: dict[str, Any], folder: Path) -> Path:
    from matplotlib import pyplot

    figure, axis = pyplot.subplots(figsize=(4.5, 3.2))
    for name, one in found.items():
        if not isinstance(one, dict):
            continue
        within = one["noticed_within"]
        label = f"{name}: {1e4 * one['alarms'] / one['stationary']:.2f} false alarms per 10,000"
        axis.plot(list(map(int, within)), list(within.values()), marker=".", label=label)
    axis.set_xlabel("choices since the change")
    axis.set_ylabel("changes noticed")
    axis.legend(frameon=False, fontsize=7)
    return _saved(figure, folder / "drift_delay.svg")


def _trades(config: dict[str, Any], folder: Path) -> Path:
    from matplotlib import pyplot

    figure, axis = pyplot.subplots(figsize=(4.5, 3.2))
    for name, curve in config["slates"]["curves"].items():
        axis.plot([one["ndcg_cost"] for one in curve], [one["covered"] for one in curve], marker=".", label=name)
    axis.set_xlabel("share of NDCG@10 lost")
    axis.set_ylabel("interests covered in proportion")
    axis.legend(frameon=False, fontsize=8)
    return _saved(figure, folder / "drift_slates.svg")


def _saved(figure: Any, path: Path, top: float = 1.0) -> Path:
    figure.tight_layout(rect=(0, 0, 1, top))
    figure.savefig(path, metadata={"Date": None})
    return path


if __name__ == "__main__":
    results = json.loads((ROOT / "benchmarks" / "results" / "drift.json").read_text(encoding="utf-8"))
    print(*draw(results["config"], ROOT / "docs" / "images"), sep="\n")
