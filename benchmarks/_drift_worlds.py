"""Simulated viewers for benchmarks/drift.py, and the cases around their changes. Knows no recommender."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from genrec.fusing import unseen
from genrec.interactions import Histories
from genrec.ragged import Int64, Ragged
from genrec.world import World, WorldConfig, load_films, simulate

SHARES = {
    "stable": (1.0, 0.0, 0.0, 0.0), "abrupt": (0.0, 1.0, 0.0, 0.0),
    "gradual": (0.0, 0.0, 1.0, 0.0), "recurring": (0.0, 0.0, 0.0, 1.0),
}  # fmt: skip
Bool = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Viewers:
    """Viewers of one kind, none of whom any model has seen. changes: places of the first choice of a new interest."""

    world: World
    histories: Histories
    changes: list[list[int]]

    @classmethod
    def of(cls, kind: str, crowd: int, users: int, item_ids: list[str], *, long: bool = True) -> Viewers:
        """long: 40 to 150 choices each, so that there is a before and an after; else as in the default world."""
        spans = {"events_per_user": 60.0, "min_events": 40, "max_events": 150} if long else {}
        config = WorldConfig.model_validate({"users": users, "shares": SHARES[kind], "crowd": crowd, **spans})
        world = simulate(load_films(), config)
        found = world.interactions.histories(item_ids)
        moments = dict(zip(world.labels["user_id"].to_list(), world.labels["change_points"].to_list(), strict=True))
        changes = [_places(found, user, moments[name]) for user, name in enumerate(found.users)]
        return cls(world, found, changes)

    @property
    def items(self) -> Ragged:
        return self.histories.items


@dataclass(frozen=True)
class Around:
    """Cases: viewer, place of the choice to be predicted, and how many choices of the new interest came before it."""

    viewers: Viewers
    users: Int64
    places: Int64
    after: Int64

    @classmethod
    def changes(cls, viewers: Viewers, after: Sequence[int]) -> Around:
        """after: negative for choices before the change. Only where no other change lies between."""
        rows = []
        for user, places in enumerate(viewers.changes):
            ends = [0, *places, len(viewers.items[user])]
            for before, place, end in zip(ends, ends[1:-1], ends[2:], strict=False):
                rows += [(user, place + k, k) for k in after if max(before, 5) < place + k < end]
        return cls._of(viewers, rows)

    @classmethod
    def shares(cls, viewers: Viewers, shares: Sequence[float]) -> Around:
        """At these shares of every history; `after` is −1."""
        lengths = viewers.items.lengths.tolist()
        return cls._of(viewers, [(user, int(n * share), -1) for user, n in enumerate(lengths) for share in shares])

    @classmethod
    def _of(cls, viewers: Viewers, rows: list[tuple[int, int, int]]) -> Around:
        table = np.array(rows, dtype=np.int64).reshape(-1, 3)
        return cls(viewers, table[:, 0], table[:, 1], table[:, 2])

    def __len__(self) -> int:
        return len(self.users)

    def take(self, rows: Int64) -> Around:
        return Around(self.viewers, self.users[rows], self.places[rows], self.after[rows])

    @property
    def histories(self) -> Ragged:
        items = self.viewers.items
        return Ragged.from_lists(
            [items[user][:place] for user, place in zip(self.users.tolist(), self.places.tolist(), strict=True)]
        )

    @property
    def targets(self) -> Int64:
        items = self.viewers.items
        return np.asarray(items.items[items.offsets[self.users] + self.places], dtype=np.int64)

    def allowed(self, items: int) -> list[Bool]:
        found = self.histories
        return [unseen(found[row], items) for row in range(len(found))]

    def names(self) -> list[str]:
        return [self.viewers.histories.users[user] for user in self.users.tolist()]


def _places(found: Histories, user: int, moments: list[int]) -> list[int]:
    times = found.times[found.items.offsets[user] : found.items.offsets[user + 1]]
    places = sorted({int(place) for place in np.searchsorted(times, moments)})
    return [place for place in places if 0 < place < len(times)]
