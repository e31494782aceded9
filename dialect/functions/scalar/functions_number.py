"""Allowed rows: numbers. Integers are computed in 128 bits and narrowed; what does not fit 64 bits is NULL."""

from __future__ import annotations

import math

from dialect.algebra import intervals as ranges
from dialect.catalog.catalog import SqlType
from dialect.functions.function_row import Function, Partial

_INT, _DOUBLE, _BOOLEAN = SqlType.BIGINT, SqlType.DOUBLE, SqlType.BOOLEAN
_ONE, _TWO, _INTS = ("num",), ("num", "num"), ("int", "int")
_SOME = Partial.VALUE


def _wide(sign: str, second: str = "CAST({1} AS HUGEINT)") -> str:
    return f"TRY_CAST(CAST({{0}} AS HUGEINT) {sign} {second} AS BIGINT)"


# 0.0 and -0.0 are equal, so which of them MIN or a group gives is left to chance: nothing may tell them apart
_ZERO = "CAST(0 AS DOUBLE)"
_POSITIVE_ZERO = f"({{1}} + {_ZERO})"
_NOT_ZERO = "nullif(CAST({1} AS DOUBLE), 0)"
# factors of at most 64 bits with a sign: two unsigned ones could leave 128 bits
_PRODUCT = "TRY_CAST(CAST(TRY_CAST({0} AS BIGINT) AS HUGEINT) * TRY_CAST({1} AS BIGINT) AS BIGINT)"


_BITS = "TRY_CAST({name}(CAST({{0}} AS HUGEINT), CAST({{1}} AS HUGEINT)) AS BIGINT)"
_SHIFTED = "CAST(CASE WHEN {0} >= 0 THEN {0} END AS HUGEINT)"  # the engine shifts no negative number to the left


def _even(value: float) -> float:
    """Go to the next even whole number away from zero, as the engine does."""
    return math.copysign(math.ceil(abs(value) / 2) * 2, value)


def _real(name: str, rule: ranges.Rule | None = None) -> Function:
    return Function(name, _ONE, _DOUBLE, f"{name}(CAST({{0}} AS DOUBLE))", rule)


