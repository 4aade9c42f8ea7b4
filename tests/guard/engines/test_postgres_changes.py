"""PostgreSQL as the write role: exact previews, the undo proof, and what cannot be exact."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import psycopg
import pytest

from guard.diff import Diff
from guard.engines.base import Cancel, Captured, Change, ChangeCaps
from guard.engines.postgres_changes import PostgresChanges
from guard.engines.postgres_large import LARGE
from guard.engines.postgres_session import Login
from guard.errors import Drifted, Interrupted, OutcomeUnknown, Refused, SourceUnavailable
from tests.servers import ServerDatabase

CAPS = ChangeCaps(max_rows=1_000, shown_rows=50, timeout_ms=20_000, lock_timeout_ms=500)

SHOP = """
CREATE TABLE customers(id int PRIMARY KEY, name text, note char(6), photo bytea,
  seen timestamptz, twice int GENERATED ALWAYS AS (id * 2) STORED);
CREATE TABLE orders(id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  customer int REFERENCES customers ON DELETE CASCADE, total numeric(10, 2));
CREATE TABLE audit_log(id serial PRIMARY KEY, line text, at timestamptz DEFAULT clock_timestamp());
CREATE TABLE loose(a int, b text);
CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS
  $$BEGIN INSERT INTO audit_log(line) VALUES (old.name || '>' || new.name); RETURN new; END$$;
CREATE TRIGGER noted AFTER UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION noted();
CREATE FUNCTION told() RETURNS trigger LANGUAGE plpgsql AS
  $$BEGIN INSERT INTO audit_log(line) VALUES (new.id); RETURN new; END$$;
INSERT INTO customers(id, name, note, photo, seen) VALUES
  (1, 'Ann', 'x', '\\x00ff', '2026-01-01 10:00+01'), (2, 'Bob', NULL, NULL, 'infinity'),
  (3, 'O''Neil', 'a b', '\\x', NULL);
