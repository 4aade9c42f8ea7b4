"""What INSERT, UPDATE, DELETE and MERGE read and which tables they change.

Assigned columns are names, not reads; every expression and condition is one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet

from sqlglot import exp

from guard.catalog import Table
from guard.expressions import Place
from guard.names import fold
from guard.resolver import Resolver
from guard.scopes import EMPTY, Output, Outputs, Relation, Scope, table_outputs


def resolve_change(tree: exp.Expr, reads: Resolver) -> None:
    """Resolves one change; any other statement has no names to resolve."""
    if not isinstance(tree, exp.Insert | exp.Update | exp.Delete | exp.Merge):
        return
    scope = Scope()
    reads.register(tree, None)
    if isinstance(tree, exp.Insert):
        _insert(tree, scope, reads)
    elif isinstance(tree, exp.Update):
        _update(tree, scope, reads)
    elif isinstance(tree, exp.Delete):
        _delete(tree, scope, reads)
    else:
        _merge(tree, scope, reads)
    returning = _given(tree, "returning")
    if returning is not None:
        reads.outputs(returning.expressions, Place(scope=scope, clause="output"))
    reads.tail(tree, scope, Outputs())
    reads.finish(tree)


def _given(node: exp.Expr, key: str) -> exp.Expr | None:
    """Returns an argument that is syntax; the parser writes False for some that are not there."""
    value = node.args.get(key)
    return value if isinstance(value, exp.Expr) else None


def _target(node: exp.Expr | None, scope: Scope, reads: Resolver) -> Table | None:
    """Adds the table a change writes to the scope."""
    if not isinstance(node, exp.Table) or not isinstance(node.this, exp.Identifier):
        reads.ledger.problem(
            "table.unknown", "The guard cannot tell which table is changed.", "the target"
        )
        return None
    table = reads.base_table(node)
    if table is None:
        return None
    _writes(table, reads)
    alias = node.args.get("alias")
    named = alias.this if alias is not None and alias.this is not None else node.this
    relation = Relation(name=fold(named, reads.dialect), outputs=table_outputs(table), base=table)
    scope.relations.append(relation)
    return table


def _writes(table: Table, reads: Resolver) -> None:
    reads.writes[table.name] = None
    if table.kind == "view":
        reads.ledger.problem(
            "write.view",
            f"{table.name} is a view; a change must name the table itself.",
            table.name,
            alternative="Change the table the view reads.",
        )


def _insert(tree: exp.Insert, scope: Scope, reads: Resolver) -> None:
    target, listed = tree.this, []
    if isinstance(target, exp.Schema):
        target, listed = target.this, target.expressions
    table = _target(target, scope, reads)
    for column in listed:
        _assigned(column, table, reads)
    _told_by_keys([c.name for c in listed], table, reads)
    source = _given(tree, "expression")
    if source is not None:
        reads.query(source, None, "output")
    if not listed and not tree.args.get("default"):
        _by_position(table, reads)
    conflict = _given(tree, "conflict")
    if conflict is not None:
        _conflict(conflict, table, scope, reads)


def _by_position(table: Table | None, reads: Resolver) -> None:
    """The engine counts hidden columns too, so values would land in them."""
    if table is not None and table.hidden:
        reads.ledger.problem(
            "write.columns",
            f"An insert into {table.name} must name its columns.",
            table.name,
            alternative=f"Write INSERT INTO {table.name} (column, ...) with columns you can read.",
        )


def _told_by_keys(listed: Sequence[str], table: Table | None, reads: Resolver) -> None:
    """Notes which columns of a new row a key compares with those that are there, or refers to."""
    if table is None:
        return
    names = {n.casefold() for n in listed or [c.name for c in table.columns]}
    for key in (table.primary_key, *table.unique):
        _set(table, [c for c in key if c.casefold() in names], reads)
    _told_by_references(names, table, reads)


def _told_by_references(names: AbstractSet[str], table: Table, reads: Resolver) -> None:
    """A value that is given to a foreign key is accepted where the other table holds it."""
    for key in table.foreign_keys:
        other = reads.catalog.table(key.table)
        if other is not None and names & {c.casefold() for c in key.columns}:
            _set(other, key.references, reads)


def _told_by_referrers(names: AbstractSet[str], table: Table, reads: Resolver) -> None:
    """A key is not taken away from under the rows that refer to it, or these change with it."""
    for other in reads.catalog.tables:
        for key in other.foreign_keys:
            there = {c.casefold() for c in key.references or table.primary_key}
            if key.table.casefold() == table.name.casefold() and names & there:
                _set(other, key.columns, reads)


def _set(table: Table, columns: Iterable[str], reads: Resolver) -> None:
    reads.ledger.use(frozenset((table.name, c) for c in columns), "set", lookup=True)


def _conflict(node: exp.Expr, table: Table | None, scope: Scope, reads: Resolver) -> None:
    """ON CONFLICT and ON DUPLICATE KEY; `excluded` is the row that was to be inserted."""
    for key in node.args.get("conflict_keys") or ():
        for column in key.find_all(exp.Column):
            _assigned(column, table, reads)
            _overwritten(column, table, reads)
    if table is not None:
        proposed = tuple(Output(name=c.name, value=EMPTY) for c in table.columns)
        excluded = Relation(name="excluded", outputs=Outputs(columns=proposed))
        # A bare name is the target's column, so the proposed row stands behind it.
        scope = Scope(parent=Scope(relations=[excluded]), relations=scope.relations)
    _assignments(node.expressions, table, scope, reads)
    for key in ("where", "index_predicate"):
        reads.filter(_given(node, key), Place(scope=scope, clause="where"))


def _update(tree: exp.Update, scope: Scope, reads: Resolver) -> None:
    table = _target(tree.this, scope, reads)
    _beside(_given(tree, "this"), scope, reads)
    from_ = _given(tree, "from_")
    if from_ is not None:
        reads.source(from_.this, scope)
    others = [r for r in scope.relations[1:] if r.base is not None]
    _assignments(tree.expressions, table, scope, reads, others)
    reads.filter(_given(tree, "where"), Place(scope=scope, clause="where"))


def _beside(node: exp.Expr | None, scope: Scope, reads: Resolver) -> None:
    """Adds the tables joined to the target, as MySQL allows."""
    if node is None:
        return
    for join in node.args.get("joins") or ():
        reads.source(join.this, scope)
        on = _given(join, "on")
        if on is not None:
            reads.expressions.condition(on, Place(scope=scope, clause="join"))
        for name in join.args.get("using") or ():
            for relation in scope.relations:
                for value in relation.outputs.exactly(name.name):
                    reads.ledger.use(value.bases, "join")


def _assignments(
    pairs: Iterable[exp.Expr],
    table: Table | None,
    scope: Scope,
    reads: Resolver,
    others: Iterable[Relation] = (),
) -> None:
    place = Place(scope=scope, clause="output")
    for pair in pairs:
        if not isinstance(pair, exp.EQ):
            reads.expressions.value(pair, place)
            continue
        assigned = pair.this.expressions if isinstance(pair.this, exp.Tuple) else [pair.this]
        for column in assigned:
            written = _assigned(column, table, reads, others)
            if not isinstance(pair.expression, exp.Null):
                _overwritten(column, written, reads)
        if _is_default(pair.expression):
            reads.ledger.seen.add(id(pair.expression))
        else:
            reads.expressions.value(pair.expression, place)


def _is_default(node: exp.Expr) -> bool:
    if not isinstance(node, exp.Column) or node.table:
        return False
    return node.name.upper() == "DEFAULT" and not node.this.args.get("quoted")


def _overwritten(node: exp.Expr, table: Table | None, reads: Resolver) -> None:
    """Notes that the preview tells whether the column held the value that it is given.

    Not where it is given NULL: a count tells which values are NULL. A key also compares the columns
    beside it, unless the key is an expression, of which the catalog knows no columns.
    """
    column = table.column(_bare(node).name) if table is not None else None
    if table is not None and column is not None:
        name = column.name.casefold()
        _set(table, [column.name], reads)
        for key in (table.primary_key, *table.unique):
            if name in {c.casefold() for c in key} and len(key) < len(table.columns):
                _set(table, [c for c in key if table.column(c) is not None], reads)
        _told_by_references({name}, table, reads)
        _told_by_referrers({name}, table, reads)


def _bare(node: exp.Expr) -> exp.Expr:
    while isinstance(node, exp.Ordered | exp.Paren | exp.Bracket | exp.Dot):
        node = node.this
    return node


def _assigned(
    node: exp.Expr, table: Table | None, reads: Resolver, others: Iterable[Relation] = ()
) -> Table | None:
    """Checks that an assigned column exists; returns its table, in MySQL perhaps a joined one."""
    node = _bare(node)
    reads.ledger.seen.add(id(node))
    if table is None:
        return None
    qualifier = node.args.get("table") if isinstance(node, exp.Column) else None
    if qualifier is not None:
        joined = [r for r in others if r.name == fold(qualifier, reads.dialect)]
    elif table.column(node.name) is None:
        joined = [r for r in others if r.outputs.exactly(node.name)]
    else:
        joined = []
    for relation in joined:
        if relation.base is not None:
            table = relation.base
            _writes(table, reads)
    if table.column(node.name) is None:
        reads.unknown_column(node.name)
    return table


def _delete(tree: exp.Delete, scope: Scope, reads: Resolver) -> None:
    named = tree.args.get("tables") or ()
    this = _given(tree, "this")
    if named and this is not None:
        # MySQL: DELETE a FROM t AS a JOIN u; only the named ones are changed.
        reads.source(this, scope)
        for item in named:
            _named_target(item, scope, reads)
    else:
        _removed(_target(this, scope, reads), reads)
        _beside(this, scope, reads)
    for item in tree.args.get("using") or ():
        reads.source(item, scope)
    reads.filter(_given(tree, "where"), Place(scope=scope, clause="where"))


def _named_target(item: exp.Expr, scope: Scope, reads: Resolver) -> None:
    relation = None
    if isinstance(item, exp.Table) and isinstance(item.this, exp.Identifier):
        relation = scope.relation(fold(item.this, reads.dialect))
    if relation is None or relation.base is None:
        reads.ledger.problem(
            "table.unknown", "The guard cannot tell which table is changed.", item.name
        )
    else:
        _writes(relation.base, reads)
        _removed(relation.base, reads)


def _removed(table: Table | None, reads: Resolver) -> None:
    if table is not None:
        _told_by_referrers({c.name.casefold() for c in table.columns}, table, reads)


def _merge(tree: exp.Merge, scope: Scope, reads: Resolver) -> None:
    table = _target(tree.this, scope, reads)
    reads.source(tree.args["using"], scope)
    on = _given(tree, "on")
    if on is not None:
        reads.expressions.condition(on, Place(scope=scope, clause="join"))
    for name in tree.args.get("using_cond") or ():
        for relation in scope.relations:
            for value in relation.outputs.exactly(name.name):
                reads.ledger.use(value.bases, "join")
    for when in tree.args["whens"].expressions:
        condition = _given(when, "condition")
        if condition is not None:
            reads.expressions.condition(condition, Place(scope=scope, clause="where"))
        _merged(_given(when, "then"), table, scope, reads)


def _merged(then: exp.Expr | None, table: Table | None, scope: Scope, reads: Resolver) -> None:
    if isinstance(then, exp.Update):
        _assignments(then.expressions, table, scope, reads)
    elif isinstance(then, exp.Insert):
        listed = then.this
        if isinstance(listed, exp.Tuple | exp.Schema):
            for column in listed.expressions:
                _assigned(column, table, reads)
            _told_by_keys([c.name for c in listed.expressions], table, reads)
        else:
            _by_position(table, reads)
            _told_by_keys([], table, reads)
        place = Place(scope=scope, clause="output")
        reads.expressions.value(_given(then, "expression"), place)
