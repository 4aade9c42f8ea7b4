"""What another policy would mean: who gains or loses what, and which settings differ."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from guard.catalog import Catalog, Table
from guard.policyfile import Policy, SourcePolicy
from guard.principal import Principal
from guard.rights import Scope, scope_of
from guard.templates import takes, touched
from guard.toolpolicy import BUILT_IN, TemplatePolicy

Effect = Literal["gains", "loses", "changes"]
_CHECKED_BY_SCOPE = frozenset({"roles", "sources", "templates", "sha256", "text", "folder"})
_TAGS = frozenset({"tags", "free_text"})


@dataclass(frozen=True, kw_only=True)
class Meaning:
    """One difference in words. `people` are sign-in names, empty where it is about everybody."""

    effect: Effect
    people: tuple[str, ...]
    what: str


def meanings(
    before: Policy,
    after: Policy,
    people: Iterable[Principal],
    catalog: Callable[[str], Catalog | None],
) -> tuple[Meaning, ...]:
    """Returns every difference for these people, gains first, people with the same one together.

    Args:
        before: the policy in force.
        after: the one proposed.
        people: whose rights are compared, as they are now.
        catalog: gives a source's tables, None where they cannot be read now.
    """
    found: dict[tuple[Effect, str], list[str]] = {}
    sources = list(dict.fromkeys([*before.sources, *after.sources]))
    catalogs = {name: catalog(name) for name in sources}
    for person in sorted(people, key=lambda p: p.name):
        for source in sources:
            old, new = (scope_of(p, person, source) for p in (before, after))
            for effect, what in _person(source, old, new, catalogs[source]):
                found.setdefault((effect, what), []).append(person.name)
    listed = [
        Meaning(effect=effect, people=tuple(names), what=what)
        for (effect, what), names in found.items()
    ]
    listed += _everybody(before, after, sources, catalogs)
    order: Mapping[Effect, int] = {"gains": 0, "loses": 1, "changes": 2}
    return tuple(sorted(listed, key=lambda m: order[m.effect]))


def _person(
    source: str, old: Scope | None, new: Scope | None, catalog: Catalog | None
) -> Iterable[tuple[Effect, str]]:
    if (old is None) != (new is None):
        yield (
            ("gains", f"the source {source}") if old is None else ("loses", f"the source {source}")
        )
    yield from _tools(source, old, new)
    if catalog is None:
        if old is not None and new is not None and old.grants != new.grants:
            yield "changes", f"rights in {source}, which cannot be read now"
        return
    for table in catalog.tables:
        yield from _table(f"{source}.{table.name}", table, old, new)
    if old is not None and new is not None:
        before, after = old.limits.model_dump(), new.limits.model_dump()
        for key, value in after.items():
            if value != before[key]:
                yield "changes", f"limit {key} in {source}: {before[key]} to {value}"
        if old.unmasked != new.unmasked or old.reveal != new.reveal:
            yield "changes", f"which masked values may be seen in {source}"


def _tools(source: str, old: Scope | None, new: Scope | None) -> Iterable[tuple[Effect, str]]:
    """Tools and templates that come or go; the built-in ones come with a source."""
    had = old.tools if old is not None else _built_in(new)
    has = new.tools if new is not None else _built_in(old)
    for name in sorted(had ^ has):
        word = "tool" if name in BUILT_IN else "template"
        yield from _right(f"the {word} {name} in {source}", name in had, name in has)


def _built_in(scope: Scope | None) -> frozenset[str]:
    return frozenset(BUILT_IN) & scope.tools if scope is not None else frozenset()


def _table(
    name: str, table: Table, old: Scope | None, new: Scope | None
) -> Iterable[tuple[Effect, str]]:
    def reads(scope: Scope | None) -> bool:
        return scope is not None and scope.reads(table.name)

    if reads(old) != reads(new):
        yield ("gains", f"reading {name}") if reads(new) else ("loses", f"reading {name}")
    elif old is not None and new is not None and reads(old):
        yield from _columns(name, table, old, new)
        if old.row_filter(table.name) != new.row_filter(table.name):
            rows = [s.row_filter(table.name) or "all rows" for s in (old, new)]
            yield "changes", f"rows of {name}: from {rows[0]} to {rows[1]}"
    yield from _right(f"proposing changes to {name}", _proposes(table, old), _proposes(table, new))


def _columns(name: str, table: Table, old: Scope, new: Scope) -> Iterable[tuple[Effect, str]]:
    for column in table.columns:
        told = f"{name}.{column.name}"
        had, has = (s.sees(table.name, column.name) for s in (old, new))
        yield from _right(f"reading {told}", had, has)
        looked, looks = (s.looks_up(table.name, column.name) for s in (old, new))
        yield from _right(f"looking up exact values of {told}", looked, looks)


def _proposes(table: Table, scope: Scope | None) -> bool:
    return scope is not None and scope.settings.writes and scope.proposes(table.name)


def _right(what: str, had: bool, has: bool) -> Iterable[tuple[Effect, str]]:
    if had != has:
        yield ("gains", what) if has else ("loses", what)


def _everybody(
    before: Policy,
    after: Policy,
    sources: Iterable[str],
    catalogs: Mapping[str, Catalog | None],
) -> list[Meaning]:
    found: list[Meaning] = []
    for source in sources:
        old, new = before.sources.get(source), after.sources.get(source)
        if old is not None and new is not None:
            found += _tags(source, old, new, catalogs[source])
            found += _settings(f"sources.{source}", _plain(old), _plain(new))
    found += _templates(before, after)
    skip = _CHECKED_BY_SCOPE
    kept = [p.model_dump(mode="json", exclude=set(skip)) for p in (before, after)]
    found += _settings("", kept[0], kept[1])
    return found


def _templates(before: Policy, after: Policy) -> Iterable[Meaning]:
    """What becomes of each template; who may use it is told with people's tools."""
    for name in dict.fromkeys([*before.templates, *after.templates]):
        old, new = before.templates.get(name), after.templates.get(name)
        for what in _template(name, old, new, before, after):
            yield Meaning(effect="changes", people=(), what=what)


