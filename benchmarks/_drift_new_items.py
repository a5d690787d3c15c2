"""Viewers who turn to films that no model has seen anybody choose. Part of benchmarks/drift.py."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks._drift_worlds import Bool, Viewers
from genrec.programs import run_training

HELD_BACK = 0.2
"""Share of the films that training never sees chosen; their texts are in the catalog."""
FEWEST = 8, 2
"""Choices before and after the change that a viewer needs."""


def trained(place: Path, data: Path) -> Path:
    """The bundle of the demo's settings without some films' choices, trained unless it is there."""
    if not (place / "manifest.json").is_file():
        config = Path(__file__).resolve().parents[1] / "training" / "configs" / "demo.yaml"
        run_training("sft.py", ["--data", str(data), "--out", str(place), "--config", str(config), "--quiet",
                                f"split.cold={HELD_BACK}", "optimiser.epochs=4"])  # fmt: skip
    return place


def turned(viewers: Viewers, new: Bool) -> Viewers:
    """Of viewers with one change: the choices of known films before it and of new ones after it, as they came."""
    items, change = viewers.items, np.array([places[0] for places in viewers.changes])
    late = items.places >= change[items.rows]
    kept = new[items.items] == late
    rows = np.arange(len(items))
    before, after = (np.bincount(items.rows[kept & (late == when)], minlength=len(rows)) for when in (False, True))
    enough = np.flatnonzero((before >= FEWEST[0]) & (after >= FEWEST[1]))
    there = kept & np.isin(items.rows, enough)
    histories = replace(
        viewers.histories,
        users=[viewers.histories.users[row] for row in enough.tolist()],
        items=items.where(there).take(enough),
        times=viewers.histories.times[there],
    )
    return Viewers(viewers.world, histories, [[int(before[row])] for row in enough.tolist()])
