"""AST node mapping: sqlglot node class -> function of the allow-list, and the node's parts that are its arguments."""

from __future__ import annotations

from sqlglot import exp

from dialect.catalog.model import SqlType

_UNARY = ("this",)
_BINARY = ("this", "expression")
_MANY = ("this", "expressions")

# node class -> (name in the allow-list, argument slots in order)
NODE_FUNCTIONS: dict[type[exp.Expr], tuple[str, tuple[str, ...]]] = {
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
    exp.Trunc: ("trunc", ("this", "decimals")),
    exp.BitwiseAnd: ("&", _BINARY),
    exp.BitwiseOr: ("|", _BINARY),
    exp.BitwiseXor: ("xor", _BINARY),
    exp.BitwiseLeftShift: ("<<", _BINARY),
    exp.BitwiseRightShift: (">>", _BINARY),
    exp.IsNan: ("isnan", _UNARY),
    exp.IsInf: ("isinf", _UNARY),
    exp.Cbrt: ("cbrt", _UNARY),
    exp.Tan: ("tan", _UNARY),
    exp.Cot: ("cot", _UNARY),
    exp.Sinh: ("sinh", _UNARY),
    exp.Cosh: ("cosh", _UNARY),
    exp.Tanh: ("tanh", _UNARY),
    exp.Asinh: ("asinh", _UNARY),
    exp.Acosh: ("acosh", _UNARY),
    exp.Atanh: ("atanh", _UNARY),
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
    exp.WidthBucket: ("width_bucket", ("this", "min_value", "max_value", "num_buckets")),
    exp.Least: ("least", _MANY),
    exp.Greatest: ("greatest", _MANY),
    exp.Coalesce: ("coalesce", _MANY),
    exp.Nullif: ("nullif", _BINARY),
    exp.DPipe: ("||", _BINARY),
    exp.Concat: ("concat", ("expressions",)),
    exp.Lower: ("lower", _UNARY),
    exp.Upper: ("upper", _UNARY),
    exp.ConcatWs: ("concat_ws", ("expressions",)),
    exp.Replace: ("replace", ("this", "expression", "replacement")),
    exp.Translate: ("translate", ("this", "from_", "to")),
    exp.Reverse: ("reverse", _UNARY),
    exp.StrPosition: ("strpos", ("this", "substr")),
    exp.SplitPart: ("split_part", ("this", "delimiter", "part_index")),
    exp.Split: ("string_split", _BINARY),
    exp.EndsWith: ("ends_with", _BINARY),
    exp.Ascii: ("ascii", _UNARY),
    exp.Unicode: ("unicode", _UNARY),
    exp.Glob: ("glob", _BINARY),
    exp.Levenshtein: ("levenshtein", _BINARY),
    exp.JarowinklerSimilarity: ("jaro_winkler_similarity", _BINARY),
    exp.ArraySize: ("length", _UNARY),
    exp.ArrayPosition: ("list_position", _BINARY),
    exp.ArrayMin: ("list_min", _UNARY),
    exp.ArrayMax: ("list_max", _UNARY),
    exp.ArrayToString: ("array_to_string", _BINARY),
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
    exp.LastDay: ("last_day", _UNARY),
    exp.DateFromParts: ("make_date", ("year", "month", "day")),
    exp.Date: ("to_date", _UNARY),
}

# parts that sqlglot always sets, with the meaning that the function has in DuckDB
IMPLIED_PARTS: dict[type[exp.Expr], tuple[str, ...]] = {
    exp.Concat: ("safe", "coalesce"),  # concat skips NULLs
    exp.ConcatWs: ("safe", "coalesce"),
    exp.DPipe: ("safe",),
    exp.Least: ("ignore_nulls",),
    exp.Greatest: ("ignore_nulls",),
    exp.DateDiff: ("date_part_boundary",),  # boundaries crossed, not whole units
    exp.Literal: ("is_string", "_type"),
}

# date part as written -> function of the allow-list
DATE_PARTS = {
    **{part: part for part in ("year", "quarter", "month", "week", "day", "hour", "minute", "second", "epoch")},
    **dict.fromkeys(("doy", "dayofyear"), "dayofyear"),
    **dict.fromkeys(("dow", "dayofweek", "weekday"), "dayofweek"),
    **{part: part for part in ("isodow", "isoyear", "yearweek", "julian", "millisecond", "microsecond")},
    **dict.fromkeys(("ms", "msec"), "millisecond"),
    **dict.fromkeys(("us", "usec"), "microsecond"),
    "weekofyear": "week",
}
DATE_PARTS |= {"decade": "decade", "century": "century", "centuries": "century", "cent": "century"}
DATE_PARTS |= {"millennium": "millennium", "millennia": "millennium", "epoch_ms": "epoch_ms", "epoch_us": "epoch_us"}

# other name of a function -> its name in the allow-list
FUNCTION_ALIASES = {
    "power": "pow",
    "ceiling": "ceil",
    "divide": "//",
    "weekday": "dayofweek",
    "dayofmonth": "day",
    "milliseconds": "millisecond",
    "microseconds": "microsecond",
    "prefix": "starts_with",
    "suffix": "ends_with",
    "ord": "unicode",
    "str_split": "string_split",
    "list_element": "list_extract",
    "array_extract": "list_extract",
    "list_indexof": "list_position",
    "array_indexof": "list_position",
}
# test of a list against constants -> how the tests of its members are joined
LIST_TESTS = {"list_has_any": "or", "array_has_any": "or", "list_has_all": "and", "array_has_all": "and"}

# type name -> (the dialect's type, the cast's name in the allow-list)
CAST_TYPES: dict[str, tuple[SqlType, str]] = {
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
    "TIME": (SqlType.TIME, "to_time"),
    "INT128": (SqlType.BIGINT, "to_bigint"),  # integers have at most 64 bits
    "DECIMAL": (SqlType.DOUBLE, "to_decimal"),
    "TIMESTAMP": (SqlType.TIMESTAMP, "to_timestamp"),
    "TIMESTAMPNTZ": (SqlType.TIMESTAMP, "to_timestamp"),
    "DATETIME": (SqlType.TIMESTAMP, "to_timestamp"),
    "INTERVAL": (SqlType.INTERVAL, "to_interval"),  # from constant text only
}
