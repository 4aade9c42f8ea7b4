"""Servers over TLS: one that does not show who it is gets no login and no statement."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from guard.address import ServerReach
from guard.engines import open_change_engine, open_engine
from guard.engines.base import Cancel, Change, ChangeCaps
from guard.errors import ConfigurationError, SourceUnavailable
from guard.policyfile import Policy, parse_policy
from tests.guard.engines.support import unjudged
from tests.ownservers import OwnServer, own_server
from tests.servers import ServerName

ENGINES: tuple[ServerName, ...] = ("postgres", "mysql")
PASSWORD = "word-7c1e-canary"
CAPS = ChangeCaps(max_rows=10, shown_rows=10, timeout_ms=10_000, lock_timeout_ms=500)
LOGINS = {
    "postgres": """
CREATE TABLE people (id int PRIMARY KEY, name text);
INSERT INTO people VALUES (1, 'Ann');
CREATE ROLE reader LOGIN PASSWORD '{0}'; GRANT SELECT ON people TO reader;
CREATE ROLE writer LOGIN PASSWORD '{0}'; GRANT SELECT, UPDATE ON people TO writer;
""",
    "mysql": """
CREATE TABLE people (id int PRIMARY KEY, name text);
INSERT INTO people VALUES (1, 'Ann');
CREATE USER reader IDENTIFIED BY '{0}'; GRANT SELECT, SHOW VIEW ON shop.people TO reader;
CREATE USER writer IDENTIFIED BY '{0}'; GRANT SELECT, UPDATE ON shop.people TO writer;
GRANT REFERENCES ON *.* TO writer;
""",
}


@dataclass(frozen=True, kw_only=True)
class Authority:
    """A certificate authority of a test's own; `file` holds its certificate."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate
    file: Path


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _signed(
    subject: x509.Name,
    issuer: x509.Name,
    public: ec.EllipticCurvePublicKey,
    key: ec.EllipticCurvePrivateKey,
    *extensions: x509.ExtensionType,
    days: int = 2,
) -> x509.Certificate:
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=30))
        .not_valid_after(now + dt.timedelta(days=days))
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(key, hashes.SHA256())


def authority(folder: Path, name: str) -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name(name)
    found = _signed(
        subject, subject, key.public_key(), key, x509.BasicConstraints(ca=True, path_length=0)
    )
    file = folder / f"{name}.pem"
    file.write_bytes(found.public_bytes(serialization.Encoding.PEM))
    return Authority(key=key, certificate=found, file=file)


def identified(folder: Path, by: Authority, host: str, *, days: int = 2) -> Path:
    """A folder with a key and a certificate for `host`."""
    key = ec.generate_private_key(ec.SECP256R1())
    names = x509.SubjectAlternativeName([x509.DNSName(host)])
    made = _signed(_name(host), by.certificate.subject, key.public_key(), by.key, names, days=days)
    folder.mkdir()
    (folder / "server.crt").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "server.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return folder


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("own"), "own")


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("other"), "other")


def _running(engine: ServerName, tls: Path | None) -> Iterator[OwnServer]:
    with own_server(engine, tls=tls) as server:
        server.execute(LOGINS[engine].format(PASSWORD))
        yield server


@pytest.fixture(scope="module", params=ENGINES)
def server(
    request: pytest.FixtureRequest, own: Authority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OwnServer]:
    """A server that shows a certificate for `localhost`."""
    tls = identified(tmp_path_factory.mktemp("tls") / "local", own, "localhost")
    yield from _running(request.param, tls)


@pytest.fixture(scope="module", params=ENGINES)
def plain(request: pytest.FixtureRequest) -> Iterator[OwnServer]:
    """A server without TLS."""
    yield from _running(request.param, None)


def policy(engine: str, ca_file: object | None) -> Policy:
    line = f'ca_file = "{ca_file}"' if ca_file is not None else ""
    text = f"""
version = 1
[sources.shop]
engine = "{engine}"
environment = "production"
database_secret = "READ"
write_secret = "WRITE"
writes = true
{line}
[roles.all]
members = ["ana"]
[roles.all.sources.shop]
tables = ["people"]
"""
    return parse_policy(text.encode(), Path("/p/policy.toml"))


