"""The policy file: its model, checked at load with messages that name the key.

Unknown keys are errors. The file holds no secret; it names the environment variables that do.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import tomllib
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from guard.address import (
    Address,
    FileAddress,
    ServerAddress,
    ServerReach,
    server_address,
    trusting,
)
from guard.approvalpolicy import Approvals, AutoApply
from guard.auditpolicy import AuditPolicy
from guard.errors import ConfigurationError
from guard.hours import Day, Hours
from guard.limitpolicy import NO_LIMITS, Limits, joined
from guard.modelpolicy import AgentPolicy, ModelPrice
from guard.noticepolicy import Notifications
from guard.templates import check_template
from guard.toolpolicy import BUILT_IN, TemplatePolicy, check_names
from redaction import canonical

Environment = Literal["production", "staging", "development"]
EngineName = Literal["sqlite", "duckdb", "postgres", "mysql"]
SERVERS: frozenset[EngineName] = frozenset({"postgres", "mysql"})
"""Engines that are reached over a login; the others are files."""
PersonFact = Literal["id", "name", "data_roles", "console_roles"]
Positive = Annotated[int, Field(gt=0)]
_ENTITY_OR_COLUMN = re.compile(r"[A-Z][A-Z0-9_]*|[^.]+(?:\.[^.]+)+")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class IdentityPolicy(_Part):
    """Who a statement runs as inside a server, so that its own row security applies."""

    roles: dict[str, str] = {}
    """Data role of this policy -> role of the database. The first one a person has decides."""
    variables: dict[str, PersonFact] = {}
    """Session variable -> what of the signed-in person it holds; lists are joined by commas."""

    @field_validator("variables")
    @classmethod
    def _plain_names(cls, value: dict[str, PersonFact]) -> dict[str, PersonFact]:
        bad = [k for k in value if not re.fullmatch(r"[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)?", k)]
        if bad:
            raise ValueError(f"write a variable as app.user, in small letters, not {bad[0]!r}")
        return value

    @field_validator("roles")
    @classmethod
    def _named(cls, value: dict[str, str]) -> dict[str, str]:
        bad = [k for k, v in value.items() if not v or v.casefold() in ("none", "default")]
        if bad:
            raise ValueError(f"{bad[0]} needs the name of a database role")
        return value


class SourcePolicy(_Part):
    """One database.

    A file: `database` is beside the policy, or absolute; `database_secret` names an environment
    variable that holds the path instead. A server: `database_secret` and `write_secret` name the
    variables, or entries of `.streamlit/secrets.toml`, that hold the URLs of two different logins.
    """

    engine: EngineName
    environment: Environment
    title: str = ""
    description: str = ""
    database: str | None = None
    database_secret: str | None = None
    write_secret: str | None = None
    """Names the variable that holds the URL of the login that writes; servers only."""
    ca_file: str | None = None
    """A file of certificates in PEM, beside the policy or absolute. The server must show one that
    these have signed and that is for its name; servers only."""
    schemas: tuple[str, ...] = ()
    """Where names are looked up, the first schema first; PostgreSQL only, default `public`."""
    identity: IdentityPolicy = IdentityPolicy()
    writes: bool = False
    cost_per_second: Annotated[int, Field(ge=0)] = 0
    """What a second of a statement costs, in millionths of the policy's `currency`."""
    cost_per_gb: Annotated[int, Field(ge=0)] = 0
    """What 1,000,000,000 bytes read cost; the source must give estimates."""
    auto_apply: AutoApply | None = None
    """Changes that run without a person; never in production."""
    today: dt.date | None = None
    """What relative dates are resolved against; None means the real day."""
    starters: tuple[str, ...] = ()
    tags: dict[str, str] = {}
    """`table.column` -> Presidio entity name."""
    tags_confirmed: bool = True
    """False while suggested tags wait for an admin; shown on the checklist."""
    free_text: tuple[str, ...] = ()
    """`table.column` of prose that may hold personal data."""
    free_text_for_model: tuple[str, ...] = ()
    """Those of them a model may read with names and numbers masked, instead of not at all. Without
    a language model some names are missed, so every model sees those."""
    limits: Limits = NO_LIMITS

    @model_validator(mode="after")
    def _one_place(self) -> SourcePolicy:
        if self.engine in SERVERS:
            self._check_server()
            return self
        if (self.database is None) == (self.database_secret is None):
            raise ValueError("set exactly one of database and database_secret")
        for key in ("write_secret", "schemas", "ca_file"):
            if getattr(self, key):
                raise ValueError(f"{key} is for servers; {self.engine} is a file")
        if self.identity != IdentityPolicy():
            raise ValueError(f"identity is for servers; {self.engine} is a file")
        return self

    def _check_server(self) -> None:
        if self.database is not None:
            raise ValueError(
                "database would put a login into this file; name a secret with database_secret"
            )
        if self.database_secret is None:
            raise ValueError("set database_secret to the name of the secret with the read URL")
        if self.writes and self.write_secret is None:
            raise ValueError("writes = true needs write_secret, a login of its own")
        if self.write_secret == self.database_secret:
            raise ValueError("write_secret and database_secret must be two different logins")
        if self.engine == "mysql" and self.identity.variables:
            raise ValueError(
                "identity.variables is for postgres; in mysql they can be set by a statement"
            )
        if self.engine != "postgres" and self.schemas:
            raise ValueError(f"schemas is for postgres; {self.engine} has one in its URL")
        plain = next((v for v in self.identity.variables if "." not in v), None)
        if self.engine == "postgres" and plain is not None:
            raise ValueError(f"identity.variables: write app.{plain}, with a dot, not {plain}")
        for name in (self.database_secret, self.write_secret):
            if name is not None and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
                raise ValueError(
                    "a secret is named like an environment variable; the URL itself never stands "
                    "in this file"
                )

    @model_validator(mode="after")
    def _never_by_itself_in_production(self) -> SourcePolicy:
        if self.auto_apply is not None and self.environment == "production":
            raise ValueError("auto_apply is not for production; a person approves there")
        return self

    @model_validator(mode="after")
    def _relaxed_is_free_text(self) -> SourcePolicy:
        bad = [name for name in self.free_text_for_model if not _has(self.free_text, name)]
        if bad:
            raise ValueError(f"free_text_for_model: list {bad[0]!r} in free_text too")
        return self

    @field_validator("tags", "free_text", "free_text_for_model")
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
    propose_ddl: bool = False
    """True lets changes of the definition of the tables in `propose` be proposed as well."""
    row_filters: dict[str, str] = {}
    hours: str | None = None
    """`08:00-18:00`: outside them the role has no access to the source. May pass midnight."""
    days: tuple[Day, ...] = ()
    """`mon` to `sun`: on others the role has no access to the source. Empty is every day."""
    time_zone: str = "UTC"
    """Whose clock `hours` and `days` mean, such as Europe/Berlin."""

    @model_validator(mode="after")
    def _readable_hours(self) -> RoleGrant:
        Hours.of(self.hours, self.days, self.time_zone)
        return self

    def is_open(self, at: dt.datetime | None) -> bool:
        """True when the grant is there at that moment; a moment nobody knows is outside hours."""
        if self.hours is None and not self.days:
            return True
        timetable = Hours.of(self.hours, self.days, self.time_zone)
        return timetable is None or (at is not None and timetable.is_open(at))

    def opens(self, at: dt.datetime) -> dt.datetime:
        """Returns when the grant is there again, in its own zone."""
        timetable = Hours.of(self.hours, self.days, self.time_zone)
        return timetable.opens(at) if timetable is not None else at

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

    def defines(self, table: str) -> bool:
        """True when changes of the table's definition may be proposed."""
        return self.propose_ddl and self.proposes(table)

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
    """Entities (`EMAIL_ADDRESS`, in every table the member reads) and columns (`table.column`)
    whose values a member may ask to see, a few rows at a time and with a reason."""
    unmasked: tuple[str, ...] = ()
    """Entities and columns that are never masked for a member, in results, diffs and files."""
    tools: tuple[str, ...] | None = None
    """Tools and query templates a member may use at the role's sources, as may their agent. Without
    it: every tool, and the templates that name the role."""
    limits: Limits = NO_LIMITS

    @field_validator("reveal", "unmasked")
    @classmethod
    def _no_secrets(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if "." not in name and canonical(name) == "SECRET":
                raise ValueError(f"secrets are never shown to anyone; remove {name!r}")
            if not _ENTITY_OR_COLUMN.fullmatch(name):
                raise ValueError(
                    f"write an entity such as EMAIL_ADDRESS, or table.column: {name!r}"
                )
        return value

    def includes(
        self,
        name: str,
        console_roles: AbstractSet[str],
    ) -> bool:
        """True when the account belongs to the role."""
        return name in self.members or any(f"@{r}" in self.members for r in console_roles)


class AccessPolicy(_Part):
    """What people may ask an admin to open for them for a while.

    Asking opens nothing; another person decides. Never a way to see masked values.
    """

    askable: tuple[str, ...] = ("*",)
    """`source`, `source.table`, or `*` for everything."""
    never: tuple[str, ...] = ()
    """The same words, for what nobody can be granted, whoever decides. Wins over `askable`."""
    max_hours: Positive = 168
    """The longest a grant may last."""
    expires_hours: Positive = 168
    """How long a request waits for a decision."""
    command_line: bool = True
    """False switches off decisions by `gatehouse access grant` and `reject`."""

    def may_open(self, source: str, table: str | None) -> bool:
        """True when access to the table, or to the source as such, may be asked for and granted."""
        names = {"*", source.casefold()}
        if table is not None:
            names.add(f"{source}.{table}".casefold())
        if names & {n.casefold() for n in self.never}:
            return False
        askable = {n.casefold() for n in self.askable}
        some = table is None and any(n.startswith(f"{source.casefold()}.") for n in askable)
        return some or bool(names & askable)


class Activation(_Part):
    """How another policy comes into force: one admin proposes it, a different admin activates."""

    operator_alone: bool = True
    """False: whoever operates the machine cannot activate one alone, by `gatehouse policy
    activate`. Leave it true while there is one admin only."""
    replay_last: Positive = 500
    """Recorded statements that are judged again before a policy can be activated."""


class PersonPolicy(_Part):
    """What holds for one account, whatever its roles."""

    limits: Limits = NO_LIMITS


class EnvironmentPolicy(_Part):
    """What holds for every source of one environment."""

    limits: Limits = NO_LIMITS
    writes: bool = True
    """False: no change can be proposed to any source of it, whatever the source says."""


class Policy(_Part):
    """The whole policy. `sha256` is that of the file's bytes; `version` the file's own number."""

    version: Positive
    name: str = "policy"
    sources: dict[str, SourcePolicy]
    roles: dict[str, Role]
    people: dict[str, PersonPolicy] = {}
    """Account name -> what holds for that person alone."""
    environments: dict[Environment, EnvironmentPolicy] = {}
    """What holds for every source of an environment."""
    limits: Limits = Limits()
    currency: str = Field(default="USD", pattern=r"^[A-Z]{3}$")
    """What `cost_per_second`, `cost_per_gb`, prices and every cost limit are millionths of."""
    agent: AgentPolicy = AgentPolicy()
    """Caps on a run of the agent, and what models may cost all people together."""
    models: dict[str, ModelPrice] = {}
    """Name of a model -> what it costs."""
    approvals: Approvals = Approvals()
    notifications: Notifications = Notifications()
    access: AccessPolicy = AccessPolicy()
    activation: Activation = Activation()
    audit: AuditPolicy = AuditPolicy()
    """Where the trail's checkpoints go, and how long its records stay."""
    templates: dict[str, TemplatePolicy] = {}
    """Statements an admin has written, for models and people to run with arguments."""
    sha256: str = ""
    text: str = ""
    folder: Path = Path()

    @model_validator(mode="after")
    def _known_sources(self) -> Policy:
        for role, settings in self.roles.items():
            for source in settings.sources:
                if source not in self.sources:
                    raise ValueError(f"roles.{role}.sources.{source}: no such source")
        for name, source_settings in self.sources.items():
            self._check_identity(name, source_settings.identity)
        for key, given in (("askable", self.access.askable), ("never", self.access.never)):
            for name in given:
                if name != "*" and name.split(".", 1)[0] not in self.sources:
                    raise ValueError(f"access.{key}: {name} is of no source of this policy")
        return self

    @model_validator(mode="after")
    def _known_tools(self) -> Policy:
        check_names(self.templates)
        for name, template in self.templates.items():
            source = self.sources.get(template.source)
            if source is None:
                raise ValueError(f"templates.{name}.source: there is no source {template.source}")
            for role in template.roles:
                if role not in self.roles or template.source not in self.roles[role].sources:
                    raise ValueError(
                        f"templates.{name}.roles: no role {role} reaches {template.source}"
                    )
            try:
                check_template(template, source.engine)
            except ValueError as error:
                raise ValueError(f"templates.{name}.{error}") from None
        for role, settings in self.roles.items():
            for tool in settings.tools or ():
                if tool not in BUILT_IN and tool not in self.templates:
                    raise ValueError(
                        f"roles.{role}.tools: {tool} is neither a template nor one of "
                        f"{', '.join(BUILT_IN)}"
                    )
        return self

    def _check_identity(self, source: str, identity: IdentityPolicy) -> None:
        """A person without a role of the database would run as the login itself."""
        for role in identity.roles:
            if role not in self.roles:
                raise ValueError(f"sources.{source}.identity.roles.{role}: no such role")
        reaching = [r for r, settings in self.roles.items() if source in settings.sources]
        missing = [r for r in reaching if r not in identity.roles] if identity.roles else []
        if missing:
            raise ValueError(f"sources.{source}.identity.roles: {missing[0]} is missing")

    def limits_for(self, source: str, roles: Sequence[Role], person: str) -> Limits:
        """Returns the limits of the account named `person` at a source (`guard.limitpolicy`)."""
        settings = self.sources[source]
        environment = self.environments.get(settings.environment)
        own = self.people.get(person)
        return joined(
            self.limits,
            [environment.limits, settings.limits] if environment else [settings.limits],
            [role.limits for role in roles],
            own.limits if own else None,
        )

    def database_of(self, source: str, environment: Mapping[str, str]) -> Address:
        """Returns where the source is read: a file, or a server with the read login.

        Raises:
            ConfigurationError: a secret is not set or is no address, or a server's two logins are
                one.
        """
        settings = self.sources[source]
        if settings.database is not None:
            return FileAddress(path=self.folder / settings.database)
        value = _secret(source, settings.database_secret, environment)
        if settings.engine not in SERVERS:
            return FileAddress(path=Path(value))
        reading = self._server(source, settings.database_secret, value)
        if settings.write_secret is not None and environment.get(settings.write_secret):
            self._two_logins(source, reading, environment)
        return reading

    def write_database_of(self, source: str, environment: Mapping[str, str]) -> Address:
        """Returns where the source is written: the same file, or the server with the write login.

        Raises:
            ConfigurationError: as for `database_of`, or no write login is named.
        """
        reading = self.database_of(source, environment)
        if isinstance(reading, FileAddress):
            return reading
        return self._two_logins(source, reading, environment)

    def speaks_of(self, source: str, table: str, column: str) -> bool:
        """True when a rule of the policy would not hold for the column under another name."""
        settings = self.sources[source]
        listed = [*settings.tags, *settings.free_text]
        filters: list[str] = []
        for role in self.roles.values():
            grant = role.sources.get(source)
            listed += [*role.unmasked, *role.reveal]
            if grant is not None:
                listed += [*grant.hide, *grant.lookup, *grant.search]
                filters += grant.row_filters.values()
        word = re.compile(rf"(?<!\w){re.escape(column)}(?!\w)", re.IGNORECASE)
        return _has(listed, f"{table}.{column}") or any(word.search(f) for f in filters)

    def _two_logins(
        self, source: str, reading: ServerAddress, environment: Mapping[str, str]
    ) -> ServerAddress:
        settings = self.sources[source]
        value = _secret(source, settings.write_secret, environment)
        writing = self._server(source, settings.write_secret, value)
        if writing.user.casefold() == reading.user.casefold():
            raise ConfigurationError(
                f"{settings.database_secret} and {settings.write_secret} of the source {source} "
                "are the same login. Reads must not hold a login that can write: make two."
            )
        return writing

    def _server(self, source: str, name: str | None, value: str) -> ServerAddress:
        settings = self.sources[source]
        try:
            found = server_address(value, settings.engine)
            if settings.ca_file is None:
                return found
            return trusting(found, settings.engine, self.folder / settings.ca_file)
        except ConfigurationError as error:
            raise ConfigurationError(f"{name} of the source {source}: {error}") from None

    def reach_of(self, source: str) -> ServerReach:
        """Returns what a server's adapter needs to know of the policy besides the login."""
        settings = self.sources[source]
        default = ("public",) if settings.engine == "postgres" else ()
        return ServerReach(
            schemas=settings.schemas or default,
            roles=tuple(dict.fromkeys(settings.identity.roles.values())),
            ddl=any(
                role.sources[source].propose_ddl
                for role in self.roles.values()
                if source in role.sources
            ),
        )


def _secret(source: str, name: str | None, environment: Mapping[str, str]) -> str:
    value = environment.get(name or "")
    if not value:
        raise ConfigurationError(
            f"The source {source} needs the environment variable {name}. "
            "Set it, or put it into .streamlit/secrets.toml."
        )
    return value


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
