"""Which adapter reads a source."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from guard.address import Address, ServerAddress, ServerReach, file_of, server_of
from guard.engines.base import Engine
from guard.engines.duckdb import DuckdbEngine
from guard.engines.sqlite import SqliteEngine
from guard.errors import ConfigurationError

if TYPE_CHECKING:
    from guard.policyfile import EngineName


def open_engine(
    name: EngineName, address: Address, *, source: str, reach: ServerReach | None = None
) -> Engine:
    """Returns the adapter for the database at `address`. Opens nothing yet.

    A missing or broken database shows at the first statement, which raises `SourceUnavailable`.

    Raises:
        ConfigurationError: the address is not of the engine's kind, or its driver is missing.
    """
    reach = reach or ServerReach()
    match name:
        case "sqlite":
            return SqliteEngine(file_of(address), source=source)
        case "duckdb":
            return DuckdbEngine(file_of(address), source=source)
        case "postgres":
            return _postgres(server_of(address), source, reach)
        case "mysql":
            return _mysql(server_of(address), source, reach)
        case _:
            assert_never(name)


def _postgres(address: ServerAddress, source: str, reach: ServerReach) -> Engine:
    try:
        from guard.engines.postgres import PostgresEngine
    except ImportError as error:
        raise ConfigurationError(
            "The driver for PostgreSQL is not installed. Run `pip install 'gatehouse[postgres]'`."
        ) from error
    return PostgresEngine(address, source=source, reach=reach)


def _mysql(address: ServerAddress, source: str, reach: ServerReach) -> Engine:
    try:
        from guard.engines.mysql import MysqlEngine
    except ImportError as error:
        raise ConfigurationError("MySQL needs its driver. Install gatehouse[mysql].") from error
    return MysqlEngine(address, source=source, reach=reach)
