"""How the parser's nodes are called in the allow-list, and which of their parts are arguments, in which order."""

from __future__ import annotations

from sqlglot import exp

from dialect.catalog import SqlType

_UNARY = ("this",)
_BINARY = ("this", "expression")
_MANY = ("this", "expressions")

# node class -> (name in the allow-list, argument slots in order)
SPELLINGS: dict[type[exp.Expr], tuple[str, tuple[str, ...]]] = {
    exp.And: ("and", _BINARY),
    exp.Or: ("or", _BINARY),
    exp.Not: ("not", _UNARY),
    exp.EQ: ("=", _BINARY),
    exp.NEQ: ("<>", _BINARY),
    exp.LT: ("<", _BINARY),
    exp.LTE: ("<=", _BINARY),
    exp.GT: (">", _BINARY),
    exp.GTE: (">=", _BINARY),
    exp.NullSafeEQ: ("is not distinct from", _BINARY),
    exp.NullSafeNEQ: ("is distinct from", _BINARY),
    exp.Add: ("+", _BINARY),
    exp.Sub: ("-", _BINARY),
    exp.Mul: ("*", _BINARY),
    exp.Div: ("/", _BINARY),
    exp.IntDiv: ("//", _BINARY),
    exp.Mod: ("%", _BINARY),
    exp.Neg: ("negative", _UNARY),
    exp.Abs: ("abs", _UNARY),
    exp.Sign: ("sign", _UNARY),
    exp.Round: ("round", ("this", "decimals")),
    exp.Floor: ("floor", _UNARY),
    exp.Ceil: ("ceil", _UNARY),
    exp.Trunc: ("trunc", _UNARY),
    exp.Sqrt: ("sqrt", _UNARY),
    exp.Exp: ("exp", _UNARY),
    exp.Ln: ("ln", _UNARY),
    exp.Pow: ("pow", _BINARY),
    exp.Sin: ("sin", _UNARY),
    exp.Cos: ("cos", _UNARY),
    exp.Asin: ("asin", _UNARY),
    exp.Acos: ("acos", _UNARY),
    exp.Atan: ("atan", _UNARY),
    exp.Atan2: ("atan2", _BINARY),
    exp.Radians: ("radians", _UNARY),
    exp.Degrees: ("degrees", _UNARY),
    exp.Pi: ("pi", ()),
    exp.Least: ("least", _MANY),
    exp.Greatest: ("greatest", _MANY),
    exp.Coalesce: ("coalesce", _MANY),
    exp.Nullif: ("nullif", _BINARY),
    exp.DPipe: ("||", _BINARY),
    exp.Concat: ("concat", ("expressions",)),
    exp.Lower: ("lower", _UNARY),
    exp.Upper: ("upper", _UNARY),
    exp.Trim: ("trim", _BINARY),
    exp.Length: ("length", _UNARY),
    exp.Substring: ("substr", ("this", "start", "length")),
    exp.Left: ("left", _BINARY),
    exp.Right: ("right", _BINARY),
    exp.StartsWith: ("starts_with", _BINARY),
    exp.Contains: ("contains", _BINARY),
    exp.ArrayContains: ("list_contains", _BINARY),
    exp.Year: ("year", _UNARY),
    exp.Quarter: ("quarter", _UNARY),
    exp.Month: ("month", _UNARY),
    exp.Week: ("week", _UNARY),
    exp.WeekOfYear: ("week", _UNARY),
    exp.Day: ("day", _UNARY),
    exp.DayOfMonth: ("day", _UNARY),
    exp.DayOfYear: ("dayofyear", _UNARY),
    exp.DayOfWeek: ("dayofweek", _UNARY),
    exp.DayOfWeekIso: ("isodow", _UNARY),
    exp.Hour: ("hour", _UNARY),
    exp.Minute: ("minute", _UNARY),
    exp.Second: ("second", _UNARY),
    exp.Dayname: ("dayname", _UNARY),
    exp.Monthname: ("monthname", _UNARY),
    exp.TimeToUnix: ("epoch", _UNARY),
}

# what the parser itself sets on a node, and what DuckDB means by the node anyway
IMPLIED: dict[type[exp.Expr], tuple[str, ...]] = {
    exp.Concat: ("safe", "coalesce"),  # concat leaves NULLs out
    exp.DPipe: ("safe",),
    exp.Least: ("ignore_nulls",),
    exp.Greatest: ("ignore_nulls",),
    exp.DateDiff: ("date_part_boundary",),  # boundaries crossed, not whole units
    exp.Literal: ("is_string", "_type"),
}

PARTS = {
    **{part: part for part in ("year", "quarter", "month", "week", "day", "hour", "minute", "second", "epoch")},
    **dict.fromkeys(("doy", "dayofyear"), "dayofyear"),
    **dict.fromkeys(("dow", "dayofweek", "weekday"), "dayofweek"),
    "isodow": "isodow",
}

ALIASES = {"weekday": "dayofweek", "power": "pow", "ceiling": "ceil", "prefix": "starts_with", "dayofmonth": "day"}

# type name -> (the dialect's type, the cast's name in the allow-list)
TYPES: dict[str, tuple[SqlType, str]] = {
    "BOOLEAN": (SqlType.BOOLEAN, "to_boolean"),
    "TINYINT": (SqlType.BIGINT, "to_tinyint"),
    "SMALLINT": (SqlType.BIGINT, "to_smallint"),
    "INT": (SqlType.BIGINT, "to_integer"),
    "BIGINT": (SqlType.BIGINT, "to_bigint"),
    "UTINYINT": (SqlType.BIGINT, "to_utinyint"),
    "USMALLINT": (SqlType.BIGINT, "to_usmallint"),
    "UINT": (SqlType.BIGINT, "to_uinteger"),
    "UBIGINT": (SqlType.BIGINT, "to_ubigint"),
    "FLOAT": (SqlType.DOUBLE, "to_float"),
    "DOUBLE": (SqlType.DOUBLE, "to_double"),
    "TEXT": (SqlType.VARCHAR, "to_varchar"),
    "VARCHAR": (SqlType.VARCHAR, "to_varchar"),
    "DATE": (SqlType.DATE, "to_date"),
    "TIME": (SqlType.TIME, "to_time"),  # of constants only
    "TIMESTAMP": (SqlType.TIMESTAMP, "to_timestamp"),
    "TIMESTAMPNTZ": (SqlType.TIMESTAMP, "to_timestamp"),
    "DATETIME": (SqlType.TIMESTAMP, "to_timestamp"),
}
