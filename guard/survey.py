"""One walk over the whole tree: every node is known, an effect, or a problem."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import cast

from sqlglot import exp

from guard.access import Tier
from guard.builtin_types import check_type
from guard.calls import check_calls, is_named
from guard.describing import check_metadata
from guard.errors import Refusal
from guard.nodes import (
    CHANGE_PARTS,
    CHANGES,
    EFFECTS,
    METADATA,
    PLAIN,
    QUERIES,
    SYNTAX_CALLS,
    WORST_FIRST,
)
from guard.relations import check_table
from guard.spelling import BUILT_IN_OPERATORS
from guard.statement import Statement


@dataclass(kw_only=True)
class Survey:
    """What one walk found. `tables`, `columns` and `names` are the nodes, in no order.

    `has_ctes` is false where no name can be that of a CTE.
    """

    tier: Tier = "read"
    tables: list[exp.Table] = field(default_factory=list)
    columns: list[exp.Column] = field(default_factory=list)
    names: list[exp.Identifier] = field(default_factory=list)
    functions: tuple[str, ...] = ()
    problems: list[Refusal] = field(default_factory=list)
    has_ctes: bool = False


_PLAIN, _COLUMN, _TABLE, _SYNTAX, _EFFECT, _CTE, _TYPE, _NAME, _OTHER = range(9)
_KINDS: dict[type[exp.Expr], int] = {
    **dict.fromkeys(PLAIN, _PLAIN),
    **dict.fromkeys(SYNTAX_CALLS, _SYNTAX),
    **dict.fromkeys(EFFECTS, _EFFECT),
    exp.Table: _TABLE,
    exp.Identifier: _NAME,
    exp.Column: _COLUMN,
    exp.CTE: _CTE,
    exp.DataType: _TYPE,
    exp.ObjectIdentifier: _TYPE,
}


def survey(statement: Statement, *, scoped: bool, own: frozenset[str] | None = None) -> Survey:
    """Returns what the tree of `statement` holds.

    With `scoped`, a catalog limits what the person may know, so statements, functions and types
    that lead beyond it are problems. `own` are the functions of the server, where it says so.
    """
    root = statement.tree
    if isinstance(root, exp.Pragma | exp.Show) and root.args.get("where") is None:
        return Survey(problems=list(_metadata(root, statement, scoped=scoped)))
    nodes: list[list[exp.Expr]] = [[] for _ in range(_OTHER + 1)]
    for node in root.walk():
        kind = _KINDS.get(node.__class__, _OTHER)
        if kind:
            nodes[kind].append(node)
    found = Survey(
        tables=cast("list[exp.Table]", nodes[_TABLE]),
        columns=cast("list[exp.Column]", nodes[_COLUMN]),
        names=cast("list[exp.Identifier]", nodes[_NAME]),
        has_ctes=bool(nodes[_CTE]),
    )
    calls = [n for n in nodes[_SYNTAX] if is_named(n)]
    calls += [n for n in nodes[_OTHER] if isinstance(n, exp.Func)]
    if statement.calls or calls:
        found.functions, problems = check_calls(statement, calls, scoped=scoped, own=own)
        found.problems.extend(problems)
    if nodes[_EFFECT]:
        found.tier = _worst(nodes[_EFFECT])
        found.problems.extend(_effects(root, nodes[_EFFECT]))
    found.problems.extend(_others(nodes, statement, scoped=scoped))
    if type(root) not in QUERIES and type(root) not in EFFECTS and type(root) not in METADATA:
        found.tier = "unknown"
        found.problems.append(_unknown_node(root))
    return found


def _worst(effects: Iterable[exp.Expr]) -> Tier:
    tiers = {EFFECTS[type(node)] for node in effects}
    return next(t for t in WORST_FIRST if t in tiers)


def _effects(root: exp.Expr, effects: Iterable[exp.Expr]) -> Iterator[Refusal]:
    for node in effects:
        if type(node) not in CHANGES:
            tier = EFFECTS[type(node)]
            yield Refusal(
                rule=f"effect.{tier}",
                reason=f"The statement would {_EFFECT_WORDS[tier]}.",
                part=type(node).__name__.upper(),
            )
        elif node is not root and not isinstance(node.parent, exp.When):
            yield Refusal(
                rule="effect.nested",
                reason="A change stands inside another statement.",
                part=type(node).__name__.upper(),
                alternative="Send the change as a statement of its own.",
                fixable=True,
            )


_EFFECT_WORDS: dict[Tier, str] = {
    "write": "change data in a way that cannot be reviewed",
    "ddl": "change the schema",
    "admin": "change rights, settings, files or the server",
    "session": "change the session, or take locks",
}


def _others(
    nodes: Sequence[Sequence[exp.Expr]], statement: Statement, *, scoped: bool
) -> Iterator[Refusal]:
    dialect = statement.dialect
    for node in nodes[_OTHER]:
        if not isinstance(node, exp.Func):
            yield from _other(node, statement, scoped=scoped)
    for table in cast("list[exp.Table]", nodes[_TABLE]):
        yield from check_table(table, dialect)
    if scoped and dialect == "postgres":
        for node in nodes[_TYPE]:
            yield from check_type(cast("exp.DataType | exp.ObjectIdentifier", node))
    if dialect in ("snowflake", "mysql"):
        yield from _sequences(nodes[_COLUMN])


def _other(node: exp.Expr, statement: Statement, *, scoped: bool) -> Iterator[Refusal]:
    dialect = statement.dialect
    if type(node) in METADATA:
        yield from _metadata(node, statement, scoped=scoped)
    elif isinstance(node, exp.Dot):
        if scoped and isinstance(node.expression, exp.Func) and dialect != "postgres":
            yield _chained(node.expression.name or "f")
    elif isinstance(node, exp.Parameter | exp.SessionParameter) and dialect == "mysql":
        if scoped:
            yield Refusal(
                rule="statement.setting",
                reason="Variables and settings of the server cannot be read here.",
                part=f"@{node.name}",
            )
    elif isinstance(node, exp.Comprehension) and dialect == "duckdb":
        return  # the parser reads `a FOR b IN c` as one in every dialect
    elif isinstance(node, exp.Operator):
        yield from _operator(node, dialect)
    elif not (type(node) in CHANGE_PARTS and type(statement.tree) in CHANGES):
        yield _unknown_node(node)


def _metadata(node: exp.Expr, statement: Statement, *, scoped: bool) -> Iterator[Refusal]:
    yield from check_metadata(node, statement.dialect)
    if scoped:
        yield Refusal(
            rule="statement.metadata",
            reason="Statements that describe a source or a plan do not run here.",
            part=type(node).__name__.upper(),
            alternative="Use the list of tables and columns of this source.",
        )


def _unknown_node(node: exp.Expr) -> Refusal:
    return Refusal(
        rule="node.unknown",
        reason="The statement holds syntax the guard does not know, so it is refused.",
        part=type(node).__name__,
    )


def _chained(name: str) -> Refusal:
    return Refusal(
        rule="function.chained",
        reason=f"The call {name} stands after a dot, where the guard cannot tell what it reads.",
        part=name,
        alternative=f"Write {name}(x) instead of x.{name}().",
        fixable=True,
    )


def _operator(node: exp.Operator, dialect: str) -> Iterator[Refusal]:
    name = str(node.args["operator"])
    if dialect != "postgres" or name.removeprefix("pg_catalog.") not in BUILT_IN_OPERATORS:
        yield Refusal(
            rule="operator.unknown",
            reason="The operator is not one of the server's own.",
            part=name,
        )


def _sequences(columns: Iterable[exp.Expr]) -> Iterator[Refusal]:
    """Yields the columns that Snowflake and MariaDB's Oracle mode take for a sequence's value."""
    for column in columns:
        if column.name.lower() in ("nextval", "currval") and column.args.get("table"):
            yield Refusal(
                rule="effect.write",
                reason="The statement would move a sequence.",
                part=column.name,
            )
