"""The login of a server's owner, whose password need not stand on the command line.

`ps` shows the arguments of a program to everybody on the machine, and a shell keeps them in its
history. So the password comes, in this order, from the URL, with a warning; from PGPASSWORD or
MYSQL_PWD; on PostgreSQL from `~/.pgpass`, which libpq reads; or from whoever sits at the terminal,
if the server asks for one. It is kept in the address and written nowhere.
https://www.postgresql.org/docs/current/libpq-envars.html,
https://dev.mysql.com/doc/refman/8.4/en/environment-variables.html
"""

from __future__ import annotations

import getpass
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, TypeVar

from commands.shared import err, fail

if TYPE_CHECKING:
    from guard.address import Address
    from guard.catalog import Catalog
    from guard.engines.base import Engine
    from guard.policyfile import EngineName

E = TypeVar("E", bound="Engine")

PASSWORDS: Mapping[str, str] = {"postgres": "PGPASSWORD", "mysql": "MYSQL_PWD"}
"""The variable that holds a server's password, as its own command line tools name it."""


def owner_address(url: str) -> tuple[EngineName, Address]:
    """Returns the engine and where its database is, with the password of its variable, if any.

    Prints a warning where the URL itself holds a password.

    Raises:
        ConfigurationError: as `guard.connect.parse_url`.
    """
    from guard.address import FileAddress, has_password, with_password
    from guard.connect import parse_url

    engine, address = parse_url(url)
    if isinstance(address, FileAddress):
        return engine, address
    if has_password(address):
        err.print(
            "Warning: a password on the command line is shown by ps and kept in the shell's "
            "history. Change it, and leave it out of the URL: set PGPASSWORD or MYSQL_PWD, write "
            "it into ~/.pgpass, or type it when asked.",
            style="yellow",
            markup=False,
            highlight=False,
        )
    elif password := os.environ.get(PASSWORDS[engine]):
        address = with_password(address, password)
    return engine, address


@contextmanager
def reached(
    engine: EngineName, address: Address, opened: Callable[[Address], E]
) -> Iterator[tuple[Address, E, Catalog]]:
    """Yields the address as it works, the open adapter and its catalog, and closes the adapter.

    Raises:
        SourceUnavailable: the server cannot be reached or does not take the login.
        typer.Exit: it asks for a password and there is none; a sentence is printed.
    """
    from guard.address import server_of, with_password
    from guard.errors import PasswordNeeded

    adapter = opened(address)
    try:
        catalog = adapter.reflect()
    except PasswordNeeded:
        adapter.close()
        address = with_password(server_of(address), _asked(engine))
        adapter = opened(address)
        with closing(adapter):
            yield address, adapter, adapter.reflect()
        return
    except BaseException:
        adapter.close()
        raise
    with closing(adapter):
        yield address, adapter, catalog


def _asked(engine: EngineName) -> str:
    """Returns what whoever sits at the terminal types, which does not show there."""
    if sys.stdin.isatty():
        with warnings.catch_warnings():
            # Where the terminal cannot hide what is typed, nothing is asked for.
            warnings.simplefilter("error", getpass.GetPassWarning)
            try:
                typed = getpass.getpass("Password of the owner: ")
            except (EOFError, UnicodeDecodeError, getpass.GetPassWarning):
                typed = ""
        if typed:
            return typed
    other = ", write it into ~/.pgpass" if engine == "postgres" else ""
    fail(
        "The server asks for a password and was given none. Set "
        f"{PASSWORDS[engine]}{other}, or call this at a terminal and type it."
    )
