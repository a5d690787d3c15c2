"""How recommendations fare: shown, seen, clicked, converted, by model version and slot. Knows slates and their events.

An item of a slate counts once, however often it was shown, seen or clicked, and only events of the slate's own user
that name the slate. What was clicked was seen, and what was bought was clicked: rates stay within [0, 1].
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from sqlalchemy import Connection, Select, and_, case, func, select

from serving.store.records import Slate
from serving.store.statements import inserting, lock_users
from serving.store.tables import events, slate_items, slates

CLICKS = ("click", "view", "play")
CONVERSIONS = ("purchase", "like")
_Z = 1.959963984540054  # the normal distribution's 97.5 % quantile


@dataclass(frozen=True)
class OnlineRow:
    """One slot of one model version.

    served: places of slates; impressions: those seen (an impression, or any other event, came back); ctr: clicks over
    impressions; cvr: conversions over clicks; None where there is nothing to divide by. *_low, *_high: Wilson's 95 %
    interval (Wilson 1927, doi:10.1080/01621459.1927.10502953), [0, 1] where nothing is known.
    """

    model: str
    slot: int
    served: int
    impressions: int
    clicks: int
    conversions: int
    ctr: float | None
    ctr_low: float
    ctr_high: float
    cvr: float | None
    cvr_low: float
    cvr_high: float

    @classmethod
    def of(cls, model: str, slot: int, served: int, seen: int, clicked: int, converted: int) -> OnlineRow:
        (ctr_low, ctr_high), (cvr_low, cvr_high) = wilson(clicked, seen), wilson(converted, clicked)
        ctr, cvr = _rate(clicked, seen), _rate(converted, clicked)
        return cls(model, slot, served, seen, clicked, converted, ctr, ctr_low, ctr_high, cvr, cvr_low, cvr_high)


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """Wilson's score interval, 95 %; (0, 1) without trials."""
    if not trials:
        return 0.0, 1.0
    share, spread = successes / trials, _Z * _Z / trials
    middle = (share + spread / 2) / (1 + spread)
    half = _Z * math.sqrt(share * (1 - share) / trials + spread / trials / 4) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)


def record(connection: Connection, slate: Slate) -> bool:
    """Stores what was shown; False if this recommendation was recorded for this user before."""
    lock_users(connection, [slate.user_id])
    owner = {"user_id": slate.user_id, "recommendation_id": slate.recommendation_id}
    shown_at = int(time.time()) if slate.shown_at is None else slate.shown_at
    row = {**owner, "model": slate.model, "shown_at": shown_at, "policy": slate.policy}
    skipping = inserting(connection, slates).on_conflict_do_nothing().returning(slates.c.user_id)
    if connection.execute(skipping, row).first() is None:
        return False
    if slate.items:
        connection.execute(slate_items.insert(), [{**owner, **item.model_dump()} for item in slate.items])
    return True


def online(connection: Connection, since: int | None, until: int | None) -> list[OnlineRow]:
    """Slates shown from `since` up to before `until` (UTC seconds), with all that came of them since."""
    fates = _fates(since, until).subquery()
    counted = (
        select(
            fates.c.model, fates.c.slot, func.count(), func.sum(fates.c.seen), func.sum(fates.c.clicked),
            func.sum(fates.c.converted),
        )
        .group_by(fates.c.model, fates.c.slot)
        .order_by(fates.c.model, fates.c.slot)
    )  # fmt: skip
    return [OnlineRow.of(model, *map(int, numbers)) for model, *numbers in connection.execute(counted)]


def _fates(since: int | None, until: int | None) -> Select[tuple[str, int, int, int, int]]:
    """One row for each place of a slate: model, slot, and whether it was seen, clicked, converted (0 or 1)."""
    owner = and_(
        slates.c.user_id == slate_items.c.user_id, slates.c.recommendation_id == slate_items.c.recommendation_id
    )
    came = and_(
        events.c.recommendation_id == slate_items.c.recommendation_id,
        events.c.user_id == slate_items.c.user_id,
        events.c.item_id == slate_items.c.item_id,
    )
    within = [slates.c.shown_at >= since] if since is not None else []
    within += [slates.c.shown_at < until] if until is not None else []
    return (
        select(
            slates.c.model,
            slate_items.c.slot,
            func.max(case((events.c.seq.is_not(None), 1), else_=0)).label("seen"),
            func.max(case((events.c.kind.in_(CLICKS + CONVERSIONS), 1), else_=0)).label("clicked"),
            func.max(case((events.c.kind.in_(CONVERSIONS), 1), else_=0)).label("converted"),
        )
        .select_from(slates.join(slate_items, owner).outerjoin(events, came))
        .where(*within)
        .group_by(
            slates.c.model, slate_items.c.slot, slate_items.c.user_id, slate_items.c.recommendation_id,
            slate_items.c.item_id,
        )
    )  # fmt: skip


def _rate(successes: int, trials: int) -> float | None:
    return successes / trials if trials else None
