"""Run by Alembic. The connection, inside its transaction, comes from `store.migrate`."""

from __future__ import annotations

from alembic import context

from store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    # SQLite's own transactions hold DDL too once the driver leaves them to us.
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
