"""Frame -> SQL text and the columns of its result."""

from __future__ import annotations

from dataclasses import dataclass, replace

from agent.planner.answers import ChartHint
from agent.planner.columns import (
    Columns,
    Grouped,
    add_groups,
    add_keys,
    column_name,
    grain_name,
    group_columns,
    indented,
    labels_of,
    number_name,
)
from agent.planner.frame import (
    Condition,
    Counted,
    Frame,
    InPeriod,
    Number,
    Ref,
    TimeGroup,
)
from agent.planner.level import Aliases, Level, flat
from agent.planner.schema import Field
from agent.planner.timegrammar import Grain, floor
from agent.planner.vocabulary import Vocabulary


@dataclass(frozen=True)
class Compiled:
    """A statement and a picture of its result, if one helps."""

    sql: str
    chart: ChartHint | None


def compile_frame(frame: Frame, vocabulary: Vocabulary) -> Compiled:
    """Returns the statement for a frame."""
    level = Level(frame.base, vocabulary, Aliases())
    if not frame.numbers:
        return Compiled(_rows(frame, level), None)
    if frame.transform == "growth":
        return _growth(frame, vocabulary)
    if frame.transform == "average":
        return Compiled(_average(frame, level), None)
    return _numbers(frame, level)


def compile_number(frame: Frame, vocabulary: Vocabulary, aliases: Aliases) -> str:
    """Returns the statement of a frame with one number and no groups, on one line."""
    level = Level(frame.base, vocabulary, aliases)
    conditions, rest = _split_where(frame)
    where = level.where(conditions)
    number = frame.numbers[0]
    value = level.number(number, rest[id(number)])
    return flat(_clauses(f"SELECT {value}", level, where))


def _clauses(select: str, level: Level, where: list[str], *more: str) -> str:
    parts = [select, level.source()]
    if where:
        parts.append("WHERE " + "\n  AND ".join(where))
    return "\n".join([*parts, *(m for m in more if m)])


def _rows(frame: Frame, level: Level) -> str:
    for path in frame.left_join:
        level.alias(path, left=True)
    where = level.where(frame.conditions)
    columns = Columns()
    for ref in frame.shown:
        columns.add(level.column(ref), column_name(ref), level)
    for condition in frame.conditions:
        if isinstance(condition, Counted) and not frame.distinct:
            _count_column(condition, columns, level)
    if frame.order is not None and frame.order.partition:
        return _rows_by_group(frame, level, columns, where)
    word = "SELECT DISTINCT" if frame.distinct else "SELECT"
    limit = f"LIMIT {frame.order.count}" if frame.order and frame.order.count else ""
    return _clauses(
        f"{word} {', '.join(columns.texts)}", level, where, _row_order(frame, level), limit
    )


def _count_column(condition: Counted, columns: Columns, level: Level) -> None:
    total = level.counts[id(condition)]
    name = number_name(condition.number)
    columns.add(f"COALESCE({total}, 0)", name, level)


def _row_order(frame: Frame, level: Level) -> str:
    if frame.distinct:
        return f"ORDER BY {level.column(frame.shown[0])}"
    if frame.order is None or not isinstance(frame.order.by, Ref):
        keys = _keys(frame, level)
        return f"ORDER BY {', '.join(keys)}" if keys else ""
    return "ORDER BY " + ", ".join(_ordered(frame, level))


def _ordered(frame: Frame, level: Level) -> list[str]:
    if frame.order is None or not isinstance(frame.order.by, Ref):
        return _keys(frame, level)
    direction = " DESC" if frame.order.descending else ""
    first = level.column(frame.order.by)
    return [first + direction, *(k for k in _keys(frame, level) if k != first)]


def _keys(frame: Frame, level: Level) -> list[str]:
    table = level.vocabulary.table(frame.base)
    return [level.column(Ref((), Field(frame.base, k))) for k in table.primary_key]


def _rows_by_group(frame: Frame, level: Level, columns: Columns, where: list[str]) -> str:
    """The first rows of each group, by a row number inside a derived table."""
    order = frame.order
    if order is None:
        return ""
    names = []
    partition = []
    for group in frame.groups:
        for expression, name in group_columns(group, level):
            partition.append(expression)
            if expression.rpartition(".")[2] in columns.names:
                names.append(expression.rpartition(".")[2])
                continue
            names.append(columns.add(expression, name, level))
        for expression, name, _ in labels_of(group, level):
            columns.add(expression, name, level)
    window = f"PARTITION BY {', '.join(partition)} ORDER BY {', '.join(_ordered(frame, level))}"
    inner = Columns([*columns.texts], [*columns.names])
    inner.add(f"ROW_NUMBER() OVER ({window})", "position", level)
    body = _clauses(f"SELECT {', '.join(inner.texts)}", level, where)
    shown = ", ".join(f"ranked.{level.sql.name(n)}" for n in columns.names)
    by = ", ".join(f"ranked.{level.sql.name(n)}" for n in names)
    return (
        f"SELECT {shown}, ranked.position\nFROM (\n{indented(body)}\n) AS ranked\n"
        f"WHERE ranked.position <= {order.count}\nORDER BY {by}, ranked.position"
    )


