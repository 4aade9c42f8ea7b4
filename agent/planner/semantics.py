"""The semantic layer of one source: what its tables, columns and numbers are called and mean.

One TOML file a source, checked at load; unknown keys are errors and messages name the key.
`agent.planner.proposal` makes a first one from a schema.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from agent.planner.operators import PHRASES, Op
from agent.planner.words import words_of
from guard import Catalog

ColumnName = Annotated[str, Field(pattern=r"^[^.\s]+\.[^.\s]+$")]
"""`table.column`."""
Aggregate = Literal["sum", "avg", "share", "count", "distinct"]

_REFERENCE = re.compile(r"([A-Za-z_]\w*)\.([A-Za-z_]\w*)")
_ARITHMETIC = re.compile(r"[\w.+\-*/() ]+")
_NOT_SQL = re.compile(r"--|/\*|//|\*\*")
_SETTLED: frozenset[Op] = frozenset(
    ("and", "between", "cmp", "never", "no", "not", "or", "orless", "ormore", "without")
)
"""Words that turn a condition round or bound it. Another meaning would answer another question."""


class SemanticsError(Exception):
    """A semantics file cannot be used. The message names the file, the key and the mend."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Test(_Part):
    """A condition on a column: exactly one of `is` (any of these) and `not` (none of these)."""

    column: ColumnName
    is_: tuple[str, ...] = Field(default=(), alias="is")
    not_: tuple[str, ...] = Field(default=(), alias="not")

    @model_validator(mode="after")
    def _one(self) -> Test:
        if bool(self.is_) == bool(self.not_):
            raise ValueError("give exactly one of `is` and `not`")
        return self


class Definition(_Part):
    """One way to compute a metric: arithmetic over columns, at the grain of one table.

    `of` may name columns of tables that `table` points at. `where` always applies unless the
    question itself filters the same column.
    """

    table: str
    of: str = ""
    aggregate: Aggregate | None = None
    """Where it differs from the metric's: rows counted here, a column of counts added up there."""
    where: tuple[Test, ...] = ()
    when: tuple[Test, ...] = ()

    @field_validator("of")
    @classmethod
    def _arithmetic(cls, value: str) -> str:
        if value and not _is_arithmetic(value):
            raise ValueError("write arithmetic over table.column names, such as a.x * a.y")
        return value

    @property
    def columns(self) -> tuple[tuple[str, str], ...]:
        """The columns `of` uses, in order."""
        return tuple(dict.fromkeys(_REFERENCE.findall(self.of)))

    def expression(self, spell: dict[tuple[str, str], str]) -> str:
        """Returns `of` with each column replaced by its spelling."""
        return _REFERENCE.sub(lambda m: spell[(m.group(1), m.group(2))], self.of)


