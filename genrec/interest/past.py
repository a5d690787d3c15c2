"""A user's whole past as arrays, and what the user turned down in it. Does not know windows, prompts or models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from genrec.catalog import Catalog
from genrec.errors import DataError
from genrec.ragged import Int64

Bool = npt.NDArray[np.bool_]
Float64 = npt.NDArray[np.float64]
Text = npt.NDArray[np.str_]


@dataclass(frozen=True)
class Past:
    """One user's events in the order of time.

    items: catalog row numbers, −1 for what the catalog does not hold, int64 [n]; times: UTC seconds, int64 [n],
    ascending; kinds: [n]; values: float64 [n], NaN where there is none.
    """

    items: Int64
    times: Int64
    kinds: Text
    values: Float64

    @classmethod
    def of(
        cls,
        catalog: Catalog,
        item_ids: Sequence[str],
        times: Sequence[int] | None = None,
        kinds: Sequence[str] | None = None,
        values: Sequence[float | None] | None = None,
    ) -> Past:
        """From ids; without times the order given counts, a second apiece, without kinds all are clicks.

        Events are sorted by time, equal times stay in their order. Raises DataError for lists of unequal length.
        """
        n = len(item_ids)
        lengths = {name: len(given) for name, given in _named(times, kinds, values) if given is not None}
        if set(lengths.values()) - {n}:
            raise DataError("lists of one history differ in length", value=lengths, allowed=f"{n} each, as item_ids")
        at = np.arange(n, dtype=np.int64) if times is None else np.asarray(times, dtype=np.int64)
        kind = np.full(n, "click") if kinds is None else np.asarray(kinds, dtype=np.str_)
        value = np.full(n, np.nan) if values is None else np.array(values, dtype=np.float64)
        order = np.argsort(at, kind="stable")
        return cls(catalog.places(item_ids)[order], at[order], kind[order], value[order])

    def __len__(self) -> int:
        return len(self.items)

    def where(self, kept: Bool) -> Past:
        """The events of these places, bool [n]."""
        return Past(self.items[kept], self.times[kept], self.kinds[kept], self.values[kept])

    def negative(self, kinds: Sequence[str], below: float | None) -> Bool:
        """Events that turn an item down: of these kinds, or a rating below that value. bool [n]."""
        said: Bool = np.isin(self.kinds, list(kinds))
        if below is not None:
            said |= (self.kinds == "rating") & (self.values < below)
        return said

    def last_of_item(self) -> Int64:
        """For every event the place of the last event of the same item, int64 [n]."""
        _, latest, group = np.unique(self.items[::-1], return_index=True, return_inverse=True)
        last: Int64 = (len(self) - 1 - latest)[group.reshape(-1)][::-1]
        return last

    def sessions(self, gap: int) -> Int64:
        """The session of every event, int64 [n], counted from 0 for the newest: a pause above `gap` begins another."""
        pauses = np.diff(self.times) > gap
        from_first = np.concatenate([[0], pauses.cumsum()])[: len(self)]
        return np.asarray(from_first[-1:].sum() - from_first, dtype=np.int64)


def _named(*lists: Any) -> list[tuple[str, Any]]:
    return list(zip(("times", "kinds", "values"), lists, strict=True))
