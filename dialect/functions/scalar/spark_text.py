"""Spark's forms of text: signs are code points, cases change one sign at a time, patterns mean what DuckDB's do."""

from __future__ import annotations

from dialect.functions.function_row import SparkForm
from dialect.functions.scalar.spark_list import between
from dialect.functions.scalar.spark_pattern import glob, like
from dialect.functions.spark_quote import quoted

_SPACES = "".join(map(chr, (0x20, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000)))  # category Zs
# letters that are younger than DuckDB's tables
_NEW_CAPITALS = "\u1c89\ua7cb\ua7cc\ua7da\ua7dc" + "".join(map(chr, range(0x10D50, 0x10D66)))
_NEW_SMALL = "\u1c8a\u019b\u0264\ua7cd\ua7db" + "".join(map(chr, range(0x10D70, 0x10D86)))
# letters whose capital is more than one letter: DuckDB leaves them
_LEFT = (
    "\u0149\u01f0\u0390\u03b0\u0587\u1e96\u1e97\u1e98\u1e99\u1e9a\u1f50\u1f52\u1f54\u1f56\u1fb2\u1fb4\u1fb6\u1fb7"
    "\u1fc2\u1fc4\u1fc6\u1fc7\u1fd2\u1fd3\u1fd6\u1fd7\u1fe2\u1fe3\u1fe4\u1fe6\u1fe7\u1ff2\u1ff4\u1ff6\u1ff7"
    "\ufb00\ufb01\ufb02\ufb03\ufb04\ufb05\ufb06\ufb13\ufb14\ufb15\ufb16\ufb17"
)
_IOTA = [*range(0x1F80, 0x1F88), *range(0x1F90, 0x1F98), *range(0x1FA0, 0x1FA8), 0x1FB3, 0x1FC3, 0x1FF3]
_IOTA_CAPITALS = [*range(0x1F88, 0x1F90), *range(0x1F98, 0x1FA0), *range(0x1FA8, 0x1FB0), 0x1FBC, 0x1FCC, 0x1FFC]
_CAPITALS = {"\u00df": "\u1e9e"}
_CAPITALS |= {chr(small): chr(capital) for small, capital in zip(_IOTA, _IOTA_CAPITALS, strict=True)}
_CAPITALS |= {sign: sign for sign in (*_NEW_SMALL, *_LEFT, *map(chr, _IOTA_CAPITALS))}
_SMALL = {"\u0130": "i"} | {sign: sign for sign in _NEW_CAPITALS}


def _changed(name: str, exceptions: dict[str, str]) -> str:
    """Change the case of each sign for itself; of ASCII, of all at once."""
    known, made = quoted("".join(exceptions)), quoted("".join(exceptions.values()))
    each = f"CASE WHEN contains({known}, sign) THEN translate(sign, {known}, {made}) ELSE {name}(sign) END"
    signs = f"array_join(transform(split({{0}}, ''), sign -> {each}), '')"
    return f"CASE WHEN octet_length({{0}}) = length({{0}}) THEN {name}({{0}}) ELSE {signs} END"


_LOWER, _UPPER = _changed("lower", _SMALL), _changed("upper", _CAPITALS)


def _end(name: str) -> str:
    """Take signs from one end; a negative number is how many stay away at the other."""
    return f"{name}({{0}}, CAST(CASE WHEN {{1}} >= 0 THEN {{1}} ELSE greatest(length({{0}}) + {{1}}, 0) END AS INT))"


def _substr(offset: int, length: int) -> str:
    """Take that many signs from a place on, or before it; those that are not there count too."""
    first = f"length({{0}}) + ({offset}L)" if offset < 0 else f"{offset - 1}L"
    begin, end = (first, f"{first} + {length}L") if length >= 0 else (f"{first} + ({length}L)", first)
    return between(f"({begin})", "length({0})", f"({end})")


def _ilike(pattern: str, escape: str = "") -> str:
    small = "".join(_SMALL.get(sign, sign.lower()) for sign in pattern)
    return like(small, escape).replace("{0}", f"({_LOWER})")


def _split_part(separator: str, place: int) -> str:
    if place == 0:
        return "left({0}, 0)"
    if not separator:
        first = f"{place - 1}L" if place > 0 else f"length({{0}}) + ({place}L)"
        return between(f"({first})", "length({0})", f"({first} + 1)")
    return f"split_part({{0}}, {quoted(separator)}, {place})"


def _from(offset: int) -> str:
    first = f"length({{0}}) + ({offset}L)" if offset < 0 else f"{offset - 1}L"
    return between(f"({first})", "length({0})", "length({0})")


_SIGNS = "array_distinct(split(nullif(left({0}, 1000), ''), ''))"
_OTHERS = "array_distinct(split({1}, ''))"
_JACCARD = (
    f"CAST(size(array_intersect({_SIGNS}, {_OTHERS})) AS DOUBLE)"
    f" / nullif(CAST(size(array_union({_SIGNS}, {_OTHERS})) AS DOUBLE), 0)"
)

TEXT: dict[str, SparkForm] = {
    "||": "left({0} || {1}, 1000)",
    "concat": "left(concat_ws('', {*, }), 1000)",
    "lower": _LOWER,
    "upper": _UPPER,
    "trim(text)": f"trim(BOTH {quoted(_SPACES)} FROM {{0}})",
    "ltrim(text)": f"trim(LEADING {quoted(_SPACES)} FROM {{0}})",
    "rtrim(text)": f"trim(TRAILING {quoted(_SPACES)} FROM {{0}})",
    "trim(text, text!)": "trim(BOTH {1} FROM {0})",
    "ltrim(text, text!)": "trim(LEADING {1} FROM {0})",
    "rtrim(text, text!)": "trim(TRAILING {1} FROM {0})",
    "length(text)": "CAST(length({0}) AS BIGINT)",
    "strlen": "CAST(octet_length({0}) AS BIGINT)",
    "substr(text, int!)": _from,
    "substr(text, int!, int!)": _substr,
    "left": _end("left"),
    "right": _end("right"),
    "like": like,
    "like escape": like,
    "glob": glob,
    "ilike": _ilike,
    "ilike escape": _ilike,
    "starts_with": "startswith({0}, {1})",
    "ends_with": "endswith({0}, {1})",
    "contains": "contains({0}, {1})",
    "replace": "left(replace({0}, {1}, {2}), 1000)",
    "translate": "translate({0}, {1}, {2})",
    "lpad": "lpad({0}, CAST({1} AS INT), {2})",
    "rpad": "rpad({0}, CAST({1} AS INT), {2})",
    "split_part": _split_part,
    "strpos": "CAST(instr({0}, {1}) AS BIGINT)",
    "ascii": "CAST(ascii({0}) AS BIGINT)",
    "unicode": "CASE WHEN {0} = '' THEN -1L ELSE CAST(ascii({0}) AS BIGINT) END",
    "concat_ws": "left(concat_ws({*, }), 1000)",
    "levenshtein": "CAST(levenshtein(left({0}, 1000), {1}) AS BIGINT)",
    "jaccard": _JACCARD,
}
