"""What an expression reads: every column in it, resolved, with the clause it stands in."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import ClassVar, Protocol

from sqlglot import exp

from guard.access import Clause, ColumnUse, TokenUse
from guard.catalog import Table
from guard.errors import Refusal
from guard.names import fold
from guard.scopes import (
    EMPTY,
    NOTHING,
    Base,
    Outputs,
    Scope,
    Value,
    pseudo_column,
    union,
)
from redaction import is_pseudonym


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where an expression stands: the names it sees, the clause, and its lambda parameters.

    `by_alias` is true where the outputs of the query may be named (GROUP BY, HAVING, ORDER BY and
    more); `lookup` where a bare comparison with a constant is a look-up.
    """

    scope: Scope
    clause: Clause
    by_alias: bool = False
    lookup: bool = False
    parameters: frozenset[str] = frozenset()

    def of(self, clause: Clause, *, lookup: bool | None = None) -> Place:
        """Returns the same place as a part of `clause`, with the same names in reach."""
        return Place(
            scope=self.scope,
            clause=clause,
            by_alias=self.by_alias,
            lookup=self.lookup if lookup is None else lookup,
            parameters=self.parameters,
        )


class Queries(Protocol):
    """Resolves the queries that stand inside expressions."""

    def query(self, node: exp.Expr, parent: Scope | None, clause: Clause) -> Outputs:
        """Returns the outputs of a query whose outputs are used in `clause`."""
        ...


@dataclass(kw_only=True)
class Ledger:
    """What was found so far: uses of columns, problems, and the nodes that were looked at."""

    dialect: str
    uses: dict[ColumnUse, None] = field(default_factory=dict)
    problems: list[Refusal] = field(default_factory=list)
    seen: set[int] = field(default_factory=set)
    tokens: dict[int, TokenUse] = field(default_factory=dict)
    """By the literal's id: pseudonyms that stand in a look-up."""
    looked_up: Value | None = None
    """What the last look-up compares a constant with."""
    views: int = 0
    """How many views' definitions are being read, one inside the other."""

    def use(self, bases: frozenset[Base], clause: Clause, *, lookup: bool = False) -> None:
        """Notes that base columns are used in a clause.

        What a view computes was not written by whoever asks, so it asks nothing about a value.
        """
        if clause == "compute" and self.views:
            clause = "output"
        for table, column in sorted(bases) if len(bases) > 1 else bases:
            self.uses[_use(table, column, clause, lookup)] = None

    def problem(self, rule: str, reason: str, part: str, *, alternative: str | None = None) -> None:
        """Notes why the statement cannot be resolved; another spelling might be."""
        refusal = Refusal(
            rule=rule, reason=reason, part=part, alternative=alternative, fixable=True
        )
        if refusal not in self.problems:
            self.problems.append(refusal)


@lru_cache(maxsize=8_192)
def _use(table: str, column: str, clause: Clause, lookup: bool) -> ColumnUse:
    return ColumnUse(table=table, column=column, clause=clause, lookup=lookup)


# Inside these an expression is no longer part of the value but filters, ranks or groups it.
_CLAUSES: dict[type[exp.Expr], Clause] = {
    exp.Where: "where",
    exp.Distinct: "distinct",
    exp.Limit: "other",
    exp.Offset: "other",
    exp.Fetch: "other",
    exp.WindowSpec: "other",
}

# Holds names and constants only, no expression that could read a column.
_INERT = (
    exp.Literal,
    exp.Null,
    exp.Boolean,
    exp.Var,
    exp.DataType,
    exp.ObjectIdentifier,
    exp.PseudoType,
    exp.TableAlias,
    exp.Placeholder,
    exp.Parameter,
    exp.SessionParameter,
    exp.IndexTableHint,
)


_Reader = Callable[["Expressions", exp.Expr, Place], Value]


