"""The split that a run's settings ask for. Does not know models."""

from __future__ import annotations

from collections.abc import Sequence

from genrec.interactions import Interactions
from genrec.splitting import Split, global_time, leave_last_out
from genrec.tuning.settings import SplitSettings


def split_of(settings: SplitSettings, interactions: Interactions, item_ids: Sequence[str]) -> Split:
    if settings.kind == "global_time":
        return global_time(interactions, item_ids, valid=settings.valid, test=settings.test)
    return leave_last_out(interactions, item_ids)


def newest(train: Interactions, share: float) -> Interactions:
    """The newest share of the events; events of one moment stay together."""
    if share == 1 or not len(train):
        return train
    times = train.table["timestamp"]
    return train.since(int(times[round((1 - share) * (len(times) - 1))]))