def _split_where(frame: Frame) -> tuple[tuple[Condition, ...], dict[int, tuple[Condition, ...]]]:
    """What all numbers share goes into WHERE, the rest into a CASE of each number."""
    numbers = [*frame.numbers, *(n for n, _ in frame.having)]
    shared = [c for c in numbers[0].where if all(c in n.where for n in numbers)]
    rest = {id(n): tuple(c for c in n.where if c not in shared) for n in numbers}
    return (*frame.conditions, *shared), rest


def _numbers(frame: Frame, level: Level) -> Compiled:
    conditions, rest = _split_where(frame)
    where = level.where(conditions)
    columns = Columns()
    grouped = add_groups(frame.groups, columns, level)
    values: list[str] = []
    for number in frame.numbers:
        expression = level.number(number, rest[id(number)])
        values.append(expression)
        columns.add(expression, number_name(number), level)
    _transformed(frame, level, columns, grouped, values)
    having = [level.bound(level.number(n, rest[id(n)]), b) for n, b in frame.having]
    group_by = f"GROUP BY {', '.join(grouped.by)}" if grouped.by else ""
    having_text = f"HAVING {' AND '.join(having)}" if having else ""
    select = f"SELECT {', '.join(columns.texts)}"
    if frame.order is not None and frame.order.partition:
        sql = _top_by_group(frame, level, columns, (where, group_by, having_text))
    else:
        order = _number_order(frame, columns, grouped, level)
        sql = _clauses(select, level, where, group_by, having_text, *order)
    return Compiled(sql, _chart(frame, columns, grouped))


def _transformed(
    frame: Frame, level: Level, columns: Columns, grouped: Grouped, values: list[str]
) -> None:
    value = values[0]
    if frame.transform == "share":
        columns.add(f"100.0 * {value} / SUM({value}) OVER ()", "share_percent", level)
    elif frame.transform == "part":
        number = frame.numbers[0]
        part = level.number(number, (*frame.part,))
        columns.add(part, f"part_of_{number_name(number)}", level)
        columns.add(f"100.0 * {part} / NULLIF({value}, 0)", "percent", level)
    elif frame.transform == "running":
        time = [g for g in frame.groups if isinstance(g, TimeGroup)]
        order = [e for g in time for e, _ in group_columns(g, level)]
        others = [k for k in grouped.keys if k not in order]
        partition = f"PARTITION BY {', '.join(others)} " if others else ""
        window = f"SUM({value}) OVER ({partition}ORDER BY {', '.join(order)})"
        columns.add(window, "running_total", level)


def _number_order(
    frame: Frame, columns: Columns, grouped: Grouped, level: Level
) -> tuple[str, ...]:
    if not grouped.by:
        return ()
    if frame.order is None or not isinstance(frame.order.by, Number):
        if any(isinstance(g, TimeGroup) for g in frame.groups):
            return (f"ORDER BY {', '.join(grouped.keys)}",)
        first = level.sql.name(number_name(frame.numbers[0]))
        return (f"ORDER BY {first} DESC, {', '.join(grouped.keys)}",)
    position = frame.numbers.index(frame.order.by)
    name = level.sql.name(columns.names[len(grouped.names) + position])
    direction = " DESC" if frame.order.descending else ""
    order = f"ORDER BY {name}{direction}, {', '.join(grouped.keys)}"
    return (order, f"LIMIT {frame.order.count}") if frame.order.count else (order,)


def _top_by_group(
    frame: Frame, level: Level, columns: Columns, body: tuple[list[str], str, str]
) -> str:
    order = frame.order
    if order is None or not isinstance(order.by, Number):
        return ""
    where, group_by, having = body
    partition = [e for g in frame.groups[: order.partition] for e, _ in group_columns(g, level)]
    rest = [e for g in frame.groups[order.partition :] for e, _ in group_columns(g, level)]
    value = level.number(order.by)
    direction = " DESC" if order.descending else ""
    window = f"PARTITION BY {', '.join(partition)} ORDER BY {', '.join([value + direction, *rest])}"
    inner = Columns([*columns.texts], [*columns.names])
    inner.add(f"ROW_NUMBER() OVER ({window})", "position", level)
    text = _clauses(f"SELECT {', '.join(inner.texts)}", level, where, group_by, having)
    shown = ", ".join(f"ranked.{level.sql.name(n)}" for n in inner.names)
    first = level.sql.name(columns.names[0])
    return (
        f"SELECT {shown}\nFROM (\n{indented(text)}\n) AS ranked\n"
        f"WHERE ranked.position <= {order.count}\nORDER BY ranked.{first}, ranked.position"
    )


