"""Step 2: Statement -> Access, from the whole tree, never from the first word or the root node."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache

from sqlglot import exp

from guard.access import Access as Access
from guard.access import Clause as Clause
from guard.access import ColumnUse as ColumnUse
from guard.access import Tier as Tier
from guard.accounted import unaccounted
from guard.casing import casing_problems
from guard.catalog import Catalog
from guard.errors import Refusal, Refused
from guard.names import cte_of, find_table
from guard.nodes import verb_of
from guard.resolve import resolve
from guard.schemachange import schema_change_of
from guard.shadowing import shadowing_problems
from guard.statement import Statement
from guard.survey import Survey, survey
from guard.views import expand, is_target


def classify(statement: Statement, catalog: Catalog | None) -> Access:
    """Returns what `statement` touches and does.

    Without a catalog every ordinary table counts as known and `columns` is what the text alone
    shows. With one, unknown tables and columns are `problems`. Never raises: whatever cannot be
    judged is a problem with tier `unknown`.
    """
    try:
        return _from_text(statement) if catalog is None else _resolved(statement, catalog)
    except Refused as error:
        return _unknown(statement, error.refusal)
    except Exception:
        # Whatever fails here fails on crafted input; the answer is no.
        return _unknown(
            statement,
            Refusal(
                rule="statement.unknown",
                reason="The guard could not judge the statement, so it is refused.",
            ),
        )


def _unknown(statement: Statement, refusal: Refusal) -> Access:
    return Access(tier="unknown", verb=verb_of(statement.tree), problems=(refusal,))


def _from_text(statement: Statement) -> Access:
    found = survey(statement, scoped=False)
    tables, writes = _named(found, statement.dialect)
    return Access(
        tier=found.tier,
        verb=verb_of(statement.tree),
        tables=tables,
        named=tables,
        writes=writes,
        columns=_columns(found, tables),
        functions=found.functions,
        problems=tuple(dict.fromkeys(found.problems)),
    )


def _defining(statement: Statement, catalog: Catalog, verb: str) -> Access:
    """A change of the schema: each node is one that may be proposed, or it is a problem."""
    try:
        schema = schema_change_of(statement, catalog)
    except Refused as error:
        return Access(tier="ddl", verb=verb, problems=(error.refusal,))
    touched = tuple(t for t in (*schema.tables, schema.created) if t is not None)
    return Access(
        tier="ddl",
        verb=verb,
        tables=schema.tables,
        named=schema.tables,
        writes=touched,
        schema=schema,
    )


def _resolved(statement: Statement, catalog: Catalog) -> Access:
    found = survey(statement, scoped=True, own=catalog.functions)
    verb = verb_of(statement.tree)
    if found.tier not in ("read", "write") or isinstance(statement.tree, exp.Show | exp.Pragma):
        if found.tier == "ddl":
            return _defining(statement, catalog, verb)
        tables, writes = _named(found, statement.dialect)
        return Access(
            tier=found.tier,
            verb=verb,
            tables=tables,
            named=tables,
            writes=writes,
            functions=found.functions,
            problems=tuple(found.problems),
        )
    named = _known(found, catalog)
    expanded = expand(statement.tree, catalog, found.tables)
    behind = [survey(d, scoped=False, own=catalog.functions) for d in expanded.definitions]
    resolution = resolve(expanded.tree, catalog)
    within = [p for view in behind for p in _of_view(view)]
    within += casing_problems(expanded.tree, catalog)
    within += unaccounted(statement, catalog, found.names)
    within += [p for d in expanded.definitions for p in unaccounted(d, catalog)]
    within += shadowing_problems(statement, found, catalog)
    return Access(
        tier=found.tier,
        verb=verb,
        tables=resolution.tables,
        named=named,
        writes=resolution.writes,
        columns=resolution.columns,
        tokens=resolution.tokens,
        functions=tuple(sorted({f for s in (found, *behind) for f in s.functions})),
        problems=tuple(dict.fromkeys((*found.problems, *within, *resolution.problems))),
    )


def _known(found: Survey, catalog: Catalog) -> tuple[str, ...]:
    """Returns the tables and views of the catalog that the text itself names."""
    names: dict[str, None] = {}
    for table in found.tables:
        if not isinstance(table.this, exp.Identifier) or table.arg_key == "indexed":
            continue
        if found.has_ctes and not is_target(table) and cte_of(table, catalog.dialect) is not None:
            continue
        known = find_table(table, catalog)
        if known is not None:
            names[known.name] = None
    return tuple(names)


def _of_view(found: Survey) -> Iterator[Refusal]:
    """Yields the problems of a view's definition; nobody who reads the view can mend them."""
    for problem in found.problems:
        yield replace(problem, fixable=False, alternative=None)
    if found.tier != "read":
        yield Refusal(rule="view.effect", reason="A view of the statement does more than read.")


def _named(found: Survey, dialect: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    tables: dict[str, None] = {}
    writes: dict[str, None] = {}
    for table in found.tables:
        if table.arg_key == "indexed":
            continue
        if not isinstance(table.this, exp.Identifier):
            if isinstance(table.this, exp.Func) and table.this.name.lower().startswith("pragma_"):
                tables[table.this.name] = None  # SQLite reads its schema through these
            continue
        if found.has_ctes and not is_target(table) and cte_of(table, dialect) is not None:
            continue
        name = table.name
        if table.args.get("db") is not None:
            name = ".".join(p.name for p in table.parts)
        if is_target(table):
            writes[name] = tables[name] = None
        elif dialect != "mysql" or name.lower() != "dual":
            tables[name] = None
    return tuple(tables), tuple(writes)


def _columns(found: Survey, tables: tuple[str, ...]) -> tuple[ColumnUse, ...]:
    if not found.columns:
        return ()
    aliases = {t.alias_or_name.lower(): t.name for t in found.tables}
    alone = tables[0] if len(tables) == 1 == len(found.tables) else ""
    uses: dict[ColumnUse, None] = {}
    for column in found.columns:
        qualifier = column.table
        table = aliases.get(qualifier.lower(), qualifier) if qualifier else alone
        uses[_use(table, column.name)] = None
    return tuple(uses)


@lru_cache(maxsize=4096)
def _use(table: str, column: str) -> ColumnUse:
    return ColumnUse(table=table, column=column, clause="other")