def names(
    server: OwnServer, *, ca_file: object | None, host: str = "localhost", options: str = ""
) -> list[object]:
    """What a read over TCP gives, as the policy with this `ca_file` opens the source."""
    urls = {
        "READ": server.url("reader", PASSWORD, host=host, options=options),
        "WRITE": server.url("writer", PASSWORD, host=host, options=options),
    }
    rules = policy(server.engine, ca_file)
    address = rules.database_of("shop", urls)
    with closing(open_engine(server.engine, address, source="shop", reach=ServerReach())) as engine:
        schema = "public" if server.engine == "postgres" else "shop"
        table = engine.reflect().table("people")
        assert table is not None
        query = unjudged(
            f"SELECT name FROM {schema}.people",
            server.engine,  # type: ignore[arg-type]
            readable={"people": ("id", "name")},
        )
        found: list[object] = engine.run(query, Cancel()).table.column(0).to_pylist()
        return found


def test_a_server_that_shows_who_it_is_is_read(server: OwnServer, own: Authority) -> None:
    assert names(server, ca_file=own.file) == ["Ann"]
    if server.engine == "postgres":
        options = f"?sslmode=verify-full&sslrootcert={own.file}"
    else:
        options = f"?ssl_ca={own.file}"
    assert names(server, ca_file=None, options=options) == ["Ann"]


def _refused(server: OwnServer, said: str, **how: object) -> None:
    with pytest.raises(SourceUnavailable, match=said) as caught:
        names(server, **how)  # type: ignore[arg-type]
    text = str(caught.value)
    assert text.startswith(("The server of shop", "The file with"))
    assert not any(part in text for part in (PASSWORD, "reader", "127.0.0.1", str(server.port)))


def test_promise_02_a_certificate_of_an_unknown_authority_is_refused(
    server: OwnServer, other: Authority
) -> None:
    _refused(server, "no trusted authority has signed", ca_file=other.file)


def test_promise_02_a_certificate_for_another_name_is_refused(
    server: OwnServer, own: Authority
) -> None:
    _refused(server, "for another name", ca_file=own.file, host="127.0.0.1")


def test_promise_02_a_server_without_tls_is_refused(plain: OwnServer, own: Authority) -> None:
    assert names(plain, ca_file=None) == ["Ann"]  # on this machine, where nothing was asked for
    _refused(plain, "does not encrypt", ca_file=own.file)


@pytest.mark.parametrize("engine", ENGINES)
def test_an_expired_certificate_is_refused(
    engine: ServerName, own: Authority, tmp_path: Path
) -> None:
    tls = identified(tmp_path / "old", own, "localhost", days=-1)
    for server in _running(engine, tls):
        _refused(server, "expired", ca_file=own.file)


def test_the_write_login_asks_for_the_same(
    server: OwnServer, own: Authority, other: Authority
) -> None:
    change = Change(
        source="shop", sql="UPDATE people SET name = 'Bo' WHERE id = 1", targets=("people",)
    )
    urls = {"READ": server.url("reader", PASSWORD), "WRITE": server.url("writer", PASSWORD)}
    for file, said in ((own.file, None), (other.file, "no trusted authority has signed")):
        rules = policy(server.engine, file)
        reading, writing = (
            rules.database_of("shop", urls),
            rules.write_database_of("shop", urls),
        )
        reach = rules.reach_of("shop")
        with closing(open_engine(server.engine, reading, source="shop", reach=reach)) as reader:
            engine = open_change_engine(
                server.engine, writing, source="shop", reader=reader, reach=reach
            )
            if said is None:
                assert engine.preview(change, CAPS, Cancel()).tables[0].updated == 1
            else:
                with pytest.raises(SourceUnavailable, match=said):
                    engine.preview(change, CAPS, Cancel())


def test_a_wrong_ca_file_is_named_before_anything_is_sent(tmp_path: Path) -> None:
    urls = {"READ": "postgresql://r:x@db.example/shop?sslmode=require"}
    with pytest.raises(ConfigurationError, match="in one place"):
        policy("postgres", tmp_path).database_of("shop", urls)
    urls = {"READ": "postgresql://r:x@db.example/shop"}
    with pytest.raises(ConfigurationError, match="ca_file names is not there"):
        policy("postgres", tmp_path / "none.pem").database_of("shop", urls)
    with pytest.raises(ConfigurationError, match="ca_file is for servers"):
        parse_policy(
            b'version = 1\n[sources.s]\nengine = "sqlite"\nenvironment = "staging"\n'
            b'database = "a.db"\nca_file = "x.pem"\n',
            Path("/p/policy.toml"),
        )
