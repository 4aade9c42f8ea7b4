"""The start with a database nobody here has seen: where it is, and a first policy for it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from guard.address import Address, FileAddress, server_address
from guard.catalog import Catalog, Table
from guard.errors import ConfigurationError
from guard.policyfile import EngineName, parse_policy
from guard.starters import Samples, starters, words
from guard.tagging import Suggested, suggested
from redaction.entities import FREE_TEXT

_MAGIC: dict[EngineName, tuple[int, bytes]] = {
    "sqlite": (0, b"SQLite format 3\x00"),
    "duckdb": (8, b"DUCK"),
}
"""Offset and bytes: https://sqlite.org/fileformat.html and DuckDB's storage documentation."""
_TITLES: dict[EngineName, str] = {"sqlite": "SQLite", "duckdb": "DuckDB"}
_SERVERS: dict[str, EngineName] = {
    "postgres": "postgres",
    "postgresql": "postgres",
    "mysql": "mysql",
    "mariadb": "mysql",
}
_NOT_YET = {
    "mssql": "SQL Server",
    "oracle": "Oracle",
    "snowflake": "Snowflake",
    "bigquery": "BigQuery",
    "databricks": "Databricks",
    "mongodb": "MongoDB",
    "redshift": "Redshift",
    "trino": "Trino",
    "clickhouse": "ClickHouse",
}
_FORMS = (
    "sqlite:///file.sqlite, duckdb:///file.duckdb (four slashes before an absolute path), "
    "postgresql://user@host/database or mysql://user@host/database"
)


def parse_url(url: str) -> tuple[EngineName, Address]:
    """Returns the engine and where its database is: a server, or the path of an existing file.

    `sqlite:///shop.sqlite` is relative to the working directory, `sqlite:////data/shop.sqlite`
    absolute; `duckdb:` likewise. The path is taken as it is written, without percent-decoding.

    Raises:
        ConfigurationError: another engine, another form, options, no such file, or a file that is
            no database of that engine. The message never repeats the URL: it may hold a password.
    """
    if any(ord(c) < 32 or ord(c) == 127 for c in url):
        raise ConfigurationError(f"The address holds a control character. Write {_FORMS}.")
    scheme, colon, rest = url.strip().partition(":")
    server = _SERVERS.get(scheme.casefold().partition("+")[0]) if colon else None
    if server is not None:
        return server, server_address(url, server)
    engine = _engine(scheme if colon else "")
    if not rest.startswith("///"):
        raise ConfigurationError(
            f"Write {engine}:/// and then the path of the file, with a fourth slash where the path "
            "is absolute."
        )
    name = rest.removeprefix("///")
    if not name or name == ":memory:":
        raise ConfigurationError(f"The address names no file. Write {_FORMS}.")
    if "?" in name:
        raise ConfigurationError(
            "Leave out what follows the question mark: the guard chooses how a file is opened."
        )
    path = Path(name).absolute()
    path = path.parent.resolve() / path.name
    _check_file(engine, path)
    return engine, FileAddress(path=path)


def _engine(scheme: str) -> EngineName:
    name, _, driver = scheme.casefold().partition("+")
    for engine in _MAGIC:
        if name == engine and not driver:
            return engine
        if name == engine:
            raise ConfigurationError(f"Leave out the driver: write {engine}:/// and the path.")
    if name in _NOT_YET:
        raise ConfigurationError(f"{_NOT_YET[name]} is not connected yet. Write {_FORMS}.")
    raise ConfigurationError(f"That is not the address of a database. Write {_FORMS}.")


def _check_file(engine: EngineName, path: Path) -> None:
    if not path.exists():
        raise ConfigurationError(f"There is no file at {path}. Check the spelling and the slashes.")
    if not path.is_file():
        raise ConfigurationError(f"{path} is not a file. Name the database file itself.")
    try:
        with path.open("rb") as file:
            head = file.read(64)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}.") from error
    if not head:
        raise ConfigurationError(f"{path} is empty. Connect a database that has tables.")
    for other, (offset, magic) in _MAGIC.items():
        if head[offset : offset + len(magic)] == magic:
            if other == engine:
                return
            raise ConfigurationError(
                f"{path} is a {_TITLES[other]} file. Write {other}:/// instead."
            )
    raise ConfigurationError(f"{path} is not a {_TITLES[engine]} database, or it is encrypted.")


def source_name(address: Address) -> str:
    """Returns a name for the source, from the database's (`My Shop.sqlite` -> `my_shop`)."""
    name = address.path.stem if isinstance(address, FileAddress) else address.database
    return re.sub(r"[^a-z0-9]+", "_", name.casefold()).strip("_") or "source"


def login_names(source: str) -> tuple[str, str]:
    """Returns what to call the logins of a new source on its server: for reading, for writing."""
    stem = re.sub(r"[^a-z0-9]+", "_", source.casefold()).strip("_")[:40] or "source"
    return f"gatehouse_{stem}_read", f"gatehouse_{stem}_write"


def secret_names(source: str) -> tuple[str, str]:
    """Returns which variables hold the URLs of the two logins of a new source."""
    stem = re.sub(r"[^A-Z0-9]+", "_", source.upper()).strip("_") or "SOURCE"
    return f"GATEHOUSE_{stem}_READ_URL", f"GATEHOUSE_{stem}_WRITE_URL"


