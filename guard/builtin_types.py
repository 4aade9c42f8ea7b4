"""PostgreSQL's own types. A cast to any other may run a function: a check or a conversion."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from guard.errors import Refusal
from guard.lexical import words

_BUILT_IN = words(
    "bit bool box bpchar bytea char cid cidr circle cstring date datemultirange daterange "
    "float4 float8 gtsvector inet int2 int2vector int4 int4multirange int4range int8 "
    "int8multirange int8range interval json jsonb jsonpath line lseg macaddr macaddr8 money name "
    "numeric nummultirange numrange oid oidvector path pg_lsn pg_node_tree pg_snapshot point "
    "polygon record refcursor text tid time timestamp timestamptz timetz "
    "tsmultirange tsquery tsrange tstzmultirange tstzrange tsvector txid_snapshot unknown uuid "
    "varbit varchar void xid xid8 xml"
)
"""`pg_type` in `pg_catalog` of PostgreSQL 15, without the pseudo-types of function headers."""

_LOOK_UP = words(
    "aclitem regclass regcollation regconfig regdictionary regnamespace regoper regoperator "
    "regproc regprocedure regrole regtype"
)
"""Types whose values are written as names from the catalog: `16400::regclass` as a table's."""

_SPELLED = words(
    "ARRAY BIGINT BIGSERIAL BIT BOOLEAN BPCHAR CHAR DATE DATEMULTIRANGE DATERANGE DECIMAL DOUBLE "
    "FLOAT INET INT INT4MULTIRANGE INT4RANGE INT8MULTIRANGE INT8RANGE INTERVAL JSON JSONB MONEY "
    "NAME NULL NUMMULTIRANGE NUMRANGE POINT SERIAL SMALLINT SMALLSERIAL TEXT TIME TIMESTAMP "
    "TIMESTAMPTZ TIMETZ TSMULTIRANGE TSRANGE TSTZMULTIRANGE TSTZRANGE UNKNOWN UUID VARBINARY "
    "VARCHAR XML"
)
"""What the parser calls the types it knows and PostgreSQL has."""


def check_type(node: exp.DataType | exp.ObjectIdentifier) -> Iterator[Refusal]:
    """Yields why a type is not one of the server's own, or tells about the database."""
    kind = node.this
    if isinstance(node, exp.ObjectIdentifier):
        name = str(kind)
        known = name.lower() in _BUILT_IN
    elif kind == exp.DType.USERDEFINED:
        known, name = _named(node.args.get("kind"))
    else:
        name = kind.name if isinstance(kind, exp.DType) else ""
        known = name in _SPELLED or isinstance(kind, exp.Interval)
    if name.lower().rpartition(".")[2] in _LOOK_UP:
        yield Refusal(
            rule="type.introspects",
            reason=f"Values of the type {name} are names from all of the database, beyond the "
            "tables you can read.",
            part=name,
            alternative="Use the list of tables and columns of this source.",
        )
    elif not known:
        yield Refusal(
            rule="type.unknown",
            reason=f"The type {name} is not one of the server's own, so a cast to it is refused.",
            part=name,
        )


def _named(kind: object) -> tuple[bool, str]:
    if not isinstance(kind, exp.Expr):
        return False, str(kind or "")
    parts = [i.name for i in kind.find_all(exp.Identifier)]
    name = ".".join(parts)
    if len(parts) == 2 and parts[0] == "pg_catalog":
        parts = parts[1:]
    return len(parts) == 1 and parts[0].lower() in _BUILT_IN, name
