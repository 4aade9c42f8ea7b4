"""How each kind of expression passes on what its parts carry. A kind not listed is unknown."""

from __future__ import annotations

from enum import Enum

from sqlglot import exp


class Rule(Enum):
    """What a node does with the flows of its parts."""

    LEAF = "reads nothing"
    CARRY = "all parts arrive"
    COMPARE = "all parts show only by comparison"
    COUNT = "nothing arrives"
    OWN = "has a rule of its own"
    UNKNOWN = "cannot be followed"


_LEAF = (
    exp.BitString,
    exp.Boolean,
    exp.ByteString,
    exp.CharacterSet,
    exp.DataType,
    exp.Heredoc,
    exp.HexString,
    exp.Identifier,
    exp.IntervalSpan,
    exp.JSONPath,
    exp.Literal,
    exp.National,
    exp.Null,
    exp.OnCondition,
    exp.OverflowTruncateBehavior,
    exp.RawString,
    exp.UnicodeString,
    exp.Var,
    exp.WindowSpec,
)

_CARRY = (
    exp.Alias,
    exp.AtIndex,
    exp.AtTimeZone,
    exp.Binary,
    exp.Bracket,
    exp.Distinct,
    exp.FormatJson,
    exp.FromTimeZone,
    exp.Func,
    exp.IgnoreNulls,
    exp.Interval,
    exp.Introducer,
    exp.JSON,
    exp.JSONKeyValue,
    exp.JSONValue,
    exp.Ordered,
    exp.RespectNulls,
    exp.Slice,
    exp.TranslateCharacters,
    exp.Tuple,
    exp.Unary,
    exp.Variadic,
    exp.WithinGroup,
)

# Booleans that sqlglot does not class as predicates.
_COMPARE = (
    exp.Connector,
    exp.Contains,
    exp.EndsWith,
    exp.Not,
    exp.Predicate,
    exp.StartsWith,
)

_COUNT = (
    exp.ApproxDistinct,
    exp.Count,
    exp.CountIf,
    exp.Grouping,
    exp.GroupingId,
    exp.RegrCount,
)

_OWN = (
    exp.All,
    exp.Anonymous,
    exp.AnonymousAggFunc,
    exp.Any,
    exp.Case,
    exp.Cast,
    exp.Collate,
    exp.Column,
    exp.Comprehension,
    exp.Dot,
    exp.Exists,
    exp.Filter,
    exp.HavingMax,
    exp.If,
    exp.In,
    exp.Kwarg,
    exp.Lambda,
    exp.Order,
    exp.PropertyEQ,
    exp.Query,
    exp.Star,
    exp.Values,
    exp.Window,
)

# Calls that read more than their arguments, or make several columns of them.
_UNKNOWN_PREFIXES = ("AI", "Generate", "ML", "Read", "Seq")
_UNKNOWN = (
    exp.Columns,
    exp.DynamicIdentifier,
    exp.FeaturesAtTime,
    exp.GapFill,
    exp.HashAgg,
    exp.Inline,
    exp.NetFunc,
    exp.NextValueFor,
    exp.OpenJSON,
    exp.Operator,
    exp.Predict,
    exp.Pseudocolumn,
    exp.Secret,
    exp.Stack,
    exp.StarMap,
    exp.ToFile,
    exp.VectorSearch,
    exp.XMLTable,
)
_SERIES = (exp.GenerateSeries, exp.GenerateDateArray, exp.GenerateTimestampArray)


_known: dict[type, Rule] = {}


def rule_of(node: exp.Expr) -> Rule:
    """Returns the rule for a node."""
    kind = type(node)
    rule = _known.get(kind)
    if rule is None:
        rule = _known[kind] = _rule_of(kind)
    return rule


def _rule_of(kind: type) -> Rule:
    if issubclass(kind, _UNKNOWN) or _foreign(kind):
        return Rule.UNKNOWN
    listed = (
        (_OWN, Rule.OWN),
        (_COUNT, Rule.COUNT),
        (_COMPARE, Rule.COMPARE),
        (_CARRY, Rule.CARRY),
        (_LEAF, Rule.LEAF),
    )
    return next((rule for kinds, rule in listed if issubclass(kind, kinds)), Rule.UNKNOWN)


def _foreign(kind: type) -> bool:
    named = issubclass(kind, exp.Func) and kind.__name__.startswith(_UNKNOWN_PREFIXES)
    return named and not issubclass(kind, _SERIES)
