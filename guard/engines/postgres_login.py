"""A login to a PostgreSQL server -> a connection of the driver. Nothing of the login is shown."""

from __future__ import annotations

from collections.abc import Mapping

import psycopg
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from guard.address import ServerAddress
from guard.engines import faults
from guard.errors import ConfigurationError, PasswordNeeded, SourceUnavailable

_OPTIONS = frozenset(
    {
        "channel_binding",
        "connect_timeout",
        "host",
        "port",
        "sslcert",
        "sslkey",
        "sslmode",
        "sslrootcert",
        "target_session_attrs",
    }
)
"""What a URL may say besides the login. `options` and `service` could change the session."""
_NEAR = frozenset({"", "localhost", "127.0.0.1", "::1"})


def parameters(url: str, *, source: str) -> Mapping[str, str]:
    """Returns the driver's parameters for a URL. They hold the password.

    A server elsewhere must show a certificate for its name, unless the URL sets `sslmode` itself.

    Raises:
        ConfigurationError: the URL has an option that is not known here.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise ConfigurationError(f"The address of {source} cannot be read.") from None
    given = {k: v for k, v in parsed.query.items() if isinstance(v, str)}
    unknown = sorted(set(parsed.query) - (_OPTIONS & given.keys()))
    if unknown:
        raise ConfigurationError(
            f"The address of {source} has the option {unknown[0]}, which is not known here. "
            f"Known are: {', '.join(sorted(_OPTIONS))}."
        )
    known = {
        "host": parsed.host or "",
        "port": str(parsed.port or ""),
        "user": parsed.username or "",
        "password": str(parsed.password or ""),
        "dbname": parsed.database or "",
        **given,
    }
    if "sslmode" not in known and not _is_near(known["host"]):
        known["sslmode"] = "verify-full"
        known.setdefault("sslrootcert", "system")
    return {k: v for k, v in known.items() if v}


def _is_near(host: str) -> bool:
    return host in _NEAR or host.startswith("/")


def connect(address: ServerAddress, *, source: str, application: str) -> psycopg.Connection:
    """Returns an open connection in autocommit mode, which prepares nothing on its own.

    Raises:
        ConfigurationError: see `parameters`.
        PasswordNeeded: it asks for a password, and neither the URL nor libpq has one: PGPASSWORD
            and the password file, https://www.postgresql.org/docs/current/libpq-pgpass.html.
        SourceUnavailable: the server cannot be reached or refuses the login.
    """
    known = {"connect_timeout": "10", **parameters(address.url, source=source)}
    try:
        return psycopg.connect(
            autocommit=True,
            prepare_threshold=None,
            application_name=application,
            client_encoding="UTF8",
            **known,  # type: ignore[arg-type]
        )
    except (psycopg.Error, UnicodeError, OSError) as error:
        # The driver's own text names the host, the user and the database.
        why = (
            f"The server of {source} cannot be reached, or does not accept its login. Check that "
            "it runs, and the secret that the policy names."
        )
        pgconn = error.pgconn if isinstance(error, psycopg.Error) else None
        if pgconn is not None and pgconn.needs_password:
            raise PasswordNeeded(why) from None
        raise unreached(error, source, why) from None


_DISTRUST: Mapping[str, faults.Distrust] = {
    "does not match host name": "name",
    "certificate verify failed": "authority",
    "server does not support SSL": "plain",
    "root certificate file": "file",
}
"""What libpq says, which comes in no other language with this driver."""


def unreached(error: Exception, source: str, otherwise: str) -> SourceUnavailable:
    """Returns what to raise where no connection came about: `otherwise` where nothing is known."""
    told = str(error)
    why = next((w for said, w in _DISTRUST.items() if said in told), None)
    return SourceUnavailable(otherwise) if why is None else faults.distrusted(why, source)
