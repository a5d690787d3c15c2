"""What following a person's interest takes, learnt from a log: topics, and a detector calibrated without a simulator.

Does not know how bundles are trained, nor how rankings use it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from genrec.bundle import Bundle
from genrec.errors import ConfigError
from genrec.interactions import Histories
from genrec.interest.drift import Detector, enough, sessions_of, shuffled
from genrec.interest.filtering import Filter
from genrec.interest.past import Past
from genrec.interest.profile import Profiler
from genrec.interest.stored import FILE, load_detector
from genrec.interest.timeline import Timeline, TimelineMaker
from genrec.interest.topics import Topics, TopicsConfig, item_vectors
from genrec.items.index import ItemIndex
from genrec.ragged import Ragged


class FollowConfig(BaseModel):
    """How a detector is learnt."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    topics: TopicsConfig = TopicsConfig()
    rate: Annotated[float, Field(gt=0, lt=0.1)] = 1e-4
    """False alarms per choice of a person whose interest does not move."""
    copies: Annotated[int, Field(ge=1, le=100)] = 2
    """How many times the log's histories are shuffled to make stationary ones."""
    most: Annotated[int, Field(ge=1000)] = 50_000
    """Choices of stationary histories that the threshold is measured on, at most: time grows with them."""
    seed: int = 0


def learn(train: Histories, index: ItemIndex, config: FollowConfig | None = None) -> Detector:
    """train: histories of training events, items numbered as in the index.

    Raises ConfigError where the log is too small for the rate.
    """
    config = config or FollowConfig()
    stationary = _drawn(
        shuffled(train.items, sessions_of(train.times, train.items), config.copies, config.seed), config
    )
    enough(len(stationary.items), config.rate)  # before the topics are learnt, which takes longer
    topics = Topics.fit(train.items, item_vectors(index), config.topics)
    return Detector.calibrated(Filter(topics), stationary, config.rate)


def _drawn(histories: Ragged, config: FollowConfig) -> Ragged:
    """Whole histories, drawn with the seed, of at most so many choices together."""
    order = np.random.default_rng(config.seed).permutation(len(histories))
    kept = order[histories.lengths[order].cumsum() <= config.most]
    return histories.take(np.sort(kept))


def detector_of(bundle: Bundle) -> Detector | None:
    """The bundle's own detector; None where it holds none (its hash is the manifest's, as of every file)."""
    return load_detector(bundle.folder / FILE) if FILE in bundle.manifest.files else None


@dataclass(frozen=True)
class Follower:
    """Timelines of a bundle's users."""

    bundle: Bundle
    maker: TimelineMaker

    @classmethod
    def of(cls, bundle: Bundle, detector: Detector | Path | None = None) -> Follower:
        """detector: one learnt apart, or its file; None: the bundle's. Raises ConfigError where there is none."""
        found = load_detector(detector) if isinstance(detector, Path) else detector or detector_of(bundle)
        if found is None:
            raise ConfigError(
                "the bundle holds no detector",
                value=str(bundle.folder),
                remedy="learn one: genrec drift --detector FILE",
            )
        return cls(bundle, TimelineMaker(found, Profiler.of(bundle.catalog)))

    def timeline(self, past: Past) -> Timeline:
        return self.maker.timeline(past)