@dataclass(kw_only=True)
class Expressions:
    """Reads expressions for `guard.resolver`, which owns the queries."""

    ledger: Ledger
    queries: Queries

    def value(self, node: exp.Expr | None, place: Place) -> Value:
        """Returns what `node` is made of, and notes every column it uses."""
        if node is None:
            return EMPTY
        kind = type(node)
        return (self._readers.get(kind) or self._reader_of(kind))(self, node, place)

    def _inert(self, _: exp.Expr, __: Place) -> Value:
        return EMPTY

    def _clause(self, node: exp.Expr, place: Place) -> Value:
        return self._children(node, place.of(_CLAUSES[type(node)], lookup=False))

    def condition(self, node: exp.Expr | None, place: Place) -> None:
        """Notes the columns of a filter or join condition, telling look-ups apart."""
        if isinstance(node, exp.And | exp.Or | exp.Paren):
            for child in node.iter_expressions():
                self.condition(child, place)
        elif not _is_lookup(node, self.ledger.dialect):
            self.value(node, _not_a_lookup(place))
        else:
            self.ledger.looked_up = None
            self.value(node, place.of(place.clause, lookup=True))
            self._tokens(node)

    def _tokens(self, lookup: exp.Expr | None) -> None:
        """Notes the pseudonyms among the constants of a look-up that was just resolved."""
        constants = lookup.expressions if isinstance(lookup, exp.In) else _sides(lookup)
        for node in constants:
            if isinstance(node, exp.Literal) and node.is_string and is_pseudonym(node.name):
                found = self.ledger.looked_up
                table, column = (found and found.direct) or ("", "")
                use = TokenUse(token=node.name, table=table, column=column)
                # Met twice with two meanings, it means nothing.
                again = self.ledger.tokens.setdefault(id(node), use)
                if again != use:
                    self.ledger.tokens[id(node)] = TokenUse(token=node.name)

    def _children(self, node: exp.Expr, place: Place) -> Value:
        if not isinstance(node, _COMPARISONS):
            place = _not_a_lookup(place)
        if not _carries(node):
            place = _computed(place)
        return _mixed(self.value(child, place) for child in node.iter_expressions())

    def _subquery(self, node: exp.Expr, place: Place) -> Value:
        return Value(bases=self.queries.query(node, place.scope, place.clause).bases)

    def _exists(self, node: exp.Expr, place: Place) -> Value:
        if isinstance(node.this, exp.Query):
            # What an EXISTS query selects is never looked at.
            self.queries.query(node.this, place.scope, "output")
            return EMPTY
        return self._children(node, place)

    def _ordering(self, node: exp.Expr, place: Place) -> Value:
        """`array_agg(this ORDER BY expressions)` and the ORDER BY of a window."""
        inner = _not_a_lookup(place).of("order")
        ranked = [self.value(item, inner) for item in node.expressions]
        return _mixed([self.value(node.args.get("this"), place), *ranked])

    def _case(self, node: exp.Expr, place: Place) -> Value:
        """CASE and IIF: what is tested decides which branch runs, and a branch may fail."""
        place = _not_a_lookup(place)
        tested = self.value(node.args.get("this"), _computed(place))
        rest = [self.value(c, place) for c in node.iter_expressions() if c is not node.this]
        return _mixed([tested, *rest])

    def _cast(self, node: exp.Expr, place: Place) -> Value:
        """Only a cast to text takes every value."""
        if not node.is_type(*exp.DataType.TEXT_TYPES):
            place = _computed(place)
        return self.value(node.this, place)

    def _window(self, node: exp.Expr, place: Place) -> Value:
        place = _not_a_lookup(place)
        # In a WINDOW clause `this` is the name of the window.
        named = isinstance(node.this, exp.Identifier)
        this = EMPTY if named else self.value(node.this, place)
        grouped = place.of("group")
        parts = [self.value(p, grouped) for p in node.args.get("partition_by") or ()]
        rest = [self.value(node.args.get(key), place) for key in ("order", "spec")]
        return _mixed([this, *parts, *rest])

    def _ranked(self, node: exp.Expr, place: Place) -> Value:
        """`any_value(this HAVING MAX expression)`."""
        place = _not_a_lookup(place)
        other = self.value(node.expression, place.of("order"))
        return _mixed([self.value(node.this, place), other])

    def _count(self, node: exp.Expr, place: Place) -> Value:
        if isinstance(node.this, exp.Star):
            self.ledger.seen.add(id(node.this))
        rest = [c for c in node.iter_expressions() if not isinstance(c, exp.Star)]
        shown = place.clause in ("output", "compute")
        inner = place.of("output") if shown else place
        values = [self.value(c, _not_a_lookup(inner)) for c in rest]
        for value in values:
            if value.direct is None and shown:
                self.ledger.use(value.bases, "compute")
        # How many rows have a value at all is no part of any value.
        return _mixed(v for v in values if v.direct is None)

    def _star(self, node: exp.Expr, place: Place) -> Value:
        """A star inside an expression: every column in reach of it, whatever it leaves out."""
        self.ledger.seen.add(id(node))
        for child in node.find_all(exp.Column):
            self.ledger.seen.add(id(child))
        bases = place.scope.everything().bases
        self.ledger.use(bases, place.clause)
        replaced = [self.value(c, place) for c in node.args.get("replace") or ()]
        return Value(bases=bases.union(*(v.bases for v in replaced)))

    def _columns(self, node: exp.Expr, place: Place) -> Value:
        star = self._star(node.this, place) if isinstance(node.this, exp.Star) else None
        if star is None:
            self.value(node.this, place)
            star = Value(bases=place.scope.everything().bases)
            self.ledger.use(star.bases, place.clause)
        return star

    def _lambda(self, node: exp.Expr, place: Place) -> Value:
        place = _computed(place)
        names = frozenset(p.name.casefold() for p in node.expressions)
        inner = replace(_not_a_lookup(place), parameters=place.parameters | names)
        return Value(bases=self.value(node.this, inner).bases)

    def _comprehension(self, node: exp.Expr, place: Place) -> Value:
        place = _computed(_not_a_lookup(place))
        iterated = self.value(node.args.get("iterator"), place)
        names = {
            p.name.casefold()
            for key in ("expression", "position")
            if (p := node.args.get(key)) is not None
        }
        inner = replace(place, parameters=place.parameters | names)
        return _mixed(
            [iterated, self.value(node.this, inner), self.value(node.args.get("condition"), inner)]
        )

    def _pair(self, node: exp.Expr, place: Place) -> Value:
        """`name := value`. A key that is also a column counts as one: in a MAP it is."""
        place = _not_a_lookup(place)
        key: exp.Expr = node.this
        value = self.value(node.expression, place)
        if isinstance(key, exp.Identifier):
            return value
        if isinstance(key, exp.Column) and not place.scope.columns(key.name):
            self.ledger.seen.add(id(key))
            return value
        return _mixed([self.value(key, place), value])

    def _dot(self, node: exp.Expr, place: Place) -> Value:
        place = _not_a_lookup(place)
        inner = node.this.unnest()
        if (
            isinstance(inner, exp.Column)
            and not inner.table
            and not place.scope.columns(inner.name)
        ):
            relation = place.scope.relation(fold(inner.this, self.ledger.dialect))
            if relation is not None and isinstance(node.expression, exp.Identifier):
                self.ledger.seen.add(id(inner))
                name = node.expression.name
                return self._found(relation.outputs.named(name), name, place)
        if isinstance(node.expression, exp.Identifier):
            if self.ledger.dialect == "postgres":
                # `(value).name` calls a function of that name where the type has no such field.
                self._unknown(node.expression.name)
            return self.value(node.this, place)
        return self._children(node, place)

    def _whole_row(self, node: exp.Expr, place: Place) -> Value:
        relation = place.scope.relation(fold(node.this, self.ledger.dialect))
        if relation is None:
            self._unknown(node.name)
            return EMPTY
        self.ledger.use(relation.outputs.bases, place.clause)
        return Value(bases=relation.outputs.bases)

    def _identifier(self, node: exp.Expr, place: Place) -> Value:
        if node.name.casefold() not in place.parameters:
            self._unknown(node.name)
        return EMPTY

    def _only_this(self, node: exp.Expr, place: Place) -> Value:
        return self.value(node.this, place)

    def _definition(self, node: exp.Expr, place: Place) -> Value:
        """A column of JSON_TABLE or XMLTABLE: its name is new, its default may read others."""
        rest = [c for c in node.iter_expressions() if c is not node.this]
        return _mixed(self.value(c, _not_a_lookup(place)) for c in rest)

    def _unnest(self, node: exp.Expr, place: Place) -> Value:
        place = _computed(_not_a_lookup(place))
        return _mixed(self.value(c, place) for c in node.expressions)

    def _kwarg(self, node: exp.Expr, place: Place) -> Value:
        return self.value(node.expression, _not_a_lookup(place))

    def _call(self, node: exp.Expr, place: Place) -> Value:
        arguments = node.expressions
        if self.ledger.dialect == "mysql" and node.name.lower() == "values":
            # The value an INSERT would have written; its column is a name, not a read.
            for column in node.find_all(exp.Column):
                self.ledger.seen.add(id(column))
            return EMPTY
        place = _computed(_not_a_lookup(place))
        return _mixed(self.value(a, place) for a in arguments)

    def _positional(self, node: exp.Expr, place: Place) -> Value:
        if any(r.concealed for r in place.scope.relations):
            self._unknown(node.sql())  # the engine counts hidden columns too
        bases = place.scope.everything().bases
        self.ledger.use(bases, place.clause)
        return Value(bases=bases)

    def _column(self, node: exp.Expr, place: Place) -> Value:
        column = node if isinstance(node, exp.Column) else exp.Column(this=node)
        self.ledger.seen.add(id(node))
        if isinstance(column.this, exp.Star):
            return self._qualified_star(column, place)
        parts = [column.args[k] for k in ("catalog", "db", "table", "this") if column.args.get(k)]
        if len(parts) == 1:
            return self._bare(column, place)
        return self._found(self._path(parts, place), ".".join(p.name for p in parts), place)

    def _qualified_star(self, column: exp.Column, place: Place) -> Value:
        self.ledger.seen.add(id(column.this))
        relation = place.scope.relation(fold(column.args["table"], self.ledger.dialect))
        bases = relation.outputs.bases if relation is not None else NOTHING
        if relation is None:
            self._unknown(column.table)
        self.ledger.use(bases, place.clause)
        return Value(bases=bases)

    def _bare(self, column: exp.Column, place: Place) -> Value:
        name = column.name
        if name.casefold() in place.parameters:
            return EMPTY
        folded = fold(column.this, self.ledger.dialect)
        vague: list[Value] = []
        for depth, scope in enumerate(place.scope.chain()):
            found = scope.columns(name)
            aliases = scope.aliases(name) if depth == 0 else []
            if scope.conceals(name) and not (aliases and _is_sorted_by(column)):
                self._unknown(name)
                return EMPTY
            if len(found) > 1 and not aliases and name.casefold() not in scope.merged:
                self._ambiguous(name)
            if place.by_alias:
                found = [*found, *aliases]
            found = found or self._pseudo(scope, name)
            if found:
                return self._found([*found, *vague], name, place)
            # An output beside this one, a table without known columns, a whole row: or something
            # of the query around it, in an engine that knows none of these.
            vague.extend((*aliases, *scope.vaguely(name, folded)))
        return self._found(vague, name, place)

    def _pseudo(self, scope: Scope, name: str) -> list[Value]:
        values = (pseudo_column(r, name, self.ledger.dialect) for r in scope.relations)
        return [v for v in values if v is not None]

    def _ambiguous(self, name: str) -> None:
        self.ledger.problem(
            "column.ambiguous",
            f"More than one table of the statement has a column {name}.",
            name,
            alternative=f"Write the table before it, as in table.{name}.",
        )

    def _path(self, parts: list[exp.Expr], place: Place) -> list[Value]:
        """Returns what `a.b` or `a.b.c` may mean: schema, table, column, fields of a column."""
        dialect = self.ledger.dialect
        found: list[Value] = []
        for at in range(len(parts) - 1):
            relation = place.scope.relation(fold(parts[at], dialect))
            if relation is None:
                continue
            schema_is_right = at == 0 or _has_schema(relation.base, parts[at - 1].name)
            if not schema_is_right or (dialect == "postgres" and at + 2 < len(parts)):
                continue
            name = parts[at + 1].name
            if relation.conceals(name):
                return []
            found.extend(relation.outputs.named(name))
            pseudo = pseudo_column(relation, name, dialect)
            if not found and pseudo is not None:
                found.append(pseudo)
        if found or dialect == "postgres":
            return found
        for scope in place.scope.chain():
            fields = scope.columns(parts[0].name)
            if fields:
                return [Value(bases=v.bases) for v in fields]
        return []

    def _found(self, values: list[Value], name: str, place: Place) -> Value:
        if not values:
            self._unknown(name)
            return EMPTY
        value = union(values)
        lookup = place.lookup and value.direct is not None
        self.ledger.use(value.bases, place.clause, lookup=lookup)
        if place.lookup:
            self.ledger.looked_up = value
        return value

    def _unknown(self, name: str) -> None:
        self.ledger.problem(
            "column.unknown",
            f"There is no column {name} in the tables of the statement.",
            name,
            alternative="Look up the columns of the table.",
        )

    @classmethod
    def _reader_of(cls, kind: type[exp.Expr]) -> _Reader:
        found: _Reader = cls._children
        if issubclass(kind, _INERT):
            found = cls._inert
        elif issubclass(kind, exp.Query):
            found = cls._subquery
        elif kind in _CLAUSES:
            found = cls._clause
        return cls._readers.setdefault(kind, found)

    _readers: ClassVar[dict[type[exp.Expr], _Reader]] = {
        exp.Alias: _only_this,
        exp.Aliases: _only_this,
        exp.Anonymous: _call,
        exp.Case: _case,
        exp.Cast: _cast,
        exp.Column: _column,
        exp.ColumnDef: _definition,
        exp.Columns: _columns,
        exp.Comprehension: _comprehension,
        exp.Count: _count,
        exp.Dot: _dot,
        exp.Exists: _exists,
        exp.HavingMax: _ranked,
        exp.Identifier: _identifier,
        exp.If: _case,
        exp.JSONColumnDef: _definition,
        exp.Kwarg: _kwarg,
        exp.Lambda: _lambda,
        exp.Order: _ordering,
        exp.PositionalColumn: _positional,
        exp.PropertyEQ: _pair,
        exp.Star: _star,
        exp.TableColumn: _whole_row,
        exp.Unnest: _unnest,
        exp.Window: _window,
    }
    """How each kind of node is read; a kind that is not listed is added when it is met."""


