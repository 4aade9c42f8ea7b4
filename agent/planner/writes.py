"""Changes asked for in words: one row, by its primary key; the way out for anything wider."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal, InvalidOperation

from agent.planner.answers import NotUnderstood, WriteRequest
from agent.planner.dialects import Sql
from agent.planner.lexicon import FlagEntry, ValueEntry
from agent.planner.schema import Field, is_key, kind_of, name_stems, spoken
from agent.planner.tagging import Tag, tags_of
from agent.planner.vocabulary import Vocabulary
from agent.planner.words import stems_of, words_of
from guard import Column

_UPDATE = {"set", "change", "update", "mark", "make", "correct", "fix", "edit", "rename", "move"}
_DELETE = {"delete", "remove", "erase"}
_OTHER = {"insert", "add", "create", "drop", "truncate", "alter", "cancel", "close", "reopen"}
_OTHER |= {"increase", "decrease", "reduce", "raise", "lower", "replace", "grant", "revoke"}
_OTHER |= {"wipe", "purge", "merge", "activate", "deactivate", "approve", "refund", "assign"}
_LEADS = {"please", "can", "could", "you", "would", "i", "want", "to", "need", "kindly", "now"}
_LEADS |= {"let", "us", "lets", "go", "ahead", "and", "just", "we", "should", "must", "then"}
_FEW = 12
"""A text column with at most so many values is a set of choices, to which words add none."""

WIDE = (
    "In words I propose changes to one row at a time, by its id: “set the status of order 118 to "
    "cancelled”. Write a wider change as SQL on the SQL tab; it is reviewed before it runs."
)
_SCHEMA = "Changes of the schema, of access or of whole tables are never made from here."


def write(question: str, vocabulary: Vocabulary) -> WriteRequest | NotUnderstood | None:
    """Returns the change a question asks for, its refusal, or None when it asks for no change."""
    words = [w for w in words_of(question) if w.kind != "mark"]
    lead = next((w for w in words if w.norm not in _LEADS), None)
    if lead is None or lead.norm not in _UPDATE | _DELETE | _OTHER:
        return None
    run = tuple(w.stem for w in words if w.start >= lead.start)
    if vocabulary.lexicon.at(run)[1] > 1:
        return None
    following = next((w.norm for w in words if w.start > lead.start), "")
    if following in {"in", "of", "over", "up"}:
        return None
    if lead.norm in {"drop", "truncate", "alter", "create", "grant", "revoke"}:
        return _refused(question, _SCHEMA, vocabulary)
    rest = question[lead.end :]
    request = None
    if lead.norm in _DELETE:
        request = _delete(rest, vocabulary)
    elif lead.norm in _UPDATE:
        request = _update(rest, vocabulary)
    return request or _refused(question, WIDE, vocabulary)


def _refused(question: str, reason: str, vocabulary: Vocabulary) -> NotUnderstood:
    known = " ".join(t.text for t in tags_of(question, vocabulary) if t.known)
    return NotUnderstood(understood=known, unknown=(), reason=reason)


def _content(text: str, vocabulary: Vocabulary) -> list[Tag]:
    return [t for t in tags_of(text, vocabulary) if t.op != "noise" and t.text.casefold() != "s"]


def _row(tags: list[Tag], vocabulary: Vocabulary) -> tuple[str, str, Decimal] | None:
    """The table, its key and the number, when the tags are exactly `order 118`."""
    if len(tags) == 3 and tags[1].text.casefold() in {"id", "number", "no", "nr"}:
        tags = [tags[0], tags[2]]
    if len(tags) != 2 or tags[0].plural or tags[1].number is None:
        return None
    number = tags[1].number
    tables = {t.table for t in tags[0].tables if t.hop is None}
    if len(tables) != 1 or number != int(number) or tags[1].op is not None:
        return None
    table = tables.pop()
    keys = vocabulary.table(table).primary_key
    if len(keys) != 1 or kind_of(vocabulary.column(Field(table, keys[0]))) != "number":
        return None
    return table, keys[0], number


def _delete(rest: str, vocabulary: Vocabulary) -> WriteRequest | None:
    found = _row(_content(rest, vocabulary), vocabulary)
    if found is None:
        return None
    table, key, number = found
    sql = Sql(vocabulary.dialect)
    row = f"{sql.name(key)} = {sql.number(number)}"
    text = f"DELETE FROM {sql.name(table)} WHERE {row}"  # noqa: S608 - spelled by Sql, and proposed only
    return WriteRequest(
        sql=text, interpretation=f"Delete the {_one(table)} with {spoken(key)} {number}."
    )


def _one(table: str) -> str:
    return " ".join(name_stems(table))


def _update(rest: str, vocabulary: Vocabulary) -> WriteRequest | None:
    for joint in (" to ", " as ", " = "):
        subject, found, value = rest.partition(joint)
        if found and value.strip(" .!?"):
            request = _assignment(subject, value.strip(" .!?"), vocabulary)
            if request is not None:
                return request
    return None


def _assignment(subject: str, value: str, vocabulary: Vocabulary) -> WriteRequest | None:
    tags = _content(subject, vocabulary)
    column_tags = [t for t in tags if t.columns and not t.tables]
    rest = [t for t in tags if t not in column_tags and t.op not in {"prep", "with"}]
    row = _row(rest, vocabulary)
    if row is None or len(column_tags) > 1:
        return None
    table = row[0]
    if not column_tags:
        return _by_value(row, value, vocabulary)
    fields = {c.field for c in column_tags[0].columns if c.field.table == table}
    if len(fields) > 1:
        fields = {c.field for c in column_tags[0].columns if c.field.table == table and not c.weak}
    if len(fields) != 1:
        return None
    field = fields.pop()
    literal = _literal(field, value, vocabulary)
    return None if literal is None else _request(row, field, literal, vocabulary)


def _by_value(
    row: tuple[str, str, Decimal], value: str, vocabulary: Vocabulary
) -> WriteRequest | None:
    """`mark ticket 17 as closed`: the value says which column is meant."""
    negated = value.casefold().startswith("not ")
    words = value[4:] if negated else value
    entries = vocabulary.lexicon.exactly(stems_of(words))
    sql = Sql(vocabulary.dialect)
    choices: dict[Field, tuple[str, str]] = {}
    for entry in entries:
        if isinstance(entry, ValueEntry) and entry.field.table == row[0] and not negated:
            if not entry.rare and _choices(entry.field, vocabulary):
                choices[entry.field] = (sql.text(entry.value), entry.value)
        elif isinstance(entry, FlagEntry) and entry.field.table == row[0]:
            true = entry.value is not negated
            choices[entry.field] = (_boolean(vocabulary, value=true), str(true).lower())
    if len(choices) != 1:
        return None
    field, literal = choices.popitem()
    return _request(row, field, literal, vocabulary)


def _request(
    row: tuple[str, str, Decimal],
    field: Field,
    literal: tuple[str, str],
    vocabulary: Vocabulary,
) -> WriteRequest | None:
    table, key, number = row
    if is_key(vocabulary.table(table), vocabulary.column(field)):
        return None
    sql = Sql(vocabulary.dialect)
    change = f"{sql.name(field.column)} = {literal[0]}"
    which = f"{sql.name(key)} = {sql.number(number)}"
    text = f"UPDATE {sql.name(table)} SET {change} WHERE {which}"  # noqa: S608 - as above
    said = (
        f"Set {spoken(field.column)} to “{literal[1]}” in the {_one(table)} "
        f"with {spoken(key)} {number}."
    )
    return WriteRequest(sql=text, interpretation=said)


def _boolean(vocabulary: Vocabulary, *, value: bool) -> str:
    if vocabulary.dialect in {"sqlite", "mysql"}:
        return str(int(value))
    return "TRUE" if value else "FALSE"


def _choices(field: Field, vocabulary: Vocabulary) -> dict[str, str]:
    """The stored values of a column that holds a small set of choices, by their folded text."""
    listed = next(
        (v for (t, c), v in vocabulary.values.items() if (t.casefold(), c.casefold()) == field.key),
        (),
    )
    return {v.casefold(): v for v in listed} if len(listed) <= _FEW else {}


def _literal(field: Field, value: str, vocabulary: Vocabulary) -> tuple[str, str] | None:
    """The value as SQL and as it is read back, or None when it does not fit the column."""
    column = vocabulary.column(field)
    plain = value.strip("\"'“”‘’ ")  # noqa: RUF001 - quotes people type
    sql = Sql(vocabulary.dialect)
    match kind_of(column):
        case "number":
            return _number(plain, column)
        case "boolean":
            words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
            known = words.get(plain.casefold())
            return None if known is None else (_boolean(vocabulary, value=known), plain)
        case "date":
            return _date(plain)
        case _:
            return _text(field, plain, vocabulary, sql)


def _number(text: str, column: Column) -> tuple[str, str] | None:
    try:
        number = Decimal(text.lstrip("$€£ ").replace(",", ""))
    except InvalidOperation:
        return None
    whole = "int" in column.type.casefold()
    if not number.is_finite() or (whole and number != int(number)):
        return None
    plain = format(number, "f")
    return plain, plain


def _date(text: str) -> tuple[str, str] | None:
    try:
        day = dt.date.fromisoformat(text)
    except ValueError:
        return None
    return f"'{day}'", str(day)


def _text(field: Field, text: str, vocabulary: Vocabulary, sql: Sql) -> tuple[str, str] | None:
    choices = _choices(field, vocabulary)
    if choices:
        known = choices.get(text.casefold())
        return None if known is None else (sql.text(known), known)
    if not text or len(text) > 200 or not text.isprintable():
        return None
    return sql.text(text), text
