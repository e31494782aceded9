"""Numeric functions, for DuckDB and Spark: results beyond 64 bits are NULL.

DuckDB computes integers in 128 bits and narrows them. Spark computes 64 bits with try_* functions, keeps integral
doubles as doubles, and follows IEEE 754 where Spark's own function would return NULL.
"""

from __future__ import annotations

import math
from dataclasses import replace

from sqlglot import exp

from dialect.algebra import value_ranges as ranges
from dialect.algebra.expressions import Call, Expr
from dialect.algebra.traversal import walk
from dialect.catalog.model import SqlType
from dialect.functions.signatures import SAME, Cost, Effect, Function, Partial, SparkForm

_INT, _DOUBLE, _BOOLEAN = SqlType.BIGINT, SqlType.DOUBLE, SqlType.BOOLEAN
_X, _Y = "CAST({0} AS DOUBLE)", "CAST({1} AS DOUBLE)"
_ONE_NUMBER, _TWO_NUMBERS, _TWO_INTEGERS = ("num",), ("num", "num"), ("int", "int")
_BEYOND_RANGE = Partial.BEYOND_RANGE


def _in_128_bits(sign: str, second: str = "CAST({1} AS HUGEINT)") -> str:
    """Write an integer operator computed in 128 bits and narrowed to 64; NULL where it does not fit."""
    return f"TRY_CAST(CAST({{0}} AS HUGEINT) {sign} {second} AS BIGINT)"


# which of the equal values 0.0 and -0.0 MIN or a group returns is undefined, so no function may distinguish them
_ZERO = "CAST(0 AS DOUBLE)"
_POSITIVE_ZERO = f"({{1}} + {_ZERO})"
_NOT_ZERO = "nullif(CAST({1} AS DOUBLE), 0)"
# factors are narrowed to signed 64 bits: a product of two unsigned ones could exceed 128 bits
_PRODUCT = "TRY_CAST(CAST(TRY_CAST({0} AS BIGINT) AS HUGEINT) * TRY_CAST({1} AS BIGINT) AS BIGINT)"


_BIT_FUNCTION = "TRY_CAST({name}(CAST({{0}} AS HUGEINT), CAST({{1}} AS HUGEINT)) AS BIGINT)"
_SHIFT_OPERAND = (
    "CAST(CASE WHEN {0} >= 0 THEN {0} END AS HUGEINT)"  # DuckDB raises for a left shift of a negative number
)


def _round_to_even(value: float) -> float:
    """Round away from zero to the next even integer, as DuckDB does."""
    return math.copysign(math.ceil(abs(value) / 2) * 2, value)


def _double_function(
    name: str, rule: ranges.RangeRule | None = None, spark: SparkForm = SAME, per_call: float = Cost.per_call
) -> Function:
    """Declare a function of one number that is computed in doubles under its own name."""
    return Function(name, _ONE_NUMBER, _DOUBLE, f"{name}({_X})", spark, rule, cost=Cost(per_call))


def _integral_function(name: str, rule: ranges.RangeRule, spark: str, *other_names: str) -> Function:
    """Declare a function of one number whose result is an integral double."""
    return replace(_double_function(name, rule, spark), is_integral=True, other_names=other_names)


_INF = "CAST('inf' AS DOUBLE)"
_EXACT_LIMIT = "9007199254740992D"  # 2^53: larger doubles are integral and even
_BIGINT_MIN = "-9223372036854775808L"
_MAX_POWER_OF_10 = 308  # largest power of 10 in a double
_SPLITTER = 134_217_729  # 2^27 + 1, which splits a double's digits into halves (Veltkamp)
_MAX_SPLIT = 1e300
_BY_ZERO = (
    f"CASE WHEN {{0}} = 0 OR isnan({_X}) THEN CAST('NaN' AS DOUBLE) WHEN {{0}} > 0 THEN {_INF}"
    " WHEN {0} < 0 THEN CAST('-inf' AS DOUBLE) END"
)


def _double(value: float) -> str:
    """Write a number as a DOUBLE."""
    return f"CAST('{value!r}' AS DOUBLE)"


