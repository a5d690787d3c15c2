"""Splits of a log into training events and cases to be predicted. Does not know files, models or metrics.

By clock time (`global_time`, `rolling`): nothing that a case or the training set holds happened at or after the cut.
By position (`leave_last_out`): the usual protocol of published tables, which lets the training set know other users'
later events; report it beside a split by time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from genrec.errors import SplitError
from genrec.interactions import Histories, Interactions
from genrec.ragged import Int64, Ragged


@dataclass(frozen=True)
class Cases:
    """What is known at request time and what came then, a row for each case.

    histories: item numbers, oldest first; targets: the relevant items; times: UTC seconds of the first target,
    int64 [cases].
    """

    users: list[str]
    histories: Ragged
    targets: Ragged
    times: Int64

    def __len__(self) -> int:
        return len(self.users)

    def take(self, rows: Int64) -> Cases:
        """These cases, in this order."""
        users = [self.users[row] for row in rows.tolist()]
        return Cases(users, self.histories.take(rows), self.targets.take(rows), self.times[rows])


@dataclass(frozen=True)
class Split:
    """Training events, and the cases of validation and test; items are numbered by their place in `item_ids`."""

    name: str
    train: Interactions
    valid: Cases
    test: Cases
    item_ids: list[str]


def global_time(
    interactions: Interactions, item_ids: Sequence[str], valid: float = 0.1, test: float = 0.1
) -> Split:  # fmt: skip
    """Cuts the time line where the last `valid + test` and the last `test` of all events begin.

    Training: events strictly before the first cut. A case: a user with events before a cut (the history) and after
    it, but before the next cut (the first of them is the target; later ones are not used). Users without a history,
    and items outside `item_ids`, make no cases. Raises SplitError when a part that was asked for is left empty.
    """
    if not (valid >= 0 and test > 0 and valid + test < 1):
        raise SplitError(
            "the shares do not fit", value=(valid, test), allowed="0 <= valid, 0 < test, valid + test < 1",
            remedy="try valid=0.1, test=0.1",
        )  # fmt: skip
    known = _known(interactions, item_ids)
    first, second = _cuts(known, [1 - valid - test, 1 - test])
    end = int(known.table["timestamp"][-1]) + 1
    split = _between("global time", known, item_ids, (first, second, end))
    _refuse_empty(split, want_valid=valid > 0)
    return split


def rolling(interactions: Interactions, item_ids: Sequence[str], windows: int = 5, first: float = 0.5) -> list[Split]:
    """Splits whose cuts move on: window w trains on all before its first cut and is tested on what follows.

    The first training set holds the share `first` of all events; the rest is cut into `windows + 1` parts of equal
    count. Window w validates on part w and is tested on part w + 1, which is the next window's validation.
    """
    if windows < 1 or not 0 < first < 1:
        raise SplitError(
            "no such windows", value=(windows, first), allowed="windows >= 1, 0 < first < 1", remedy="try windows=5"
        )
    known = _known(interactions, item_ids)
    cuts = _cuts(known, [first + (1 - first) * part / (windows + 1) for part in range(windows + 1)])
    cuts.append(int(known.table["timestamp"][-1]) + 1)
    splits = [
        _between(f"rolling {w + 1}/{windows}", known, item_ids, (cuts[w], cuts[w + 1], cuts[w + 2]))
        for w in range(windows)
    ]
    for split in splits:
        _refuse_empty(split, want_valid=True)
    return splits


def leave_last_out(interactions: Interactions, item_ids: Sequence[str]) -> Split:
    """Each user's last event is tested, the last but one validated; the test history includes the validated item.

    Users with fewer than three events of known items are for training only. Every event of a known item is in
    exactly one of training, validation targets and test targets.
    """
    known = _known(interactions, item_ids)
    count, place = pl.len().over("user_id"), pl.int_range(pl.len()).over("user_id")
    train = Interactions(known.table.filter((count < 3) | (place < count - 2)))
    histories = known.histories(item_ids)
    rows = np.flatnonzero(histories.items.lengths >= 3)
    split = Split(
        "leave last out", train, _held_out(histories, rows, 2), _held_out(histories, rows, 1), list(item_ids)
    )  # fmt: skip
    _refuse_empty(split, want_valid=True)
    return split


def _known(interactions: Interactions, item_ids: Sequence[str]) -> Interactions:
    ids = pl.Series("item_id", list(item_ids), dtype=pl.String)
    table = interactions.table.filter(pl.col("item_id").is_in(ids.implode()))
    if not table.height:
        raise SplitError(
            "no event is of an item of the catalog", value=interactions.table["item_id"][:3].to_list(),
            remedy="check that log and catalog use the same item ids",
        )  # fmt: skip
    return Interactions(table)


def _cuts(known: Interactions, shares: Sequence[float]) -> list[int]:
    """The times of the events at these shares of all events in time order."""
    times = known.table["timestamp"].to_numpy()
    places = np.minimum((np.array(shares) * len(times)).round().astype(np.int64), len(times) - 1)
    return [int(time) for time in times[places]]


def _between(name: str, known: Interactions, item_ids: Sequence[str], cuts: tuple[int, int, int]) -> Split:
    histories = known.histories(item_ids)
    first, second, end = cuts
    return Split(
        name, known.before(first), _first_after(histories, first, second), _first_after(histories, second, end),
        list(item_ids),
    )  # fmt: skip


def _first_after(histories: Histories, cut: int, end: int) -> Cases:
    """A case for each user with events before the cut and in [cut, end)."""
    items, times = histories.items, histories.times
    before = items.where(times < cut)
    place = items.offsets[:-1] + before.lengths  # where the first event at or after the cut would stand
    has_next = place < items.offsets[1:]
    time = times[np.minimum(place, len(times) - 1)]
    rows = np.flatnonzero(has_next & (time < end) & (before.lengths > 0))
    return _cases(histories, rows, before.take(rows), place[rows])


def _held_out(histories: Histories, rows: Int64, back: int) -> Cases:
    """The event `back` from the end of each of the rows as target, all before it as history."""
    items = histories.items
    left = np.repeat(items.lengths, items.lengths) - items.places
    return _cases(histories, rows, items.where(left > back).take(rows), items.offsets[rows + 1] - back)


def _cases(histories: Histories, rows: Int64, before: Ragged, targets: Int64) -> Cases:
    """targets: places in the flat array of events, one for each row."""
    one_each = Ragged(np.arange(len(rows) + 1, dtype=np.int64), histories.items.items[targets])
    users = [histories.users[row] for row in rows.tolist()]
    return Cases(users, before, one_each, histories.times[targets])


def _refuse_empty(split: Split, *, want_valid: bool) -> None:
    parts = {"train": len(split.train), "test": len(split.test)} | ({"valid": len(split.valid)} if want_valid else {})
    empty = [part for part, size in parts.items() if not size]
    if empty:
        raise SplitError(
            "the split leaves a part empty", value=parts, where=split.name,
            allowed="events to train on, and users with events before and after each cut (three events each to "
            "leave the last out)",
            remedy="use more data or larger shares, or another protocol (leave_last_out, global_time)",
        )  # fmt: skip
