"""An evaluation as pictures: systems with intervals, time, the training run, the trie, interests over time.

Draws what was measured and measures nothing. Needs matplotlib (`genrec[plots]`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from genrec.comparing import ALONE, FUSED
from genrec.errors import MissingExtra
from genrec.items.trie import Trie

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from genrec.interest.timeline import Timeline

METRIC = "ndcg@10"
OURS, OTHERS = "#5b5bd6", "#a8b0bf"
_COLOURS = ("#5b5bd6", "#c2410c", "#0b7a75", "#b0236f", "#4d7c0f", "#1d63c4")


def plot_all(
    results: Mapping[str, Any] | None, trie: Trie, run: Path, timelines: Mapping[str, Timeline], out: Path
) -> list[Path]:
    """Writes systems, latency, training, trie and interests as SVG into `out`; those without anything to show are left
    out. results: as `results_json` gives them, or None; run: folder of the training run's checkpoints. Raises
    MissingExtra."""
    out.mkdir(parents=True, exist_ok=True)
    seen = [one for one in results["results"] if one["mask_seen"]] if results else []
    pictures = {"systems": systems(seen), "latency": latency(seen)} if seen else {}
    pictures["trie"] = branching(trie)
    if history := log_history(run):
        pictures["training"] = training(history)
    if timelines:
        pictures["interests"] = interests(timelines)
    return [_saved(figure, out / f"{name}.svg") for name, figure in pictures.items()]


def systems(results: Sequence[Mapping[str, Any]]) -> Figure:
    """NDCG@10 of every system with its 95 % interval, seen items masked."""
    figure, axis = _figure(0.42 * len(results) + 1.2)
    found = [one["metrics"][METRIC] for one in results]
    ends = [[one["mean"] - one["low"] for one in found], [one["high"] - one["mean"] for one in found]]
    names = [one["system"] for one in results]
    axis.barh(names, [one["mean"] for one in found], xerr=ends, color=_colours(names), capsize=3)
    return _labelled(figure, axis, f"NDCG@10 of {results[0]['cases']:,} cases, seen masked; 95 % intervals")


def latency(results: Sequence[Mapping[str, Any]]) -> Figure:
    """Milliseconds a case when all are ranked in one go."""
    figure, axis = _figure(0.42 * len(results) + 1.2)
    names = [one["system"] for one in results]
    axis.barh(names, [max(1e-3, 1000 * one["rank_seconds"] / one["cases"]) for one in results], color=_colours(names))
    axis.set_xscale("log")
    return _labelled(figure, axis, "milliseconds a case, many at once")


def branching(trie: Trie) -> Figure:
    """How many ways a semantic ID can go on after each of its codes."""
    figure, axis = _figure(3.2)
    widths = [np.sort(np.diff(starts.astype(np.int64)))[::-1] for starts in trie.starts]
    for level, children in enumerate(widths):
        axis.plot(np.arange(1, len(children) + 1), children, marker="o", markersize=3, color=_COLOURS[level % 6],
                  label=f"after {level} codes: {len(children):,} nodes")  # fmt: skip
    axis.set(xscale="log", yscale="log", ylabel="next codes")
    axis.legend(fontsize=8)
    return _labelled(figure, axis, f"nodes of the trie of {len(trie):,} items, most branching first", invert=False)


def training(history: Sequence[Mapping[str, float]]) -> Figure:
    """Loss while training, and the loss and ranking of validation, by step."""
    figure, axis = _figure(3.2)
    beside = axis.twinx()
    for name, place, colour, label in (
        ("loss", axis, OTHERS, "training loss"), ("eval_loss", axis, "#1d63c4", "validation loss"),
        ("eval_code_ndcg@10", beside, OURS, "validation NDCG@10, alone (right)"),
    ):  # fmt: skip
        points = [(one["step"], one[name]) for one in history if name in one]
        if points:
            place.plot(*zip(*points, strict=True), color=colour, label=label, marker="o", markersize=3)
    axis.set_ylabel("loss")
    figure.legend(fontsize=8, loc="upper center", ncols=3)
    return _labelled(figure, axis, "step", invert=False)


def interests(timelines: Mapping[str, Timeline]) -> Figure:
    """One bar for each user, a colour for each stretch of interest; its length is the number of choices."""
    figure, axis = _figure(0.5 * len(timelines) + 1.4)
    for row, (user, timeline) in enumerate(timelines.items()):
        start = 0
        for place, one in enumerate(timeline.segments):
            colour = _COLOURS[(one.returns_to if one.returns_to is not None else place) % 6]
            axis.barh([user], [one.choices], left=start, color=colour, edgecolor="white")
            axis.text(start + 0.5, row, one.words.split(";")[0][:28], fontsize=6, va="center", color="white")
            start += one.choices
    return _labelled(figure, axis, "choices, oldest first; a new colour where interest changed")


def log_history(run: Path) -> list[dict[str, float]]:
    """What the trainer wrote down, of the newest checkpoint of a run; empty where there is none."""
    states = sorted(run.glob("checkpoint-*/trainer_state.json"), key=lambda path: int(path.parent.name.split("-")[1]))
    if not states:
        return []
    found: list[dict[str, float]] = json.loads(states[-1].read_text(encoding="utf-8"))["log_history"]
    return found


def _colours(names: Sequence[str]) -> list[str]:
    return [OURS if name in (ALONE, FUSED) else OTHERS for name in names]


def _figure(height: float) -> tuple[Figure, Axes]:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtra(
            "plots need matplotlib", value="not installed: matplotlib", remedy="pip install 'genrec[plots]'"
        ) from None
    figure = Figure(figsize=(7.5, height), layout="constrained")
    return figure, figure.subplots()


def _labelled(figure: Figure, axis: Axes, label: str, invert: bool = True) -> Figure:
    axis.set_xlabel(label, fontsize=9)
    axis.tick_params(labelsize=8)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
    if invert:
        axis.invert_yaxis()
    return figure


def _saved(figure: Figure, path: Path) -> Path:
    figure.savefig(path)
    return path
