"""A person's interest over time, for a page to draw: segments in words, when they changed, how sure that is.

Segments come from the calibrated detector, their words from the catalog's facts (`profile`). An interest that was there
before is recognised by its topics. "Less of this" is the person's own word: an `Edit` of a segment's words lowers every
item that holds one of them. Does not know models, stores or prompts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict

from genrec.errors import ConfigError
from genrec.explaining.facts import Facts
from genrec.interest.drift import Change, Detector, posterior
from genrec.interest.past import Past
from genrec.interest.profile import ProfileFact, ProfilePolicy, Profiler
from genrec.interest.topics import Float64
from genrec.ragged import Int64, Ragged

ALIKE = 0.8
"""Cosine of two segments' topics from which the later one is the earlier one come back."""
_HAZARD = 1 / 60


class _Shown(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Segment(_Shown):
    """A stretch of one interest."""

    start: int
    """UTC seconds of its first choice."""
    end: int
    """UTC seconds of its last choice."""
    choices: int
    words: str
    """Facts of the catalog that it has more often than chance, as `genres: Horror; director: Ridley Scott`."""
    facts: list[tuple[str, str]]
    """The same as field and value: what an edit may name."""
    confidence: float | None
    """Probability that a new interest began within a few choices of its start; None for the first segment."""
    noticed: int | None
    """UTC seconds of the choice at which the change was noticed; None for the first segment."""
    returns_to: int | None
    """Place in the list of an earlier segment of the same interest."""


class Timeline(_Shown):
    """segments: oldest first; the last is the present interest."""

    segments: list[Segment]
    false_alarms: float
    """Changes per choice that would be shown of a person who never changes."""


@dataclass(frozen=True)
class TimelineMaker:
    """Puts timelines together; for many people make it once."""

    detector: Detector
    profiler: Profiler

    def timeline(self, past: Past, policy: ProfilePolicy | None = None) -> Timeline:
        """past: items that the catalog or the topics do not know are left out."""
        known = (past.items >= 0) & (past.items < self.detector.filter.topics.items)
        items, times = past.items[known], past.times[known]
        evidence = self.detector.filter.evidence(Ragged.from_lists([items]))[0]
        changes = _joined(self.detector.changes(evidence))
        starts = [0, *(change.since for change in changes)]
        ends = [*starts[1:], len(items)]
        shares = [self.detector.filter.topics.shares(items[low:high]) for low, high in zip(starts, ends, strict=True)]
        segments = [
            self._segment(items[low:high], times[low:high], policy or ProfilePolicy(), _back(shares, place))
            for place, (low, high) in enumerate(zip(starts, ends, strict=True)) if high > low
        ]  # fmt: skip
        for place, change in enumerate(changes, 1):
            told = {
                "confidence": _confidence(evidence, change.since, ends[place]),
                "noticed": int(times[change.noticed]),
            }
            segments[place] = segments[place].model_copy(update=told)
        return Timeline(segments=segments, false_alarms=self.detector.rate)

    def _segment(self, items: Int64, times: Int64, policy: ProfilePolicy, back: int | None) -> Segment:
        told = self.profiler.profile(items, np.ones(len(items)), policy)
        return Segment(
            start=int(times[0]), end=int(times[-1]), choices=len(items), words=told.text,
            facts=[_pair(fact) for fact in told.facts], confidence=None, noticed=None, returns_to=back,
        )  # fmt: skip


class Edit(_Shown):
    """The person's own word on an interest."""

    field: str
    value: str
    never: bool = False
    """True: no item that has it; False: less of it."""


def edited(facts: Facts, items: int, edits: Sequence[Edit], penalty: float = 3.0) -> Float64:
    """What edits add to every item's score, float64 [items]: −penalty for each fact it has too much of, −inf for never.

    penalty: in units of log-probability; 3 makes an item twenty times less likely. Raises ConfigError for a fact that
    no two items of the catalog share.
    """
    number = {key: place for place, key in enumerate(zip(facts.fields, facts.values, strict=True))}
    out = np.zeros(items)
    for edit in edits:
        key = (edit.field, edit.value)
        if key not in number:
            raise ConfigError(
                "no such fact in the catalog", value=f"{edit.field}: {edit.value}",
                remedy="name field and value as the timeline's facts have them",
            )  # fmt: skip
        holders = facts.held.rows[facts.held.items == number[key]]
        out[holders] += -np.inf if edit.never else -penalty
    return out


def _joined(changes: Sequence[Change]) -> list[Change]:
    """A later alarm that dates a change no later than one before it corrects that one."""
    kept: list[Change] = []
    for change in changes:
        while kept and kept[-1].since >= change.since:
            kept.pop()
        if change.since > 0:
            kept.append(change)
    return kept


def _confidence(evidence: Float64, since: int, end: int, near: int = 3) -> float:
    """Of all that could explain the choices before `end`, the share in which the interest then began about `since` or
    later."""
    began = posterior(evidence[:end, :end], _HAZARD)[-1]
    return float(min(1.0, began[max(1, since - near) :].sum()))


def _back(shares: Sequence[Float64], place: int) -> int | None:
    """The earlier segment most like this one, where it is ALIKE and not the one just before."""
    own = shares[place]
    likeness = [float(own @ one / (np.linalg.norm(own) * np.linalg.norm(one))) for one in shares[: max(0, place - 1)]]
    if not likeness or max(likeness) < ALIKE:
        return None
    return int(np.argmax(likeness))


def _pair(fact: ProfileFact) -> tuple[str, str]:
    return fact.field, fact.value
