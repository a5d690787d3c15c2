"""Viewers who turn to films that came after training. Part of benchmarks/drift.py.

Training knows nothing of these films: neither choices nor texts. They join the catalog as a server adds them. Asked
are the bundle as it is, and its child, refreshed by what other viewers chose since, the new films among it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks._drift_worlds import Bool, Viewers
from genrec.catalog import Catalog
from genrec.formats import Dataset, dataset
from genrec.formats.report import Tally
from genrec.interactions import Interactions
from genrec.preparing import load, save
from genrec.programs import run_training
from genrec.recommender import Recommender
from genrec.refreshing import grown
from genrec.world import WorldConfig, load_films, simulate

HELD_BACK = 0.2
"""Share of the films that come after training."""
CROWD, OTHERS = 113, 2000
"""The other viewers, of whom refreshing learns; of fewer than 600, verdicts are a matter of chance."""
FEWEST = 8, 2
"""Choices before and after the change that a viewer needs."""


def trained(place: Path, data: Path) -> tuple[Recommender, Path]:
    """The recommender with all films, those that came later last, and the data that it was trained on without them; of
    the demo's settings, trained unless it is there."""
    whole = load(data)
    later = set(whole.catalog.table["item_id"].sample(fraction=HELD_BACK, seed=0).to_list())
    if not (place / "data" / "report.json").is_file():
        save(_without(whole.interactions, whole.catalog, later), place / "data")
    if not (place / "bundle" / "manifest.json").is_file():
        config = Path(__file__).resolve().parents[1] / "training" / "configs" / "demo.yaml"
        run_training("sft.py", ["--data", str(place / "data"), "--out", str(place / "bundle"), "--config", str(config),
                                "--quiet", "optimiser.epochs=4"])  # fmt: skip
    return grown(Recommender.open(place / "bundle"), whole.catalog), place / "data"


def refreshed(place: Path, data: Path) -> Recommender:
    """The child that learnt of other viewers of all films in the two years after; made unless it is there."""
    if not (place / "child" / "manifest.json").is_file():
        old, films = load(place / "data").interactions, load(data).catalog
        since = simulate(load_films(), WorldConfig(users=OTHERS, crowd=CROWD, start=date(2025, 1, 1))).interactions
        log = Interactions(pl.concat([old.table, since.table.select(old.table.columns)]))
        save(dataset(log, films.table, Tally("viewers of all films")), place / "data-since")
        run_training("refresh.py", ["--bundle", str(place / "bundle"), "--data", str(place / "data-since"),
                                    "--out", str(place / "child"), "--quiet", "priors=fitted",
                                    "optimiser.epochs=2", "optimiser.max_seconds=1800"])  # fmt: skip
    return Recommender.open(place / "child")


def _without(interactions: Interactions, catalog: Catalog, later: set[str]) -> Dataset:
    kept = ~pl.col("item_id").is_in(list(later))
    return dataset(
        Interactions(interactions.table.filter(kept)), catalog.table.filter(kept), Tally("viewers of known films")
    )


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
