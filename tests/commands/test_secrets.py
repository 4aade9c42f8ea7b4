"""The password of a source's login is nowhere but in the variable that the policy names."""

from __future__ import annotations

import base64
import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from guard import GuardError
from store import Store, accounts
from store.states import ConsoleRole
from tests.commands.conftest import Said, Shell
from tests.company import make_company
from tests.servers import ServerDatabase, ServerName, fresh_database
from ui.parts import open_parts

CANARY = "qzpwcanary7f3c"
PASSWORD = f"a {CANARY}@b/ü€?9"
SECRETS = ("GATEHOUSE_SHOP_READ_URL", "GATEHOUSE_SHOP_WRITE_URL")
SHOP = """
CREATE TABLE orders (id int PRIMARY KEY, total int NOT NULL, city varchar(40));
INSERT INTO orders VALUES (1, 10, 'Bern'), (2, 20, 'Oslo');
"""
WRONG = (
    "postgresql://reader:{pw}@127.0.0.1:1/shop",
    "postgresql://reader:{pw}@127.0.0.1:99999/shop",
    "postgresql://reader:{pw}@127.0.0.1:port/shop",
    "postgresql://reader:{pw}@[::1/shop",
    "postgresql://reader:{pw}@127.0.0.1:1/shop?nothing={pw}",
    "postgresql://reader:{pw}@127.0.0.1:1/shop?sslmode={pw}",
    "postgresql://reader:{pw}@127.0.0.1:1/shop?sslmode=verify-full&sslrootcert=/{pw}",
    "postgresql://reader:{pw}@127.0.0.1:1/shop?options=-c%20{pw}",
    "postgresql://reader:{pw}@127.0.0.1:1/shop#{pw}",
    "postgresql://reader:{pw}@/shop?host=/tmp/{pw}",
    "postgresql://reader:{pw}@{pw}.invalid/shop",
    "postgresql://{pw}",
    "mysql://reader:{pw}@127.0.0.1:1/shop",
    "mysql://reader:{pw}@127.0.0.1:1/shop?nothing={pw}",
    "mysql://reader:{pw}@127.0.0.1:1/shop?ssl_ca=/{pw}",
    "mysql://reader:{pw}@localhost/shop?unix_socket=/tmp/{pw}",
    "oracle://reader:{pw}@127.0.0.1/shop",
    "reader:{pw}@127.0.0.1/shop",
    "postgresql://reader:a b{pw}@127.0.0.1/shop",
    "sqlite://reader:{pw}@127.0.0.1/shop",
)


def forms() -> tuple[bytes, ...]:
    """The canary as it might be written: plain, and as part of a base64 text at any offset."""
    found = [CANARY.encode()]
    for shift in range(3):
        text = base64.b64encode(b"x" * shift + CANARY.encode())
        found.append(text[4 : -4 - len(text) % 4])
    return tuple(found)


FORMS = forms()


def leaked(content: bytes) -> bool:
    """True when the password stands in it."""
    return any(form in content for form in FORMS)


def in_files(folder: Path) -> list[str]:
    """The files of the data folder that hold the password."""
    return [
        str(p.relative_to(folder))
        for p in folder.rglob("*")
        if p.is_file() and leaked(p.read_bytes())
    ]


def quiet(said: Said, caplog: pytest.LogCaptureFixture) -> Said:
    """Looks at everything a command said and logged."""
    logged = "\n".join(
        f"{r.getMessage()} {r.args} {r.exc_text} {r.exc_info}" for r in caplog.records
    )
    caplog.clear()
    assert not leaked(f"{said.out}\n{said.err}\n{logged}".encode())
    return said


@pytest.fixture(params=["postgres", "mysql"])
def server(request: pytest.FixtureRequest) -> Iterator[ServerDatabase]:
    engine: ServerName = request.param
    with fresh_database(engine) as database:
        database.execute(SHOP)
        yield database


