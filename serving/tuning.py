"""Which weights of the priors a slate is made with, learnt from what came of the slates before.

All that was learnt is read from the event store, where every slate names its arm: nothing is lost at a restart,
replicas agree, an event that comes twice counts once, and what a user did goes when the user is erased. Knows no HTTP.
"""

from __future__ import annotations

import hashlib
import time
from collections import defaultdict
from dataclasses import dataclass, field

from genrec.errors import ConfigError
from genrec.learning import Arm, Bandit
from genrec.priors import Mix
from serving.logs import say
from serving.settings import TuneSettings
from serving.store import EventStore

_ARMS_LONG = 4  # memories of slates that are looked at: what lies beyond weighs less than a fiftieth


@dataclass
class Tuner:
    """bandit: what is known now, None where nothing is tried; looked: when the store was asked last."""

    settings: TuneSettings
    bandit: Bandit | None = None
    _looked: float = field(default=float("-inf"))

    @classmethod
    def of(cls, settings: TuneSettings, mix: Mix) -> Tuner:
        """Raises ConfigError for an arm that names a prior the bundle lacks."""
        for name, weights in settings.arms.items():
            _fits(mix, weights, f"tune.arms.{name}")
        return cls(settings, settings.bandit(settings.arms))

    def fit(self, mix: Mix) -> None:
        """Another bundle serves: arms with priors that it lacks rest until one comes that has them."""
        kept = [name for name, weights in self.settings.arms.items() if _fitting(mix, weights)]
        left = sorted(set(self.settings.arms) - set(kept))
        if left:
            say("weights that are tried name priors that this bundle lacks", 30, arms=left)
        self.bandit, self._looked = self.settings.bandit(kept), float("-inf")

    def draw(self, user_id: str, version: int) -> tuple[Arm, float] | None:
        """The arm of a user's next slate and the chance that it was it; the same while nothing new is known."""
        if self.bandit is None:
            return None
        said = hashlib.sha256(f"{version} {user_id}".encode("utf-8", "surrogatepass")).digest()
        return self.bandit.choose(int.from_bytes(said[:6], "big"))

    @property
    def due(self) -> bool:
        return self.bandit is not None and time.monotonic() - self._looked >= self.settings.every_s

    def learnt(self, store: EventStore) -> Bandit | None:
        """What the store's slates say of the arms; asks the database."""
        if self.bandit is None:
            return None
        most = int(_ARMS_LONG * self.settings.memory)
        won: defaultdict[str, list[bool]] = defaultdict(list)
        for name, success in store.outcomes(int(time.time() - self.settings.settle_s) + 1, most):
            won[name].append(success)
        names = [arm.name for arm in self.bandit.arms]
        return self.bandit.learnt({name: won[name] for name in names})

    def take(self, found: Bandit | None) -> None:
        """What `learnt` found, unless the arms have changed meanwhile."""
        self._looked = time.monotonic()
        if found is not None and self.bandit is not None and found.reset() == self.bandit.reset():
            self.bandit = found


def _fitting(mix: Mix, weights: dict[str, float]) -> bool:
    try:
        _fits(mix, weights, "")
    except ConfigError:
        return False
    return True


def _fits(mix: Mix, weights: dict[str, float], where: str) -> None:
    try:
        mix.with_weights(weights)
    except ConfigError as error:
        raise ConfigError(error.problem, value=error.value, where=where, allowed=error.allowed) from None
