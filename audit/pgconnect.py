"""Connections to PostgreSQL for the log: durable commits, bounded waiting, plain errors."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, Final

import psycopg

from audit.errors import AuditError, Tampered, Unavailable

_CONNECT_S: Final = 5
_LOCK_MS: Final = 5000
_SILENT_MS: Final = 15_000
"""A server that says nothing for so long is gone."""
Connection = psycopg.Connection[tuple[Any, ...]]


def libpq_url(url: str) -> str:
    """Returns a URL as the driver takes it, whatever driver SQLAlchemy's spelling of it names."""
    scheme, _, rest = url.partition("://")
    return f"{scheme.partition('+')[0]}://{rest}"


def connect(url: str, *, idle_ms: int = 0) -> Connection:
    """Returns a connection in autocommit mode whose commits are durable.

    The server ends it when a transaction of it is idle for `idle_ms`; 0 is never.

    Raises:
        psycopg.Error: the server cannot be reached.
    """
    connection = psycopg.connect(
        libpq_url(url),
        autocommit=True,
        connect_timeout=_CONNECT_S,
        keepalives_idle=30,
        tcp_user_timeout=_SILENT_MS,
        application_name="gatehouse audit",
    )
    # A statement's text is fixed; one round trip sets all of them.
    connection.execute(
        f"SET synchronous_commit = on; SET lock_timeout = {_LOCK_MS};"
        f" SET idle_in_transaction_session_timeout = {idle_ms}; SET search_path = pg_catalog"
    )
    return connection


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Lets errors of the driver leave as this package's, without the driver's text.

    Raises:
        Tampered: the database refused a record that follows the head.
        Unavailable: anything else.
    """
    try:
        yield
    except AuditError:
        raise
    except psycopg.IntegrityError as error:
        raise Tampered("The audit database refused a record that follows the head.") from error
    except psycopg.errors.InsufficientPrivilege as error:
        raise Unavailable(
            "The audit database does not let this role do that. Its owner grants it with"
            " `gatehouse audit schema --role ROLE`."
        ) from error
    except (psycopg.Error, OSError) as error:
        raise Unavailable(
            f"The audit database cannot be used ({type(error).__name__}). Nothing may run until it"
            " can."
        ) from error