_COMPARISONS = (exp.EQ, exp.In)

# These take every value, give one value for it that is NULL only where it was and as long as it
# was, and make no rows. A mask over the output hides all there is to see; anything else may tell by
# failing, by a NULL or by how much it gives: a result that is too large by one character fails.
_CARRYING = (
    exp.AnyValue,
    exp.Array,
    exp.ArrayAgg,
    exp.Coalesce,
    exp.Collate,
    exp.Concat,
    exp.ConcatWs,
    exp.DPipe,
    exp.Distinct,
    exp.GroupConcat,
    exp.Hex,
    exp.IgnoreNulls,
    exp.Initcap,
    exp.JSONArray,
    exp.Lower,
    exp.Max,
    exp.Min,
    exp.Ordered,
    exp.Paren,
    exp.RespectNulls,
    exp.Struct,
    exp.Tuple,
    exp.Upper,
)


def _carries(node: exp.Expr) -> bool:
    """True for a call that tells nothing of what its mask hides."""
    if isinstance(node, exp.Substring | exp.Left | exp.Right):
        # With a text for a place, PostgreSQL reads a pattern, and gives NULL where none is found.
        return all(_is_number(node.args.get(k)) for k in ("expression", "start", "length"))
    if isinstance(node, exp.Replace):
        old, new = node.args.get("expression"), node.args.get("replacement")
        if not (isinstance(old, exp.Literal) and isinstance(new, exp.Literal)):
            return False
        return old.is_string and new.is_string and len(old.name) > 0 and _same_size(old, new)
    if isinstance(node, exp.JSONObject):
        # A key that stands there twice may be refused.
        return all(isinstance(p.this, exp.Literal) for p in node.find_all(exp.JSONKeyValue))
    if isinstance(node, exp.JSONKeyValue):
        return isinstance(node.this, exp.Literal)
    return isinstance(node, _CARRYING)


