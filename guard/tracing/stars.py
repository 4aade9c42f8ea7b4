"""What `*` and `t.*` stand for, and how to write it column by column."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from sqlglot import exp

from guard.tracing.expressions import Expressions
from guard.tracing.plan import Plan
from guard.tracing.scopes import Item, Output, Scope, qualified


@dataclass(frozen=True, kw_only=True)
class _Changes:
    """EXCLUDE, REPLACE and RENAME of a star, by column name."""

    excluded: frozenset[str] = frozenset()
    replaced: dict[str, exp.Alias] = field(default_factory=dict)
    renamed: dict[str, exp.Identifier] = field(default_factory=dict)

    @property
    def none(self) -> bool:
        return not (self.excluded or self.replaced or self.renamed)


class Stars:
    """Expands stars and notes in `plan` how each may be written."""

    def __init__(self, dialect: str, plan: Plan, expressions: Expressions) -> None:
        self._dialect = dialect
        self._plan = plan
        self._expressions = expressions

    def expand(self, node: exp.Expr, scope: Scope) -> list[Output] | None:
        """Returns the columns a star stands for, None when they cannot be told."""
        star = node if isinstance(node, exp.Star) else node.this
        items = _items(node, scope)
        changes = _changes(star)
        if items is None or changes is None or self._shows_another(node, items, scope):
            return None
        kept = [item for item in items if item.output.name not in changes.excluded]
        self._plan.stars[id(node)] = self._spelled(node, kept, changes, scope)
        return [self._changed(item.output, changes, scope) for item in kept]

    def _shows_another(self, node: exp.Expr, items: Sequence[Item], scope: Scope) -> bool:
        """True for `a.*` in SQLite where a right or full join has put another's values into it."""
        if self._dialect != "sqlite" or isinstance(node, exp.Star):
            return False
        own = [item.relation for item in items]
        return any(
            merged.outer and any(r is one for r in merged.relations[:-1] for one in own)
            for merged in scope.items
        )

    def _changed(self, output: Output, changes: _Changes, scope: Scope) -> Output:
        replaced = changes.replaced.get(output.name)
        if replaced is not None:
            flows = self._expressions.flows(replaced.this, scope)
            return replace(output, flows=flows, stored=False)
        renamed = changes.renamed.get(output.name)
        if renamed is not None:
            return replace(output, name=renamed.name.casefold(), written=renamed)
        return output

    def _spelled(
        self, node: exp.Expr, items: Sequence[Item], changes: _Changes, scope: Scope
    ) -> list[exp.Expr] | None:
        """Returns the columns one by one, None where the star may stay.

        A derived table names its columns itself, so `q.*` is as good; where it has no alias to say
        so, a lone `*` over it is.
        """
        derived = [item.relation for item in items if item.relation and not item.relation.base]
        if changes.none and derived and len(derived) == len(items):
            alone = len(scope.relations) == 1 or isinstance(node, exp.Column)
            if alone:
                return None
        spelled: list[exp.Expr] = []
        position = 0
        while position < len(items):
            relation = items[position].relation
            whole = _run(items, position) if changes.none else 0
            if whole and relation is not None and relation.alias is not None:
                spelled.append(exp.Column(this=exp.Star(), table=relation.alias.copy()))
                position += whole
                continue
            column = _column(items[position], scope)
            if column is None:
                self._plan.doubts.append("*")
                return None
            spelled.append(_edited(column, items[position].output.name, changes))
            position += 1
        return spelled


def _items(node: exp.Expr, scope: Scope) -> list[Item] | None:
    if isinstance(node, exp.Star):
        items = scope.items
    else:
        relations = scope.named(node.text("table").casefold())
        if len(relations) != 1:
            return None
        columns = relations[0].columns
        if columns is None:
            return None
        items = [Item(output=output, relations=(relations[0],)) for output in columns]
    if any(item.relation is not None and item.relation.columns is None for item in items):
        return None
    return items


def _changes(star: exp.Expr) -> _Changes | None:
    if star.args.get("ilike"):
        return None
    excluded = star.args.get("except_") or []
    replaced = star.args.get("replace") or []
    renamed = star.args.get("rename") or []
    bare = all(
        isinstance(e, exp.Identifier) or (isinstance(e, exp.Column) and len(e.parts) == 1)
        for e in (*excluded, *(r.this for r in renamed))
    )
    if not bare or not all(isinstance(r, exp.Alias) for r in (*replaced, *renamed)):
        return None
    return _Changes(
        excluded=frozenset(e.name.casefold() for e in excluded),
        replaced={r.alias.casefold(): r for r in replaced},
        renamed={r.this.name.casefold(): r.args["alias"] for r in renamed},
    )


def _run(items: Sequence[Item], position: int) -> int:
    """Returns how many items from `position` on are all the columns of one derived table, or 0."""
    relation = items[position].relation
    if relation is None or relation.base or relation.columns is None:
        return 0
    found = [item.output for item in items[position : position + len(relation.columns)]]
    return len(found) if found == list(relation.columns) else 0


def _column(item: Item, scope: Scope) -> exp.Expr | None:
    """Returns the item by name, None where no name means it and nothing else."""
    written = item.output.written
    bare = exp.Column(this=written.copy()) if written is not None else None
    if item.relation is not None:
        return qualified(item) or (bare if _alone(item, scope) else None)
    if _alone(item, scope):
        return bare
    spelled = qualified(item)
    if spelled is None or written is None or isinstance(spelled, exp.Column):
        return spelled
    return exp.Alias(this=spelled, alias=written.copy())


def _alone(item: Item, scope: Scope) -> bool:
    """True when nothing else in the scope goes by the item's name."""
    name = item.output.name
    own = [r for r in item.relations if len(r.outputs(name)) == 1]
    others = [r for r in scope.relations if not any(r is one for one in own)]
    return len(own) > 0 and not any(r.columns is None or r.column(name) for r in others)


def _edited(column: exp.Expr, name: str, changes: _Changes) -> exp.Expr:
    replaced = changes.replaced.get(name)
    if replaced is not None:
        return replaced.copy()
    renamed = changes.renamed.get(name)
    return column if renamed is None else exp.Alias(this=column, alias=renamed.copy())


def spreading(node: exp.Expr) -> Iterator[exp.Expr]:
    """Yields the calls in a projection that make rows of a list, and columns of a struct."""
    inside = node.walk(prune=lambda n: isinstance(n, exp.Query))
    return (n for n in inside if isinstance(n, (exp.Explode, exp.Unnest)))
