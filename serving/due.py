"""`python -m serving.due`: whether a bundle should be refreshed now, by count, by time or by drift, as JSON.

Drift: choices that followed slates of this bundle, the loss of each log2(1 + place in the slate before it), one place
beyond the slate for what did not stand there. The first `calm` losses say what is usual; a rise above it raises the
alarm (Page-Hinkley, `genrec.interest.cohorts`). Knows no server; reads the store and the bundle's manifest.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from genrec.bundle import Bundle
from genrec.interest.cohorts import PageHinkley
from genrec.terminal import guarded
from serving.store import EventStore

CALM = 500
"""Losses that the alarm is calibrated on."""
Float64 = npt.NDArray[np.float64]


def main() -> None:
    parser = argparse.ArgumentParser(prog="serving.due", description=__doc__)
    parser.add_argument("--store", required=True, help="SQLAlchemy URL of the event store")
    parser.add_argument("--bundle", type=Path, required=True, help="the bundle that is served")
    parser.add_argument("--events", type=int, help="due after so many new events")
    parser.add_argument("--hours", type=float, help="due after so many hours")
    parser.add_argument("--drift", action="store_true", help="due when choices have become harder to predict")
    parser.add_argument("--calm", type=int, default=CALM, help="first losses of this bundle, that say what is usual")
    parser.add_argument("--since", type=int, help="UTC seconds of the last try; default: when the bundle was written")
    found = parser.parse_args()
    with guarded():
        store = EventStore.open(found.store)
        try:
            print(json.dumps(due(store, found)))
        finally:
            store.close()


def due(store: EventStore, asked: argparse.Namespace) -> dict[str, Any]:
    """{due, reasons, events, hours, alarm, losses}."""
    bundle = Bundle.open(asked.bundle, verify=False)
    since = asked.since or int((bundle.folder / "manifest.json").stat().st_mtime)
    events, hours = store.received(since), (time.time() - since) / 3600
    said: dict[str, Any] = {"events": events, "hours": round(hours, 2), "alarm": None}
    reasons = ["events"] if asked.events is not None and events >= asked.events else []
    reasons += ["hours"] if asked.hours is not None and hours >= asked.hours else []
    if asked.drift:
        found = losses(store.places(bundle.version))
        said |= {"losses": len(found), "alarm": alarm(found, asked.calm)}
        reasons += ["drift"] if said["alarm"] is not None else []
    return {"due": bool(reasons), "reasons": reasons, **said}


def losses(places: pl.DataFrame) -> Float64:
    """log2(1 + slot) of every choice, float64 [choices]; one place beyond the slate where it did not stand there."""
    slots = places["slot"].fill_null(places["shown"] + 1)
    return np.log2(1.0 + slots.to_numpy().astype(np.float64))


def alarm(found: Float64, calm: int) -> int | None:
    """Place of the loss that raised the alarm; None: none did, or there are too few to know what is usual."""
    if len(found) <= calm:
        return None
    place = PageHinkley.calibrated(found[:calm]).alarm(found[calm:])
    return None if place is None else calm + place


if __name__ == "__main__":
    main()
