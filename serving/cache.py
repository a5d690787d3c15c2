"""Slates of requests that come again. A key holds the history's version, so an event makes all older slates useless,
and they are dropped with it. Knows no request's content.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Hashable

from serving.metrics import Metrics
from serving.schemas.recommendations import Slate

Key = tuple[str, Hashable]
"""(user id, all else that the slate depends on)."""


class SlateCache:
    """The `most` slates used last. Used from one event loop."""

    def __init__(self, most: int, metrics: Metrics) -> None:
        self._most, self._metrics = most, metrics
        self._slates: OrderedDict[Key, Slate] = OrderedDict()
        self._of_user: defaultdict[str, set[Key]] = defaultdict(set)

    def __len__(self) -> int:
        return len(self._slates)

    def get(self, key: Key) -> Slate | None:
        found = self._slates.get(key)
        if found is not None:
            self._slates.move_to_end(key)
        self._metrics.cache.labels("miss" if found is None else "hit").inc()
        return found

    def put(self, key: Key, slate: Slate) -> None:
        if not self._most:
            return
        self._slates[key] = slate
        self._of_user[key[0]].add(key)
        if len(self._slates) > self._most:
            self._forget(next(iter(self._slates)))

    def drop(self, user_id: str) -> None:
        """All slates of a user."""
        for key in list(self._of_user.get(user_id, ())):
            self._forget(key)

    def clear(self) -> None:
        self._slates.clear()
        self._of_user.clear()

    def _forget(self, key: Key) -> None:
        del self._slates[key]
        mine = self._of_user[key[0]]
        mine.discard(key)
        if not mine:
            del self._of_user[key[0]]