INSERT INTO orders(customer, total) VALUES (1, 1), (1, 2.5), (2, NULL);
INSERT INTO loose VALUES (1, 'q'), (1, 'q'), (NULL, NULL);
"""


@dataclass
class Shop:
    """A database, a login that only writes rows, and the engine as that login."""

    database: ServerDatabase
    writer: str
    engine: PostgresChanges

    def run(self, script: str) -> list[tuple[object, ...]]:
        """Runs statements as the owner."""
        return self.database.execute(script)

    def grant(self) -> None:
        """Lets the login write what was made since."""
        self.run(
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {self.writer};"
            f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {self.writer}"
        )

    def preview(self, sql: str, caps: ChangeCaps = CAPS) -> Diff:
        """Previews one statement."""
        return self.engine.preview(Change(source="s", sql=sql), caps, Cancel())

    def apply(self, sql: str, diff: Diff) -> Captured:
        """Applies what was previewed."""
        decided = tuple((t.table, t.decided) for t in diff.tables)
        change = Change(source="s", sql=sql, decided=decided)
        return self.engine.apply(change, CAPS, lambda _: None, Cancel())

    def undo(self, image: bytes) -> Captured:
        """Takes a change back."""
        change = Change(source="s", sql=None, undo_image=image)
        return self.engine.apply(change, CAPS, lambda _: None, Cancel())

    def dump(self) -> dict[str, list[tuple[object, ...]]]:
        """Returns every row of every table, as the server writes them."""
        names = self.run(
            "SELECT c.oid::regclass::text FROM pg_class c WHERE relkind = 'r' "
            "AND relnamespace = 'public'::regnamespace ORDER BY 1"
        )
        return {
            str(n): self.run(f"SELECT t::text FROM ONLY {n} t ORDER BY t::text") for (n,) in names
        }


@pytest.fixture(params=["few", "many"])
def shop(request: pytest.FixtureRequest, postgres: ServerDatabase) -> Iterator[Shop]:
    """Everything holds where rows are read one by one, and where they stay on the server."""
    writer = f"w_{postgres.name}"
    postgres.execute(SHOP)
    postgres.execute(
        f"CREATE ROLE {writer} LOGIN; GRANT SET ON PARAMETER session_replication_role TO {writer}"
    )
    most = LARGE if request.param == "few" else 0
    engine = PostgresChanges(Login(url=postgres.url(writer)), "s", large=most)
    found = Shop(postgres, writer, engine)
    found.grant()
    yield found
    postgres.execute(
        f"DROP OWNED BY {writer}; "
        f"REVOKE SET ON PARAMETER session_replication_role FROM {writer}; "
        f"DROP ROLE {writer}"
    )


def counts(diff: Diff) -> dict[str, tuple[int, int, int]]:
    return {t.table: (t.inserted, t.updated, t.deleted) for t in diff.tables}


def rule_of(error: pytest.ExceptionInfo[Refused]) -> str:
    return error.value.refusal.rule


CASES = [
    ("UPDATE customers SET name = 'w' WHERE id < 3",
     {"customers": (0, 2, 0), "audit_log": (2, 0, 0)}),
    ("DELETE FROM customers WHERE id = 1", {"customers": (0, 0, 1), "orders": (0, 0, 2)}),
    ("INSERT INTO customers(id, name, note) VALUES (9, 'n', 'trail ')", {"customers": (1, 0, 0)}),
    ("INSERT INTO orders(customer, total) SELECT id, id FROM customers", {"orders": (3, 0, 0)}),
    ("UPDATE orders SET total = c.id FROM customers c WHERE c.id = customer",
     {"orders": (0, 2, 0)}),
    ("DELETE FROM orders USING customers c WHERE c.id = customer AND c.name = 'Ann'",
     {"orders": (0, 0, 2)}),
    ("INSERT INTO customers(id, name) VALUES (1, 'u'), (8, 'v') ON CONFLICT (id) "
     "DO UPDATE SET name = excluded.name", {"customers": (1, 1, 0), "audit_log": (1, 0, 0)}),
    ("INSERT INTO customers(id) VALUES (1), (8) ON CONFLICT DO NOTHING", {"customers": (1, 0, 0)}),
    ("MERGE INTO customers c USING (VALUES (1, 'm'), (2, NULL), (7, 'n')) AS s(id, name) "
     "ON c.id = s.id WHEN MATCHED AND s.name IS NULL THEN DELETE "
     "WHEN MATCHED THEN UPDATE SET name = s.name "
     "WHEN NOT MATCHED THEN INSERT (id, name) VALUES (s.id, s.name)",
     {"customers": (1, 1, 1), "orders": (0, 0, 1), "audit_log": (1, 0, 0)}),
    ("WITH gone AS (DELETE FROM orders WHERE customer = 1 RETURNING id) "
     "INSERT INTO loose SELECT id, 'moved' FROM gone", {"orders": (0, 0, 2), "loose": (2, 0, 0)}),
    ("UPDATE customers SET id = 33 WHERE id = 3",
     {"customers": (1, 0, 1), "audit_log": (1, 0, 0)}),
    ("DELETE FROM loose WHERE a = 1", {"loose": (0, 0, 2)}),
    ("UPDATE loose SET b = 'r' WHERE a IS NULL", {"loose": (1, 0, 1)}),
    ("UPDATE customers SET name = 'x' WHERE id = 1 RETURNING id",
     {"customers": (0, 1, 0), "audit_log": (1, 0, 0)}),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "expected"), CASES)
def test_a_preview_is_exact_and_the_way_back_restores_everything(
    shop: Shop, sql: str, expected: dict[str, tuple[int, int, int]]
) -> None:
    before = shop.dump()
    diff = shop.preview(sql)
    assert counts(diff) == expected
    assert shop.dump() == before
    assert diff.undo_verified
    assert diff.undo == ("partial" if "loose" in expected else "exact")
    done = shop.apply(sql, diff)
    assert done.diff.fingerprint("x") == diff.fingerprint("x")
    assert shop.dump() != before
    assert shop.engine.find(done.undo_image) == "after"
    undo = Change(source="s", sql=None, undo_image=done.undo_image)
    assert shop.engine.preview(undo, CAPS, Cancel()).undo_verified
    shop.undo(done.undo_image)
    assert shop.dump() == before


def test_columns_decided_at_execution_are_named(shop: Shop) -> None:
    diff = shop.preview("UPDATE customers SET name = 'w', seen = now() WHERE id = 1")
    decided = {t.table: t.decided for t in diff.tables}
    assert decided == {"customers": ("seen",), "audit_log": ("id", "at")}


def test_values_are_told_exactly(shop: Shop) -> None:
    diff = shop.preview("DELETE FROM customers WHERE id IN (1, 2)")
    table = next(t for t in diff.tables if t.table == "customers")
    assert table.columns == ("id", "name", "note", "photo", "seen")
    assert [r.before for r in table.rows] == [
        (1, "Ann", "x     ", "x'00ff'", "2026-01-01 09:00:00+00"),
        (2, "Bob", None, None, "infinity"),
    ]


def test_without_the_right_to_silence_triggers_the_leftover_is_named(shop: Shop) -> None:
    shop.run(f"REVOKE SET ON PARAMETER session_replication_role FROM {shop.writer}")
    diff = shop.preview("UPDATE customers SET name = name || '!'")
    assert (diff.undo, diff.undo_verified) == ("partial", False)
    assert diff.undo_notes == (
        "Undo will not remove 3 rows in audit_log: triggers run again, because the write login "
        "may not do without them.",
    )


def test_rows_of_a_table_that_the_login_may_not_change_stay_and_are_named(shop: Shop) -> None:
    """A trigger that runs as its owner writes where the login may only look."""
    shop.run(
        "ALTER FUNCTION noted() SECURITY DEFINER; "
        f"REVOKE UPDATE, DELETE ON audit_log FROM {shop.writer}"
    )
    customers = shop.run("SELECT t::text FROM customers t ORDER BY 1")
    sql = "UPDATE customers SET name = name || '!' WHERE id < 3"
    diff = shop.preview(sql)
    assert (diff.undo, diff.undo_verified) == ("partial", False)
    assert diff.undo_notes == (
        "Undo will not remove 2 rows in audit_log: the write login may not change that table.",
    )
    done = shop.apply(sql, diff)
    undo = Change(source="s", sql=None, undo_image=done.undo_image)
    assert counts(shop.engine.preview(undo, CAPS, Cancel())) == {"customers": (0, 2, 0)}
    assert counts(shop.undo(done.undo_image).diff) == {"customers": (0, 2, 0)}
    assert shop.run("SELECT t::text FROM customers t ORDER BY 1") == customers
    assert shop.run("SELECT count(*) FROM audit_log") == [(2,)]


def test_triggers_stay_on_where_the_login_cannot_see_what_references_point_at(shop: Shop) -> None:
    shop.run(
        f"REVOKE ALL ON customers FROM {shop.writer}; CREATE TRIGGER noted AFTER UPDATE ON "
        "orders FOR EACH ROW EXECUTE FUNCTION told()"
    )
    before = shop.dump()
    moving = shop.preview("UPDATE orders SET customer = 3 WHERE id = 1")
    assert moving.undo == "partial"
    assert "triggers run again" in moving.undo_notes[0]
    staying = shop.preview("UPDATE orders SET total = 3 WHERE id = 1")
    assert (staying.undo, staying.undo_verified) == ("exact", True)
    assert shop.dump() == before


def test_an_undo_is_refused_once_a_row_has_changed(shop: Shop) -> None:
    sql = "UPDATE customers SET name = 'w' WHERE id < 3"
    done = shop.apply(sql, shop.preview(sql))
    shop.run("UPDATE customers SET note = 'other' WHERE id = 2")
    before = shop.dump()
    with pytest.raises(Refused) as caught:
        shop.undo(done.undo_image)
    assert rule_of(caught) == "engine.changed_since"
    assert shop.dump() == before


def test_an_undo_is_refused_when_a_reference_would_hang(shop: Shop) -> None:
    sql = "DELETE FROM orders WHERE customer = 2"
    done = shop.apply(sql, shop.preview(sql))
    shop.run("DELETE FROM customers WHERE id = 2")
    with pytest.raises(Refused) as caught:
        shop.undo(done.undo_image)
    assert rule_of(caught) == "engine.constraint"


def test_an_undo_is_refused_when_new_rows_point_at_what_it_removes(shop: Shop) -> None:
    sql = "INSERT INTO customers(id) VALUES (50)"
    done = shop.apply(sql, shop.preview(sql))
    shop.run("INSERT INTO orders(customer) VALUES (50)")
    with pytest.raises(Refused) as caught:
        shop.undo(done.undo_image)
    assert rule_of(caught) == "engine.constraint"


def test_rows_that_somebody_holds_a_lock_on_are_seen(shop: Shop) -> None:
    """A key-share lock makes the row's mark a number of several transactions."""
    with psycopg.connect(shop.database.url()) as other:
        other.execute("SELECT * FROM customers FOR KEY SHARE")
        diff = shop.preview("UPDATE customers SET name = 'w'")
    assert counts(diff) == {"customers": (0, 3, 0), "audit_log": (3, 0, 0)}