def _template(
    name: str,
    old: TemplatePolicy | None,
    new: TemplatePolicy | None,
    before: Policy,
    after: Policy,
) -> Iterable[str]:
    told = f"template {name}"
    if new is None:
        yield f"{told} is gone: no form, no agent and no command can run it any more"
        return
    now = touched(new, after.sources[new.source].engine)
    if old is None:
        on = ", ".join(sorted(now)) or "no table"
        yield f"{told} is new: {new.effect}, on {on} in {new.source}, takes {takes(new)}"
        return
    if old.source != new.source:
        yield f"{told} runs in {new.source}, no more in {old.source}"
    if old.sql != new.sql:
        was = touched(old, before.sources[old.source].engine)
        parts = [f"now on {t}" for t in sorted(now - was)]
        parts += [f"no more on {t}" for t in sorted(was - now)]
        on = "; ".join(parts) or f"on the same tables, {', '.join(sorted(now)) or 'none'}"
        yield f"{told} sends another statement: {on}"
    if old.effect != new.effect:
        yield f"{told} is {new.effect} now, was {old.effect}"
    skip = {"sql", "source", "effect"}
    dumps = [t.model_dump(mode="json", exclude=skip) for t in (old, new)]
    yield from (m.what for m in _settings(f"templates.{name}", *dumps))


def _plain(settings: SourcePolicy) -> dict[str, object]:
    return settings.model_dump(mode="json", exclude=set(_TAGS | {"starters", "limits"}))


def _tags(
    source: str, old: SourcePolicy, new: SourcePolicy, catalog: Catalog | None
) -> Iterable[Meaning]:
    for name in sorted({*old.tags, *new.tags}):
        was, is_ = old.tags.get(name), new.tags.get(name)
        if was != is_:
            what = (
                f"{source}.{name} is masked as {is_}" if is_ else f"{source}.{name} is not masked"
            )
            note = f" any more (was {was})" if was and not is_ else f" (was {was})" if was else ""
            yield Meaning(effect="loses" if is_ else "gains", people=(), what=what + note)
        if catalog is not None and is_ and catalog.unknown_tags({name: is_}):
            what = f"{source}.{name} is tagged and does not exist: the source cannot be used"
            yield Meaning(effect="loses", people=(), what=what)
    for name in sorted({*old.free_text} ^ {*new.free_text}):
        more = name in new.free_text
        word = "is searched for personal data as prose" if more else "is no prose any more"
        yield Meaning(
            effect="loses" if more else "gains", people=(), what=f"{source}.{name} {word}"
        )


def _settings(
    where: str, old: Mapping[str, object], new: Mapping[str, object]
) -> Iterable[Meaning]:
    """The keys whose values differ, by their dotted names."""
    for key in dict.fromkeys([*old, *new]):
        name = f"{where}.{key}" if where else key
        was, is_ = old.get(key), new.get(key)
        if isinstance(was, Mapping) and isinstance(is_, Mapping):
            yield from _settings(name, was, is_)
        elif was != is_:
            yield Meaning(effect="changes", people=(), what=f"{name}: {_told(was)} to {_told(is_)}")


def _told(value: object) -> str:
    return "nothing" if value is None or value == [] else str(value)
