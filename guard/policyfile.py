"""The policy file: its model, checked at load with messages that name the key.

Unknown keys are errors. The file holds no secret; it names the environment variables that do.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import tomllib
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from guard.errors import ConfigurationError

Environment = Literal["production", "staging", "development"]
EngineName = Literal["sqlite", "duckdb"]
Positive = Annotated[int, Field(gt=0)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Limits(_Part):
    """Caps on one statement and one person. Every field can be set by source and by role."""

    display_rows: Positive = 1_000
    """Rows shown at most; more are cut with a notice."""
    max_bytes: Positive = 50_000_000
    """Bytes of result an engine may return."""
    timeout_seconds: Annotated[float, Field(gt=0, le=600)] = 20
    """After this a statement is stopped."""
    calls_per_minute: Positive = 120
    """Statements one person may send in a minute."""
    parallel: Positive = 4
    """Statements of one person running at once."""
    rows_per_day: Positive = 1_000_000
    """Rows one person may be shown in a day."""


class LimitOverrides(_Part):
    """The same keys as `Limits`, each optional."""

    display_rows: Positive | None = None
    max_bytes: Positive | None = None
    timeout_seconds: Annotated[float, Field(gt=0, le=600)] | None = None
    calls_per_minute: Positive | None = None
    parallel: Positive | None = None
    rows_per_day: Positive | None = None


class SourcePolicy(_Part):
    """One database.

    `database` is a file beside the policy, or absolute; `database_secret` names an environment
    variable that holds the path instead.
    """

    engine: EngineName
    environment: Environment
    title: str = ""
    description: str = ""
    database: str | None = None
    database_secret: str | None = None
    writes: bool = False
    today: dt.date | None = None
    """What relative dates are resolved against; None means the real day."""
    starters: tuple[str, ...] = ()
    tags: dict[str, str] = {}
    """`table.column` -> Presidio entity name."""
    tags_confirmed: bool = True
    """False while suggested tags wait for an admin; shown on the checklist."""
    free_text: tuple[str, ...] = ()
    """`table.column` of prose that may hold personal data."""
    limits: LimitOverrides = LimitOverrides()

    @model_validator(mode="after")
    def _one_place(self) -> SourcePolicy:
        if (self.database is None) == (self.database_secret is None):
            raise ValueError("set exactly one of database and database_secret")
        return self

    @field_validator("tags", "free_text")
    @classmethod
    def _dotted(cls, value: dict[str, str] | tuple[str, ...]) -> dict[str, str] | tuple[str, ...]:
        bad = [k for k in value if len(k.rpartition(".")[0]) == 0 or k.endswith(".")]
        if bad:
            raise ValueError(f"write table.column, not {bad[0]!r}")
        return value


class RoleGrant(_Part):
    """What a data role may do with one source. Names match without case; `*` is every table."""

    tables: tuple[str, ...]
    hide: tuple[str, ...] = ()
    lookup: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    """Free text that may be filtered by: whoever may search prose can find out what it says."""
    propose: tuple[str, ...] = ()
    row_filters: dict[str, str] = {}

    def lists(self, table: str) -> bool:
        """True when the role may read the table."""
        return "*" in self.tables or _has(self.tables, table)

    def hides(self, table: str, column: str) -> bool:
        """True when the column is out of reach altogether."""
        return _has(self.hide, f"{table}.{column}")

    def looks_up(self, table: str, column: str) -> bool:
        """True when equality look-ups on the masked column are allowed."""
        return _has(self.lookup, f"{table}.{column}")

    def searches(self, table: str, column: str) -> bool:
        """True when the free text may be filtered, grouped and sorted by."""
        return _has(self.search, f"{table}.{column}")

    def proposes(self, table: str) -> bool:
        """True when changes to the table may be proposed."""
        return self.lists(table) and _has(self.propose, table)

    def row_filter(self, table: str) -> str | None:
        """The predicate over the table's own columns, or None."""
        wanted = table.casefold()
        return next((f for t, f in self.row_filters.items() if t.casefold() == wanted), None)


def _has(names: Sequence[str], name: str) -> bool:
    wanted = name.casefold()
    return any(n.casefold() == wanted for n in names)