def test_rows_changed_by_a_part_of_the_transaction_are_seen(shop: Shop) -> None:
    shop.run(
        "CREATE FUNCTION tried() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN BEGIN "
        "UPDATE orders SET total = 0 WHERE customer = new.id; "
        "EXCEPTION WHEN others THEN NULL; END; RETURN new; END$$;"
        "CREATE TRIGGER tried AFTER UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION tried()"
    )
    before = shop.dump()
    sql = "UPDATE customers SET name = 'w'"
    diff = shop.preview(sql)
    assert counts(diff)["orders"] == (0, 3, 0)
    shop.undo(shop.apply(sql, diff).undo_image)
    assert shop.dump() == before


def test_a_part_that_rolled_back_cannot_be_counted_and_is_refused(shop: Shop) -> None:
    shop.run(
        "CREATE FUNCTION tried() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN BEGIN "
        "INSERT INTO orders(customer) VALUES (1); RAISE 'no'; "
        "EXCEPTION WHEN others THEN NULL; END; RETURN new; END$$;"
        "CREATE TRIGGER tried AFTER UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION tried()"
    )
    with pytest.raises(Refused) as caught:
        shop.preview("UPDATE customers SET name = 'w'")
    assert rule_of(caught) == "engine.not_exact"


def test_a_row_touched_twice_is_one_change(shop: Shop) -> None:
    shop.run(
        "CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN "
        "IF pg_trigger_depth() = 1 THEN UPDATE orders SET total = coalesce(total, 0) + 1 "
        "WHERE id = new.id; END IF; RETURN new; END$$;"
        "CREATE TRIGGER again AFTER UPDATE OR INSERT ON orders FOR EACH ROW "
        "EXECUTE FUNCTION again()"
    )
    before = shop.dump()
    sql = "UPDATE orders SET customer = 3"
    diff = shop.preview(sql)
    assert counts(diff) == {"orders": (0, 3, 0)}
    assert counts(shop.preview("INSERT INTO orders(customer) VALUES (1)")) == {"orders": (1, 0, 0)}
    shop.undo(shop.apply(sql, diff).undo_image)
    assert shop.dump() == before


