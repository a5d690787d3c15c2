"""The tables as SQLAlchemy Core sees them; `migrations/` makes them, and a test compares the two. Knows no queries."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData()

# Only an INTEGER key counts up by itself in SQLite; it is 64 bits wide there, too.
_Number = BigInteger().with_variant(Integer, "sqlite")

events = Table(
    "events",
    metadata,
    Column("seq", _Number, primary_key=True, autoincrement=True),
    Column("user_id", Text, nullable=False),
    Column("item_id", Text, nullable=False),
    Column("timestamp", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("in_history", Boolean, nullable=False),
    Column("value", Double),
    Column("key", Text, nullable=False),
    Column("recommendation_id", Text),
    Column("slot", Integer),
    Column("received_at", BigInteger, nullable=False),
    UniqueConstraint("key", name="events_key"),
    Index("events_of_user", "user_id", "in_history", "timestamp", "seq"),
    Index(
        "events_of_slate", "recommendation_id", "user_id", "item_id",
        sqlite_where=text("recommendation_id IS NOT NULL"), postgresql_where=text("recommendation_id IS NOT NULL"),
    ),
    sqlite_autoincrement=True,
)  # fmt: skip

users = Table(
    "users",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("version", BigInteger, nullable=False),
)

slates = Table(
    "slates",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("recommendation_id", Text, primary_key=True),
    Column("model", Text, nullable=False),
    Column("shown_at", BigInteger, nullable=False),
    Column("policy", JSON, nullable=False),
    Index("slates_by_time", "shown_at"),
)

slate_items = Table(
    "slate_items",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("recommendation_id", Text, primary_key=True),
    Column("item_id", Text, primary_key=True),
    Column("slot", Integer, nullable=False),
    Column("propensity", Double),
)

catalog_items = Table(
    "catalog_items",
    metadata,
    Column("item_id", Text, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("fields", JSON, nullable=False),
    Column("whole", Boolean, nullable=False),
    Column("available", Boolean, nullable=False),
    Column("deleted", Boolean, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    UniqueConstraint("version", name="catalog_items_version"),
)

counters = Table(
    "counters",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", BigInteger, nullable=False),
)
FLOOR = "floor"
"""Counter: the version of every user that the store does not know; raised when a user is erased."""
CATALOG = "catalog"
"""Counter: the version of the latest edit of the catalog."""
TUNED = "tuned"
"""Counter: UTC seconds from which slates teach the weights of priors; absent: all do."""
