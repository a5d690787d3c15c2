"""What the detector finds and what it cries wolf at. Part of benchmarks/drift.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks._drift_worlds import Viewers
from genrec.interactions import Histories
from genrec.interest.drift import Detector, sessions_of, shuffled
from genrec.interest.filtering import Filter

LONG = 30
"""Choices after a change from which recall is counted: whoever leaves before cannot be noticed."""
Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Detected:
    """alarms: on `stationary` choices; delays: of every change, choices until noticed, inf where it was not; after:
    choices that followed it; early: alarms before a change; misplaced: noticed places less true ones."""

    threshold: float
    alarms: int
    stationary: int
    delays: Float64
    after: Float64
    early: int
    misplaced: Float64

    @property
    def per_10k(self) -> float:
        return 1e4 * self.alarms / self.stationary

    @property
    def recall(self) -> float:
        return float(np.isfinite(self.delays[self.after >= LONG]).mean())

    def curve(self) -> dict[int, float]:
        """Share of the changes followed by LONG choices or more that were noticed within so many."""
        long = self.delays[self.after >= LONG]
        return {n: float((long <= n).mean()) for n in (3, 5, 8, 10, 12, 15, 20, 25, 30, 40, 60)}

    def as_json(self) -> dict[str, Any]:
        found = self.delays[np.isfinite(self.delays)]
        return {
            "threshold": self.threshold, "alarms": self.alarms, "stationary": self.stationary,
            "changes": len(self.delays), "changes_long": int((self.after >= LONG).sum()),
            "recall": self.recall, "recall_of_all": float(np.isfinite(self.delays).mean()),
            "median_delay": float(np.median(found)), "noticed_within": self.curve(), "alarms_before": self.early,
            "misplaced_quantiles": np.quantile(self.misplaced, [0.1, 0.5, 0.9]).tolist(),
        }  # fmt: skip


def detected(detector: Detector, stationary: list[Float64], changed: Viewers, evidence: list[Float64]) -> Detected:
    """stationary, evidence: as `Filter.evidence` gives them."""
    delays, after, misplaced, early = [], [], [], 0
    for own, (place, *_) in zip(evidence, changed.changes, strict=True):
        alarms = detector.changes(own)
        early += sum(one.noticed < place for one in alarms)
        first = next((one for one in alarms if one.noticed >= place), None)
        delays.append(np.inf if first is None else first.noticed - place + 1)
        after.append(len(own) - place)
        misplaced += [] if first is None else [first.since - place]
    alarms_there = sum(len(detector.changes(one)) for one in stationary)
    return Detected(
        detector.threshold, alarms_there, sum(map(len, stationary)), np.array(delays), np.array(after, dtype=float),
        early, np.array(misplaced, dtype=float),
    )  # fmt: skip


def measure(
    filter: Filter, train: Histories, stable: Viewers, changed: Viewers
) -> tuple[Detected, Detected]:  # fmt: skip
    """Calibrated on half of the stable viewers; and, with no simulator's help, on the training log, shuffled."""
    rows = np.arange(len(stable.items))
    there = filter.evidence(stable.items.take(rows[1::2]))
    evidence = filter.evidence(changed.items)
    simulated = Detector.calibrated(filter, stable.items.take(rows[::2]))
    own = Detector.calibrated(filter, shuffled(train.items, sessions_of(train.times, train.items), copies=2))
    return detected(simulated, there, changed, evidence), detected(own, there, changed, evidence)
