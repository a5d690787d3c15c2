"""Users: what is known of one. Knows no route."""

from __future__ import annotations

from typing import Any

from genrec.interest.timeline import Segment
from serving.schemas.recommendations import Window
from serving.schemas.shared import Answer


class Happened(Answer):
    """One interaction."""

    item_id: str
    title: str | None
    kind: str
    timestamp: int
    value: float | None


class User(Answer):
    """window: what a prompt shows now, with the profile of the rest; timeline: newest last."""

    user_id: str
    version: int
    window: Window
    shown: list[str]
    disliked: list[str]
    timeline: list[Happened]


class Known(Answer):
    """A user with a history. last: UTC seconds of the newest interaction."""

    user_id: str
    events: int
    last: int


class Users(Answer):
    """Newest first."""

    users: list[Known]


class Interests(Answer):
    """segments: stretches of one interest, oldest first, the last is the present one; false_alarms: changes per choice
    that would be shown of a person who never changes; model: version of the bundle that says so."""

    user_id: str
    version: int
    segments: list[Segment]
    false_alarms: float
    model: str


class Exported(Answer):
    """All that is stored on a user."""

    user_id: str
    events: list[dict[str, Any]]
    recommendations: list[dict[str, Any]]


class Erased(Answer):
    """Rows that were removed from all tables."""

    removed: int
