"""Spark's forms of numbers: 64 bits by try_*, whole doubles that stay doubles, IEEE 754 where Spark says NULL."""

from __future__ import annotations

from dialect.functions.function_row import SparkForm

_X, _Y = "CAST({0} AS DOUBLE)", "CAST({1} AS DOUBLE)"
_INF = "CAST('inf' AS DOUBLE)"
_WHOLE = "9007199254740992D"  # 2^53: larger doubles are whole and even
_LEAST_OF_BIGINT = "-9223372036854775808L"
_LARGEST_POWER = 308  # of 10 in a double
_SPLIT = 134_217_729  # 2^27 + 1, which splits a double's digits in two (Veltkamp)
_MOST_SPLIT = 1e300
_BY_ZERO = (
    f"CASE WHEN {{0}} = 0 OR isnan({_X}) THEN CAST('NaN' AS DOUBLE) WHEN {{0}} > 0 THEN {_INF}"
    " WHEN {0} < 0 THEN CAST('-inf' AS DOUBLE) END"
)


def _double(value: float) -> str:
    return f"CAST('{value!r}' AS DOUBLE)"


def _quotient(x: str, y: str) -> str:
    """Divide doubles as IEEE 754 does, by zero too."""
    by_zero = f"CASE WHEN {x} > 0 THEN {_INF} WHEN {x} < 0 THEN -{_INF} WHEN {x} = 0 THEN CAST('NaN' AS DOUBLE) END"
    by_zero = f"CASE WHEN isnan({x}) THEN {x} ELSE {by_zero} END"
    return f"CASE WHEN {y} = 0 THEN {by_zero} ELSE {x} / nullif({y}, 0) END"


def _logarithm(name: str, argument: str = "{0}") -> str:
    """Give what IEEE 754 gives of 0 and of negative numbers, where Spark gives NULL."""
    return (
        f"CASE WHEN {argument} > 0 THEN {name}(CAST({argument} AS DOUBLE)) WHEN {argument} = 0 THEN"
        f" CAST('-inf' AS DOUBLE) WHEN {argument} < 0 THEN CAST('NaN' AS DOUBLE) END"
    )


def _cut(form: str, argument: str = _X) -> str:
    """Give a whole double: Spark's own would be a BIGINT, and is only where one holds it."""
    return f"CASE WHEN abs({argument}) < {_WHOLE} THEN CAST({form} AS DOUBLE) ELSE {argument} END"


def _towards_zero(argument: str) -> str:
    return _cut(f"CAST(CASE WHEN abs({argument}) < {_WHOLE} THEN {argument} END AS BIGINT)", argument)


def _to_digits(whole: str, argument: str, digits: int, otherwise: str) -> str:
    """Make a number whole behind its last digit, or give something else where that leaves the doubles on the way."""
    power = _double(10.0 ** min(abs(digits), _LARGEST_POWER)) if abs(digits) <= _LARGEST_POWER else _INF
    there, back = ("*", "/") if digits >= 0 else ("/", "*")
    made = f"({whole.replace('{x}', f'({argument} {there} {power})')} {back} {power})"
    return f"CASE WHEN abs({made}) < {_INF} THEN {made} ELSE {otherwise} END"


def _round_double(digits: int) -> str:
    """Round the double's own value, as DuckDB does: 2.675 is below the half that its product with 100 rounds to."""
    return _nearest(digits, "round", {"<": "-"})


def _round_even(digits: int) -> str:
    return _nearest(digits, "rint", {"<": "-", ">": "+"})