def _quotient(x: str, y: str) -> str:
    """Write a division of doubles with IEEE 754 results for a zero divisor."""
    by_zero = f"CASE WHEN {x} > 0 THEN {_INF} WHEN {x} < 0 THEN -{_INF} WHEN {x} = 0 THEN CAST('NaN' AS DOUBLE) END"
    by_zero = f"CASE WHEN isnan({x}) THEN {x} ELSE {by_zero} END"
    return f"CASE WHEN {y} = 0 THEN {by_zero} ELSE {x} / nullif({y}, 0) END"


def _logarithm(name: str, argument: str = "{0}") -> str:
    """Write a logarithm with IEEE 754 results for zero and negative numbers, where Spark returns NULL."""
    return (
        f"CASE WHEN {argument} > 0 THEN {name}(CAST({argument} AS DOUBLE)) WHEN {argument} = 0 THEN"
        f" CAST('-inf' AS DOUBLE) WHEN {argument} < 0 THEN CAST('NaN' AS DOUBLE) END"
    )


def _integral_double(rounded: str, argument: str = _X) -> str:
    """Write a rounding function that returns an integral double; Spark's own returns BIGINT, which cannot hold all."""
    return f"CASE WHEN abs({argument}) < {_EXACT_LIMIT} THEN CAST({rounded} AS DOUBLE) ELSE {argument} END"


def _towards_zero(argument: str) -> str:
    """Write a double truncated towards zero; doubles beyond 2^53 are integers already."""
    return _integral_double(f"CAST(CASE WHEN abs({argument}) < {_EXACT_LIMIT} THEN {argument} END AS BIGINT)", argument)


def _to_digits(rounding: str, digits: int, otherwise: str) -> str:
    """Write rounding to decimal digits by scaling; `otherwise` is the result where scaling overflows a double.

    `rounding` is a template of the scaled value {x}. Negative digits round before the decimal point: the scale is then
    a divisor, because 10^-n is not exact in a double.
    """
    power = _double(10.0 ** min(abs(digits), _MAX_POWER_OF_10)) if abs(digits) <= _MAX_POWER_OF_10 else _INF
    scale, unscale = ("*", "/") if digits >= 0 else ("/", "*")
    result = f"({rounding.replace('{x}', f'({_X} {scale} {power})')} {unscale} {power})"
    return f"CASE WHEN abs({result}) < {_INF} THEN {result} ELSE {otherwise} END"


def _round_double(digits: int) -> str:
    """Round the double's exact value, as DuckDB does: 2.675 is stored just below the half and becomes 2.67."""
    return _round_to_digits(digits, "round", {"<": "-"})


def _round_even(digits: int) -> str:
    """Write round_even: halves, by the double's exact value, go to the even digit."""
    return _round_to_digits(digits, "rint", {"<": "-", ">": "+"})


def _round_to_digits(digits: int, rounding: str, corrections: dict[str, str]) -> str:
    """Write rounding to digits in which values just below or above a half are rounded to their true side.

    The product x * 10^digits is itself rounded, and may land on a half from below or above. `corrections` maps the sign
    of its rounding error to the direction in which the half is then resolved; other halves follow `rounding`.
    """
    infinite_or_zero = f"CASE WHEN abs({_X}) < {_INF} THEN 0D ELSE {_X} END"
    if not 0 < digits <= _MAX_POWER_OF_10:
        return _to_digits(f"{rounding}({{x}})", digits, _X if digits >= 0 else infinite_or_zero)
    power = 10.0**digits
    half, error = "abs(v.made) % 1D = 0.5D", f"{_product_error(power)} * sign(v.made)"
    cases = (
        f"WHEN {half} AND {error} {sign} 0 THEN v.made {direction} sign(v.made) * 0.5D"
        for sign, direction in corrections.items()
    )
    result = f"(CASE {' '.join(cases)} ELSE {rounding}(v.made) END / {_double(power)})"
    parts = f"x -> named_struct('x', x, 'made', x * {_double(power)}, 'high', {_upper_digits('x')})"
    chosen = f"v -> CASE WHEN abs({result}) < {_INF} THEN {result} ELSE v.x END"
    return f"get(transform(transform(array({_X}), {parts}), {chosen}), 0)"


def _product_error(power: float) -> str:
    """Write the rounding error of x * power, exactly, from halves of both factors' digits (Dekker's product)."""
    high = power * _SPLITTER - (power * _SPLITTER - power) if power < _MAX_SPLIT else power
    upper, lower = _double(high), _double(power - high)
    return f"(((v.high * {upper} - v.made) + v.high * {lower} + (v.x - v.high) * {upper}) + (v.x - v.high) * {lower})"