class Role(_Part):
    """A data role.

    Members are account names, or `@analyst`, `@reviewer`, `@admin` for a console role.
    """

    members: tuple[str, ...]
    sources: dict[str, RoleGrant] = {}
    reveal: tuple[str, ...] = ()
    limits: LimitOverrides = LimitOverrides()

    def includes(
        self,
        name: str,
        console_roles: AbstractSet[str],
    ) -> bool:
        """True when the account belongs to the role."""
        return name in self.members or any(f"@{r}" in self.members for r in console_roles)


class Approvals(_Part):
    """How changes are decided."""

    approvers: Positive = 1
    max_rows: Positive = 10_000
    """Rows a change may touch; a larger one must be split."""
    max_diff_rows: Positive = 200
    """Rows of a diff drawn on screen; totals stay exact."""
    expires_hours: Positive = 24
    timeout_seconds: Positive = 60
    """What running a change may take, as a preview or for good."""
    lock_timeout_seconds: Positive = 2
    command_line: bool = True
    """False switches off approvals by `gatehouse changes approve`."""


class Policy(_Part):
    """The whole policy. `sha256` is that of the file's bytes; `version` the file's own number."""

    version: Positive
    name: str = "policy"
    sources: dict[str, SourcePolicy]
    roles: dict[str, Role]
    limits: Limits = Limits()
    approvals: Approvals = Approvals()
    sha256: str = ""
    text: str = ""
    folder: Path = Path()

    @model_validator(mode="after")
    def _known_sources(self) -> Policy:
        for role, settings in self.roles.items():
            for source in settings.sources:
                if source not in self.sources:
                    raise ValueError(f"roles.{role}.sources.{source}: no such source")
        return self

    def limits_for(self, source: str, roles: Sequence[Role]) -> Limits:
        """Returns the limits: defaults, then the source's, then the largest of the roles'."""
        values = self.limits.model_dump()
        values.update(_set(self.sources[source].limits))
        for key in values:
            given = [v for r in roles if (v := getattr(r.limits, key)) is not None]
            if given:
                values[key] = max(given)
        return Limits(**values)

    def database_of(self, source: str, environment: Mapping[str, str]) -> Path:
        """Returns the file of an embedded source.

        Raises:
            ConfigurationError: the variable named by `database_secret` is not set.
        """
        settings = self.sources[source]
        if settings.database is not None:
            return self.folder / settings.database
        value = environment.get(settings.database_secret or "")
        if not value:
            raise ConfigurationError(
                f"The source {source} needs the environment variable {settings.database_secret}. "
                "Set it, or put it into .streamlit/secrets.toml."
            )
        return Path(value)


def _set(limits: LimitOverrides) -> dict[str, float]:
    return {k: v for k, v in limits.model_dump().items() if v is not None}


def load_policy(path: Path) -> Policy:
    """Returns the policy in `path`.

    Raises:
        ConfigurationError: the file is missing, is not TOML, or a key is wrong; the message names
        the
            file and the key, and what to do.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"There is no policy file at {path}. Run `gatehouse init --demo` for the demo, or "
            "`gatehouse connect URL` to write a first policy."
        ) from error
    except OSError as error:
        raise ConfigurationError(
            f"The policy file {path} cannot be read: {error.strerror}."
        ) from error
    return parse_policy(data, path)


def parse_policy(data: bytes, path: Path) -> Policy:
    """Returns the policy in `data`; `path` says where it came from and where relative files are.

    Raises:
        ConfigurationError: see `load_policy`.
    """
    try:
        text = data.decode("utf-8")
        content = tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path} is not UTF-8 text. Save it as UTF-8.") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path} is not valid TOML: {error}. Mend that line.") from error
    reserved = {"sha256", "text", "folder"} & content.keys()
    if reserved:
        raise ConfigurationError(f"{path}: unknown key {min(reserved)}. Remove it.")
    content |= {"sha256": hashlib.sha256(data).hexdigest(), "text": text, "folder": path.parent}
    try:
        return Policy.model_validate(content)
    except ValidationError as error:
        raise ConfigurationError(f"{path}: {_explain(error)}") from error


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
