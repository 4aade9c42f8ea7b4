"""A PostgreSQL database nobody here made: connected, asked, masked, and changed with approval."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.commands.conftest import Said, Shell
from tests.servers import ServerDatabase

ROOT = Path(__file__).parents[2]
CASES = ROOT / os.environ.get("GATEHOUSE_CASES", "../shared/cases")
NORTHWIND = CASES.parent / "data" / "northwind_postgres.sql"
pytestmark = [
    pytest.mark.skipif(
        not NORTHWIND.exists(),
        reason="needs data/northwind_postgres.sql beside the folder of GATEHOUSE_CASES",
    ),
    pytest.mark.slow,
]
PHONE = "030-0074321"
CONTACT = "Maria Anders"


@pytest.fixture
def northwind(postgres: ServerDatabase) -> Iterator[ServerDatabase]:
    script = NORTHWIND.read_text(encoding="utf-8")
    # A setting that servers of today do not know any more.
    postgres.execute(re.sub(r"(?m)^SET default_with_oids.*$", "", script) + "; ANALYZE")
    yield postgres
    for role in ("gatehouse_trader_read", "gatehouse_trader_write"):
        if postgres.execute(f"SELECT 1 FROM pg_roles WHERE rolname = '{role}'"):
            postgres.execute(f"DROP OWNED BY {role} CASCADE; DROP ROLE {role}")


def test_from_a_connection_to_an_approved_change(
    bare: Shell, northwind: ServerDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = bare("connect", northwind.url(), "--name", "trader")
    assert said.status == 0, said.err
    policy = bare.home / "policy.toml"
    text = policy.read_text(encoding="utf-8")
    assert 'database_secret = "GATEHOUSE_TRADER_READ_URL"' in text
    assert '"customers.phone" = "PHONE_NUMBER"' in text
    assert northwind.socket not in text
    assert PHONE not in text

    text = text.replace("writes = false", "writes = true")
    text = text.replace("tags_confirmed = false", "tags_confirmed = true")
    text = text.replace(
        "lookup = []", 'lookup = []\nhide = ["employees.notes"]\npropose = ["orders"]'
    )
    policy.write_text(text.replace('["@analyst"]', '["@analyst", "@reviewer"]'), encoding="utf-8")
    grants = bare("grants", northwind.url(), "--source", "trader")
    assert grants.status == 0, grants.err
    northwind.execute(grants.out)
    monkeypatch.setenv("GATEHOUSE_TRADER_READ_URL", northwind.url("gatehouse_trader_read"))
    monkeypatch.setenv("GATEHOUSE_TRADER_WRITE_URL", northwind.url("gatehouse_trader_write"))
    _people(bare)

    doctor = bare("doctor", "--json")
    failed = [line["check"] for line in doctor.lines if not line["passed"]]
    # What one person may read is for the policy's owner to say; all else holds.
    left = {c for c in failed if str(c).startswith("trader")}
    assert left <= {"trader: a budget caps what one person may read"}, left

    rows = _query(bare, "SELECT customer_id, contact_name, phone FROM customers ORDER BY 1 LIMIT 2")
    assert rows.lines[0]["rows"][0][0] == "ALFKI"
    assert CONTACT not in rows.out
    assert PHONE not in rows.out
    assert rows.lines[0]["masked"] == {"contact_name": 2, "phone": 2}
    refused = _query(bare, "SELECT notes FROM employees")
    assert refused.lines[0]["decision"] == "deny"
    assert _query(bare, "SELECT customer_id FROM customers WHERE phone LIKE '030%'").lines[0][
        "rule"
    ] == ("masked.predicate")

    answer = bare("ask", "--source", "trader", "--as", "ana", "--json", "orders by ship country")
    assert answer.lines[0]["status"] == "answered"
    assert answer.lines[0]["rows"][0] == ["Germany", 122]
    count = bare("ask", "--source", "trader", "--as", "ana", "--json", "How many orders are there?")
    assert count.lines[0]["rows"] == [[830]]

    _changes(bare, northwind)
    assert bare("audit", "verify").status == 0


def _people(bare: Shell) -> None:
    from contextlib import closing

    from store import Store, accounts

    assert bare("init").status == 0
    with closing(Store.open(bare.home)) as store, store.write() as conn:
        for name, role in (("ana", "analyst"), ("rita", "reviewer"), ("rob", "reviewer")):
            accounts.create(
                conn,
                name=name,
                display_name=name.title(),
                roles={role},
                password_hash="unused",
                now=store.now(),
            )


def _query(bare: Shell, sql: str) -> Said:
    return bare("query", "--source", "trader", "--as", "ana", "--json", sql)


def _changes(bare: Shell, northwind: ServerDatabase) -> None:
    """Proposed, seen not to have happened, approved by others, applied, taken back."""
    freight = "SELECT freight FROM orders WHERE order_id = 10248"
    before = northwind.execute(freight)
    sql = "UPDATE orders SET freight = 1.5 WHERE order_id = 10248"
    proposed = bare(
        "changes",
        "propose",
        "--source",
        "trader",
        "--as",
        "ana",
        "--reason",
        "A test",
        "--json",
        sql,
    )
    assert proposed.status == 0, proposed.err
    record = proposed.lines[0]
    assert record["tables"] == [{"table": "orders", "inserted": 0, "updated": 1, "deleted": 0}]
    assert northwind.execute(freight) == before
    number, fingerprint = str(record["id"]), str(record["fingerprint"])
    own = bare("changes", "approve", number, "--fingerprint", fingerprint, "--as", "ana")
    assert own.status != 0
    for name in ("rita", "rob"):
        if bare("changes", "show", number, "--as", "rita", "--json").lines[0]["state"] == "pending":
            said = bare("changes", "approve", number, "--fingerprint", fingerprint, "--as", name)
            assert said.status == 0, said.err
    applied = bare("changes", "apply", number, "--as", "rita", "--json")
    assert applied.status == 0, applied.err
    assert northwind.execute(freight) == [(1.5,)]
    assert bare("changes", "undo", number, "--as", "rita", "--json").status == 0
    assert northwind.execute(freight) == [(1.5,)]
    with (
        psycopg.connect(northwind.url("gatehouse_trader_read")) as reader,
        pytest.raises(psycopg.Error),
    ):
        reader.execute("UPDATE orders SET freight = 0")
