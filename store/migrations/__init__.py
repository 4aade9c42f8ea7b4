"""Alembic scripts, run by `store.migrate` when a store is opened."""
