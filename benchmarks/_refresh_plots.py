"""The figure of docs/refresh.md, drawn from benchmarks/results/refresh.json. Measures nothing.

python -m benchmarks._refresh_plots
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
STEPS = {"movietweetings": "weeks since training", "peso-video-games": "blocks since training"}


def draw(config: dict[str, Any], folder: Path) -> Path:
    """config: as the result file has it; folder: of the images. Raises ImportError without matplotlib."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.hashsalt": "genrec", "axes.spines.top": False, "axes.spines.right": False})
    from matplotlib import pyplot

    shown = [data for data in STEPS if data in config]
    figure, axes = pyplot.subplots(2, len(shown), figsize=(4.5 * len(shown), 6), squeeze=False)
    for data, (above, below) in zip(shown, axes.T, strict=True):
        for number, (name, line) in enumerate(_lines(config[data]).items()):
            steps = range(1, len(line["ndcg10"]) + 1)
            style = {"marker": ".", "color": "black" if name == "kept" else f"C{number}", "label": name}
            above.plot(steps, line["ndcg10"], **style)
            below.plot(steps, line["old_ndcg10"], **style)
        above.set_title(data)
        above.set_ylabel("NDCG@10, what came next")
        below.set_ylabel("NDCG@10, old cases")
        below.set_xlabel(STEPS[data])
        for axis in (above, below):
            axis.set_ylim(bottom=0)
            axis.xaxis.get_major_locator().set_params(integer=True)
        above.legend(frameon=False, fontsize=8)
    figure.tight_layout()
    path = folder / "refresh_strategies.svg"
    figure.savefig(path, metadata={"Date": None})
    return path


def _lines(measured: dict[str, Any]) -> dict[str, Any]:
    return {name: one for name, one in measured.items() if isinstance(one, dict) and "ndcg10" in one}


if __name__ == "__main__":
    results = json.loads((ROOT / "benchmarks" / "results" / "refresh.json").read_text(encoding="utf-8"))
    print(draw(results["config"], ROOT / "docs" / "images"))