def _upper_digits(argument: str) -> str:
    """Write the upper half of a double's digits (Veltkamp's splitting)."""
    return f"({argument} * {_SPLITTER}D - ({argument} * {_SPLITTER}D - {argument}))"


def _trunc_double(digits: int) -> str:
    """Write trunc of a double to decimal digits."""
    return _to_digits(_towards_zero("{x}"), digits, _X)


def _round_int(digits: int) -> str:
    """Write round of an integer: unchanged for digits after the point, NULL beyond 64 bits.

    Beyond 19 digits the result is 0, written so that NULL stays NULL.
    """
    if digits >= 0:
        return "{0}"
    return f"TRY_CAST(round(CAST({{0}} AS DECIMAL(38, 0)), {digits}) AS BIGINT)" if digits >= -19 else "({0} & 0L)"


def _trunc_int(digits: int) -> str:
    """Write trunc of an integer; 0 where all of its at most 19 digits are cut off, and NULL stays NULL."""
    if digits >= 0:
        return "{0}"
    return f"({{0}} div {10**-digits}L * {10**-digits}L)" if digits >= -18 else "({0} & 0L)"


# Euclid's algorithm takes at most 92 steps for 64-bit integers
_EUCLID = (
    "aggregate(sequence(1, 92), named_struct('a', {0}, 'b', {1}), (s, step) -> CASE WHEN s.b = 0 THEN s ELSE"
    " named_struct('a', s.b, 'b', s.a % nullif(s.b, 0L)) END, s -> s.a)"
)
_GCD = f"CASE WHEN {_EUCLID} < 0 THEN try_subtract(0L, {_EUCLID}) ELSE {_EUCLID} END"
_SIGNED_LCM = f"try_multiply({{0}} div nullif({_GCD}, 0L), {{1}})"
_LCM = (
    "CASE WHEN {0} IS NULL OR {1} IS NULL THEN CAST(NULL AS BIGINT) WHEN {0} = 0 OR {1} = 0 THEN 0L"
    f" WHEN {_SIGNED_LCM} < 0 THEN try_subtract(0L, {_SIGNED_LCM}) ELSE {_SIGNED_LCM} END"
)
_REMAINDER = f"{_X} % nullif({_Y}, 0)"
_TRUNC = _integral_double("CASE WHEN {0} < 0 THEN ceil({0}) ELSE floor({0}) END")
_CEIL = _integral_double("ceil({0})")
_EVEN = _integral_double(f"(ceil(abs({_X})) + ceil(abs({_X})) % 2L) * sign({_X})")
_ASINH = (
    f"CASE WHEN abs({_X}) > 1e8D THEN ln(abs({_X})) + ln(2D) ELSE"
    f" log1p(abs({_X}) + {_X} * {_X} / (1D + sqrt({_X} * {_X} + 1D))) END * sign({_X})"
)


