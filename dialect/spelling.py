"""How the parser's nodes are called in the allow-list, and which of their parts are arguments, in which order."""

from __future__ import annotations

from sqlglot import exp

from dialect.catalog import SqlType

# node class -> (name in the allow-list, argument slots in order)
_UNARY = ("this",)
_BINARY = ("this", "expression")

SPELLINGS: dict[type[exp.Expression], tuple[str, tuple[str, ...]]] = {
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
    exp.Least: ("least", ("this", "expressions")),
    exp.Greatest: ("greatest", ("this", "expressions")),
    exp.Coalesce: ("coalesce", ("this", "expressions")),
    exp.Nullif: ("nullif", _BINARY),
    exp.DPipe: ("||", _BINARY),
    exp.Concat: ("concat", ("expressions",)),
    exp.Lower: ("lower", _UNARY),
    exp.Upper: ("upper", _UNARY),
    exp.Trim: ("trim", _UNARY),
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
    exp.Day: ("day", _UNARY),
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

# parts that say nothing about the value in this dialect, set by the parser on its own
SILENT = {
    "ignore_nulls", "safe", "coalesce", "typed", "big_int", "_type", "date_part_boundary", "negate", "is_left_assoc",
}  # fmt: skip

PARTS = {
    "year": "year", "quarter": "quarter", "month": "month", "week": "week", "day": "day", "doy": "dayofyear",
    "dayofyear": "dayofyear", "dow": "dayofweek", "dayofweek": "dayofweek", "weekday": "dayofweek", "isodow": "isodow",
    "hour": "hour", "minute": "minute", "second": "second", "epoch": "epoch",
}  # fmt: skip

ALIASES = {"weekday": "dayofweek", "power": "pow", "ceiling": "ceil", "prefix": "starts_with"}

TYPES = {
    "BOOLEAN": SqlType.BOOLEAN,
    **dict.fromkeys(
        ("TINYINT", "SMALLINT", "INT", "BIGINT", "UTINYINT", "USMALLINT", "UINT", "UBIGINT"), SqlType.BIGINT
    ),
    **dict.fromkeys(("FLOAT", "DOUBLE", "DECIMAL"), SqlType.DOUBLE),
    **dict.fromkeys(("TEXT", "VARCHAR"), SqlType.VARCHAR),
    "DATE": SqlType.DATE,
    **dict.fromkeys(("TIMESTAMP", "TIMESTAMPNTZ", "DATETIME"), SqlType.TIMESTAMP),
}