def _average(frame: Frame, level: Level) -> str:
    """The number for each group inside, their average outside."""
    conditions, rest = _split_where(frame)
    where = level.where(conditions)
    columns = Columns()
    outer = add_groups(frame.groups[: -frame.inner], columns, level)
    inner = add_keys(frame.groups[-frame.inner :], columns, level)
    number = frame.numbers[0]
    name = columns.add(level.number(number, rest[id(number)]), number_name(number), level)
    by = ", ".join([*outer.by, *inner])
    text = _clauses(f"SELECT {', '.join(columns.texts)}", level, where, f"GROUP BY {by}")
    shown = [f"per_group.{level.sql.name(n)}" for n in outer.names]
    value = f"AVG(per_group.{level.sql.name(name)}) AS {level.sql.name('average_' + name)}"
    tail = f"\nGROUP BY {', '.join(shown)}\nORDER BY {', '.join(shown)}" if shown else ""
    return f"SELECT {', '.join([*shown, value])}\nFROM (\n{indented(text)}\n) AS per_group{tail}"


def _growth(frame: Frame, vocabulary: Vocabulary) -> Compiled:
    """Each calendar unit beside the one before, which may lie outside the period asked for."""
    group = frame.groups[0]
    if not isinstance(group, TimeGroup):
        raise TypeError(group)
    periods = [c for c in frame.conditions if isinstance(c, InPeriod) and c.ref == group.ref]
    kept = tuple(c for c in frame.conditions if c not in periods)
    level = Level(frame.base, vocabulary, Aliases())
    sql = level.sql
    conditions, rest = _split_where(replace(frame, conditions=kept))
    where = level.where(conditions)
    start = sql.floor(level.column(group.ref), group.grain)
    number = frame.numbers[0]
    value = level.number(number, rest[id(number)])
    inner = _clauses(
        f"SELECT {start} AS period_start, {value} AS total", level, where, f"GROUP BY {start}"
    )
    shown = sql.label("this_period.period_start", group.grain)
    name = sql.name(number_name(number))
    change = "100.0 * (this_period.total - previous.total) / NULLIF(previous.total, 0)"
    select = (
        f"SELECT {shown} AS {sql.name(grain_name(group))}, this_period.total AS {name}, "
        f"previous.total AS previous_{number_name(number)}, {change} AS growth_percent"
    )
    joined = (
        "FROM periods AS this_period\n  JOIN periods AS previous ON previous.period_start = "
        + sql.before("this_period.period_start", group.grain)
    )
    limits = [_outer_period(p, group.grain, level) for p in periods]
    tail = ["WHERE " + "\n  AND ".join(limits)] if limits else []
    lines = [
        f"WITH periods AS (\n{indented(inner)}\n)",
        select,
        joined,
        *tail,
        "ORDER BY this_period.period_start",
    ]
    chart = ChartHint(kind="line", x=grain_name(group), y="growth_percent")
    return Compiled("\n".join(lines), chart)


def _outer_period(condition: InPeriod, grain: Grain, level: Level) -> str:
    ranges = []
    for period in condition.periods:
        ends = []
        if period.start:
            ends.append(f"this_period.period_start >= {level.sql.day(floor(period.start, grain))}")
        if period.end:
            ends.append(f"this_period.period_start < {level.sql.day(period.end)}")
        ranges.append(" AND ".join(ends))
    return ranges[0] if len(ranges) == 1 else "(" + " OR ".join(f"({r})" for r in ranges) + ")"


def _chart(frame: Frame, columns: Columns, grouped: Grouped) -> ChartHint | None:
    """A line over time, bars over groups; none for a single number."""
    if not frame.groups or len(frame.groups) > 2:
        return None
    time = [n for n, g in enumerate(frame.groups) if isinstance(g, TimeGroup)]
    offset = len(grouped.names)
    y = columns.names[offset]
    if frame.transform in {"share", "running", "part"}:
        y = columns.names[-1]
    if len(frame.groups) == 1:
        shown = grouped.names[-1] if not time else grouped.names[0]
        return ChartHint(kind="line" if time else "bar", x=shown, y=y)
    if len(grouped.names) != 2 or len(time) > 1:
        return None
    x = grouped.names[time[0]] if time else grouped.names[0]
    series = next(n for n in grouped.names if n != x)
    return ChartHint(kind="line" if time else "bar", x=x, y=y, series=series)