NUMBERS: tuple[Function, ...] = (
    Function(
        "+", _TWO_INTEGERS, _INT, _in_128_bits("+"), "try_add({0}, {1})", ranges.add, partial=_BEYOND_RANGE,
        nodes=(exp.Add,), is_injective=True,
    ),
    Function("+", _TWO_NUMBERS, _DOUBLE, "({0} + {1})", SAME, ranges.add),
    Function(
        "-", _TWO_INTEGERS, _INT, _in_128_bits("-"), "try_subtract({0}, {1})", ranges.subtract,
        partial=_BEYOND_RANGE, nodes=(exp.Sub,), is_injective=True,
    ),
    Function("-", _TWO_NUMBERS, _DOUBLE, "({0} - {1})", SAME, ranges.subtract),
    Function(
        "*", _TWO_INTEGERS, _INT, _PRODUCT, "try_multiply({0}, {1})", ranges.multiply, partial=_BEYOND_RANGE,
        nodes=(exp.Mul,),
    ),
    Function("*", _TWO_NUMBERS, _DOUBLE, "({0} * {1})", SAME, ranges.multiply),
    Function(
        "/", _TWO_NUMBERS, _DOUBLE, f"(CAST({{0}} AS DOUBLE) / {_POSITIVE_ZERO})",
        f"CASE WHEN {{1}} = 0 THEN {_BY_ZERO} ELSE {_X} / nullif({_Y}, 0) END", ranges.divide, nodes=(exp.Div,),
    ),
    Function(
        "//", _TWO_INTEGERS, _INT, _in_128_bits("//", "nullif({1}, 0)"),
        f"({{0}} div CASE WHEN {{1}} <> 0 AND ({{0}} > {_BIGINT_MIN} OR {{1}} <> -1) THEN {{1}} END)",
        ranges.divide_integers, partial=Partial.BY_ZERO, nodes=(exp.IntDiv,), other_names=("divide",),
    ),
    Function(
        "//", _TWO_NUMBERS, _DOUBLE, f"({{0}} // {_NOT_ZERO})", f"({_X} / nullif({_Y}, 0))", ranges.divide,
        partial=Partial.BY_ZERO,
    ),
    Function(
        "%", _TWO_INTEGERS, _INT, _in_128_bits("%", "nullif({1}, 0)"), "({0} % nullif({1}, 0))", ranges.remainder,
        partial=Partial.BY_ZERO, nodes=(exp.Mod,),
    ),
    Function(
        "%", _TWO_NUMBERS, _DOUBLE, "({0} % CAST({1} AS DOUBLE))",
        "CASE WHEN {1} = 0 THEN CASE WHEN {0} IS NOT NULL THEN CAST('NaN' AS DOUBLE) END"
        f" ELSE {_REMAINDER} END",
        ranges.remainder,
    ),
    Function(
        "negative", ("int",), _INT, "TRY_CAST(-CAST({0} AS HUGEINT) AS BIGINT)", "try_subtract(0L, {0})", ranges.negate,
        partial=_BEYOND_RANGE, is_callable=False, nodes=(exp.Neg,), effect=Effect.NEGATES, is_injective=True,
    ),
    Function(
        "fmod", _TWO_NUMBERS, _DOUBLE, "fmod(CAST({0} AS DOUBLE), CAST({1} AS DOUBLE))",
        "CASE WHEN {1} = 0 THEN CASE WHEN {0} IS NOT NULL THEN CAST('NaN' AS DOUBLE) END WHEN"
        f" ({_REMAINDER}) * sign({_Y}) < 0 THEN {_REMAINDER} + {_Y} ELSE {_REMAINDER} END",
        ranges.modulus,
    ),
    Function(
        "gcd", _TWO_INTEGERS, _INT, _BIT_FUNCTION.format(name="gcd"), _GCD, ranges.greatest_common_divisor,
        partial=_BEYOND_RANGE,
    ),
    Function(
        "lcm", _TWO_INTEGERS, _INT,
        "TRY_CAST(lcm(CAST(TRY_CAST({0} AS BIGINT) AS HUGEINT), CAST(TRY_CAST({1} AS BIGINT) AS HUGEINT)) AS BIGINT)",
        _LCM, ranges.least_common_multiple, partial=_BEYOND_RANGE,
    ),
    Function(
        "&", _TWO_INTEGERS, _INT, _in_128_bits("&"), "({0} & {1})", ranges.bitwise_and, partial=_BEYOND_RANGE,
        nodes=(exp.BitwiseAnd,),
    ),
    Function(
        "|", _TWO_INTEGERS, _INT, _in_128_bits("|"), "({0} | {1})", ranges.bitwise_or, partial=_BEYOND_RANGE,
        nodes=(exp.BitwiseOr,),
    ),
    Function(
        "xor", _TWO_INTEGERS, _INT, _BIT_FUNCTION.format(name="xor"), "({0} ^ {1})", ranges.bitwise_or,
        partial=_BEYOND_RANGE, nodes=(exp.BitwiseXor,),
    ),
    Function(
        "~", ("int",), _INT, "TRY_CAST(~CAST({0} AS HUGEINT) AS BIGINT)", "(~{0})", ranges.bitwise_not,
        partial=_BEYOND_RANGE,
    ),
    Function(
        "<<", ("int", "bits!"), _INT, f"TRY_CAST({_SHIFT_OPERAND} << {{1}} AS BIGINT)",
        "CASE WHEN {0} >= 0 AND shiftright(shiftleft({0}, CAST({1} AS INT)), CAST({1} AS INT)) = {0}"
        " AND shiftleft({0}, CAST({1} AS INT)) >= 0 THEN shiftleft({0}, CAST({1} AS INT)) END",
        ranges.shift_left, partial=_BEYOND_RANGE, nodes=(exp.BitwiseLeftShift,),
    ),
    Function(
        ">>", ("int", "bits!"), _INT, "TRY_CAST(CAST({0} AS HUGEINT) >> {1} AS BIGINT)",
        "shiftright({0}, CAST({1} AS INT))", ranges.shift_right, partial=_BEYOND_RANGE,
        nodes=(exp.BitwiseRightShift,),
    ),
    Function(
        "bit_count", ("int",), _INT, "CAST(bit_count(TRY_CAST({0} AS BIGINT)) AS BIGINT)",
        "CAST(bit_count({0}) AS BIGINT)", ranges.constant(0, 64), tuple(range(65)), _BEYOND_RANGE,
    ),
    Function(
        "negative", _ONE_NUMBER, _DOUBLE, "(-{0})", SAME, ranges.negate, is_callable=False, effect=Effect.NEGATES,
        is_injective=True,
    ),
    Function(
        "abs", ("int",), _INT, "TRY_CAST(abs(CAST({0} AS HUGEINT)) AS BIGINT)",
        "CASE WHEN {0} < 0 THEN try_subtract(0L, {0}) ELSE {0} END", ranges.absolute, partial=_BEYOND_RANGE,
    ),
    Function("abs", _ONE_NUMBER, _DOUBLE, "abs({0})", SAME, ranges.absolute),
    Function(
        "sign", _ONE_NUMBER, _INT, "CAST(sign({0}) AS BIGINT)",
        f"CAST(CASE WHEN isnan({_X}) THEN 0 ELSE sign({{0}}) END AS BIGINT)", ranges.constant(-1, 1), (-1, 0, 1),
    ),
    Function("round", ("int",), _INT, "{0}", SAME, ranges.first_argument, effect=Effect.ROUNDS),
    Function(
        "round", _ONE_NUMBER, _DOUBLE, "round({0})", SAME, ranges.round_to_integer, is_integral=True,
        effect=Effect.ROUNDS,
    ),
    Function(
        "round", ("int", "int!"), _INT, "TRY_CAST(round(CAST({0} AS HUGEINT), {1}) AS BIGINT)", _round_int,
        ranges.round_to_digits, partial=_BEYOND_RANGE, effect=Effect.ROUNDS,
    ),
    Function(
        "round", ("num", "int!"), _DOUBLE, "round(CAST({0} AS DOUBLE), {1})", _round_double, ranges.round_to_digits,
        effect=Effect.ROUNDS,
    ),
    Function(
        "round_even", ("num", "int!"), _DOUBLE, "round_even(CAST({0} AS DOUBLE), {1})", _round_even,
        ranges.round_to_digits,
    ),
    Function("trunc", ("int",), _INT, "{0}", SAME, ranges.first_argument),
    Function(
        "trunc", ("int", "int!"), _INT, "TRY_CAST(trunc(CAST({0} AS HUGEINT), {1}) AS BIGINT)", _trunc_int,
        ranges.round_to_digits, partial=_BEYOND_RANGE,
    ),
    Function(
        "trunc", ("num", "int!"), _DOUBLE, "trunc(CAST({0} AS DOUBLE), {1})", _trunc_double, ranges.round_to_digits,
    ),
    _integral_function("trunc", ranges.monotone(math.trunc), _TRUNC),
    _integral_function("floor", ranges.monotone(math.floor), _integral_double("floor({0})")),
    _integral_function("ceil", ranges.monotone(math.ceil), _CEIL, "ceiling"),
    _double_function("even", ranges.monotone(_round_to_even), _EVEN),
    _double_function("sqrt", ranges.monotone(math.sqrt, 0.0)),
    _double_function("cbrt", ranges.with_rounding_slack(ranges.monotone(math.cbrt)), per_call=50.0),
    _double_function("exp", ranges.with_rounding_slack(ranges.monotone(math.exp)), per_call=50.0),
    _double_function("ln", ranges.with_rounding_slack(ranges.monotone(math.log, 0.0)), _logarithm("ln"), 50.0),
    _double_function("log10", ranges.with_rounding_slack(ranges.monotone(math.log10, 0.0)), _logarithm("log10")),
    _double_function("log2", ranges.with_rounding_slack(ranges.monotone(math.log2, 0.0)), _logarithm("log2")),
    Function(
        "log", _TWO_NUMBERS, _DOUBLE, "log(CAST({0} AS DOUBLE), CAST({1} AS DOUBLE))",
        _quotient(f"({_logarithm('log10', '{1}')})", f"({_logarithm('log10')})"), cost=Cost(per_call=50.0),
    ),
    Function(
        "pow", _TWO_NUMBERS, _DOUBLE, f"pow(CAST({{0}} AS DOUBLE) + {_ZERO}, {{1}})",
        f"CASE WHEN {_X} = 1 AND {{1}} IS NOT NULL OR {_X} = -1 AND abs({_Y}) = {_INF} THEN 1D"
        f" ELSE pow({_X} + 0D, {{1}}) END",
        ranges.with_rounding_slack(ranges.power), other_names=("power",), cost=Cost(per_call=50.0),
    ),
    _double_function("sin", ranges.constant(-1, 1), per_call=50.0),
    _double_function("cos", ranges.constant(-1, 1), per_call=50.0),
    _double_function("tan", per_call=50.0),
    Function("cot", _ONE_NUMBER, _DOUBLE, f"cot({{0}} + {_ZERO})", f"cot({_X} + 0D)"),
    _double_function("asin", ranges.constant(-1.5708, 1.5708), per_call=50.0),
    _double_function("acos", ranges.constant(0, 3.1416), per_call=50.0),
    _double_function("atan", ranges.constant(-1.5708, 1.5708), per_call=50.0),
    _double_function("sinh", ranges.with_rounding_slack(ranges.monotone(math.sinh))),
    _double_function("cosh"),
    _double_function("tanh", ranges.constant(-1, 1)),
    _double_function("asinh", ranges.with_rounding_slack(ranges.monotone(math.asinh)), _ASINH),
    _double_function("acosh", ranges.with_rounding_slack(ranges.monotone(math.acosh, 1.0))),
    _double_function("atanh"),
    Function(
        "atan2", _TWO_NUMBERS, _DOUBLE, f"atan2({{0}} + {_ZERO}, {_POSITIVE_ZERO})", "atan2({0} + 0D, {1} + 0D)",
        ranges.constant(-3.1416, 3.1416), cost=Cost(per_call=50.0),
    ),
    _double_function("radians", ranges.with_rounding_slack(ranges.monotone(math.radians))),
    _double_function("degrees", ranges.with_rounding_slack(ranges.monotone(math.degrees))),
    Function(
        "isnan", _ONE_NUMBER, _BOOLEAN, "isnan(CAST({0} AS DOUBLE))",
        f"CASE WHEN {{0}} IS NOT NULL THEN isnan({_X}) END",
    ),
    Function("isinf", _ONE_NUMBER, _BOOLEAN, "isinf(CAST({0} AS DOUBLE))", f"(abs({_X}) = {_INF})"),
    Function("isinf", ("time",), _BOOLEAN, "isinf({0})", "CASE WHEN {0} IS NOT NULL THEN FALSE END"),
    Function("isfinite", _ONE_NUMBER, _BOOLEAN, "isfinite(CAST({0} AS DOUBLE))", f"(abs({_X}) < {_INF})"),
    Function("isfinite", ("time",), _BOOLEAN, "isfinite({0})", "CASE WHEN {0} IS NOT NULL THEN TRUE END"),
    Function("pi", (), _DOUBLE, "pi()", SAME, ranges.constant(math.pi, math.pi)),
)  # fmt: skip


LOW, HIGH = "dp_interval_low", "dp_interval_high"


def _interval_end(name: str, adjective: str) -> tuple[Function, ...]:
    """Declare one interval function for integers and doubles; without noise, it is its argument."""
    meaning = f"the {adjective} end of the interval of a released number, at the question's confidence"
    return tuple(
        Function(name, (kind,), result, "{0}", SAME, partial=Partial.FOR_SOME_VALUES, meaning=meaning)
        for kind, result in (("int", SqlType.BIGINT), ("num", SqlType.DOUBLE))
    )


INTERVALS: tuple[Function, ...] = (*_interval_end(LOW, "lower"), *_interval_end(HIGH, "upper"))


def is_interval_end(expr: Expr) -> bool:
    """Return whether an expression is a call of an interval function."""
    return isinstance(expr, Call) and expr.name in (LOW, HIGH)


def contains_interval_end(expr: Expr) -> bool:
    """Return whether an expression contains a call of an interval function."""
    return any(map(is_interval_end, walk(expr)))
