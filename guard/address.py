"""Where a source is: a file beside the console, or a server with a login. The login never shows."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import SplitResult, parse_qs, quote, unquote, urlencode, urlsplit

from guard.errors import ConfigurationError

_SCHEMES: Mapping[str, frozenset[str]] = {
    "postgres": frozenset({"postgres", "postgresql"}),
    "mysql": frozenset({"mysql", "mariadb"}),
}
_FORMS: Mapping[str, str] = {
    "postgres": "postgresql://user:password@host:5432/database",
    "mysql": "mysql://user:password@host:3306/database",
}


@dataclass(frozen=True, kw_only=True)
class FileAddress:
    """The file of an embedded database."""

    path: Path


@dataclass(frozen=True, kw_only=True)
class ServerAddress:
    """A database on a server, and the login to it. `user` and `database` are percent-decoded.

    The URL holds a password: it shows in no repr, and only the adapters take it out.
    """

    user: str = field(repr=False)
    host: str
    database: str
    url: str = field(repr=False)
    """MUST NOT be shown, logged or put into a message."""


Address = FileAddress | ServerAddress


@dataclass(frozen=True, kw_only=True)
class ServerReach:
    """What a server's adapter needs of the policy besides the login.

    `schemas` is the search path, the first one first; empty means the engine's own default. `roles`
    are the database roles a statement may run as, for row security. `ddl` says that somebody may
    propose changes of the schema.
    """

    schemas: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    ddl: bool = False


def server_address(url: str, engine: str) -> ServerAddress:
    """Returns the address in `url`, for the engine the policy names.

    Raises:
        ConfigurationError: it is no URL of that engine, or names no user or no database. The
            message repeats no part of it.
    """
    wrong = ConfigurationError(f"That is not the address of a database. Write {_FORMS[engine]}.")
    text = url.strip()
    if any(ord(c) < 33 or ord(c) == 127 for c in text):
        raise wrong
    try:
        parts = urlsplit(text)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        raise wrong from None
    if parts.scheme.partition("+")[0] not in _SCHEMES[engine]:
        raise wrong
    user, database = unquote(parts.username or ""), unquote(parts.path.removeprefix("/"))
    if not user or not database or parts.fragment:
        raise ConfigurationError(
            f"The address must name a user and a database: {_FORMS[engine]}. Write special "
            "characters in the password percent-encoded."
        )
    return ServerAddress(user=user, host=host or _socket(parts), database=database, url=text)


def has_password(address: ServerAddress) -> bool:
    """Returns whether the URL itself holds a password."""
    return bool(urlsplit(address.url).password)


def with_password(address: ServerAddress, password: str) -> ServerAddress:
    """Returns the same login with this password in place of the URL's own."""
    parts = urlsplit(address.url)
    login, _, server = parts.netloc.rpartition("@")
    secret = quote(password, safe="", errors="surrogateescape")
    netloc = f"{login.partition(':')[0]}:{secret}@{server}"
    return replace(address, url=parts._replace(netloc=netloc).geturl())


_AUTHORITY: Mapping[str, Mapping[str, str]] = {
    "postgres": {"sslrootcert": "{file}", "sslmode": "verify-full"},
    "mysql": {"ssl_ca": "{file}"},
}


def trusting(address: ServerAddress, engine: str, authority: Path) -> ServerAddress:
    """Returns the address of a server that must show a certificate which `authority` has signed.

    `authority` is a file of certificates in PEM. The certificate must be for the server's name.

    Raises:
        ConfigurationError: the file cannot be read, or the URL itself says how to encrypt.
    """
    if any(key.startswith("ssl") for key in parse_qs(urlsplit(address.url).query)):
        raise ConfigurationError(
            "The policy names a ca_file and the URL has an option of its own for encryption. Say "
            "it in one place."
        )
    if not authority.is_file() or not os.access(authority, os.R_OK):
        raise ConfigurationError("The file that ca_file names is not there or cannot be read.")
    options = {k: v.format(file=authority) for k, v in _AUTHORITY[engine].items()}
    joined = "&" if "?" in address.url else "?"
    return replace(address, url=f"{address.url}{joined}{urlencode(options, quote_via=quote)}")


def _socket(parts: SplitResult) -> str:
    return "a local socket" if parts.query else "localhost"


def file_of(address: Address) -> Path:
    """Returns the file of an embedded source. Raises `ConfigurationError` for a server."""
    if not isinstance(address, FileAddress):
        raise ConfigurationError("This engine reads a file, not a server.")
    return address.path


def server_of(address: Address) -> ServerAddress:
    """Returns the server of a source. Raises `ConfigurationError` for a file."""
    if not isinstance(address, ServerAddress):
        raise ConfigurationError("This engine is a server, not a file.")
    return address