@pytest.mark.parametrize(
    "body",
    [
        "TRUNCATE loose;",
        "CREATE TEMP TABLE side(a int); INSERT INTO side VALUES (1);",
        "PERFORM lo_from_bytea(0, 'x');",
    ],
)
def test_a_trigger_that_changes_more_than_rows_is_refused(shop: Shop, body: str) -> None:
    shop.run(
        "CREATE FUNCTION odd() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS "
        f"$$BEGIN {body} RETURN new; END$$;"
        "CREATE TRIGGER odd BEFORE UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION odd()"
    )
    before = shop.dump()
    with pytest.raises(Refused) as caught:
        shop.preview("UPDATE customers SET name = 'w' WHERE id = 1")
    assert rule_of(caught) == "engine.not_exact"
    assert shop.dump() == before


def test_a_table_that_the_login_may_not_read_refuses_the_change(shop: Shop) -> None:
    shop.run(f"REVOKE SELECT ON audit_log FROM {shop.writer}")
    with pytest.raises(Refused) as caught:
        shop.preview("UPDATE customers SET name = 'w'")
    assert rule_of(caught) == "preview.unreadable"
    assert "audit_log" in caught.value.refusal.reason


def test_rows_hidden_by_row_security_are_not_left_out_in_silence(shop: Shop) -> None:
    shop.run(
        "ALTER TABLE orders ENABLE ROW LEVEL SECURITY;"
        f"CREATE POLICY own ON orders TO {shop.writer} USING (total IS NOT NULL)"
    )
    assert counts(shop.preview("UPDATE orders SET total = 7")) == {"orders": (0, 2, 0)}
    with pytest.raises(Refused) as caught:
        shop.preview("DELETE FROM customers WHERE id = 2")
    assert rule_of(caught) == "engine.not_exact"


