"""Views are judged by what they hold: each one is replaced by the query that defines it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from sqlglot import exp

from guard.catalog import Catalog, Table
from guard.errors import Refused, refuse
from guard.names import cte_name, cte_of, find_table, fold, visible_ctes
from guard.statement import Statement, parse

MAX_DEPTH = 8
"""Views over views over views: more than this is refused."""
MAX_VIEWS = 200
"""Places where a view is put in; views that fan out would multiply without it."""
VIEW = "view"
"""Key in a subquery's `meta`: the name of the view it stands for."""

# What a table reference may carry over to the subquery in its place; anything else is refused.
_KEPT = ("joins", "laterals", "pivots", "sample")
_OWN = ("this", "db", "catalog", "alias")
# A table stands here as what is written, locked or named, not as what is read.
_TARGETS = (
    exp.Insert,
    exp.Update,
    exp.Delete,
    exp.Merge,
    exp.Schema,
    exp.Into,
    exp.Lock,
    exp.Returning,
)


def expand_views(tree: exp.Expression, catalog: Catalog) -> exp.Expression:
    """Returns a copy of `tree` in which every view that is read stands as an aliased subquery.

    The subquery has the view's own column names and the alias the statement gave it. A name that a
    CTE hides is left alone, and so are the tables a statement writes. The copy remembers no places
    in the text.

    Raises:
        Refused: `view.unknown` for a view without a definition the guard can read, `view.too_deep`
            for views nested more than `MAX_DEPTH` levels or used too often, `view.cycle`, or
            `view.shadowed` where a CTE of the statement has the name of a table the view reads.
    """
    expanded = _expanded(copied(tree), catalog)
    return _bare(expanded.tree) if expanded.definitions else expanded.tree


def _bare(tree: exp.Expression) -> exp.Expression:
    """Returns `tree`, changed in place, without the places in the text of the definitions."""
    for node in tree.walk():
        known = node._meta  # noqa: SLF001 - `meta` would create a dictionary on every node
        if known is not None and VIEW not in known:
            node._meta = None  # noqa: SLF001
    return tree


def copied(tree: exp.Expression) -> exp.Expression:
    """Returns a copy without the places in the text that the nodes remember.

    Copying those takes longer than copying the tree, and whoever needs them has the original.
    """
    root = type(tree)()
    stack: list[tuple[exp.Expr, exp.Expr]] = [(tree, root)]
    while stack:
        node, copy = stack.pop()
        for key, value in node.args.items():
            if isinstance(value, exp.Expr):
                stack.append((value, type(value)()))
                copy.set(key, stack[-1][1])
            elif type(value) is list:
                copy.args[key] = []
                for item in value:
                    if isinstance(item, exp.Expr):
                        stack.append((item, type(item)()))
                        item = stack[-1][1]
                    copy.append(key, item)
            else:
                copy.args[key] = value
    return root


def stands_for_view(node: exp.Expr) -> bool:
    """True for a subquery that was put in the place of a view."""
    known = node._meta  # noqa: SLF001 - `meta` would create a dictionary on every node
    return known is not None and VIEW in known


@dataclass(frozen=True, kw_only=True)
class Expanded:
    """A tree without views, and the definitions that were put in, each once."""

    tree: exp.Expression
    definitions: tuple[Statement, ...]


def expand(
    tree: exp.Expression, catalog: Catalog, tables: Iterable[exp.Table] | None = None
) -> Expanded:
    """Returns what `expand_views` does, and the definitions, whose effects must be judged too.

    `tables` are all there are in `tree`, where somebody has looked for them before. Where none of
    them is a view, `tree` comes back itself, so what comes back MUST NOT be changed.
    """
    found = tree.find_all(exp.Table) if tables is None else tables
    if not any(_is_view(table, catalog) for table in found):
        return Expanded(tree=tree, definitions=())
    return _expanded(tree.copy(), catalog)


def _is_view(table: exp.Table, catalog: Catalog) -> bool:
    found = find_table(table, catalog)
    return found is not None and found.kind == "view"


def _expanded(tree: exp.Expression, catalog: Catalog) -> Expanded:
    expansion = _Expansion(catalog=catalog)
    expansion.expand(tree, path=(), hidden=frozenset())
    return Expanded(tree=tree, definitions=tuple(expansion.definitions.values()))


def reads(tree: exp.Expr, dialect: str) -> Iterator[exp.Table]:
    """Yields the tables `tree` reads by name: no CTE, no function, no target of a change."""
    for table in list(tree.find_all(exp.Table)):
        named = isinstance(table.this, exp.Identifier)
        if named and not is_target(table) and cte_of(table, dialect) is None:
            yield table


def is_target(table: exp.Table) -> bool:
    """True when the table stands where a statement names what it changes."""
    parent = table.parent
    if not isinstance(parent, _TARGETS):
        return False
    return not (isinstance(parent, exp.Merge | exp.Delete) and table.arg_key == "using")