def _same_size(one: exp.Expr, other: exp.Expr) -> bool:
    return len(one.name.encode()) == len(other.name.encode())


def _is_number(node: exp.Expr | None) -> bool:
    while isinstance(node, exp.Neg | exp.Paren):
        node = node.this
    return node is None or (isinstance(node, exp.Literal) and not node.is_string)


def _is_sorted_by(column: exp.Column) -> bool:
    """True for a whole item of a query's ORDER BY, where an output's name goes first."""
    order = column.parent.parent if isinstance(column.parent, exp.Ordered) else None
    return isinstance(order, exp.Order) and isinstance(order.parent, exp.Query)


_CONVERTING = ("mysql", "duckdb")
"""Engines that turn the text of a column into the type of the constant: 0 finds every text that
does not begin with a digit, 12 each that begins with 12."""


def _is_lookup(node: exp.Expr | None, dialect: str) -> bool:
    """True for `column = constant`, `constant = column` and `column IN (constants)`."""
    constant = _is_text if dialect in _CONVERTING else _is_constant
    if isinstance(node, exp.EQ):
        left, right = node.this, node.expression
        return (_is_column(left) and constant(right)) or (_is_column(right) and constant(left))
    if isinstance(node, exp.In):
        others = [node.args.get(k) for k in ("query", "unnest", "field")]
        return _is_column(node.this) and not any(others) and all(map(constant, node.expressions))
    return False