def _logins(server: ServerDatabase, script: str) -> list[str]:
    """Makes the two logins as printed, with the password; their names."""
    names = sorted(set(re.findall(r"gatehouse_shop_(?:read|write)\b", script)))
    for name in names:
        script = script.replace(name, f"{name}_{server.name}")
    server.execute(re.sub(r"--.*", "", script) if server.engine == "mysql" else script)
    word = PASSWORD.replace("'", "''")
    for name in names:
        account = f"{name}_{server.name}"
        server.execute(
            f"ALTER ROLE {account} PASSWORD '{word}'"
            if server.engine == "postgres"
            else f"ALTER USER `{account}`@`%` IDENTIFIED BY '{word}' ACCOUNT UNLOCK"
        )
    return [f"{name}_{server.name}" for name in names]


def _drop(server: ServerDatabase, names: list[str]) -> None:
    for name in names:
        if server.engine == "postgres":
            server.execute(f"DROP OWNED BY {name} CASCADE; DROP ROLE {name}")
        else:
            server.execute(f"DROP USER `{name}`@`%`")


def _people(home: Path) -> None:
    with closing(Store.open(home)) as store, store.write() as conn:
        people: dict[str, ConsoleRole] = {"ana": "analyst", "rita": "reviewer", "rob": "reviewer"}
        for name, role in people.items():
            accounts.create(
                conn,
                name=name,
                display_name=name.title(),
                roles={role},
                password_hash="unused",
                now=store.now(),
            )


