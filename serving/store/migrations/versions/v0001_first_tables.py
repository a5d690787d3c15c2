"""The first tables: events, users' versions, slates, edits of the catalog, counters. Frozen: later changes come after.

Does not import tables.py, which moves on.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_OF_SLATE = sa.text("recommendation_id IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "events",
        sa.Column("seq", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("user_id", sa.Text, nullable=False),
        sa.Column("item_id", sa.Text, nullable=False),
        sa.Column("timestamp", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("in_history", sa.Boolean, nullable=False),
        sa.Column("value", sa.Double),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("recommendation_id", sa.Text),
        sa.Column("slot", sa.Integer),
        sa.Column("received_at", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("key", name="events_key"),
        sqlite_autoincrement=True,
    )
    op.create_index("events_of_user", "events", ["user_id", "in_history", "timestamp", "seq"])
    op.create_index(
        "events_of_slate", "events", ["recommendation_id", "user_id", "item_id"],
        sqlite_where=_OF_SLATE, postgresql_where=_OF_SLATE,
    )  # fmt: skip
    op.create_table(
        "users",
        sa.Column("user_id", sa.Text, primary_key=True),
        sa.Column("version", sa.BigInteger, nullable=False),
    )
    _slates()
    op.create_table(
        "catalog_items",
        sa.Column("item_id", sa.Text, primary_key=True),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("fields", sa.JSON, nullable=False),
        sa.Column("whole", sa.Boolean, nullable=False),
        sa.Column("available", sa.Boolean, nullable=False),
        sa.Column("deleted", sa.Boolean, nullable=False),
        sa.Column("changed_at", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("version", name="catalog_items_version"),
    )
    counters = op.create_table(
        "counters",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("value", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(counters, [{"name": "floor", "value": 0}, {"name": "catalog", "value": 0}])


def _slates() -> None:
    op.create_table(
        "slates",
        sa.Column("user_id", sa.Text, primary_key=True),
        sa.Column("recommendation_id", sa.Text, primary_key=True),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("shown_at", sa.BigInteger, nullable=False),
        sa.Column("policy", sa.JSON, nullable=False),
    )
    op.create_index("slates_by_time", "slates", ["shown_at"])
    op.create_table(
        "slate_items",
        sa.Column("user_id", sa.Text, primary_key=True),
        sa.Column("recommendation_id", sa.Text, primary_key=True),
        sa.Column("item_id", sa.Text, primary_key=True),
        sa.Column("slot", sa.Integer, nullable=False),
        sa.Column("propensity", sa.Double),
    )


def downgrade() -> None:
    raise NotImplementedError("the first tables hold everything; drop the database instead")