def test_a_deferred_rule_shows_in_the_preview(shop: Shop) -> None:
    shop.run(
        "ALTER TABLE orders ADD FOREIGN KEY (customer) REFERENCES customers "
        "DEFERRABLE INITIALLY DEFERRED; ALTER TABLE orders DROP CONSTRAINT orders_customer_fkey"
    )
    with pytest.raises(Refused) as caught:
        shop.preview("UPDATE orders SET customer = 99")
    assert rule_of(caught) == "engine.constraint"


def test_an_estimate_far_over_the_cap_is_not_run(shop: Shop) -> None:
    shop.run("INSERT INTO loose SELECT i, 'x' FROM generate_series(1, 300) i; ANALYZE loose")
    small = replace(CAPS, max_rows=10)
    with pytest.raises(Refused) as caught:
        shop.preview("DELETE FROM loose", small)
    assert rule_of(caught) == "preview.too_many_rows"
    assert "303" in caught.value.refusal.reason
    with pytest.raises(Refused) as caught:
        shop.preview("DELETE FROM loose WHERE a < 100 AND a > 50", small)
    assert rule_of(caught) == "engine.too_many_rows"


def test_a_locked_row_is_said_to_be_busy(shop: Shop) -> None:
    with psycopg.connect(shop.database.url()) as other:
        other.execute("UPDATE customers SET note = 'mine' WHERE id = 1")
        with pytest.raises(SourceUnavailable, match="being changed right now"):
            shop.preview("UPDATE customers SET name = 'w'")


def test_a_running_change_stops_when_asked(shop: Shop) -> None:
    cancel = Cancel()
    threading.Timer(0.3, cancel.set).start()
    started = time.monotonic()
    with pytest.raises(Interrupted) as caught:
        shop.engine.preview(
            Change(source="s", sql="UPDATE customers SET name = pg_sleep(60)::text"), CAPS, cancel
        )
    assert caught.value.cause == "cancelled"
    assert time.monotonic() - started < 30


def test_a_change_over_its_time_is_stopped(shop: Shop) -> None:
    with pytest.raises(Interrupted) as caught:
        shop.preview(
            "UPDATE customers SET name = pg_sleep(60)::text", replace(CAPS, timeout_ms=300)
        )
    assert caught.value.cause == "timeout"


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("ALTER TABLE loose OWNER TO {w}", "ALTER TABLE loose OWNER TO postgres"),
        ("ALTER ROLE {w} SUPERUSER", "ALTER ROLE {w} NOSUPERUSER"),
        ("GRANT pg_write_server_files TO {w}", "REVOKE pg_write_server_files FROM {w}"),
    ],
)
def test_a_login_that_is_more_than_a_writer_is_refused(shop: Shop, wrong: str, right: str) -> None:
    shop.run(wrong.format(w=shop.writer))
    with pytest.raises(Refused) as caught:
        shop.preview("UPDATE customers SET name = 'w'")
    shop.run(right.format(w=shop.writer))
    assert rule_of(caught) == "preview.login_too_strong"


@pytest.mark.parametrize(
    "sql",
    ["UPDATE loose SET a = 1; DROP TABLE orders", "DELETE FROM loose; COMMIT", "DROP TABLE loose"],
)
def test_the_server_refuses_what_the_guard_should_have(shop: Shop, sql: str) -> None:
    before = shop.dump()
    change = Change(source="s", sql=sql)
    with pytest.raises(Refused):
        shop.preview(sql)
    with pytest.raises(Refused):
        shop.engine.apply(change, CAPS, lambda _: None, Cancel())
    assert shop.dump() == before


def test_nothing_is_committed_when_the_caller_says_no(shop: Shop) -> None:
    before, images = shop.dump(), []

    def ready(captured: Captured) -> None:
        images.append(captured.undo_image)
        raise Drifted("no")

    with pytest.raises(Drifted):
        shop.engine.apply(Change(source="s", sql="DELETE FROM loose"), CAPS, ready, Cancel())
    assert shop.dump() == before
    assert shop.engine.find(images[0]) == "before"


