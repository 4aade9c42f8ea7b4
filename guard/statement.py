"""Step 1: text -> Statement, exactly one and fully modelled, or `Refused`."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import pairwise

from sqlglot import exp
from sqlglot.errors import ParseError
from sqlglot.tokenizer_core import Token, TokenType

from guard import lexical, metadata, spelling
from guard.errors import Refused, refuse

# sqlglot logs the text of what it cannot model; the text may hold personal data.
logging.getLogger("sqlglot").setLevel(logging.CRITICAL)

# The parser takes up to 2.5 KB of stack for a level of brackets and 1 KB for other nesting. What a
# quarter of a megabyte holds is parsed where it is, what two megabytes hold only on the main
# thread, the rest on a thread with a stack of its own.
_SMALL_TOKENS = 100
_MAIN_TOKENS = 1_000
_STACK_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Statement:
    """Exactly one parsed statement. `text` is what was given, byte for byte.

    `calls` are the words that stand before a bracket, as the text has them: every function the
    engine could see is among them, whatever the parser made of it. `tokens` are all its words and
    signs, as the parser was given them. EXPLAIN is a `Describe` around the tree of the explained
    statement.
    """

    text: str
    dialect: str
    tree: exp.Expression
    calls: tuple[Token, ...] = ()
    tokens: tuple[Token, ...] = field(default=(), repr=False, compare=False)


def parse(text: str, dialect: str) -> Statement:
    """Returns the one statement in `text`.

    Raises:
        Refused: the text is empty, too long, too deep, holds control characters, several
            statements, or anything the parser drops or cannot model. The rule ids start with
            `statement.`.
    """
    lexical.check_characters(text)
    found = lexical.tokenize(text, dialect)
    form = metadata.recognise(found, text, dialect)
    if form is None:
        tree, found = _tree(found, text, dialect)
    elif form.inner is None:
        tree = form.tree
    else:
        inner, found = _tree(form.inner, form.text, dialect)
        tree = exp.Describe(this=inner, style="EXPLAIN")
    return Statement(
        text=text, dialect=dialect, tree=tree, calls=_calls(found), tokens=tuple(found)
    )


def _tree(found: list[Token], text: str, dialect: str) -> tuple[exp.Expression, list[Token]]:
    found = spelling.respell(found, text, dialect)
    if len(found) <= _SMALL_TOKENS:
        return _parse(found, text, dialect), found
    on_main = threading.current_thread() is threading.main_thread()
    if on_main and len(found) <= _MAIN_TOKENS:
        return _parse_large(found, text, dialect), found
    return _on_deep_stack(lambda: _parse_large(found, text, dialect)), found


def _parse(found: Sequence[Token], text: str, dialect: str) -> exp.Expression:
    # Honest text needs little more than one node for a token. The parser tries some syntax again
    # and again (each join without ON doubles the work), and tries make nodes: this bounds the time.
    parser = lexical.instance(dialect).parser(max_nodes=200 + 8 * len(found))
    try:
        trees = parser.parse(list(found), text)
    except RecursionError as error:
        raise lexical.too_deep() from error
    except ParseError as error:
        if _out_of_nodes(error):
            raise lexical.too_deep() from error
        raise refuse(
            "statement.syntax",
            "The statement could not be parsed. Check its syntax.",
            part=_place(error),
            fixable=True,
        ) from error
    except Exception as error:
        # sqlglot fails on some input in ways of its own (TypeError, AttributeError); whatever it
        # cannot read is refused.
        raise _unmodelled() from error
    tree = trees[0] if len(trees) == 1 else None
    if not isinstance(tree, exp.Expression) or isinstance(tree, exp.Command):
        raise _unmodelled()
    return tree


def _parse_large(found: Sequence[Token], text: str, dialect: str) -> exp.Expression:
    tree = _parse(found, text, dialect)
    if len(found) <= 2 * lexical.MAX_TREE_DEPTH:
        return tree  # too few tokens for a tree that is much deeper
    depths: dict[int, int] = {id(tree): 1}
    for node in tree.walk():
        depth = depths[id(node)] + 1
        if depth > lexical.MAX_TREE_DEPTH:
            raise lexical.too_deep()
        for child in node.iter_expressions():
            depths[id(child)] = depth
    return tree


def _on_deep_stack(work: Callable[[], exp.Expression]) -> exp.Expression:
    """Returns what `work` returns, run on a thread with a large stack.

    The compiled parser recurses without a check in places, so what is parsed must fit the stack; a
    caller's own thread may have a small one.
    """
    outcome: Future[exp.Expression] = Future()

    def run() -> None:
        try:
            outcome.set_result(work())
        except BaseException as error:
            outcome.set_exception(error)

    with _STACK_LOCK:
        before = threading.stack_size(_STACK_BYTES)
        try:
            thread = threading.Thread(target=run, name="guard-parse", daemon=True)
            thread.start()
        finally:
            threading.stack_size(before)
    thread.join()
    return outcome.result()


_STACK_LOCK = threading.Lock()


def _unmodelled() -> Refused:
    return refuse(
        "statement.unmodelled",
        "The guard does not know this kind of statement, so it is refused.",
    )


def _out_of_nodes(error: ParseError) -> bool:
    return any("number of AST nodes" in (e.get("description") or "") for e in error.errors)


def _place(error: ParseError) -> str | None:
    details = error.errors[0] if error.errors else {}
    line, column = details.get("line"), details.get("col")
    return f"line {line}, column {column}" if line and column else None


def _calls(found: Sequence[Token]) -> tuple[Token, ...]:
    opening = TokenType.L_PAREN
    return tuple(word for word, after in pairwise(found) if after.token_type == opening)
