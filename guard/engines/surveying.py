"""Looking at a database that has no policy yet, as its owner: once, by an operator.

Nobody's questions go this way. The adapters ask nothing of the login's rights here, because it is
the owner's; a source is read through `opening.open_engine`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from guard.address import Address, ServerReach, server_of
from guard.engines.base import Engine
from guard.engines.opening import open_engine
from guard.errors import ConfigurationError

if TYPE_CHECKING:
    from guard.grants import ServerFacts
    from guard.policyfile import EngineName


class ServerSurvey(Engine, Protocol):
    """A server as the owner of a database sees it."""

    def facts(self) -> ServerFacts:
        """Returns what the statements for the source's two logins need to know.

        Raises:
            SourceUnavailable: the server cannot be reached.
        """
        ...


def open_server_survey(
    name: EngineName, address: Address, *, source: str, reach: ServerReach
) -> ServerSurvey:
    """Returns an adapter for a server's owner. Opens nothing yet.

    Raises:
        ConfigurationError: the engine is no server, or its driver is missing.
    """
    match name:
        case "postgres":
            try:
                from guard.engines.postgres import PostgresReader
            except ImportError as error:
                raise ConfigurationError(
                    "PostgreSQL needs its driver. Install gatehouse[postgres]."
                ) from error
            return PostgresReader(server_of(address), source=source, reach=reach)
        case "mysql":
            try:
                from guard.engines.mysql import MysqlEngine
            except ImportError as error:
                raise ConfigurationError(
                    "MySQL needs its driver. Install gatehouse[mysql]."
                ) from error
            return MysqlEngine(server_of(address), source=source, owner=True)
        case _:
            raise ConfigurationError(f"There are no statements for the logins of {name} yet.")


def open_survey(name: EngineName, address: Address, *, source: str, reach: ServerReach) -> Engine:
    """Returns an adapter for looking at a database: as its owner where it is on a server.

    Raises:
        ConfigurationError: as `open_engine`.
    """
    if name in ("postgres", "mysql"):
        return open_server_survey(name, address, source=source, reach=reach)
    return open_engine(name, address, source=source, reach=reach)
