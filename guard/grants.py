"""The statements that make a source's two logins: what each may do, and nothing more.

They are printed for an operator to read and to run as the owner of the database; nothing here runs
them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from guard.catalog import Catalog, Table
from guard.decision import Terms
from guard.limitpolicy import Limits
from guard.policyfile import Policy, RoleGrant
from guard.rewriting.filters import row_filters


@dataclass(frozen=True, kw_only=True)
class ServerFacts:
    """What the statements need to know of a server besides the catalog.

    `functions` are those that reach beyond a query and that everybody may call, as signatures;
    `secured` the tables that have row security of their own already; `sequences` pairs a table with
    a sequence its new rows take a number from. Tables are named as the catalog does.
    """

    database: str
    version: int
    functions: tuple[str, ...] = ()
    secured: frozenset[str] = frozenset()
    sequences: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Readable:
    """A table and the columns of it that somebody may read; all of them where `whole`."""

    table: Table
    columns: tuple[str, ...]
    whole: bool


def readable(
    policy: Policy, source: str, catalog: Catalog, roles: frozenset[str] | None = None
) -> tuple[Readable, ...]:
    """Returns what the data roles together need to read, row filters included.

    `roles` are the data roles that count, None for all of them.

    Raises:
        Refused: a row filter of the policy cannot be read.
    """
    grants = [g for name, g in grants_of(policy, source) if roles is None or name in roles]
    needed = {
        (table, column.casefold())
        for grant in grants
        for table, column in _filter_reads(grant, catalog)
    }
    found = []
    for table in catalog.tables:
        columns = tuple(
            c.name
            for c in table.columns
            if (table.name, c.name.casefold()) in needed
            or any(g.lists(table.name) and not g.hides(table.name, c.name) for g in grants)
        )
        if columns:
            whole = len(columns) == len(table.columns)
            found.append(Readable(table=table, columns=columns, whole=whole))
    return tuple(found)


def writable(policy: Policy, source: str, catalog: Catalog) -> tuple[Table, ...]:
    """Returns the tables to which somebody may propose changes."""
    grants = [g for _, g in grants_of(policy, source)]
    return tuple(
        t for t in catalog.tables if t.kind == "table" and any(g.proposes(t.name) for g in grants)
    )


def grants_of(policy: Policy, source: str) -> Iterator[tuple[str, RoleGrant]]:
    """Yields the data roles that reach the source, and what they may do there."""
    for name, role in policy.roles.items():
        if source in role.sources:
            yield name, role.sources[source]


def _filter_reads(grant: RoleGrant, catalog: Catalog) -> Iterator[tuple[str, str]]:
    filters = tuple((t.name, f) for t in catalog.tables if (f := grant.row_filter(t.name)))
    for row_filter in row_filters(Terms(limits=Limits(), row_filters=filters), catalog).values():
        yield from row_filter.reads