class Metric(_Part):
    """A number people ask for by name. The first definition that fits a question is used."""

    synonyms: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ()
    """Verbs that mean this number when they stand without one: "spent the most"."""
    aggregate: Aggregate = "sum"
    note: str = ""
    by: tuple[Definition, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _whole(self) -> Metric:
        for definition in self.by:
            aggregate = self.aggregate_of(definition)
            if aggregate in {"sum", "avg", "distinct"} and not definition.of:
                raise ValueError(f"the definition at {definition.table} needs `of`")
            if aggregate == "share" and not definition.when:
                raise ValueError(f"the definition at {definition.table} needs `when`")
        return self

    def aggregate_of(self, definition: Definition) -> Aggregate:
        """Returns how one of the definitions is aggregated."""
        return definition.aggregate or self.aggregate


class TableMeaning(_Part):
    """What one table is called and how it is used by default."""

    synonyms: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ()
    """Verbs that mean a row of this table exists: "customers who ordered"."""
    label: tuple[str, ...] | None = None
    """Columns that name a row for a person."""
    date: str | None = None
    """The date that "in 2025" is about."""
    measure: str | None = None
    """The column that "largest" and "over 100" are about."""
    rank_by: str | None = None
    """The metric that "top" and "best" are about."""
    columns: tuple[str, ...] | None = None
    """What a list shows; all columns without a tag if absent."""


class ColumnMeaning(_Part):
    """What one column is called and how its values are read."""

    synonyms: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ()
    """For a date: verbs that mean this moment ("signed up")."""
    aggregate: Literal["sum", "avg", "ask"] | None = None
    """What "X by Y" does with it; None decides by its name."""
    yes: tuple[str, ...] = ()
    """For a boolean: words for true."""
    no: tuple[str, ...] = ()
    """For a boolean: words for false."""
    values: dict[str, str] = {}
    """Other words for stored values."""


class Duration(_Part):
    """The time from one date column of a table to another."""

    start: ColumnName
    end: ColumnName
    synonyms: tuple[str, ...] = ()

    @property
    def parts(self) -> tuple[str, str, str]:
        """The table, the first and the last column."""
        table, start = self.start.split(".")
        return table, start, self.end.split(".")[1]

    @model_validator(mode="after")
    def _same_table(self) -> Duration:
        if self.start.split(".")[0] != self.end.split(".")[0]:
            raise ValueError("start and end must be columns of one table")
        return self


class Role(_Part):
    """A foreign key with a name of its own: `column` makes the row it points at a `name`."""

    column: ColumnName
    name: tuple[str, ...]
    verbs: tuple[str, ...] = ()
    """Verbs from the owning row to the one it points at: "reports to"."""
    inverse: tuple[str, ...] = ()
    """Verbs the other way round: "supports"."""


class Join(_Part):
    """A foreign key the database does not declare."""

    column: ColumnName
    references: ColumnName


class Semantics(_Part):
    """Everything said about one source."""

    version: Literal[1] = 1
    confirmed: bool = True
    """False for a proposal no admin has looked at."""
    tables: dict[str, TableMeaning] = {}
    columns: dict[ColumnName, ColumnMeaning] = {}
    metrics: dict[str, Metric] = {}
    durations: dict[str, Duration] = {}
    roles: tuple[Role, ...] = ()
    joins: tuple[Join, ...] = ()
    phrases: dict[str, str] = {}
    """Words of the trade -> words the planner knows ("sold out" -> "with stock quantity equal to
    0")."""

    @model_validator(mode="after")
    def _words(self) -> Semantics:
        for phrase, meaning in self.phrases.items():
            if not words_of(phrase) or not words_of(meaning):
                raise ValueError(f"phrases: {phrase!r} and what it means must hold a word each")
        for word in self._said():
            if is_settled(word):
                raise ValueError(f"{word!r} always means the same, so nothing can be called that")
        return self

    def _said(self) -> Iterator[str]:
        """The words that get a meaning here; what is true and false of a column apart."""
        yield from self.phrases
        yield from self.metrics
        yield from self.durations
        for table in self.tables.values():
            yield from (*table.synonyms, *table.verbs)
        for column in self.columns.values():
            yield from (*column.synonyms, *column.verbs, *column.values)
        for metric in self.metrics.values():
            yield from (*metric.synonyms, *metric.verbs)
        for duration in self.durations.values():
            yield from duration.synonyms
        for role in self.roles:
            yield from (*role.name, *role.verbs, *role.inverse)

    def unknown_names(self, catalog: Catalog) -> tuple[str, ...]:
        """Returns the tables and columns named here that `catalog` does not have."""
        return tuple(dict.fromkeys(n for n in self._names() if not _exists(n, catalog)))

    def _names(self) -> list[str]:
        names = [*self.tables, *self.columns]
        for table, meaning in self.tables.items():
            own = [meaning.date, meaning.measure, *(meaning.label or ()), *(meaning.columns or ())]
            names += [f"{table}.{column}" for column in own if column]
        for metric in self.metrics.values():
            for definition in metric.by:
                names += [definition.table, *(f"{t}.{c}" for t, c in definition.columns)]
                names += [test.column for test in (*definition.where, *definition.when)]
        for duration in self.durations.values():
            names += [duration.start, duration.end]
        names += [role.column for role in self.roles]
        return names + [n for join in self.joins for n in (join.column, join.references)]


def is_settled(name: str) -> bool:
    """Returns whether a name is a word that no layer can give another meaning (`not`, `over`)."""
    said = tuple(word.norm for word in words_of(name))
    return said in PHRASES and PHRASES[said][0] in _SETTLED


def _is_arithmetic(value: str) -> bool:
    """True for one expression of numbers and columns with + - * / and matched parentheses."""
    rest = _REFERENCE.sub("0", value)
    if not _ARITHMETIC.fullmatch(value) or _NOT_SQL.search(value) or re.search(r"[A-Za-z_]", rest):
        return False
    try:
        tree = ast.parse(rest.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return not any(isinstance(node, ast.Call | ast.Tuple) for node in ast.walk(tree))


def _exists(name: str, catalog: Catalog) -> bool:
    table_name, _, column = name.partition(".")
    table = catalog.table(table_name)
    return table is not None and (not column or table.column(column) is not None)


def load_semantics(path: Path) -> Semantics:
    """Returns the semantic layer in `path`.

    Raises:
        SemanticsError: the file cannot be read, is not TOML, or a key is wrong.
    """
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise SemanticsError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise SemanticsError(f"{path} is not valid TOML: {error}. Mend that line.") from error
    return parse_semantics(text, str(path))


def parse_semantics(text: str, name: str) -> Semantics:
    """Returns the semantic layer in `text`; messages call it `name`.

    Raises:
        SemanticsError: it is not TOML, or a key is wrong.
    """
    try:
        return Semantics.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise SemanticsError(f"{name} is not valid TOML: {error}. Mend that line.") from error
    except ValidationError as error:
        raise SemanticsError(f"{name}: {_explain(error)}") from error


def _explain(error: ValidationError) -> str:
    lines = []
    for item in error.errors():
        key = ".".join(str(p) for p in item["loc"]) or "the file"
        if item["type"] == "extra_forbidden":
            lines.append(f"unknown key {key}. Remove it or check its spelling.")
        elif item["type"] == "missing":
            lines.append(f"the key {key} is missing. Add it.")
        else:
            lines.append(f"{key}: {item['msg']}.")
    return " ".join(lines)