@dataclass(kw_only=True)
class _Expansion:
    catalog: Catalog
    done: int = 0
    definitions: dict[str, Statement] = field(default_factory=dict)

    def expand(self, tree: exp.Expr, path: tuple[str, ...], hidden: frozenset[str]) -> None:
        """Replaces the views in `tree`.

        `path` are the views around it, `hidden` the names of the CTEs around those.
        """
        dialect = self.catalog.dialect
        for table in list(reads(tree, dialect)):
            if table.args.get("db") is None and fold(table.this, dialect) in hidden:
                raise _shadowed(table.name, path[-1])
            view = find_table(table, self.catalog)
            if view is not None and view.kind == "view":
                self._replace(table, view, path, hidden)

    def _replace(
        self, table: exp.Table, view: Table, path: tuple[str, ...], hidden: frozenset[str]
    ) -> None:
        self.done += 1
        if view.name in path:
            raise refuse(
                "view.cycle", f"The view {view.name} is defined by itself.", part=view.name
            )
        if len(path) >= MAX_DEPTH or self.done > MAX_VIEWS:
            raise refuse(
                "view.too_deep",
                f"The view {view.name} stands on too many other views.",
                part=view.name,
            )
        dialect = self.catalog.dialect
        around = frozenset(cte_name(c, dialect) for c in visible_ctes(table, dialect))
        definition = _definition(view, dialect)
        self.definitions[view.name] = definition
        query = definition.tree.copy()
        self.expand(query, (*path, view.name), hidden | around)
        subquery = _subquery(table, view, query)
        subquery.meta[VIEW] = view.name
        _forget_schema(table, view)
        table.replace(subquery)


@lru_cache(maxsize=256)
def _parsed(definition: str, dialect: str) -> Statement:
    return parse(definition, dialect)


def _definition(view: Table, dialect: str) -> Statement:
    if view.definition is None:
        raise _unknown(view)
    try:
        definition = _parsed(view.definition, dialect)
    except Refused as error:
        raise _unknown(view) from error
    if not isinstance(definition.tree, exp.Query | exp.Values):
        raise _unknown(view)
    return definition


def _unknown(view: Table) -> Refused:
    return refuse(
        "view.unknown",
        f"The guard cannot read what the view {view.name} is defined by, so it is refused.",
        part=view.name,
    )


def _shadowed(table: str, view: str) -> Refused:
    return refuse(
        "view.shadowed",
        f"A WITH name of the statement is also the table {table} that the view {view} reads.",
        part=table,
        alternative=f"Give the WITH query another name than {table}.",
        fixable=True,
    )


def _subquery(table: exp.Table, view: Table, query: exp.Expression) -> exp.Subquery:
    extra = {k for k, v in table.args.items() if v and k not in _OWN and k not in _KEPT}
    if extra:
        raise refuse(
            "view.unknown",
            f"The view {view.name} is read with options that views do not take.",
            part=view.name,
        )
    alias = table.args.get("alias")
    if alias is None or alias.this is None:
        columns = alias.args.get("columns") if alias is not None else None
        alias = exp.TableAlias(this=table.this.copy(), columns=columns)
    kept = {k: table.args[k] for k in _KEPT if table.args.get(k)}
    return exp.Subquery(this=_named(query, view), alias=alias, **kept)


def _named(query: exp.Expression, view: Table) -> exp.Expression:
    """Returns `query` with the view's own column names."""
    names = [c.name for c in view.columns]
    if not names:
        return query
    outputs = _outputs(query)
    if outputs is None or len(outputs) != len(names):
        return _wrapped(query, view, names)
    for output, name in zip(outputs, names, strict=True):
        if output.alias_or_name.casefold() != name.casefold():
            inner = output.this if isinstance(output, exp.Alias) else output
            alias = exp.Alias(alias=exp.to_identifier(name, quoted=True))
            output.replace(alias)
            alias.set("this", inner)
    return query


def _outputs(query: exp.Expression) -> Sequence[exp.Expr] | None:
    """Returns the output expressions that name the columns, None where a star stands among them."""
    first: exp.Expr = query
    while isinstance(first, exp.SetOperation | exp.Subquery):
        first = first.this
    if not isinstance(first, exp.Select):
        return None
    outputs: list[exp.Expr] = first.expressions
    return None if any(o.is_star for o in outputs) else outputs


def _wrapped(query: exp.Expression, view: Table, names: Sequence[str]) -> exp.Expression:
    """Returns `WITH view(names) AS (query) SELECT names FROM view`, which every dialect takes."""
    name = exp.to_identifier(view.name, quoted=True)
    columns = [exp.to_identifier(n, quoted=True) for n in names]
    cte = exp.CTE(this=query, alias=exp.TableAlias(this=name, columns=columns))
    outputs: list[exp.Expr] = [exp.Column(this=c.copy()) for c in columns]
    return exp.Select(
        expressions=outputs,
        from_=exp.From(this=exp.Table(this=name.copy())),
        with_=exp.With(expressions=[cte]),
    )


def _forget_schema(table: exp.Table, view: Table) -> None:
    """Turns `main.view.column` into `view.column`: a subquery has no schema."""
    root, name = table.root(), (view.relation or view.name).casefold()
    for column in root.find_all(exp.Column):
        if column.args.get("db") is not None and column.table.casefold() == name:
            column.set("db", None)
            column.set("catalog", None)
