"""A connection to MySQL or MariaDB: settings made and read back, bytes counted, reset after use.

Several statements in one text and LOCAL INFILE are never asked for, so the server refuses both.
https://mariadb.com/kb/en/com_reset_connection/,
https://dev.mysql.com/doc/refman/8.4/en/server-system-variables.html
"""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pymysql
from pymysql.constants import CLIENT

from guard.address import ServerAddress
from guard.engines.child.faults import Fault
from guard.engines.mysql_values import Field
from guard.errors import ConfigurationError

MODES = frozenset({"STRICT_ALL_TABLES", "ERROR_FOR_DIVISION_BY_ZERO", "NO_ENGINE_SUBSTITUTION"})
"""The `sql_mode` of every session: the guard's parser reads text as the server does without
ANSI_QUOTES, NO_BACKSLASH_ESCAPES, PIPES_AS_CONCAT, IGNORE_SPACE and HIGH_NOT_PRECEDENCE."""
SESSION_BYTES = 512 * 1024 * 1024
"""Memory one session may use, where the server can say (MariaDB)."""
GROUP_CONCAT_BYTES = 1024 * 1024
_CHARSET = "utf8mb4"
_COLLATION = "utf8mb4_general_ci"
_RESET = 0x1F
_CONNECT_SECONDS = 10
_NEAR = frozenset({"localhost", "127.0.0.1", "::1"})
_OPTIONS = frozenset({"unix_socket", "ssl_ca", "ssl_verify_identity"})

Bytes = bytes | None


@dataclass(frozen=True, kw_only=True)
class Login:
    """How to reach a server; `options` are those of the address that the driver may be given."""

    user: str = field(repr=False)
    password: str = field(repr=False)
    host: str
    port: int
    database: str
    options: Mapping[str, str]


def login_of(address: ServerAddress) -> Login:
    """Returns the login in the address.

    Raises:
        ConfigurationError: an option that this package does not pass on; no part is repeated.
    """
    parts = urlsplit(address.url)
    given = parse_qs(parts.query, keep_blank_values=True)
    if not given.keys() <= _OPTIONS or any(len(v) != 1 for v in given.values()):
        raise ConfigurationError(
            "The address of a MySQL server may carry the options unix_socket, ssl_ca and "
            "ssl_verify_identity, each once. Leave out the others: the guard sets them."
        )
    return Login(
        user=address.user,
        password=unquote(parts.password or ""),
        host=parts.hostname or "localhost",
        port=parts.port or 3306,
        database=address.database,
        options={k: v[0] for k, v in given.items()},
    )


def _tls(login: Login) -> ssl.SSLContext | None:
    """Returns what a server elsewhere must show: a certificate for its name.

    None lets a server on this machine choose. `ssl_verify_identity=0` leaves the name unchecked.
    """
    near = "unix_socket" in login.options or login.host in _NEAR
    if near and "ssl_ca" not in login.options:
        return None
    try:
        context = ssl.create_default_context(cafile=login.options.get("ssl_ca"))
    except OSError:
        raise ConfigurationError(
            "The file that ssl_ca names in the address of the server cannot be read."
        ) from None
    context.check_hostname = login.options.get("ssl_verify_identity") not in ("0", "false")
    return context


class Stream:
    """The rows of a statement, read one by one from the wire."""

    def __init__(self, result: Any) -> None:
        self._result = result

    @property
    def fields(self) -> Sequence[Field]:
        """What the server says of each column."""
        found: Sequence[Field] = self._result.fields
        return found

    def next(self) -> tuple[Bytes, ...] | None:
        """Returns the next row, None after the last."""
        row: tuple[Bytes, ...] | None = self._result._read_rowdata_packet_unbuffered()  # noqa: SLF001
        return row

    @property
    def more_results(self) -> bool:
        """True when a second result follows; known after the last row."""
        return bool(self._result.has_next)

    @property
    def warnings(self) -> int:
        """How many warnings the server has; known after the last row."""
        return int(self._result.warning_count)


class TooLarge(Exception):
    """More bytes came than were asked for; the connection is closed."""