def first_policy(
    source_name: str,
    engine: EngineName,
    address: Address,
    catalog: Catalog,
    samples: Samples,
    schemas: Sequence[str] = (),
) -> str:
    """Returns the TOML text of a first policy for one source; `load_policy` accepts it.

    Every table and view is listed by name, for analysts to read; nobody may write. Columns that
    look like personal data by their name or their `samples` are tagged, each with the reason, and
    wait for an admin: `tags_confirmed` is false. No value of `samples` gets into the text.

    Raises:
        ConfigurationError: there is no table to read.
    """
    if not catalog.tables:
        where = address.path if isinstance(address, FileAddress) else "The database"
        raise ConfigurationError(f"{where} has no tables. Connect a database that has some.")
    personal = suggested(catalog, samples)
    tagged = catalog.tagged({p.key: p.entity for p in personal})
    lines = [
        *_head(source_name),
        *_source(
            source_name,
            engine,
            _address(source_name, address, schemas),
            starters(tagged, samples),
            personal,
        ),
        *_role(source_name, catalog, personal),
    ]
    text = "\n".join(lines) + "\n"
    parse_policy(text.encode(), Path("policy.toml"))
    return text


def _head(source_name: str) -> Iterator[str]:
    yield f"# A first policy for {_plain(source_name)}, written by `gatehouse connect`."
    yield "#"
    yield "# Read it before you use it. What is not named here is refused, and what is wrong here"
    yield "# is wrong for everybody. `gatehouse policy check` names keys that do not fit."
    yield ""
    yield "version = 1"
    yield f"name = {_text(source_name)}"


def _address(name: str, address: Address, schemas: Sequence[str]) -> Iterator[str]:
    if isinstance(address, FileAddress):
        yield f"database = {_text(str(address.path))}"
        return
    reading, writing = secret_names(name)
    yield "# Environment variables, or entries of .streamlit/secrets.toml, that hold the URLs of"
    yield "# the two logins. `gatehouse grants` prints the statements that make them."
    yield f"database_secret = {_text(reading)}"
    yield f"write_secret = {_text(writing)}"
    if schemas:
        yield f"schemas = [{', '.join(map(_text, schemas))}]"


def _source(
    name: str,
    engine: EngineName,
    address: Iterable[str],
    questions: Sequence[str],
    personal: Sequence[Suggested],
) -> Iterator[str]:
    yield ""
    yield f"[sources.{_key(name)}]"
    yield f"engine = {_text(engine)}"
    yield from address
    yield 'environment = "production"'
    yield "writes = false  # true: changes may be proposed, and somebody else decides on their rows"
    yield f"title = {_text(words(name).title())}"
    yield from _array("starters", ((q, "") for q in questions))
    yield ""
    yield "# Columns that look like personal data, by their names, types and some of their values."
    yield "# Some may be missing and others be here for nothing: go through the tables, mend both"
    yield "# lists, and then set tags_confirmed to true."
    yield "tags_confirmed = false"
    named = [p for p in personal if p.can_be_tagged]
    yield from _array("free_text", ((p.key, p.why) for p in named if p.entity == FREE_TEXT))
    tags = [p for p in named if p.entity != FREE_TEXT]
    if tags:
        yield ""
        yield f"[sources.{_key(name)}.tags]"
        for tag in tags:
            yield f"{_text(tag.key)} = {_text(tag.entity)}{_because(tag.why)}"


def _role(name: str, catalog: Catalog, personal: Sequence[Suggested]) -> Iterator[str]:
    yield ""
    yield "# Everybody with the console role analyst. Account names can stand here as well."
    yield "[roles.analysts]"
    yield 'members = ["@analyst"]'
    yield ""
    yield f"[roles.analysts.sources.{_key(name)}]"
    yield "# Take out what analysts do not need."
    # A table of the name * would stand for every table, also for those made later.
    yield from _array("tables", ((t.name, _size(t)) for t in catalog.tables if t.name != "*"))
    yield "# Masked columns that may be compared with an exact value, such as an e-mail address."
    yield "lookup = []"
    hidden = [p for p in personal if not p.can_be_tagged]
    if hidden:
        yield "# Personal data in columns that cannot be tagged, because of the dot in their names."
        yield from _array("hide", ((p.key, p.why) for p in hidden))


def _size(table: Table) -> str:
    if table.kind == "view":
        return "a view"
    return "" if table.row_estimate is None else f"about {table.row_estimate:,} rows"


def _array(name: str, items: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Yields the lines of an array of texts, each with the reason for it."""
    rows = [f"    {_text(value)},{_because(why)}" for value, why in items]
    yield from [f"{name} = [", *rows, "]"] if rows else [f"{name} = []"]


def _because(why: str) -> str:
    return f"  # {_plain(why)}" if why else ""


def _plain(text: str) -> str:
    """Returns the text fit for a comment: one line, no control characters."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _text(name)


def _text(value: str) -> str:
    """Returns a TOML basic string; JSON's escapes are a subset of TOML's, but for DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