def _nearest(digits: int, whole: str, beside: dict[str, str]) -> str:
    """Make a number whole behind its last digit; what is beside a half of it goes to that side."""
    small = f"CASE WHEN abs({_X}) < {_INF} THEN 0D ELSE {_X} END"
    if not 0 < digits <= _LARGEST_POWER:
        return _to_digits(f"{whole}({{x}})", _X, digits, _X if digits >= 0 else small)
    power = 10.0**digits
    half, error = "abs(v.made) % 1D = 0.5D", f"{_error(power)} * sign(v.made)"
    cases = (f"WHEN {half} AND {error} {sign} 0 THEN v.made {way} sign(v.made) * 0.5D" for sign, way in beside.items())
    made = f"(CASE {' '.join(cases)} ELSE {whole}(v.made) END / {_double(power)})"
    parts = f"x -> named_struct('x', x, 'made', x * {_double(power)}, 'high', {_high('x')})"
    chosen = f"v -> CASE WHEN abs({made}) < {_INF} THEN {made} ELSE v.x END"
    return f"get(transform(transform(array({_X}), {parts}), {chosen}), 0)"


def _error(power: float) -> str:
    """Take a rounded product from the product of x and a power: exact in halves of the factors' digits (Dekker)."""
    high = power * _SPLIT - (power * _SPLIT - power) if power < _MOST_SPLIT else power
    upper, lower = _double(high), _double(power - high)
    return f"(((v.high * {upper} - v.made) + v.high * {lower} + (v.x - v.high) * {upper}) + (v.x - v.high) * {lower})"


def _high(argument: str) -> str:
    """Take the upper half of a double's digits."""
    return f"({argument} * {_SPLIT}D - ({argument} * {_SPLIT}D - {argument}))"


def _trunc_double(digits: int) -> str:
    return _to_digits(_towards_zero("{x}"), _X, digits, _X)


def _round_int(digits: int) -> str:
    if digits >= 0:
        return "{0}"
    return f"TRY_CAST(round(CAST({{0}} AS DECIMAL(38, 0)), {digits}) AS BIGINT)" if digits >= -19 else "({0} & 0L)"


def _trunc_int(digits: int) -> str:
    if digits >= 0:
        return "{0}"
    return f"({{0}} div {10**-digits}L * {10**-digits}L)" if digits >= -18 else "({0} & 0L)"


# Euclid's steps over 64 bits are 92 at most
_STEPS = (
    "aggregate(sequence(1, 92), named_struct('a', {0}, 'b', {1}), (s, step) -> CASE WHEN s.b = 0 THEN s ELSE"
    " named_struct('a', s.b, 'b', s.a % nullif(s.b, 0L)) END, s -> s.a)"
)
_GCD = f"CASE WHEN {_STEPS} < 0 THEN try_subtract(0L, {_STEPS}) ELSE {_STEPS} END"
_MULTIPLE = f"try_multiply({{0}} div nullif({_GCD}, 0L), {{1}})"
_LCM = (
    "CASE WHEN {0} IS NULL OR {1} IS NULL THEN CAST(NULL AS BIGINT) WHEN {0} = 0 OR {1} = 0 THEN 0L"
    f" WHEN {_MULTIPLE} < 0 THEN try_subtract(0L, {_MULTIPLE}) ELSE {_MULTIPLE} END"
)
_ASINH = (
    f"CASE WHEN abs({_X}) > 1e8D THEN ln(abs({_X})) + ln(2D) ELSE"
    f" log1p(abs({_X}) + {_X} * {_X} / (1D + sqrt({_X} * {_X} + 1D))) END * sign({_X})"
)

