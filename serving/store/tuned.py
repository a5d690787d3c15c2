"""What came of slates shown under each setting of the priors' weights: all that a bandit has learnt, read from the log.

On an open transaction. A slate's `policy` names its arm; nothing else is stored of what was learnt but the moment from
which slates count. Does not know what is made of it.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, and_, exists, select

from serving.store.online import CLICKS, CONVERSIONS
from serving.store.statements import inserting
from serving.store.tables import TUNED, counters, events, slate_items, slates

ARM = "arm"
"""Key of a slate's `policy`: the arm it was shown under."""


def outcomes(connection: Connection, until: int, most: int) -> list[tuple[str, bool]]:
    """Of the newest `most` slates shown before `until` (UTC seconds) under an arm: its name, and whether the slate's
    user clicked or chose anything of it and said so; oldest first. Slates of before `forget` do not count."""
    arm = slates.c.policy[ARM].as_string()
    since = select(counters.c.value).where(counters.c.name == TUNED)
    first = int(connection.execute(since).scalar_one_or_none() or 0)
    found = (
        select(arm, _won())
        .where(slates.c.shown_at >= first, slates.c.shown_at < until, arm.is_not(None))
        .order_by(slates.c.shown_at.desc(), slates.c.recommendation_id, slates.c.user_id)
        .limit(most)
    )
    return [(str(name), bool(won)) for name, won in connection.execute(found).all()[::-1]]


def forget(connection: Connection, now: int) -> None:
    """What was shown before `now` teaches nothing any more."""
    adding = inserting(connection, counters).values(name=TUNED, value=now)
    connection.execute(adding.on_conflict_do_update(index_elements=["name"], set_={"value": now}))


def _won() -> ColumnElement[bool]:
    same = and_(
        slate_items.c.user_id == events.c.user_id, slate_items.c.recommendation_id == events.c.recommendation_id,
        slate_items.c.item_id == events.c.item_id,
    )  # fmt: skip
    return exists(
        select(events.c.seq)
        .select_from(events.join(slate_items, same))
        .where(
            events.c.recommendation_id == slates.c.recommendation_id,
            events.c.user_id == slates.c.user_id,
            events.c.kind.in_(CLICKS + CONVERSIONS),
        )
    )
