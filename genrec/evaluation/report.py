"""Results side by side: a table for the terminal, and the same as data with the machine that made it.

Does not compute metrics nor rank.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from rich.table import Table

from genrec import machine
from genrec.errors import ConfigError
from genrec.evaluation.bootstrap import Interval
from genrec.evaluation.protocol import Result

SHOWN = ("recall@10", "ndcg@10")


def table(
    results: Sequence[Result], metrics: Sequence[str] = SHOWN, *, title: str = "", resamples: int = 1000
) -> Table:
    """Systems × metrics with the half width of the 95 % interval; a column per masking variant; the best is bold."""
    _check(results)
    columns = [(masked, metric) for masked in _variants(results) for metric in metrics]
    cells = {(one.name, one.mask_seen): one.intervals(metrics, resamples=resamples) for one in results}
    best = {(masked, metric): _best(cells, masked, metric) for masked, metric in columns}
    out = Table(title=title or None, caption=f"{len(results[0].users):,} cases, whole catalog ranked; ± 95 % bootstrap")
    out.add_column("system")
    for masked, metric in columns:
        out.add_column(f"{metric}\n{_variant(masked)}", justify="right")
    for name in dict.fromkeys(one.name for one in results):
        texts = [_cell(cells.get((name, masked), {}).get(metric), best[masked, metric]) for masked, metric in columns]
        out.add_row(name, *texts)
    return out


def to_json(
    results: Sequence[Result], metrics: Sequence[str] | None = None, *, resamples: int = 1000
) -> dict[str, Any]:
    """Plain data for `json.dump`: date, machine, versions, and per result every metric with its interval."""
    _check(results)
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        **machine.describe(),
        "results": [_row(one, metrics, resamples) for one in results],
    }


def differences(
    ours: Result, others: Sequence[Result], metrics: Sequence[str] = SHOWN, *, resamples: int = 1000
) -> dict[str, dict[str, dict[str, float]]]:
    """Other system → metric → {mean, low, high} of ours minus theirs, paired by case."""
    return {
        other.name: {name: _bounds(ours.difference(other, name, resamples=resamples)) for name in metrics}
        for other in others
    }


def _row(result: Result, metrics: Sequence[str] | None, resamples: int) -> dict[str, Any]:
    return {
        "system": result.name,
        "mask_seen": result.mask_seen,
        "cases": len(result.users),
        "rank_seconds": round(result.seconds, 3),
        "metrics": {name: _bounds(one) for name, one in result.intervals(metrics, resamples=resamples).items()},
    }


def _bounds(interval: Interval) -> dict[str, float]:
    return {"mean": interval.mean, "low": interval.low, "high": interval.high}


def _variants(results: Sequence[Result]) -> list[bool]:
    return sorted({one.mask_seen for one in results}, reverse=True)


def _variant(masked: bool) -> str:
    return "seen masked" if masked else "unmasked"


def _best(cells: dict[tuple[str, bool], dict[str, Interval]], masked: bool, metric: str) -> float:
    return max(row[metric].mean for (_, variant), row in cells.items() if variant == masked)


def _cell(interval: Interval | None, best: float) -> str:
    if interval is None:
        return "–"
    text = f"{interval.mean:.4f} ± {interval.margin:.4f}"
    return f"[bold]{text}[/bold]" if interval.mean >= best else text


def _check(results: Sequence[Result]) -> None:
    if not results or any(one.users != results[0].users for one in results):
        raise ConfigError(
            "results of different cases do not belong in one table",
            value=[one.name for one in results],
            remedy="evaluate all systems on the same Cases",
        )
