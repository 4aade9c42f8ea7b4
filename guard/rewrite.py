"""Step 4: Statement + Allow -> GuardedQuery. The only place that builds one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import InitVar, dataclass, field, replace
from functools import lru_cache

from sqlglot import exp

from guard.catalog import Catalog
from guard.decision import Allow, Terms
from guard.errors import Refused, refuse
from guard.identity import NO_IDENTITY, Identity
from guard.lineage import Lineage, is_read, summarise
from guard.rewriting.fence import may_fail
from guard.rewriting.filters import RowFilter, row_filters
from guard.rewriting.limit import limited
from guard.rewriting.planned import carry_out
from guard.rewriting.settled import settled, too_long
from guard.rewriting.spelling import faithful, without_dual
from guard.rewriting.tables import Tables
from guard.rewriting.unveiled import Values, unveiled
from guard.same import Same
from guard.statement import Statement
from guard.tracing import Plan, Walk
from guard.views import expand_views

_SEAL = object()


@dataclass(frozen=True, kw_only=True)
class GuardedQuery:
    """SQL with row filters and limit inside, ready for an engine, which accepts nothing else.

    `shown` is `sql` as it may be told: where `sql` has the value of a pseudonym, the pseudonym.
    `max_rows` is what the engine may return at most; `sql` asks for one row more, to know of a cut.
    `most_rows` is how many may be shown, at most what the statement's own limit says.
    `readable` maps each base table to the columns the engine's own authorizer must allow, those
    that row filters read included. `lineage` is that of the statement as the person wrote it,
    views expanded, and matches the result position by position. `identity` is who it runs as inside
    a server. Only this module can build one: `seal` is its own.
    """

    source: str
    dialect: str
    sql: str = field(repr=False)
    shown: str
    max_rows: int
    most_rows: int
    max_bytes: int
    timeout_ms: int
    readable: tuple[tuple[str, tuple[str, ...]], ...]
    lineage: Lineage
    identity: Identity = NO_IDENTITY
    seal: InitVar[object]

    def __post_init__(self, seal: object) -> None:
        if seal is not _SEAL:
            raise TypeError("A GuardedQuery comes from guard.rewrite.rewrite and nowhere else.")


def rewrite(
    statement: Statement, allow: Allow, catalog: Catalog, values: Values | None = None
) -> GuardedQuery:
    """Returns what may be sent to the engine.

    In order: views are expanded, stars written out, every base table with a row filter put into a
    filtered subquery (so that the filter stays right under outer joins, set operations, CTEs and
    self-joins) and the others named with their schema, and a LIMIT set on the outermost query. The
    text is generated from that tree; parsed again it must give the same tree, and judged again it
    must be a read of the allowed tables.

    `catalog` is the one the statement was judged with, `values` what its pseudonyms stand for.

    Raises:
        Refused: the statement is no query (`rewrite.not_a_query`), its columns cannot be told
            before it runs (`rewrite.untraceable`), it cannot be written anew without changing
            (`rewrite.*`), or a table or a row filter cannot be used. Show it; nothing ran.
    """
    if not is_read(statement.tree):
        raise refuse(
            "rewrite.not_a_query",
            "Only a query can be run here.",
            alternative="The tables and columns of the source are listed beside the question.",
        )
    try:
        return _rewritten(statement, allow.terms, catalog, values or {})
    except RecursionError as error:
        raise too_long() from error


def _rewritten(
    statement: Statement, terms: Terms, catalog: Catalog, values: Values
) -> GuardedQuery:
    reach = _in_reach(Same(catalog), terms.readable)
    filters = row_filters(terms, catalog)
    tree = without_dual(expand_views(statement.tree, reach), catalog.dialect)
    tables = Tables(catalog=reach, filters=filters, fence=bool(filters) and may_fail(tree))
    traced = Walk(reach).run(tree)
    if traced.outputs is None or traced.plan.doubts:
        raise _untraceable(traced.plan)
    lineage = summarise(traced, reach)
    _refuse_bare_tables(tree, catalog.dialect)
    tree = carry_out(tree, traced.plan)
    tree = tables.bind(tree, spell_columns=traced.plan.whole_rows)
    tree = limited(tree, terms.limits.fetched_rows + 1, catalog.dialect)
    own_limit = int(tree.args["limit"].expression.name)
    final = settled(faithful(tree, catalog.dialect), tables, traced.outputs)
    return GuardedQuery(
        source=catalog.source,
        dialect=catalog.dialect,
        sql=unveiled(final, values) if values else final.text,
        shown=final.text,
        max_rows=terms.limits.fetched_rows,
        most_rows=min(own_limit, terms.limits.shown_rows),
        max_bytes=terms.limits.max_bytes,
        timeout_ms=round(terms.limits.timeout_seconds * 1000),
        readable=_readable(reach, filters),
        lineage=lineage,
        identity=terms.identity,
        seal=_SEAL,
    )


@lru_cache(maxsize=50)  # each keeps a catalog alive
def _in_reach(whole: Same[Catalog], readable: tuple[tuple[str, tuple[str, ...]], ...]) -> Catalog:
    """Returns the part of the catalog that is readable: other tables do not exist for it."""
    catalog = whole.it
    allowed = {name.casefold(): {c.casefold() for c in columns} for name, columns in readable}
    tables = tuple(
        Catalog.only(t, [c for c in t.columns if c.name.casefold() in allowed[t.name.casefold()]])
        for t in catalog.tables
        if t.name.casefold() in allowed
    )
    return replace(catalog, tables=tables)


def _untraceable(plan: Plan) -> Refused:
    part = plan.doubts[0] if plan.doubts else "*"
    return refuse(
        "rewrite.untraceable",
        f"Which columns this gives cannot be told before it runs, because of {part}.",
        part=part,
        alternative="Name the columns and tables one by one.",
        fixable=True,
    )


def _refuse_bare_tables(tree: exp.Expr, dialect: str) -> None:
    """`x IN t` reads a table in SQLite, and no table stands in the tree."""
    if dialect != "sqlite":
        return
    for node in tree.find_all(exp.In):
        bare = node.args.get("field")
        if bare is not None:
            raise refuse(
                "rewrite.in_table",
                "The guard does not follow IN with a table's name after it.",
                part=bare.name,
                alternative="Write IN (SELECT column FROM table).",
                fixable=True,
            )


def _readable(
    reach: Catalog, filters: Mapping[str, RowFilter]
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    found = {t.name: [c.name for c in t.columns] for t in reach.tables if t.kind == "table"}
    for row_filter in filters.values():
        for table, column in sorted(row_filter.reads):
            columns = found.setdefault(table, [])
            if column not in columns:
                columns.append(column)
    return tuple((table, tuple(columns)) for table, columns in found.items())
