"""Which statements make the two logins of a server's source."""

from __future__ import annotations

from guard import grants_mysql, grants_postgres
from guard.catalog import Catalog
from guard.connect import login_names
from guard.errors import ConfigurationError
from guard.grants import ServerFacts
from guard.policyfile import Policy


def login_statements(policy: Policy, source: str, catalog: Catalog, facts: ServerFacts) -> str:
    """Returns SQL for the owner of the database to read and run; it sets no password.

    `catalog` and `facts` are what the owner sees.

    Raises:
        ConfigurationError: the source is no server.
        Refused: a row filter of the policy cannot be read.
    """
    reader, writer = login_names(source)
    match policy.sources[source].engine:
        case "postgres":
            return grants_postgres.statements(
                policy, source, catalog, facts, reader=reader, writer=writer
            )
        case "mysql":
            return grants_mysql.statements(
                policy, source, catalog, facts, reader=reader, writer=writer
            )
        case engine:
            raise ConfigurationError(f"There are no statements for the logins of {engine} yet.")