def _sides(node: exp.Expr | None) -> tuple[exp.Expr, ...]:
    return (node.this, node.expression) if isinstance(node, exp.EQ) else ()


def _is_column(node: exp.Expr) -> bool:
    return isinstance(node, exp.Column) and not isinstance(node.this, exp.Star)


def _is_text(node: exp.Expr) -> bool:
    """True for a constant that is compared with a text as a text."""
    if isinstance(node, exp.Paren):
        return _is_text(node.this)
    if isinstance(node, exp.Cast):
        return node.is_type(*exp.DataType.TEXT_TYPES) and _is_text(node.this)
    return isinstance(node, exp.Null) or (isinstance(node, exp.Literal) and bool(node.is_string))


def _is_constant(node: exp.Expr) -> bool:
    if isinstance(node, exp.Neg | exp.Cast | exp.Paren):
        return _is_constant(node.this)
    return isinstance(node, exp.Literal | exp.Null | exp.Boolean)


def _not_a_lookup(place: Place) -> Place:
    return place.of(place.clause, lookup=False) if place.lookup else place


def _computed(place: Place) -> Place:
    return place.of("compute") if place.clause == "output" else place


def _mixed(values: Iterable[Value]) -> Value:
    return Value(bases=NOTHING.union(*(v.bases for v in values)))


def _has_schema(table: Table | None, schema: str) -> bool:
    if table is None:
        return False
    wanted = schema.casefold()
    return wanted == (table.schema or wanted).casefold()
