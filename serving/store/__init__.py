"""The event store: what users did, what they were shown, and edits of the catalog, durably.

SQLite for one machine, PostgreSQL for several replicas. Does not know HTTP, models or recommending.
"""

from serving.store.online import OnlineRow
from serving.store.records import (
    IMPRESSION,
    KINDS,
    MOST_EVENTS,
    Appended,
    CatalogChange,
    NewEvent,
    ShownItem,
    Slate,
    UserHistory,
)
from serving.store.store import EventStore

__all__ = [
    "IMPRESSION",
    "KINDS",
    "MOST_EVENTS",
    "Appended",
    "CatalogChange",
    "EventStore",
    "NewEvent",
    "OnlineRow",
    "ShownItem",
    "Slate",
    "UserHistory",
]
