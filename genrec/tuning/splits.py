"""The split that a run's settings ask for. Does not know models."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from genrec.errors import SplitError
from genrec.interactions import Interactions
from genrec.splitting import Cases, Split, global_time, leave_last_out
from genrec.tuning.settings import SplitSettings


def split_of(settings: SplitSettings, interactions: Interactions, item_ids: Sequence[str]) -> Split:
    """Raises SplitError where it would leave a part empty."""
    if settings.kind == "global_time":
        whole = global_time(interactions, item_ids, valid=settings.valid, test=settings.test)
    else:
        whole = leave_last_out(interactions, item_ids)
    return _without(whole, settings.cold) if settings.cold else whole


def _without(split: Split, share: float) -> Split:
    """As if some items were new on the day of the test."""
    new = np.zeros(len(split.item_ids), dtype=bool)
    new[np.random.default_rng(0).permutation(len(new))[: round(share * len(new))]] = True
    ids = pl.Series("item_id", [split.item_ids[item] for item in np.flatnonzero(new)], dtype=pl.String)
    train = Interactions(split.train.table.filter(~pl.col("item_id").is_in(ids.implode())))
    histories = split.valid.histories.where(~new[split.valid.histories.items])
    rows = np.flatnonzero(~new[split.valid.targets.padded(1)[:, 0]] & (histories.lengths > 0))
    users = [split.valid.users[row] for row in rows.tolist()]
    valid = Cases(users, histories.take(rows), split.valid.targets.take(rows), split.valid.times[rows])
    if not len(train) or not len(valid):
        raise SplitError("too many items are held back", value=share, where="split.cold", remedy="hold back fewer")
    return Split(f"{split.name}, {share:.0%} of the items new", train, valid, split.test, split.item_ids)


def newest(train: Interactions, share: float) -> Interactions:
    """The newest share of the events; events of one moment stay together."""
    if share == 1 or not len(train):
        return train
    times = train.table["timestamp"]
    return train.since(int(times[round((1 - share) * (len(times) - 1))]))
