"""A company whose shop is on PostgreSQL: the login that reads and the one that writes rows."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from audit import AuditLog
from guard import Caller
from store import Store, accounts
from tests.servers import ServerDatabase
from ui.parts import Parts, open_parts

POLICY = """
version = 1
[sources.shop]
engine = "postgres"
environment = "production"
database_secret = "SHOP_READ"
write_secret = "SHOP_WRITE"
writes = true
[roles.analysts]
members = ["ana", "@reviewer"]
[roles.analysts.sources.shop]
tables = ["orders", "audit_log"]
propose = ["orders"]
"""
SHOP = """
CREATE TABLE orders(id int PRIMARY KEY, total numeric NOT NULL);
CREATE TABLE audit_log(id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, line text);
CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS
  $$BEGIN INSERT INTO audit_log(line) VALUES (new.id); RETURN new; END$$;
CREATE TRIGGER noted AFTER UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION noted();
INSERT INTO orders VALUES (1, 10), (2, 20);
"""
_PEOPLE = {"ana": "analyst", "rita": "reviewer", "rob": "reviewer"}


class PostgresShop:
    """An opened data folder beside a database."""

    def __init__(self, home: Path, secrets: dict[str, str], policy: str = POLICY) -> None:
        self.store = Store.open(home)
        self.log = AuditLog.open(home / "audit", app_version="test")
        if not (home / "policy.toml").exists():
            (home / "policy.toml").write_text(policy, encoding="utf-8")
            with self.store.write() as conn:
                for name, role in _PEOPLE.items():
                    accounts.create(
                        conn,
                        name=name,
                        display_name=name.title(),
                        roles={role},
                        password_hash="unused",
                        now=self.store.now(),
                    )
        self.parts: Parts = open_parts(home, self.store, self.log, secrets)

    def caller(self, name: str) -> Caller:
        """Returns a call by that person."""
        person = self.parts.people.by_name(name)
        assert person is not None
        return Caller(principal=person, channel="console")

    def propose(self, sql: str) -> int:
        """Returns a request that waits for review."""
        return self.parts.gate.propose(
            sql, source="shop", caller=self.caller("ana"), reason="A test"
        ).change

    def approve(self, change: int) -> None:
        """Lets both reviewers say yes to what they see, as far as it needs them."""
        for name in ("rita", "rob"):
            view = self.parts.review.inbox.view(change, self.caller(name))
            if view.card.state == "pending":
                self.parts.review.approve(
                    change,
                    self.caller(name),
                    fingerprint=view.fingerprint or "",
                    version=view.version,
                )

    def state(self, change: int) -> str:
        """Returns where the request stands."""
        return self.parts.review.inbox.view(change, self.caller("rita")).card.state

    def close(self) -> None:
        """Ends everything."""
        self.parts.close()
        self.log.close()
        self.store.close()


@contextmanager
def logins(database: ServerDatabase) -> Iterator[dict[str, str]]:
    """Makes the tables and the two logins; gives the secrets that name them."""
    reader, writer = f"r_{database.name}", f"w_{database.name}"
    database.execute(SHOP)
    database.execute(
        f"CREATE ROLE {reader} LOGIN; CREATE ROLE {writer} LOGIN;"
        f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {reader}, {writer};"
        f"GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {writer};"
        f"GRANT SET ON PARAMETER session_replication_role TO {writer}"
    )
    yield {"SHOP_READ": database.url(reader), "SHOP_WRITE": database.url(writer)}
    database.execute(
        f"DROP OWNED BY {reader}, {writer};"
        f"REVOKE SET ON PARAMETER session_replication_role FROM {writer};"
        f"DROP ROLE {reader}; DROP ROLE {writer}"
    )


def wait_until(moment: float) -> None:
    """Lets several processes begin together."""
    time.sleep(max(0.0, moment - time.time()))
