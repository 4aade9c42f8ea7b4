"""Every name of a statement resolved against the catalog, to base tables and base columns.

Views are expanded before. Queries are resolved in `guard.resolver`, changes in `guard.writes`.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from guard.access import ColumnUse, TokenUse
from guard.catalog import Catalog
from guard.errors import Refusal
from guard.resolver import Resolver, spreads
from guard.writes import resolve_change


@dataclass(frozen=True, kw_only=True)
class Resolution:
    """What a statement's names mean: base tables read or written, uses of columns, doubts."""

    tables: tuple[str, ...]
    writes: tuple[str, ...]
    columns: tuple[ColumnUse, ...]
    tokens: tuple[TokenUse, ...]
    problems: tuple[Refusal, ...]


def resolve(tree: exp.Expr, catalog: Catalog) -> Resolution:
    """Returns what the names of `tree` mean.

    `tree` has its views expanded. Every column and star of it is accounted for: one that no rule
    reached is a problem.
    """
    named = list(tree.find_all(exp.Column, exp.Star, exp.Columns))
    resolver = Resolver(catalog=catalog, spreads=any(map(spreads, named)))
    _statement(tree, resolver)
    resolver.account_for(named)
    return Resolution(
        tables=tuple(resolver.tables),
        writes=tuple(resolver.writes),
        columns=tuple(resolver.ledger.uses),
        tokens=tuple(resolver.ledger.tokens.values()),
        problems=tuple(resolver.ledger.problems),
    )


def _statement(tree: exp.Expr, resolver: Resolver) -> None:
    """Resolves a whole statement; of DESCRIBE and EXPLAIN, what they describe."""
    if isinstance(tree, exp.Describe | exp.Summarize):
        tree = tree.this
    if isinstance(tree, exp.Query | exp.Values):
        resolver.query(tree, None, "output")
    elif isinstance(tree, exp.Pivot | exp.Table):
        resolver.untraced(tree)
    else:
        resolve_change(tree, resolver)
