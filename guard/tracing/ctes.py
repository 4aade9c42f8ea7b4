"""CTEs: followed once each; recursive ones again and again until no column gains a source."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlglot import exp

from guard.tracing.flows import NOTHING, UNKNOWN, Flows
from guard.tracing.plan import Plan
from guard.tracing.scopes import Output, Scope, is_unusual, renamed

Outputs = tuple[Output, ...] | None
"""The columns of a query, None when not even their number is known."""
Answer = tuple[Outputs, Flows]
"""What a query gives, and what it filters by."""

MAX_ROUNDS = 20
"""Rounds over all recursive CTEs of a statement; more and the result is unknown."""

_SAFE_ON_WITH = frozenset(("expressions", "recursive"))
_SAFE_ON_CTE = frozenset(("this", "alias", "materialized"))


@dataclass(frozen=True, kw_only=True)
class Body:
    """A CTE's query, or the legs of its set operation.

    `first` follows all of a plain query, or the first leg; `rest` what comes of joining it with the
    other legs, and is None for a plain query.
    """

    first: Callable[[], Answer]
    rest: Callable[[Answer], Answer] | None


class Ctes:
    """The CTEs of one statement. `open_body` gives the query of one, seen from its scope."""

    def __init__(
        self,
        dialect: str,
        plan: Plan,
        open_body: Callable[[exp.Expr, Scope | None], Body | None],
    ) -> None:
        self._dialect = dialect
        self._plan = plan
        self._open_body = open_body
        self._homes: dict[int, Scope | None] = {}
        self._known: dict[int, Answer] = {}
        self._assumed: dict[int, Outputs] = {}
        self._open: list[exp.CTE] = []
        self._met: set[int] = set()
        self._rounds = 0

    def enter(self, query: exp.Expr, around: Scope | None) -> None:
        """Follows the CTEs of a query, whose names look out to the scope `around` it.

        In the order of the text, so that a long chain of them needs no deep recursion; those that
        nobody reads too, because a rewrite needs them.
        """
        with_ = query.args.get("with_")
        found: list[exp.CTE] = with_.expressions if with_ is not None else []
        for cte in found:
            self._homes[id(cte)] = around
        for cte in found:
            if id(cte) not in self._assumed:
                self.answer(cte)

    def answer(self, node: exp.CTE) -> Answer:
        """Returns what a CTE offers, under the names given with it, and what it filters by."""
        key = id(node)
        if key in self._known:
            return self._known[key]
        if key in self._assumed:
            return self._again(node), NOTHING
        self._open.append(node)
        self._assumed[key] = None
        try:
            outputs, filters = self._followed(node)
        finally:
            self._open.pop()
            del self._assumed[key]
        named = _renamed(outputs, node)
        if named is None:
            # Unknown, or fewer names than columns: the wrong column could get a name.
            self._plan.doubts.append("WITH")
        self._known[key] = named, filters
        return self._known[key]

    def _followed(self, node: exp.CTE) -> Answer:
        with_ = node.parent
        if with_ is None or is_unusual(node, _SAFE_ON_CTE) or is_unusual(with_, _SAFE_ON_WITH):
            return None, UNKNOWN
        body = self._open_body(node.this, self._homes.get(id(node)))
        if body is None:
            return None, UNKNOWN
        first = body.first()
        if body.rest is None:
            return first
        return self._until_stable(node, first, body.rest)

    def _until_stable(
        self, node: exp.CTE, first: Answer, rest: Callable[[Answer], Answer]
    ) -> Answer:
        self._met.discard(id(node))
        outputs = first[0]
        while True:
            self._rounds += 1
            self._assumed[id(node)] = _renamed(outputs, node)
            known = dict(self._known)
            more, filters = rest(first)
            if id(node) not in self._met or more == outputs or more is None:
                return more, filters
            if self._rounds > MAX_ROUNDS:
                return None, UNKNOWN
            outputs = more
            self._known = known

    def _again(self, node: exp.CTE) -> Outputs:
        """Returns what is known so far of a CTE that is read from its own body."""
        with_ = node.parent
        told = with_ is not None and bool(with_.args.get("recursive"))
        place = next(at for at, cte in enumerate(self._open) if cte is node)
        nested = all(_is_inside(cte, node) for cte in self._open[place + 1 :])
        if not nested or not (told or self._dialect == "sqlite"):
            self._plan.doubts.append("WITH RECURSIVE")
            return None
        self._met.add(id(node))
        return self._assumed[id(node)]


def _renamed(outputs: Outputs, cte: exp.CTE) -> Outputs:
    alias = cte.args.get("alias")
    columns = alias.columns if isinstance(alias, exp.TableAlias) else []
    if not columns or outputs is None:
        return outputs
    return renamed(outputs, columns) if len(columns) == len(outputs) else None


def _is_inside(node: exp.Expr, outer: exp.Expr) -> bool:
    found: exp.Expr | None = node
    while found is not None and found is not outer:
        found = found.parent
    return found is outer