def test_promise_08_the_password_of_a_login_is_written_and_said_nowhere(
    bare: Shell,
    server: ServerDatabase,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    caplog.set_level(logging.DEBUG)
    owner = server.url(password=PASSWORD) if server.engine == "postgres" else server.url()
    assert quiet(bare("connect", owner, "--name", "shop"), caplog).status == 0
    policy = bare.home / "policy.toml"
    text = policy.read_text(encoding="utf-8").replace("writes = false", "writes = true")
    text = text.replace("tags_confirmed = false", "tags_confirmed = true")
    text = text.replace("lookup = []", 'lookup = []\npropose = ["orders"]')
    policy.write_text(text.replace('["@analyst"]', '["@analyst", "@reviewer"]'), encoding="utf-8")
    script = quiet(bare("grants", owner, "--source", "shop"), caplog).out
    names = _logins(server, script)
    try:
        for variable, name in zip(SECRETS, names, strict=True):
            monkeypatch.setenv(variable, server.url(name, PASSWORD))
        assert quiet(bare("init"), caplog).status == 0
        _people(bare.home)
        ask = ("query", "--source", "shop", "--as", "ana", "--json")
        assert quiet(bare(*ask, "SELECT id FROM orders"), caplog).lines[0]["rows"] == [[1], [2]]
        for sql in ("SELECT nothing FROM orders", "SELECT 1 / 0", "SELECT current_user", "SELEC"):
            quiet(bare(*ask, sql), caplog)
        change = ("changes", "propose", "--source", "shop", "--as", "ana", "--reason", "A test")
        said = quiet(bare(*change, "--json", "UPDATE orders SET total = 1 WHERE id = 1"), caplog)
        assert said.status == 0, said.err
        quiet(bare("changes", "show", str(said.lines[0]["id"]), "--as", "rita", "--json"), caplog)
        quiet(bare("doctor"), caplog)
        quiet(bare("doctor", "--json"), caplog)
        quiet(bare("policy", "check"), caplog)
        _fails(bare, server, names, monkeypatch, caplog)
        exported = tmp_path / "export"
        assert quiet(bare("audit", "export", str(exported)), caplog).status == 0
        quiet(bare("audit", "tail", "--json"), caplog)
        assert in_files(bare.home) == []
        assert in_files(exported) == []
    finally:
        _drop(server, names)


def _fails(
    bare: Shell,
    server: ServerDatabase,
    names: list[str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The same with logins that do not work, whose errors the drivers fill with what they know."""
    ask = ("query", "--source", "shop", "--as", "ana", "--json", "SELECT id FROM orders")
    gone = server.url("nobody_here", PASSWORD)
    broken = [gone, gone.replace("://", "://x"), gone + "&nothing=1"]
    for url in broken:
        monkeypatch.setenv(SECRETS[0], url)
        assert quiet(bare(*ask), caplog).status != 0
        quiet(bare("doctor"), caplog)
    monkeypatch.setenv(SECRETS[0], server.url(names[1], PASSWORD))  # one login for both
    assert quiet(bare(*ask), caplog).status != 0
    quiet(bare("policy", "check"), caplog)


@pytest.mark.parametrize("url", WRONG)
def test_no_address_is_repeated_by_connect(
    bare: Shell, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    said = quiet(bare("connect", url.format(pw=CANARY), "--name", "shop"), caplog)
    assert said.status != 0
    assert said.err
    assert not bare.home.exists() or in_files(bare.home) == []


@pytest.mark.parametrize("url", WRONG)
def test_promise_08_no_address_is_repeated_by_a_source_that_fails(
    url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    company = make_company(tmp_path / "home")
    engine = "mysql" if url.startswith("mysql") else "postgres"
    source = f'[sources.far]\nengine = "{engine}"\nenvironment = "production"\n'
    source += 'database_secret = "FAR_URL"\nwrite_secret = "FAR_WRITE"\nwrites = true\n'
    rights = '[roles.analysts.sources.far]\ntables = ["t"]\npropose = ["t"]\n'
    policy = company.home / "policy.toml"
    policy.write_text(policy.read_text(encoding="utf-8") + source + rights, encoding="utf-8")
    company.close()
    store, log = company.store, company.log
    company = make_company(tmp_path / "home")
    store, log = company.store, company.log
    address = url.format(pw=CANARY)
    secrets = {"FAR_URL": address, "FAR_WRITE": address.replace("reader", "writer")}
    parts = open_parts(company.home, store, log, secrets)
    with closing(parts):
        person = company.caller("ana")
        for act in (
            lambda: parts.gate.query("SELECT a FROM t", source="far", caller=person),
            lambda: parts.gate.propose(
                "UPDATE t SET a = 1", source="far", caller=person, reason="A test"
            ),
        ):
            with pytest.raises(GuardError) as caught:
                act()
            assert not leaked(_all_of(caught.value).encode())
    company.close()
    logged = "\n".join(f"{r.getMessage()} {r.args} {r.exc_text}" for r in caplog.records)
    assert not leaked(logged.encode())
    assert in_files(company.home) == []


def _all_of(error: BaseException) -> str:
    """An error with what it carries and what would be printed with it."""
    said = []
    while error is not None:
        said.append(f"{error} {error!r} {getattr(error, 'refusal', '')}")
        if error.__suppress_context__ and error.__cause__ is None:
            break
        error = error.__cause__ or error.__context__  # type: ignore[assignment]
    return "\n".join(said)


def test_promise_01_a_worker_process_has_no_secret_in_its_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEHOUSE_FAR_URL", f"postgresql://reader:{CANARY}@127.0.0.1/shop")
    company = make_company(tmp_path / "home")
    with closing(company):
        caller = company.caller("ana")
        company.parts.gate.query("SELECT id FROM orders", source="shop", caller=caller)
        children = [p for p in Path("/proc").glob("[0-9]*") if _parent(p) == os.getpid()]
        if not children:
            pytest.skip("NOT TESTED: this system has no /proc")
        for child in children:
            for part in ("environ", "cmdline"):
                assert not leaked((child / part).read_bytes())


def _parent(process: Path) -> int:
    with suppress(OSError):
        return int((process / "stat").read_text().rpartition(")")[2].split()[1])
    return 0


def test_what_the_program_itself_prints_when_a_login_fails_names_no_password(
    bare: Shell, tmp_path: Path
) -> None:
    """The whole program, with everything it writes to its two streams."""
    url = f"postgresql://reader:{CANARY}@127.0.0.1:1/shop"
    done = subprocess.run(
        [sys.executable, "-X", "dev", "cli.py", "connect", url],
        capture_output=True,
        check=False,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "GATEHOUSE_HOME": str(bare.home), "PYTHONPATH": "."},
    )
    assert done.returncode == 1
    assert b"cannot be reached" in done.stderr
    assert not leaked(done.stdout + done.stderr)
