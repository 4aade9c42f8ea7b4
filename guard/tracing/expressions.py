"""What the value of an expression carries, by the rules of `guard.tracing.rules`.

An explicit stack walks the plain parts, so that long chains of operators need no recursion; the
kinds with a rule of their own are handled one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import ClassVar, Protocol

from sqlglot import exp

from guard.tracing import names
from guard.tracing.flows import NOTHING, UNKNOWN, Flows, SourceColumn, union
from guard.tracing.functions import is_pure
from guard.tracing.plan import Plan
from guard.tracing.rules import Rule, rule_of
from guard.tracing.scopes import Output, Scope

Part = tuple[exp.Expr, bool]
"""An expression still to be walked; true where it shows only by comparison."""


class Subqueries(Protocol):
    """Follows a query that stands inside an expression."""

    def inner(self, query: exp.Expr, scope: Scope) -> tuple[tuple[Output, ...] | None, Flows]:
        """Returns the query's outputs, None when their number is unknown, and its filters."""
        ...


_Step = Callable[["Expressions", exp.Expr, Scope, bool], Iterator[Part | Flows]]


class Expressions:
    """Follows expressions of one statement. `plan` is filled on the way."""

    def __init__(self, dialect: str, plan: Plan, subqueries: Subqueries) -> None:
        self._dialect = dialect
        self._plan = plan
        self._subqueries = subqueries

    def flows(self, root: exp.Expr | None, scope: Scope) -> Flows:
        """Returns what the value of `root` carries."""
        if root is None:
            return NOTHING
        value: set[SourceColumn] = set()
        implicit: set[SourceColumn] = set()
        unknown = False
        stack: list[Part] = [(root, False)]
        while stack:
            node, hidden = stack.pop()
            for found in self._step(node, scope, hidden):
                if isinstance(found, tuple):
                    stack.append(found)
                    continue
                (implicit if hidden else value).update(found.value)
                implicit.update(found.implicit)
                unknown = unknown or found.unknown
        if not (value or implicit or unknown):
            return NOTHING
        return Flows(value=frozenset(value), implicit=frozenset(implicit), unknown=unknown)

    def filter(self, condition: exp.Expr | None, scope: Scope) -> None:
        """Records what rows are chosen, joined or ordered by."""
        if condition is not None:
            scope.filters.append(self.flows(condition, scope).implied())

    def key(self, key: exp.Expr, scope: Scope) -> None:
        """Records what rows are grouped by.

        A bare column only says which rows are equal; `email LIKE 'a%'` as a key is a filter.
        """
        flows = self.flows(key, scope)
        if not isinstance(key, exp.Column):
            scope.filters.append(flows.implied())

    def alias(self, scope: Scope, name: str) -> Flows | None:
        """Returns what an output alias of the scope carries, None where there is none."""
        written = scope.aliases.get(name)
        if written is None:
            return None
        if name not in scope.known_aliases:
            # Inside its own definition the name means something else.
            scope.known_aliases[name] = None
            found = union([self.flows(expression, scope) for expression in written])
            scope.known_aliases[name] = found
        return scope.known_aliases[name]

    def _step(self, node: exp.Expr, scope: Scope, hidden: bool) -> Iterator[Part | Flows]:
        rule = rule_of(node)
        if rule is Rule.CARRY:
            return ((part, hidden) for part in node.iter_expressions())
        if rule is Rule.COMPARE:
            return ((part, True) for part in node.iter_expressions())
        if rule is Rule.LEAF:
            return iter(())
        if rule is Rule.COUNT:
            return self._count(node, scope)
        if rule is Rule.OWN:
            return self._owned(node, scope, hidden)
        return self._unknown(node, hidden)

    def _owned(self, node: exp.Expr, scope: Scope, hidden: bool) -> Iterator[Part | Flows]:
        own = self._own.get(type(node))
        if own is not None:
            return own(self, node, scope, hidden)
        if isinstance(node, (exp.Query, exp.Values)):
            return self._query(node, scope)
        if isinstance(node, (exp.Cast, exp.Collate)):
            return iter([(node.this, hidden)])
        if isinstance(node, (exp.Kwarg, exp.PropertyEQ)):
            return iter([(node.expression, hidden)])
        return self._unknown(node, hidden)

    def _unknown(self, node: exp.Expr, hidden: bool) -> Iterator[Part | Flows]:
        yield UNKNOWN
        for part in node.iter_expressions():
            yield part, hidden

    def _count(self, node: exp.Expr, scope: Scope) -> Iterator[Part | Flows]:
        for part in node.iter_expressions():
            if isinstance(part, exp.Star):
                continue
            counted = self.flows(part, scope)
            if counted.implicit or counted.unknown:
                # `count(CASE WHEN email = 'x' ...)` is a filter under another name.
                scope.filters.append(Flows(implicit=counted.implicit, unknown=counted.unknown))
        return iter(())

    # Kinds with a rule of their own --------------------------------------------------------------

    def _column(self, node: exp.Expr, scope: Scope, _: bool) -> Iterator[Part | Flows]:
        if isinstance(node.this, exp.Star):
            relations = scope.named(node.text("table").casefold())
            self._plan.whole_rows = True
            yield union([r.row() for r in relations]) if relations else UNKNOWN
            return
        parts = [part.name.casefold() for part in _parts(node)]
        if len(parts) == 1:
            found = names.bare(parts[0], scope, self.alias)
        else:
            found = names.dotted(parts, scope)
        if found is None:
            yield UNKNOWN
            return
        if found.prefix:
            self._plan.prefixes[id(node)] = found.prefix
        self._plan.whole_rows = self._plan.whole_rows or found.whole_row
        yield found.flows

    def _star(self, node: exp.Expr, scope: Scope, _: bool) -> Iterator[Part | Flows]:
        self._plan.whole_rows = True
        yield union([relation.row() for relation in scope.relations])

    def _call(self, node: exp.Expr, _: Scope, hidden: bool) -> Iterator[Part | Flows]:
        if not is_pure(node.name, self._dialect):
            yield UNKNOWN
        for part in node.iter_expressions():
            yield part, hidden

    def _dot(self, node: exp.Expr, scope: Scope, hidden: bool) -> Iterator[Part | Flows]:
        called = node.expression
        if isinstance(called, exp.Func):
            # A call with a schema: the engine's own functions or somebody's.
            own = (
                isinstance(node.this, exp.Identifier) and node.this.name.casefold() == "pg_catalog"
            )
            if not (own and self._dialect == "postgres"):
                yield UNKNOWN
            yield called, hidden
        elif not isinstance(called, exp.Identifier):
            yield UNKNOWN
        yield node.this, hidden

    def _case(self, node: exp.Expr, _: Scope, hidden: bool) -> Iterator[Part | Flows]:
        if node.this is not None:
            yield node.this, True
        for branch in node.args["ifs"]:
            yield branch, hidden
        default = node.args.get("default")
        if default is not None:
            yield default, hidden

    def _if(self, node: exp.Expr, _: Scope, hidden: bool) -> Iterator[Part | Flows]:
        yield node.this, True
        for key in ("true", "false"):
            if node.args.get(key) is not None:
                yield node.args[key], hidden

    def _filter(self, node: exp.Expr, scope: Scope, hidden: bool) -> Iterator[Part | Flows]:
        self.filter(node.expression.this, scope)
        yield node.this, hidden

    def _having_max(self, node: exp.Expr, _: Scope, hidden: bool) -> Iterator[Part | Flows]:
        yield node.this, hidden
        yield node.expression, True

    def _order(self, node: exp.Expr, _: Scope, hidden: bool) -> Iterator[Part | Flows]:
        if node.this is not None:
            yield node.this, hidden
        for key in node.expressions:
            # Without an argument before it, as in WITHIN GROUP, the key is what is aggregated.
            yield key, hidden or node.this is not None

    def _window(self, node: exp.Expr, scope: Scope, hidden: bool) -> Iterator[Part | Flows]:
        if node.this is not None and not isinstance(node.this, exp.Identifier):
            yield node.this, hidden
        for key in node.args.get("partition_by") or ():
            self.key(key, scope)
        order = node.args.get("order")
        for key in order.expressions if order is not None else ():
            yield key, True
        spec = node.args.get("spec")
        for bound in spec.iter_expressions() if spec is not None else ():
            yield bound, True
        yield from self._named_window(node, scope)

    def _named_window(self, node: exp.Expr, scope: Scope) -> Iterator[Part | Flows]:
        base = node.args.get("alias")
        if base is None:
            return
        window = scope.windows.get(base.name.casefold())
        if window is None or window is node:
            yield UNKNOWN
        else:
            yield window, True

    def _in(self, node: exp.Expr, scope: Scope, _: bool) -> Iterator[Part | Flows]:
        for key in ("this", "unnest", "field"):
            if node.args.get(key) is not None:
                yield node.args[key], True
        for member in node.expressions:
            yield member, True
        if node.args.get("query") is not None:
            yield from self._compared(node.args["query"], scope)

    def _quantified(self, node: exp.Expr, scope: Scope, _: bool) -> Iterator[Part | Flows]:
        if isinstance(node.this, exp.Query):
            yield from self._compared(node.this, scope)
        else:
            yield node.this, True

    def _compared(self, query: exp.Expr, scope: Scope) -> Iterator[Flows]:
        outputs, filters = self._subqueries.inner(query, scope)
        yield filters
        yield _all(outputs).implied()

    def _exists(self, node: exp.Expr, scope: Scope, _: bool) -> Iterator[Part | Flows]:
        if not isinstance(node.this, exp.Query):
            yield node.this, True
            return
        yield self._subqueries.inner(node.this, scope)[1]

    def _query(self, node: exp.Expr, scope: Scope) -> Iterator[Part | Flows]:
        yield _all(self._subqueries.inner(node, scope)[0])

    def _lambda(self, node: exp.Expr, scope: Scope, _: bool) -> Iterator[Part | Flows]:
        bound = frozenset(p.name.casefold() for p in node.expressions)
        inner = Scope(parent=scope, bound=bound, filters=scope.filters)
        yield self.flows(node.this, inner)
        for name in sorted(bound):
            # In DuckDB `f(prefs -> '$.a')` parses as a lambda, and is none.
            column = names.bare(name, scope, self.alias)
            if column is not None:
                yield column.flows

    def _comprehension(self, node: exp.Expr, scope: Scope, hidden: bool) -> Iterator[Part | Flows]:
        bound = frozenset(
            i.name.casefold() for i in node.find_all(exp.Identifier) if i.parent is node
        )
        inner = Scope(parent=scope, bound=bound, filters=scope.filters)
        yield self.flows(node.this, inner)
        yield node.args["iterator"], hidden
        condition = node.args.get("condition")
        if condition is not None:
            yield self.flows(condition, inner).implied()

    _own: ClassVar[dict[type[exp.Expr], _Step]] = {
        exp.All: _quantified,
        exp.Anonymous: _call,
        exp.AnonymousAggFunc: _call,
        exp.Any: _quantified,
        exp.CombinedAggFunc: _call,
        exp.Case: _case,
        exp.Column: _column,
        exp.Comprehension: _comprehension,
        exp.Dot: _dot,
        exp.Exists: _exists,
        exp.Filter: _filter,
        exp.HavingMax: _having_max,
        exp.If: _if,
        exp.In: _in,
        exp.Lambda: _lambda,
        exp.Order: _order,
        exp.Star: _star,
        exp.Window: _window,
    }
    """How the kinds with a rule of their own are followed."""


def _parts(node: exp.Expr) -> list[exp.Expr]:
    return node.parts if isinstance(node, exp.Column) else [node]


def _all(outputs: tuple[Output, ...] | None) -> Flows:
    return UNKNOWN if outputs is None else union([o.flows for o in outputs])
