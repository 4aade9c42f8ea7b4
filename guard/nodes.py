"""Which kinds of syntax a read may consist of, and what effect the others have.

A class of the parser's tree that is named nowhere here is unknown, and a statement that holds one
is refused: a new version of the parser, or a corner of a dialect nobody looked at, does not widen
what the guard lets through.
"""

from __future__ import annotations

from typing import Final

from sqlglot import exp

from guard.access import Tier
from guard.lexical import words


def _classes(names: str) -> frozenset[type[exp.Expr]]:
    return frozenset(getattr(exp, name) for name in words(names))


PLAIN: Final = _classes(
    # queries and their clauses
    "Select Union Except Intersect Subquery Values From Join Where Group Having Qualify Order "
    "Ordered Limit Offset Fetch LimitOptions Distinct With TableAlias RecursiveWithSearch Lateral "
    "TableFromRows TableSample Cube Rollup GroupingSets Pivot PivotAny PivotAlias UnpivotColumns "
    "IndexTableHint Partition Window WindowSpec Filter WithinGroup IgnoreNulls RespectNulls "
    "HavingMax "
    # names, constants and types
    "Identifier Star Alias Aliases Literal Null Boolean Var Paren Tuple BitString HexString "
    "ByteString RawString UnicodeString National Introducer CharacterSet DataTypeParam "
    "ObjectIdentifier PseudoType Interval IntervalSpan IntervalOp PositionalColumn Placeholder "
    "ColumnDef "
    # operators
    "Add Sub Mul Div IntDiv Mod Neg EQ NEQ NullSafeEQ NullSafeNEQ GT GTE LT LTE Is Not Like ILike "
    "SimilarTo Glob Match Escape Between In Any All BitwiseAnd BitwiseOr BitwiseXor BitwiseNot "
    "BitwiseLeftShift BitwiseRightShift DPipe Distance DistanceNd Adjacent ExtendsLeft "
    "ExtendsRight Overlaps AtTimeZone FromTimeZone Bracket Slice Lambda Kwarg PropertyEQ "
    "Variadic "
    # JSON and XML as syntax
    "JSON JSONPath JSONPathFilter JSONPathKey JSONPathRecursive JSONPathRoot JSONPathScript "
    "JSONPathSelector JSONPathSlice JSONPathSubscript JSONPathUnion JSONPathWildcard JSONKeyValue "
    "JSONColumnDef JSONSchema JSONValue FormatJson OnCondition ColumnConstraint "
    "PathColumnConstraint DefaultColumnConstraint NotNullColumnConstraint "
    "OverflowTruncateBehavior"
)
"""Has no effect and needs no further look; what stands inside is looked at by itself."""

SYNTAX_CALLS: Final = _classes(
    "And Or Xor Cast TryCast Case If Array Struct Map ToMap List Exists Extract Ceil Chr Floor "
    "GroupConcat Initcap JSONArrayAgg JSONBExists JSONExtract JSONExtractScalar JSONBExtract "
    "JSONBExtractScalar JSONBContains JSONBContainsTopKey JSONBContainsAllTopKeys "
    "JSONBContainsAnyTopKeys JSONBDeleteAtPath JSONBPathExists JSONObject JSONObjectAgg JSONTable "
    "JSONArray Max Min ArgMax ArgMin AnyValue Normalize Overlay PercentileCont PercentileDisc "
    "Quantile ApproxQuantile StrPosition Substring Trim TsOrDsToDate TsOrDsToTimestamp "
    "TsOrDsToTime TsOrDsToDatetime WeightString XMLElement XMLTable Decode DecodeCase DateDiff "
    "DateAdd DateSub Concat CurrentDate CurrentTime CurrentTimestamp CurrentDatetime CurrentUser "
    "CurrentRole CurrentCatalog CurrentSchema SessionUser Localtime Localtimestamp UtcDate "
    "UtcTime UtcTimestamp RegexpLike RegexpILike ArrayContainsAll ArrayContainedBy ArrayOverlaps "
    "MatchAgainst StartsWith Pow Collate Explode Unnest Transform Columns StructExtract Abs Sqrt "
    "Cbrt Factorial Length"
)
"""Calls the parser makes of operators and of syntax, without a name of a function in the text."""

CHANGES: Final = _classes("Insert Update Delete Merge")
"""Statements that may become a change request."""

CHANGE_PARTS: Final = _classes("Schema Returning OnConflict Whens When")
"""Stand only in a change; a read that holds one is refused."""

EFFECTS: Final[dict[type[exp.Expr], Tier]] = {
    **dict.fromkeys(CHANGES | _classes("MultitableInserts"), "write"),
    **dict.fromkeys(
        _classes("Create Drop Alter AlterSession TruncateTable Comment Undrop Refresh"), "ddl"
    ),
    **dict.fromkeys(
        _classes(
            "Grant Revoke Copy Attach Detach Kill LoadData Analyze Install Export Put Get "
            "ListStage Cache Uncache Execute ExecuteSql Directory"
        ),
        "admin",
    ),
    **dict.fromkeys(
        _classes("Set Use Transaction Commit Rollback Lock LockingStatement Into Declare Block"),
        "session",
    ),
    exp.NextValueFor: "write",
}
"""What a class does wherever it stands."""

METADATA: Final = _classes("Describe Summarize Show Pragma")
"""Statements about the source itself; each has rules of its own in `guard.describing`."""

QUERIES: Final = _classes("Select Union Except Intersect Subquery Values Pivot")
"""Roots of a read."""

WORST_FIRST: Final[tuple[Tier, ...]] = ("unknown", "admin", "session", "ddl", "write", "read")

_VERBS: Final[dict[type[exp.Expr], str]] = {
    exp.TruncateTable: "truncate",
    exp.LoadData: "load",
    exp.Transaction: "begin",
    exp.Pivot: "select",
    exp.Union: "select",
    exp.Except: "select",
    exp.Intersect: "select",
    exp.Subquery: "select",
    exp.Values: "select",
}


def verb_of(tree: exp.Expr) -> str:
    """Returns the leading word of a statement, lower-case."""
    if isinstance(tree, exp.Describe) and tree.args.get("style") == "EXPLAIN":
        return "explain"
    return _VERBS.get(type(tree)) or type(tree).__name__.lower()