NUMBERS: dict[str, SparkForm] = {
    "+(int, int)": "try_add({0}, {1})",
    "-(int, int)": "try_subtract({0}, {1})",
    "*(int, int)": "try_multiply({0}, {1})",
    "+(num, num)": "({0} + {1})",
    "-(num, num)": "({0} - {1})",
    "*(num, num)": "({0} * {1})",
    "/": f"CASE WHEN {{1}} = 0 THEN {_BY_ZERO} ELSE {_X} / nullif({_Y}, 0) END",
    "//(num, num)": f"({_X} / nullif({_Y}, 0))",
    "//(int, int)": f"({{0}} div CASE WHEN {{1}} <> 0 AND ({{0}} > {_LEAST_OF_BIGINT} OR {{1}} <> -1) THEN {{1}} END)",
    "%(int, int)": "({0} % nullif({1}, 0))",
    "%(num, num)": "CASE WHEN {1} = 0 THEN CASE WHEN {0} IS NOT NULL THEN CAST('NaN' AS DOUBLE) END"
    f" ELSE {_X} % nullif({_Y}, 0) END",
    "fmod": "CASE WHEN {1} = 0 THEN CASE WHEN {0} IS NOT NULL THEN CAST('NaN' AS DOUBLE) END WHEN"
    f" ({_X} % nullif({_Y}, 0)) * sign({_Y}) < 0 THEN {_X} % nullif({_Y}, 0) + {_Y} ELSE {_X} % nullif({_Y}, 0) END",
    "gcd": _GCD,
    "lcm": _LCM,
    "&": "({0} & {1})",
    "|": "({0} | {1})",
    "xor": "({0} ^ {1})",
    "~": "(~{0})",
    "<<": "CASE WHEN {0} >= 0 AND shiftright(shiftleft({0}, CAST({1} AS INT)), CAST({1} AS INT)) = {0}"
    " AND shiftleft({0}, CAST({1} AS INT)) >= 0 THEN shiftleft({0}, CAST({1} AS INT)) END",
    ">>": "shiftright({0}, CAST({1} AS INT))",
    "bit_count": "CAST(bit_count({0}) AS BIGINT)",
    "negative(int)": "try_subtract(0L, {0})",
    "negative(num)": "(-{0})",
    "abs(int)": "CASE WHEN {0} < 0 THEN try_subtract(0L, {0}) ELSE {0} END",
    "abs(num)": "abs({0})",
    "sign": f"CAST(CASE WHEN isnan({_X}) THEN 0 ELSE sign({{0}}) END AS BIGINT)",
    "round(int)": "{0}",
    "round(num)": "round({0})",
    "round(int, int!)": _round_int,
    "round(num, int!)": _round_double,
    "round_even": _round_even,
    "trunc(int)": "{0}",
    "trunc(int, int!)": _trunc_int,
    "trunc(num, int!)": _trunc_double,
    "trunc(num)": _cut("CASE WHEN {0} < 0 THEN ceil({0}) ELSE floor({0}) END"),
    "floor": _cut("floor({0})"),
    "ceil": _cut("ceil({0})"),
    "even": _cut(f"(ceil(abs({_X})) + ceil(abs({_X})) % 2L) * sign({_X})"),
    "sqrt": f"sqrt({_X})",
    "cbrt": f"cbrt({_X})",
    "exp": f"exp({_X})",
    "ln": _logarithm("ln"),
    "log10": _logarithm("log10"),
    "log2": _logarithm("log2"),
    "log": _quotient(f"({_logarithm('log10', '{1}')})", f"({_logarithm('log10')})"),
    # C's powers of one are one, of -1 to an infinity too; Java's are no number
    "pow": f"CASE WHEN {_X} = 1 AND {{1}} IS NOT NULL OR {_X} = -1 AND abs({_Y}) = {_INF} THEN 1D"
    f" ELSE pow({_X} + 0D, {{1}}) END",
    "isnan": f"CASE WHEN {{0}} IS NOT NULL THEN isnan({_X}) END",
    **{name: f"{name}({_X})" for name in ("sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh")},
    **{name: f"{name}({_X})" for name in ("acosh", "atanh", "radians", "degrees")},
    "cot": f"cot({_X} + 0D)",
    "asinh": _ASINH,
    "atan2": "atan2({0} + 0D, {1} + 0D)",
    "isinf(num)": f"(abs({_X}) = {_INF})",
    "isinf(time)": "CASE WHEN {0} IS NOT NULL THEN FALSE END",
    "isfinite(num)": f"(abs({_X}) < {_INF})",
    "isfinite(time)": "CASE WHEN {0} IS NOT NULL THEN TRUE END",
    "pi": "pi()",
}
