"""Allowed rows: numbers. Integers are computed in 128 bits and narrowed; what does not fit is NULL."""

from __future__ import annotations

import math

from dialect import ranges
from dialect.catalog import SqlType
from dialect.function_row import Function

_INT, _DOUBLE = SqlType.BIGINT, SqlType.DOUBLE
_ONE, _TWO, _INTS = ("num",), ("num", "num"), ("int", "int")


def _wide(sign: str, second: str = "CAST({1} AS HUGEINT)") -> str:
    return f"TRY_CAST(CAST({{0}} AS HUGEINT) {sign} {second} AS BIGINT)"


# 0.0 and -0.0 are equal, so which of them MIN or a group gives is left to chance: nothing may tell them apart
_ZERO = "CAST(0 AS DOUBLE)"
_POSITIVE_ZERO = f"({{1}} + {_ZERO})"
_NOT_ZERO = "nullif(CAST({1} AS DOUBLE), 0)"

NUMBERS: tuple[Function, ...] = (
    Function("+", _INTS, _INT, _wide("+"), ranges.add),
    Function("+", _TWO, _DOUBLE, "({0} + {1})", ranges.add),
    Function("-", _INTS, _INT, _wide("-"), ranges.subtract),
    Function("-", _TWO, _DOUBLE, "({0} - {1})", ranges.subtract),
    Function("*", _INTS, _INT, _wide("*"), ranges.multiply),
    Function("*", _TWO, _DOUBLE, "({0} * {1})", ranges.multiply),
    Function("/", _TWO, _DOUBLE, f"({{0}} / {_POSITIVE_ZERO})", ranges.divide),
    Function("//", _INTS, _INT, _wide("//", "nullif({1}, 0)"), ranges.floor_divide),
    Function("//", _TWO, _DOUBLE, f"({{0}} // {_NOT_ZERO})", ranges.floor_divide),
    Function("%", _INTS, _INT, _wide("%", "nullif({1}, 0)"), ranges.remainder),
    Function("%", _TWO, _DOUBLE, f"({{0}} % {_NOT_ZERO})", ranges.remainder),
    Function("negative", ("int",), _INT, "TRY_CAST(-CAST({0} AS HUGEINT) AS BIGINT)", ranges.negate),
    Function("negative", _ONE, _DOUBLE, "(-{0})", ranges.negate),
    Function("abs", ("int",), _INT, "TRY_CAST(abs(CAST({0} AS HUGEINT)) AS BIGINT)", ranges.absolute),
    Function("abs", _ONE, _DOUBLE, "abs({0})", ranges.absolute),
    Function("sign", _ONE, _INT, "sign({0})", ranges.constant(-1, 1), (-1, 0, 1)),
    Function("round", ("int",), _INT, "{0}", ranges.same),
    Function("round", _ONE, _DOUBLE, "round({0})", ranges.widened),
    Function("round", ("num", "int!"), _DOUBLE, "round(CAST({0} AS DOUBLE), {1})", ranges.widened),
    Function("floor", _ONE, _DOUBLE, "floor(CAST({0} AS DOUBLE))", ranges.monotone(math.floor)),
    Function("ceil", _ONE, _DOUBLE, "ceil(CAST({0} AS DOUBLE))", ranges.monotone(math.ceil)),
    Function("trunc", _ONE, _DOUBLE, "trunc(CAST({0} AS DOUBLE))", ranges.monotone(math.trunc)),
    Function("sqrt", _ONE, _DOUBLE, "sqrt(CAST({0} AS DOUBLE))", ranges.monotone(math.sqrt, 0.0)),
    Function("exp", _ONE, _DOUBLE, "exp(CAST({0} AS DOUBLE))", ranges.monotone(math.exp)),
    Function("ln", _ONE, _DOUBLE, "ln(CAST({0} AS DOUBLE))", ranges.monotone(math.log, 0.0)),
    Function("log10", _ONE, _DOUBLE, "log10(CAST({0} AS DOUBLE))", ranges.monotone(math.log10, 0.0)),
    Function("log2", _ONE, _DOUBLE, "log2(CAST({0} AS DOUBLE))", ranges.monotone(math.log2, 0.0)),
    Function("pow", _TWO, _DOUBLE, f"pow(CAST({{0}} AS DOUBLE) + {_ZERO}, {{1}})", ranges.power),
    Function("sin", _ONE, _DOUBLE, "sin({0})", ranges.constant(-1, 1)),
    Function("cos", _ONE, _DOUBLE, "cos({0})", ranges.constant(-1, 1)),
    Function("asin", _ONE, _DOUBLE, "asin({0})", ranges.constant(-1.5708, 1.5708)),
    Function("acos", _ONE, _DOUBLE, "acos({0})", ranges.constant(0, 3.1416)),
    Function("atan", _ONE, _DOUBLE, "atan({0})", ranges.constant(-1.5708, 1.5708)),
    Function("atan2", _TWO, _DOUBLE, f"atan2({{0}} + {_ZERO}, {_POSITIVE_ZERO})", ranges.constant(-3.1416, 3.1416)),
    Function("radians", _ONE, _DOUBLE, "radians({0})", ranges.monotone(math.radians)),
    Function("degrees", _ONE, _DOUBLE, "degrees({0})", ranges.monotone(math.degrees)),
    Function("pi", (), _DOUBLE, "pi()", ranges.constant(math.pi, math.pi)),
    Function("to_double", ("bool",), _DOUBLE, "CAST({0} AS DOUBLE)", ranges.constant(0, 1)),
    Function("to_double", _ONE, _DOUBLE, "CAST({0} AS DOUBLE)", ranges.same),
    Function("to_bigint", ("bool",), _INT, "CAST({0} AS BIGINT)", ranges.constant(0, 1), (0, 1)),
    Function("to_bigint", ("int",), _INT, "{0}", ranges.same),
    Function("to_bigint", _ONE, _INT, "TRY_CAST({0} AS BIGINT)", ranges.widened),
)
