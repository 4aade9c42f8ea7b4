"""Which functions a statement calls, matched against the engine's list by the words of the text.

The parser renames functions, drops quotes and turns some calls into syntax, so the words that stand
before a bracket decide, not the tree. The tree is asked twice: a call it sees must be one of those
words, and a call without a word must be syntax the guard knows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlglot import exp, parser
from sqlglot.tokenizer_core import Token, TokenType

from guard.errors import Refusal
from guard.functions import FunctionList, functions_of
from guard.lexical import words
from guard.nodes import SYNTAX_CALLS
from guard.statement import Statement

# Words that may stand before a bracket without calling anything. Quoted, they are names.
_SYNTAX = words(
    "select distinct from join on using where group by having order limit offset union all except "
    "intersect with as and or not xor in is like ilike glob regexp rlike similar between exists "
    "any some case when then else values value lateral table only over filter within partition "
    "rows range groups window qualify cube rollup sets materialized recursive set returning into "
    "insert update delete conflict do key index use force ignore sample tablesample bernoulli "
    "system reservoir exclude replace rename pivot unpivot for include nulls columns path passing "
    "default separator against escape collate div mod binary match interval row array variadic "
    "ordinality operator summarize describe show explain first last next top name positional semi "
    "anti asof cross inner second left right full outer natural straight_join option "
    "xmlnamespaces by end null true false zone of unpack lambda struct map union apply method "
    "repeatable percent ties overlapping at cast"
)
_TYPES = parser.Parser.TYPE_TOKENS

_SCHEMAS = {
    "postgres": words("pg_catalog"),
    "duckdb": words("main system pg_catalog"),
}


def check_calls(
    statement: Statement,
    nodes: Sequence[exp.Expr],
    *,
    scoped: bool,
    own: frozenset[str] | None = None,
) -> tuple[tuple[str, ...], list[Refusal]]:
    """Returns the functions called, lower-case and sorted, and what is wrong with them.

    `nodes` are all calls of the tree. With `scoped`, functions that describe the database are
    refused: a catalog limits what the person may know of it. `own` are the functions of the
    connected server, None where the list of the dialect is enough.
    """
    listed = functions_of(statement.dialect)
    names: set[str] = set()
    unexplained: list[Token] = []
    for word in statement.calls:
        name = _name(word, statement.dialect)
        if word.token_type != TokenType.IDENTIFIER and is_syntax(name):
            continue
        if _may_be_stored(word, statement):
            unexplained.append(word)
        elif name in listed.scalar or name in listed.tables:
            if word.token_type not in _TYPES or _is_called(word, nodes):
                names.add(name)
        else:
            unexplained.append(word)
    problems = [_unknown(w.text, listed) for w in _uncalled(unexplained, statement, nodes)]
    for node in nodes:
        problems.extend(_check_node(node, statement, listed))
    if scoped:
        problems.extend(_introspects(n) for n in sorted(names & listed.introspection))
    if own is not None:
        problems.extend(_absent(n) for n in sorted(names - own) if not is_syntax(n))
    return tuple(sorted(names)), problems


# Functions only where the bracket follows at once, unless the server's mode is IGNORE_SPACE.
_SPACELESS = words(
    "adddate bit_and bit_or bit_xor count curdate curtime date_add date_sub extract group_concat "
    "json_arrayagg json_objectagg max mid min now position session_user std stddev stddev_pop "
    "stddev_samp subdate substr substring sum sysdate system_user trim variance var_pop var_samp"
)


def _may_be_stored(word: Token, statement: Statement) -> bool:
    """True where MySQL takes the name of a built-in function for that of somebody's own.

    It does for a quoted name that is a word of its grammar, `left`(x), and for some names where a
    space stands before the bracket. A read is written anew without either; a change runs as it
    stands.

    https://dev.mysql.com/doc/refman/8.4/en/function-resolution.html
    """
    if statement.dialect != "mysql":
        return False
    if word.token_type == TokenType.IDENTIFIER:
        return True
    apart = statement.text[word.end + 1 : word.end + 2] != "("
    return apart and word.text.lower() in _SPACELESS and isinstance(statement.tree, exp.DML)


def _is_called(word: Token, nodes: Sequence[exp.Expr]) -> bool:
    """False for `numeric(10, 2)` after a cast, true for `date(x)`."""
    return any(_start(node) == word.start for node in nodes)


def _name(word: Token, dialect: str) -> str:
    # In PostgreSQL "Lower" is another function than lower.
    exact = word.token_type == TokenType.IDENTIFIER and dialect == "postgres"
    return word.text if exact else word.text.lower()


def is_syntax(name: str) -> bool:
    """True for a word, in small letters, that may stand before a bracket without calling."""
    return name in _SYNTAX or not (name[:1].isalpha() or name[:1] == "_") or " " in name


def _uncalled(
    unexplained: Sequence[Token], statement: Statement, nodes: Sequence[exp.Expr]
) -> Iterator[Token]:
    """Yields the words that are neither a type with a size nor an alias with a list of columns."""
    if not unexplained:
        return
    refusals = functions_of(statement.dialect).refusals
    called = {start for node in nodes if (start := _start(node)) is not None}
    listing = _listing(statement.tree)
    for word in unexplained:
        typed = word.token_type in _TYPES and word.start not in called
        named = word.start in listing and word.text.lower() not in refusals
        if not typed and not named:
            yield word


def _listing(tree: exp.Expr) -> set[int]:
    """Returns where the names stand that a bracketed list of columns follows."""
    starts: set[int] = set()
    for node in tree.find_all(exp.TableAlias, exp.Schema):
        name = node.this.this if isinstance(node.this, exp.Table) else node.this
        has_list = node.args.get("columns") or isinstance(node, exp.Schema)
        if isinstance(name, exp.Identifier) and has_list and (start := _start(name)) is not None:
            starts.add(start)
    return starts


def is_named(node: exp.Expr) -> bool:
    """True when a call was made by a word of the text, false when the parser made it of syntax."""
    return bool(node._meta)  # noqa: SLF001 - `meta` would create a dictionary on every node


def _start(node: exp.Expr) -> int | None:
    position = node._meta  # noqa: SLF001 - `meta` would create a dictionary on every node
    start = position.get("start") if position else None
    return start if isinstance(start, int) else None


def _check_node(node: exp.Expr, statement: Statement, listed: FunctionList) -> Iterator[Refusal]:
    word = _word_of(node, statement)
    if word is None:
        if type(node) not in SYNTAX_CALLS:
            yield _unknown_node(node)
        return
    parent = node.parent
    after_from = isinstance(parent, exp.Table | exp.Lateral) and node.arg_key == "this"
    known = listed.tables if after_from else listed.scalar
    if word not in known:
        yield _unknown(word, listed)
    if word == "last_insert_id" and node.args.get("expressions"):
        yield Refusal(
            rule="function.refused",
            reason="LAST_INSERT_ID with a value sets what the session remembers.",
            part=word,
            alternative="Call it without a value.",
            fixable=True,
        )
    if not _schema_is_known(node, statement.dialect):
        yield Refusal(
            rule="function.unknown",
            reason=f"The function {word} is called in a schema the guard does not know.",
            part=word,
            alternative=f"Call {word} without a schema.",
            fixable=True,
        )


def _word_of(node: exp.Expr, statement: Statement) -> str | None:
    start = _start(node)
    if start is None:
        return node.name.lower() if isinstance(node, exp.Anonymous) else None
    word = next((w for w in statement.calls if w.start == start), None)
    return node.name.lower() if word is None else _name(word, statement.dialect)


def _schema_is_known(node: exp.Expr, dialect: str) -> bool:
    parent = node.parent
    if isinstance(parent, exp.Table) and node.arg_key == "this":
        schema, catalog = parent.args.get("db"), parent.args.get("catalog")
        return schema is None or (catalog is None and _is_schema(schema, dialect))
    if not isinstance(parent, exp.Dot) or node.arg_key != "expression":
        return True
    if dialect == "duckdb":
        # `x.lower()` is `lower(x)`; a name before the dot may be a column as well as a schema.
        return True
    return _is_schema(parent.this, dialect)


def _is_schema(node: exp.Expr, dialect: str) -> bool:
    return isinstance(node, exp.Identifier) and node.name in _SCHEMAS.get(dialect, ())


def _unknown(name: str, listed: FunctionList) -> Refusal:
    why = listed.refusals.get(name.lower())
    reason = f"The function {name} is not on the list of functions known to have no effect"
    return Refusal(
        rule="function.refused" if why else "function.unknown",
        reason=f"{reason}: {why[0].lower()}{why[1:]}" if why else f"{reason} here.",
        part=name,
        fixable=why is None,
    )


def _unknown_node(node: exp.Expr) -> Refusal:
    return Refusal(
        rule="node.unknown",
        reason="The statement holds syntax the guard does not know, so it is refused.",
        part=type(node).__name__,
    )


def _introspects(name: str) -> Refusal:
    return Refusal(
        rule="function.introspects",
        reason=f"The function {name} describes the database beyond the tables you can read.",
        part=name,
        alternative="Use the list of tables and columns of this source.",
    )


def _absent(name: str) -> Refusal:
    return Refusal(
        rule="function.unknown",
        reason=f"This server has no function {name} of its own, so the name may be somebody's.",
        part=name,
        fixable=True,
    )