NUMBERS: tuple[Function, ...] = (
    Function("+", _INTS, _INT, _wide("+"), ranges.add, partial=_SOME),
    Function("+", _TWO, _DOUBLE, "({0} + {1})", ranges.add),
    Function("-", _INTS, _INT, _wide("-"), ranges.subtract, partial=_SOME),
    Function("-", _TWO, _DOUBLE, "({0} - {1})", ranges.subtract),
    Function("*", _INTS, _INT, _PRODUCT, ranges.multiply, partial=_SOME),
    Function("*", _TWO, _DOUBLE, "({0} * {1})", ranges.multiply),
    Function("/", _TWO, _DOUBLE, f"(CAST({{0}} AS DOUBLE) / {_POSITIVE_ZERO})", ranges.divide),
    Function("//", _INTS, _INT, _wide("//", "nullif({1}, 0)"), ranges.divide_integers, partial=_SOME),
    Function("//", _TWO, _DOUBLE, f"({{0}} // {_NOT_ZERO})", ranges.divide, partial=_SOME),
    Function("%", _INTS, _INT, _wide("%", "nullif({1}, 0)"), ranges.remainder, partial=_SOME),
    Function("%", _TWO, _DOUBLE, "({0} % CAST({1} AS DOUBLE))", ranges.remainder),
    Function(
        "negative", ("int",), _INT, "TRY_CAST(-CAST({0} AS HUGEINT) AS BIGINT)", ranges.negate, partial=_SOME,
        written=False,
    ),
    Function("fmod", _TWO, _DOUBLE, "fmod(CAST({0} AS DOUBLE), CAST({1} AS DOUBLE))", ranges.modulus),
    Function("gcd", _INTS, _INT, _BITS.format(name="gcd"), ranges.divisor, partial=_SOME),
    Function(
        "lcm", _INTS, _INT,
        "TRY_CAST(lcm(CAST(TRY_CAST({0} AS BIGINT) AS HUGEINT), CAST(TRY_CAST({1} AS BIGINT) AS HUGEINT)) AS BIGINT)",
        ranges.multiple, partial=_SOME,
    ),
    Function("&", _INTS, _INT, _wide("&"), ranges.masked, partial=_SOME),
    Function("|", _INTS, _INT, _wide("|"), ranges.joined, partial=_SOME),
    Function("xor", _INTS, _INT, _BITS.format(name="xor"), ranges.joined, partial=_SOME),
    Function("~", ("int",), _INT, "TRY_CAST(~CAST({0} AS HUGEINT) AS BIGINT)", ranges.complement, partial=_SOME),
    Function("<<", ("int", "bits!"), _INT, f"TRY_CAST({_SHIFTED} << {{1}} AS BIGINT)", ranges.shifted, partial=_SOME),
    Function(
        ">>", ("int", "bits!"), _INT, "TRY_CAST(CAST({0} AS HUGEINT) >> {1} AS BIGINT)", ranges.unshifted,
        partial=_SOME,
    ),
    Function(
        "bit_count", ("int",), _INT, "CAST(bit_count(TRY_CAST({0} AS BIGINT)) AS BIGINT)", ranges.constant(0, 64),
        tuple(range(65)), _SOME,
    ),
    Function("negative", _ONE, _DOUBLE, "(-{0})", ranges.negate, written=False),
    Function("abs", ("int",), _INT, "TRY_CAST(abs(CAST({0} AS HUGEINT)) AS BIGINT)", ranges.absolute, partial=_SOME),
    Function("abs", _ONE, _DOUBLE, "abs({0})", ranges.absolute),
    Function("sign", _ONE, _INT, "CAST(sign({0}) AS BIGINT)", ranges.constant(-1, 1), (-1, 0, 1)),
    Function("round", ("int",), _INT, "{0}", ranges.same),
    Function("round", _ONE, _DOUBLE, "round({0})", ranges.nearest),
    Function(
        "round", ("int", "int!"), _INT, "TRY_CAST(round(CAST({0} AS HUGEINT), {1}) AS BIGINT)", ranges.rounded,
        partial=_SOME,
    ),
    Function("round", ("num", "int!"), _DOUBLE, "round(CAST({0} AS DOUBLE), {1})", ranges.rounded),
    Function("round_even", ("num", "int!"), _DOUBLE, "round_even(CAST({0} AS DOUBLE), {1})", ranges.rounded),
    Function("trunc", ("int",), _INT, "{0}", ranges.same),
    Function(
        "trunc", ("int", "int!"), _INT, "TRY_CAST(trunc(CAST({0} AS HUGEINT), {1}) AS BIGINT)", ranges.rounded,
        partial=_SOME,
    ),
    Function("trunc", ("num", "int!"), _DOUBLE, "trunc(CAST({0} AS DOUBLE), {1})", ranges.rounded),
    _real("trunc", ranges.monotone(math.trunc)),
    _real("floor", ranges.monotone(math.floor)),
    _real("ceil", ranges.monotone(math.ceil)),
    _real("even", ranges.monotone(_even)),
    _real("sqrt", ranges.monotone(math.sqrt, 0.0)),
    _real("cbrt", ranges.near(ranges.monotone(math.cbrt))),
    _real("exp", ranges.near(ranges.monotone(math.exp))),
    _real("ln", ranges.near(ranges.monotone(math.log, 0.0))),
    _real("log10", ranges.near(ranges.monotone(math.log10, 0.0))),
    _real("log2", ranges.near(ranges.monotone(math.log2, 0.0))),
    Function("log", _TWO, _DOUBLE, "log(CAST({0} AS DOUBLE), CAST({1} AS DOUBLE))"),
    Function("pow", _TWO, _DOUBLE, f"pow(CAST({{0}} AS DOUBLE) + {_ZERO}, {{1}})", ranges.near(ranges.power)),
    _real("sin", ranges.constant(-1, 1)),
    _real("cos", ranges.constant(-1, 1)),
    _real("tan"),
    Function("cot", _ONE, _DOUBLE, f"cot({{0}} + {_ZERO})"),
    _real("asin", ranges.constant(-1.5708, 1.5708)),
    _real("acos", ranges.constant(0, 3.1416)),
    _real("atan", ranges.constant(-1.5708, 1.5708)),
    _real("sinh", ranges.near(ranges.monotone(math.sinh))),
    _real("cosh"),
    _real("tanh", ranges.constant(-1, 1)),
    _real("asinh", ranges.near(ranges.monotone(math.asinh))),
    _real("acosh", ranges.near(ranges.monotone(math.acosh, 1.0))),
    _real("atanh"),
    Function("atan2", _TWO, _DOUBLE, f"atan2({{0}} + {_ZERO}, {_POSITIVE_ZERO})", ranges.constant(-3.1416, 3.1416)),
    _real("radians", ranges.near(ranges.monotone(math.radians))),
    _real("degrees", ranges.near(ranges.monotone(math.degrees))),
    Function("isnan", _ONE, _BOOLEAN, "isnan(CAST({0} AS DOUBLE))"),
    Function("isinf", _ONE, _BOOLEAN, "isinf(CAST({0} AS DOUBLE))"),
    Function("isinf", ("time",), _BOOLEAN, "isinf({0})"),
    Function("isfinite", _ONE, _BOOLEAN, "isfinite(CAST({0} AS DOUBLE))"),
    Function("isfinite", ("time",), _BOOLEAN, "isfinite({0})"),
    Function("pi", (), _DOUBLE, "pi()", ranges.constant(math.pi, math.pi)),
)  # fmt: skip
