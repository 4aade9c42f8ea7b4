"""Random queries over a small SQLite schema, wilder than people write them."""

from __future__ import annotations

import random

TABLES = {
    "people": ["id", "name", "email", "ssn"],
    "sales": ["id", "person_id", "amount", "status"],
    "items": ["id", "sale_id", "sku"],
}
VIEWS = {
    "contacts": (["pid", "label"], "SELECT id, name || email FROM people WHERE ssn IS NOT NULL"),
    "spent": (
        ["pid", "total"],
        "SELECT p.id, s.amount FROM people p LEFT JOIN sales s ON s.person_id = p.id",
    ),
}
COLUMNS = {**TABLES, **{name: columns for name, (columns, _) in VIEWS.items()}}

Relation = tuple[str, list[str]]
Scopes = list[list[Relation]]
Ctes = dict[str, list[str]]


class Writer:
    """Writes queries; `dice` decides everything. Most of them are valid, the engine knows which."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.names = 0

    def query(self, depth: int = 0, outer: Scopes | None = None, ctes: Ctes | None = None) -> str:
        """Returns a whole query."""
        return self._query(depth, outer or [], ctes or {})[0]

    def _chance(self, share: float) -> bool:
        return self.dice.random() < share

    def _name(self) -> str:
        self.names += 1
        return f"r{self.names}"

    def _query(self, depth: int, outer: Scopes, ctes: Ctes) -> tuple[str, list[str]]:
        ctes, with_ = dict(ctes), ""
        if depth < 3 and self._chance(0.2):
            with_ = self._with(depth, ctes)
        sql, columns, scopes = self._select(depth, outer, ctes)
        named = [c for c in columns if c]
        if self._chance(0.15):
            other, _, _ = self._select(depth, outer, ctes, width=len(columns))
            verb = self.dice.choice(["UNION", "UNION ALL", "EXCEPT", "INTERSECT"])
            sql = f"{sql} {verb} {other}"
            scopes = []
        if self._chance(0.35):
            choices = ["1", f"{len(columns)}", *named]
            if scopes:
                choices += ["(1)", self._value(depth, scopes, ctes)]
            sql = f"{sql} ORDER BY {self.dice.choice(choices)}"
        if self._chance(0.1):
            bound = f"({self._query(depth + 1, [], ctes)[0]} LIMIT 1)" if depth < 2 else "2"
            sql = f"{sql} LIMIT {self.dice.choice(['1', bound])}"
        return with_ + sql, columns

    def _with(self, depth: int, ctes: Ctes) -> str:
        body, columns = self._query(depth + 1, [], ctes)
        name = self.dice.choice([self._name(), "people", "items", "q"])
        if name in body:
            name = self._name()
        head = name
        if self._chance(0.3):
            columns = [f"k{n}" for n in range(len(columns))]
            head = f"{name}({', '.join(columns)})"
        ctes[name] = columns
        return f"WITH {'RECURSIVE ' if self._chance(0.2) else ''}{head} AS ({body}) "

    def _select(
        self, depth: int, outer: Scopes, ctes: Ctes, width: int | None = None
    ) -> tuple[str, list[str], Scopes]:
        relations, source = self._from(depth, ctes)
        scopes = [relations, *outer] if relations else outer
        outputs, columns = [], []
        for _ in range(width or self.dice.choice([1, 1, 2, 2, 3])):
            if relations and width is None and self._chance(0.15):
                name, known = self.dice.choice(relations)
                whole = self._chance(0.5)
                outputs.append("*" if whole else f"{name}.*")
                columns += [c for _, all_ in relations for c in all_] if whole else known
                continue
            value, alias = self._value(depth, scopes, ctes), ""
            if self._chance(0.5):
                alias = self.dice.choice(["x", "y", "name", "id", "ssn", "z"])
                value = f"{value} AS {alias}"
            outputs.append(value)
            columns.append(alias)
        distinct = "DISTINCT " if self._chance(0.15) else ""
        sql = f"SELECT {distinct}{', '.join(outputs)}{source}"
        if relations:
            sql += self._tail(depth, scopes, ctes, columns)
        return sql, columns, scopes

    def _tail(self, depth: int, scopes: Scopes, ctes: Ctes, columns: list[str]) -> str:
        sql = f" WHERE {self._value(depth, scopes, ctes)}" if self._chance(0.4) else ""
        if self._chance(0.2):
            named = [c for c in columns if c]
            key = self.dice.choice(["1", self._value(depth, scopes, ctes), *named])
            sql += f" GROUP BY {key}"
            if self._chance(0.5):
                sql += f" HAVING {self._value(depth, scopes, ctes)}"
        return sql

    def _from(self, depth: int, ctes: Ctes) -> tuple[list[Relation], str]:
        relations: list[Relation] = []
        source = ""
        for _ in range(self.dice.choice([0, 1, 1, 1, 2, 2, 3]) if depth < 3 else 1):
            sql, name, columns = self._relation(depth, ctes)
            if any(name == known for known, _ in relations):
                continue
            relation = (name, [c for c in columns if c])
            source += (
                f" FROM {sql}" if not relations else self._join(depth, relations, relation, sql)
            )
            relations.append(relation)
        return relations, source

    def _relation(self, depth: int, ctes: Ctes) -> tuple[str, str, list[str]]:
        shape = self.dice.random()
        alias = self._name()
        if shape < 0.7 or depth > 2:
            table = self.dice.choice([*COLUMNS, *COLUMNS, *ctes, *ctes, *ctes])
            columns = ctes[table] if table in ctes else COLUMNS[table]
            return (f"{table} AS {alias}", alias, columns) if self._chance(0.5) else (
                table, table, columns
            )  # fmt: skip
        if shape < 0.93:
            body, columns = self._query(depth + 1, [], ctes)
            return f"({body}) AS {alias}", alias, columns
        return f"(VALUES (1, 2)) AS {alias}", alias, ["column1", "column2"]

    def _join(self, depth: int, left: list[Relation], right: Relation, sql: str) -> str:
        kind = self.dice.choice([",", " JOIN", " LEFT JOIN", " NATURAL JOIN", " CROSS JOIN"])
        if kind not in (" JOIN", " LEFT JOIN"):
            return f"{kind} {sql}"
        shared = [c for c in right[1] if any(c in columns for _, columns in left)]
        if shared and self._chance(0.3):
            return f"{kind} {sql} USING ({self.dice.choice(shared)})"
        return f"{kind} {sql} ON {self._value(depth + 1, [[*left, right]], {})}"

    def _column(self, scopes: Scopes) -> str:
        known = [r for r in self.dice.choice([*scopes[:1] * 3, *scopes]) if r[1]] if scopes else []
        if not known:
            return "1"
        name, columns = self.dice.choice(known)
        column = self.dice.choice(columns)
        return f"{name}.{column}" if self._chance(0.6) else column

    def _value(self, depth: int, scopes: Scopes, ctes: Ctes) -> str:
        shape = self.dice.random()
        if depth > 3:
            shape = min(shape, 0.59)
        if shape < 0.5:
            return self._column(scopes)
        if shape < 0.6:
            return self.dice.choice(["1", "'x'", "NULL"])
        return self._compound(depth + 1, scopes, ctes)

    def _compound(self, depth: int, scopes: Scopes, ctes: Ctes) -> str:
        def value() -> str:
            return self._value(depth, scopes, ctes)

        table = self.dice.choice([*COLUMNS])
        return self.dice.choice(
            [
                lambda: f"{self.dice.choice(['upper', 'length', 'max', 'count'])}({value()})",
                lambda: f"({value()} {self.dice.choice(['+', '||', '=', '<', 'IS'])} {value()})",
                lambda: f"({value()} {self.dice.choice(['AND', 'OR', 'LIKE'])} {value()})",
                lambda: f"CASE WHEN {value()} THEN {value()} ELSE {value()} END",
                lambda: f"({self._query(depth, scopes, ctes)[0]})",
                lambda: f"({value()} IN (SELECT {value()} FROM {table}))",
                lambda: f"EXISTS ({self._query(depth, scopes, ctes)[0]})",
                lambda: f"(SELECT max({self._column(scopes)}) FROM {table})",
                lambda: f"({self._column(scopes)} IN (1, 2))",
                lambda: f"(NOT {self._column(scopes)} = 'x')",
                lambda: f"CAST({value()} AS TEXT)",
                lambda: f"row_number() OVER (PARTITION BY {value()} ORDER BY {value()})",
                lambda: f"sum({value()}) FILTER (WHERE {value()})",
            ]
        )()
