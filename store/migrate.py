"""Brings a store to this program's version in one transaction, or refuses and touches nothing."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from store.errors import StoreError

HEAD = "0008"
"""The newest revision. A test holds it equal to the migration scripts' own head; having it here
spares a store that is up to date the import of Alembic."""


def bring_up_to_date(reader: Engine, writer: Engine, name: str) -> None:
    """Checks the version through `reader` and, only if it is behind, migrates through `writer`.

    Raises:
        StoreError: the store is from a newer version or is no store. Nothing was changed.
    """
    with reader.connect() as conn, conn.begin():
        revision = _revision(conn, name)
    if revision == HEAD:
        return
    _refuse_newer(revision, name)
    _upgrade(writer, name)


def _revision(conn: Connection, name: str) -> str | None:
    tables = set(inspect(conn).get_table_names())
    if not tables:
        return None
    if "alembic_version" not in tables:
        raise StoreError(
            f"{name} is a database, but not a Gatehouse store. Move it away, or set "
            "GATEHOUSE_HOME to another folder."
        )
    return conn.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


def _refuse_newer(revision: str | None, name: str) -> None:
    from alembic.script import ScriptDirectory

    known = {r.revision for r in ScriptDirectory(str(_SCRIPTS)).walk_revisions()}
    if revision is not None and revision not in known:
        raise StoreError(
            f"The store {name} is from a newer version of Gatehouse (its version is {revision}, "
            f"this program knows up to {HEAD}). Start the newer version, or set GATEHOUSE_HOME to "
            "another folder. Nothing was changed."
        )


def _upgrade(writer: Engine, name: str) -> None:
    """Runs every missing step in one transaction; of two processes, the second finds it done."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    with writer.connect() as conn:
        _enforce_keys(conn, on=False)
        try:
            with conn.begin():
                _refuse_newer(_revision(conn, name), name)
                config.attributes["connection"] = conn
                command.upgrade(config, "head")
                _check_keys(conn, name)
        finally:
            _enforce_keys(conn, on=True)


def _enforce_keys(conn: Connection, *, on: bool) -> None:
    # SQLite alters a table by making it anew, which enforced keys would turn into deletes; the
    # switch works only outside a transaction.
    if conn.dialect.name == "sqlite":
        raw = conn.connection.cursor()
        raw.execute(f"PRAGMA foreign_keys={'ON' if on else 'OFF'}")
        raw.close()


def _check_keys(conn: Connection, name: str) -> None:
    if conn.dialect.name != "sqlite":
        return
    if conn.exec_driver_sql("PRAGMA foreign_key_check").first() is not None:
        raise StoreError(
            f"The store {name} could not be brought up to date: rows would lose what they point "
            "at. Nothing was changed."
        )


_SCRIPTS = Path(__file__).parent / "migrations"