class Session(pymysql.Connection):  # type: ignore[misc]
    """One connection. Values come as the server's bytes, None for NULL.

    `bytes_left` bounds what may still be read, None while nothing counts.
    """

    def __init__(self, login: Login, *, database: bool = True) -> None:
        """Connects. `database` is false where only a role may enter it."""
        self.bytes_left: int | None = None
        self._login = login
        super().__init__(
            user=login.user,
            # The driver would encode a text as latin1, or fail and quote it.
            password=login.password.encode(),
            host=login.host,
            port=login.port,
            database=login.database if database else None,
            unix_socket=login.options.get("unix_socket"),
            charset=_CHARSET,
            collation=_COLLATION,
            autocommit=None,
            local_infile=False,
            use_unicode=False,
            conv={},
            connect_timeout=_CONNECT_SECONDS,
            program_name="gatehouse",
            ssl=_tls(login),
        )
        if self.client_flag & (CLIENT.MULTI_STATEMENTS | CLIENT.LOCAL_FILES):
            self.abandon()
            raise Fault("engine")

    @property
    def is_mariadb(self) -> bool:
        """True for MariaDB, false for MySQL."""
        return "mariadb" in str(self.server_version).lower()

    @property
    def number(self) -> int:
        """The server's number for this connection, for KILL."""
        return int(self.thread_id())

    def _create_ssl_ctx(self, given: ssl.SSLContext | Mapping[str, object]) -> ssl.SSLContext:
        """Returns `given`, or what a server on this machine may use, which shows no certificate.

        The driver would read all authorities of the system for it, which takes longer than a
        preview.
        """
        if isinstance(given, ssl.SSLContext):
            return given
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context

    def _read_bytes(self, num_bytes: int) -> bytes:
        if self.bytes_left is not None:
            self.bytes_left -= num_bytes
            if self.bytes_left < 0:
                self.abandon()
                raise TooLarge
        data: bytes = super()._read_bytes(num_bytes)
        return data

    def rows(self, sql: str) -> list[tuple[Bytes, ...]]:
        """Returns the rows of one of the adapter's own statements."""
        self.query(sql)
        return list(self._result.rows or ())

    def texts(self, sql: str) -> list[tuple[str | None, ...]]:
        """Returns the rows of one of the adapter's own statements, as text."""
        return [
            tuple(None if v is None else v.decode("utf-8") for v in row) for row in self.rows(sql)
        ]

    def start(self, sql: str) -> Stream | None:
        """Sends a statement; returns its rows as they come, None where it gives none."""
        self.query(sql, unbuffered=True)
        result = self._result
        if result is None or result.description is None:
            return None
        return Stream(result)

    def told(self) -> str:
        """Returns what the server said of the last change (`Rows matched: 1  Changed: 1 ..`)."""
        message = self._result.message if self._result is not None else None
        return (message or b"").decode("utf-8", "replace")

    def use(self, role: str | None, roles: Sequence[str]) -> None:
        """Runs as `role` from now on, None for the login itself, and enters the database.

        `roles` are all that the policy names; without any the login has no roles to change. A reset
        keeps the role on MariaDB, so it is set for every statement.
        """
        if not roles and role is None:
            return
        if role is not None and role not in roles:
            raise Fault("not_allowed")
        self.query(f"SET ROLE {'NONE' if role is None else quoted(role)}")
        if role is not None or self._enters():
            self.query(f"USE {quoted(self._login.database)}")

    def _enters(self) -> bool:
        with contextlib.suppress(pymysql.err.MySQLError):
            self.query(f"USE {quoted(self._login.database)}")
            return True
        return False

    def settle(self, settings: Mapping[str, str]) -> None:
        """Sets `settings` and what the guard's parser assumes, and reads all of it back.

        Raises:
            Fault: `engine` where the session is not what was asked for.
        """
        wanted = {
            "autocommit": "1",
            "sql_mode": f"'{','.join(sorted(MODES))}'",
            "character_set_client": _CHARSET,
            "character_set_connection": _CHARSET,
            "character_set_results": _CHARSET,
            "collation_connection": _COLLATION,
            "time_zone": "'+00:00'",
            "lc_time_names": "'en_US'",
            "sql_auto_is_null": "0",
            "sql_select_limit": "18446744073709551615",
            "group_concat_max_len": str(GROUP_CONCAT_BYTES),
            "div_precision_increment": "4",
            **settings,
        }
        self.query("SET " + ", ".join(f"SESSION {k} = {v}" for k, v in wanted.items()))
        (found,) = self.texts("SELECT " + ", ".join(f"@@SESSION.{k}" for k in wanted))
        for (name, value), got in zip(wanted.items(), found, strict=True):
            if name == "sql_mode":
                if frozenset((got or "").split(",")) != MODES:
                    raise Fault("engine")
            elif not _same(value.strip("'"), got or ""):
                raise Fault("engine")

    def reset(self) -> None:
        """Forgets variables, locks, prepared statements and settings."""
        self.bytes_left = None
        self._execute_command(_RESET, b"")
        self._read_ok_packet()

    def abandon(self) -> None:
        """Closes the socket without a word; what still comes is not read."""
        result = self._result
        if result is not None:
            result.unbuffered_active = False
        self._force_close()


def _same(wanted: str, got: str) -> bool:
    if wanted.casefold() == got.casefold():
        return True
    try:
        return float(wanted) == float(got)
    except ValueError:
        return False


def quoted(name: str) -> str:
    """Returns a name in backticks."""
    if "\x00" in name:
        raise Fault("no_such_name")
    return "`" + name.replace("`", "``") + "`"


def literal(text: str) -> str:
    """Returns a text as a literal that no setting reads otherwise."""
    return f"_utf8mb4 X'{text.encode().hex()}'" if text else "''"
