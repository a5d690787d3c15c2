"""Pictures of how fast it is and what the trie takes, of the committed results of trie, decode and service.

python -m benchmarks._speed_plots

Measures nothing; what a picture shows is what benchmarks/results holds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROOT = Path(__file__).resolve().parents[1]
OURS, OTHER, FLOOR = "#5b5bd6", "#a8b0bf", "#d9a441"
_TRIE = (
    ("trie.build_s_per_million", "build_s", "seconds to build, a million items"),
    ("trie.bytes_per_item", "bytes_per_item", "bytes an item"),
    ("filter.ms_per_million", "filter_and_ms", "milliseconds to join two filters, a million items"),
)


def draw(results: Path, folder: Path) -> list[Path]:
    """results: folder of the result files. Raises ImportError without matplotlib."""
    names = ("trie", "decode_torch", "decode_vllm", "service")
    found = {name: json.loads((results / f"{name}.json").read_text(encoding="utf-8")) for name in names}
    folder.mkdir(parents=True, exist_ok=True)
    pictures = {
        "speed-trie": trie(found["trie"]),
        "speed-decoding": decoding(found["decode_torch"], found["decode_vllm"]),
        "speed-server": server(found["service"]),
    }
    return [_saved(figure, folder / f"{name}.png") for name, figure in pictures.items()]


def trie(found: Mapping[str, Any]) -> Figure:
    """Time and room of the trie by catalog; the line is the target that the worst of its catalogs is held to."""
    figure, axes = _figure(3, 3.0)
    catalogs = found["config"]["catalogs"]
    targets = {one["id"]: one["target"] for one in found["claims"]}
    for axis, (claim, field, label) in zip(axes, _TRIE, strict=True):
        values = [_middle(one[field]) for one in catalogs.values()]
        axis.barh(list(catalogs), values, color=OURS)
        axis.axvline(targets[claim], color=FLOOR, linewidth=1.2)
        axis.set_xlabel(label, fontsize=8)
        axis.invert_yaxis()
    _outer(axes)
    return figure


def decoding(torch: Mapping[str, Any], vllm: Mapping[str, Any]) -> Figure:
    """Seconds for one request on one core: ours, what others take for the same, the least that the machine allows."""
    figure, axes = _figure(2, 2.8)
    turns = torch["config"]["turns"]
    widths = torch["config"]["beams"]
    rows = {f"{name}, {width} beams": median(one[key] for one in turns if one["width"] == width)
            for width in widths for name, key in (("genrec", "ours"), ("transformers.generate", "generate"),
            ("floor", "floor"))}  # fmt: skip
    _bars(axes[0], rows, "seconds; torch, 44M parameters, 100,000 items")
    detail = _detail(vllm)
    names = {"stock_t500": "vLLM's beam, 500 tokens", "stock_t512": "vLLM's beam, 512 tokens",
             "xgrammar_10k": "xgrammar, 10,000 items"}  # fmt: skip
    pairs: dict[str, float] = {}
    for key, name in names.items():
        ours, theirs = zip(*detail[key], strict=True)
        pairs |= {f"genrec beside {name}": median(ours), name: median(theirs)}
    _bars(axes[1], pairs, "seconds; vLLM, 36M parameters, 20 beams")
    return figure


def server(found: Mapping[str, Any]) -> Figure:
    """Milliseconds of a request to the server, by length of history and by size of catalog."""
    figure, axes = _figure(2, 2.8)
    for axis, (key, label) in zip(axes, (("by_history", "choices in the history"), ("by_items", "items")), strict=True):
        curve = found["config"]["growth"][key]
        for quantile, colour in (("p50_ms", OURS), ("p99_ms", OTHER)):
            axis.plot(list(map(int, curve)), [one[quantile] for one in curve.values()], marker="o", markersize=3,
                      color=colour, label=quantile.removesuffix("_ms"))  # fmt: skip
        axis.set(xscale="log", ylim=(0, None))
        axis.set_xlabel(label, fontsize=8)
    axes[0].set_ylabel("milliseconds, demo's model, 2 cores", fontsize=8)
    axes[0].legend(fontsize=8, frameon=False)
    return figure


def _detail(vllm: Mapping[str, Any]) -> Mapping[str, Any]:
    """The turns of the run that measured all parts; a later one may have measured a part of them again."""
    runs = [vllm, *vllm.get("earlier", [])]
    return next(one["config"]["detail"] for one in runs if "stock_t500" in one["config"]["detail"])


def _middle(values: float | Sequence[float]) -> float:
    return values if isinstance(values, int | float) else median(values)


def _bars(axis: Axes, rows: Mapping[str, float], label: str) -> None:
    colours = [OURS if name.startswith("genrec") else FLOOR if name.startswith("floor") else OTHER for name in rows]
    drawn = axis.barh(list(rows), list(rows.values()), color=colours)
    axis.bar_label(drawn, fmt=lambda value: f"{value:.2g}", fontsize=7, padding=2)
    axis.set(xscale="log", xlim=(None, 2.5 * max(rows.values())))
    axis.set_xlabel(label, fontsize=8)
    axis.invert_yaxis()


def _figure(columns: int, height: float) -> tuple[Figure, Sequence[Axes]]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, height), layout="constrained")
    axes = figure.subplots(1, columns)
    for axis in axes:
        axis.tick_params(labelsize=7)
        for side in ("top", "right"):
            axis.spines[side].set_visible(False)
    return figure, list(axes)


def _outer(axes: Sequence[Axes]) -> None:
    for axis in axes[1:]:
        axis.set_yticklabels([])


def _saved(figure: Figure, path: Path) -> Path:
    figure.savefig(path, dpi=110, metadata={"Software": None})
    return path


if __name__ == "__main__":
    print(*draw(ROOT / "benchmarks" / "results", ROOT / "docs" / "images"), sep="\n")
