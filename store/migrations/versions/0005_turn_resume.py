"""Turns that another process may go on with, and what a model is saying at this moment."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Adds to a turn whether and how often it was resumed, and its unfinished text."""
    for column in (
        sa.Column("resumable", sa.Boolean(), nullable=False, server_default="0"),
        sa.Column("resumes", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("saying", sa.Text()),
    ):
        op.add_column("turns", column)
