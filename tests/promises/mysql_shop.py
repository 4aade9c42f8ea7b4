"""A company whose shop is on MariaDB, its two logins made by the statements Gatehouse prints."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from guard.address import ServerReach, server_address
from guard.engines.surveying import open_server_survey
from guard.logins import login_statements
from guard.policyfile import parse_policy
from tests.promises.postgres_shop import PostgresShop
from tests.servers import ServerDatabase

EMAIL = "qzcanary.person@mail.example"
SALARY = 987654321
POLICY = """
version = 1
[sources.shop]
engine = "mysql"
environment = "production"
database_secret = "SHOP_READ"
write_secret = "SHOP_WRITE"
writes = true
[sources.shop.tags]
"customers.email" = "EMAIL_ADDRESS"
[roles.analysts]
members = ["ana", "@reviewer"]
[roles.analysts.sources.shop]
tables = ["customers", "orders", "late"]
hide = ["customers.ssn"]
propose = ["orders", "noted"]
"""
SHOP = f"""
CREATE TABLE customers (id INT PRIMARY KEY, name VARCHAR(40), email VARCHAR(60), ssn VARCHAR(20),
  country VARCHAR(40));
CREATE TABLE orders (id INT PRIMARY KEY, customer_id INT, total DECIMAL(10, 2) NOT NULL,
  placed DATE, FOREIGN KEY (customer_id) REFERENCES customers (id));
CREATE TABLE salaries (id INT PRIMARY KEY, amount INT);
CREATE VIEW late AS SELECT o.id, c.email, o.total FROM orders o
  JOIN customers c ON c.id = o.customer_id WHERE o.placed < '2026-06-01';
CREATE FUNCTION bump(x INT) RETURNS INT MODIFIES SQL DATA
  BEGIN UPDATE orders SET total = 0 WHERE id = x; RETURN x; END;
INSERT INTO customers VALUES (1, 'Ann', '{EMAIL}', '{SALARY}', 'Spain'),
  (2, 'Bob', 'bob@mail.example', '2', 'Germany');
INSERT INTO orders VALUES (1, 1, 10, '2026-01-02'), (2, 2, 20, '2026-07-01');
INSERT INTO salaries VALUES (1, {SALARY});
"""


class MysqlShop(PostgresShop):
    """An opened data folder beside a MariaDB database."""

    def __init__(self, home: Path, secrets: dict[str, str], policy: str = POLICY) -> None:
        super().__init__(home, secrets, policy)


def content(database: ServerDatabase) -> str:
    """Everything the shop holds."""
    return repr(
        [database.execute(f"SELECT * FROM {t}") for t in ("customers", "orders", "salaries")]
        + [
            database.execute("SHOW FULL TABLES"),
            database.execute("SELECT COUNT(*) FROM mysql.user"),
        ]
    )


@contextmanager
def logins(database: ServerDatabase, policy: str = POLICY) -> Iterator[dict[str, str]]:
    """Makes the tables and, as an operator would, the two logins; gives the secrets."""
    database.execute(SHOP)
    parsed = parse_policy(policy.encode(), Path("policy.toml"))
    address = server_address(database.url(), "mysql")
    with closing(
        open_server_survey("mysql", address, source="shop", reach=ServerReach())
    ) as survey:
        script = login_statements(parsed, "shop", survey.reflect(), survey.facts())
    # One server serves all tests: names of its own for each.
    for name in set(re.findall(r"CREATE (?:USER|ROLE) `(\w+)`", script)):
        script = script.replace(f"`{name}`", f"`{name}_{database.name}`")
    made = re.findall(r"CREATE (USER|ROLE) (`\w+`(?:@`%`)?)", script)
    database.execute(re.sub(r"--.*", "", script))
    urls = []
    for kind, account in made:
        if kind == "USER":
            database.execute(f"ALTER USER {account} IDENTIFIED BY 'p' ACCOUNT UNLOCK")
            urls.append(database.url(account.split("`")[1], "p"))
    try:
        yield dict(zip(("SHOP_READ", "SHOP_WRITE"), urls, strict=False))
    finally:
        for kind, account in made:
            database.execute(f"DROP {kind} {account}")