def test_a_connection_lost_in_the_commit_leaves_it_unknown(shop: Shop) -> None:
    images = []

    def ready(captured: Captured) -> None:
        images.append(captured.undo_image)
        shop.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'gatehouse-write'"
        )

    with pytest.raises(OutcomeUnknown):
        shop.engine.apply(Change(source="s", sql="DELETE FROM loose"), CAPS, ready, Cancel())
    assert shop.engine.find(images[0]) == "before"


def test_without_the_servers_record_the_rows_tell_what_became_of_it(shop: Shop) -> None:
    sql = "UPDATE customers SET name = 'w' WHERE id = 1"
    image = shop.apply(sql, shop.preview(sql)).undo_image
    lost = image.replace(b'"xid":"', b'"xid":"9')
    assert shop.engine.find(lost) == "after"
    shop.run("UPDATE customers SET name = 'Ann' WHERE id = 1; DELETE FROM audit_log")
    assert shop.engine.find(lost) == "before"
    shop.run("UPDATE customers SET name = 'other' WHERE id = 1")
    assert shop.engine.find(lost) == "neither"


def test_the_schema_is_part_of_what_is_compared(shop: Shop) -> None:
    sql = "UPDATE customers SET name = 'w' WHERE id = 1"
    first = shop.preview(sql)
    assert shop.preview(sql).schema_hash == first.schema_hash
    shop.run(
        "CREATE OR REPLACE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS "
        "$$BEGIN INSERT INTO audit_log(line) VALUES (old.name || '>' || new.name); "
        "RETURN new; /* now with a comment */ END$$"
    )
    assert shop.preview(sql).schema_hash != first.schema_hash


def test_partitions_count_as_their_table(shop: Shop) -> None:
    shop.run(
        "CREATE TABLE parts(id int, r int, v text, PRIMARY KEY (id, r)) PARTITION BY RANGE (r);"
        "CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);"
        "CREATE TABLE parts_2(v text, r int NOT NULL, id int NOT NULL);"
        "ALTER TABLE parts ATTACH PARTITION parts_2 FOR VALUES FROM (10) TO (20);"
        "INSERT INTO parts VALUES (1, 1, 'a'), (2, 2, 'b'), (3, 12, 'c')"
    )
    shop.grant()
    before = shop.dump()
    for sql, expected in [
        ("UPDATE parts SET v = 'x'", {"parts": (0, 3, 0)}),
        ("UPDATE parts SET r = r + 9 WHERE id < 3", {"parts": (2, 0, 2)}),
        ("DELETE FROM parts", {"parts": (0, 0, 3)}),
    ]:
        diff = shop.preview(sql)
        assert counts(diff) == expected
        assert diff.undo == "exact"
        shop.undo(shop.apply(sql, diff).undo_image)
        assert shop.dump() == before


def test_values_that_move_from_row_to_row_can_be_taken_back(shop: Shop) -> None:
    shop.run(
        "CREATE TABLE ranks(id int PRIMARY KEY, place int UNIQUE, self int REFERENCES ranks);"
        "INSERT INTO ranks SELECT i, i, nullif(i - 1, 0) FROM generate_series(1, 5) i"
    )
    shop.grant()
    before = shop.dump()
    for sql in (
        "UPDATE ranks SET place = place - 1",
        "UPDATE ranks SET place = 100 - place",
        "DELETE FROM ranks",
        "UPDATE ranks SET self = NULL",
    ):
        diff = shop.preview(sql)
        assert diff.undo_verified, sql
        shop.undo(shop.apply(sql, diff).undo_image)
        assert shop.dump() == before


def test_promise_02_a_change_is_read_as_the_guard_reads_it_whatever_the_database_says(
    shop: Shop,
) -> None:
    """With these settings, what stands in a text here would be a query."""
    name = shop.database.name
    shop.run(f"ALTER DATABASE {name} SET standard_conforming_strings = off")
    shop.run(f"ALTER DATABASE {name} SET transform_null_equals = on")
    sql = "UPDATE loose SET b = 'x\\'' || (SELECT max(name) FROM customers) --'\n WHERE a = 1"
    shop.apply(sql, shop.preview(sql))
    assert set(shop.run("SELECT b FROM loose WHERE a = 1")) == {
        ("x\\' || (SELECT max(name) FROM customers) --",)
    }
    assert shop.preview("UPDATE loose SET b = 'y' WHERE a = NULL").tables == ()
