"""Allowed rows: text. Patterns and positions are constants, read when the question is validated."""

from __future__ import annotations

from dialect.algebra import intervals as ranges
from dialect.catalog.catalog import SqlType
from dialect.functions.function_row import Function, Partial
from dialect.functions.scalar.patterns import bad_escape, bad_fill, bad_pattern, bad_rewrite

_TEXT, _BOOLEAN, _INT, _DOUBLE = SqlType.VARCHAR, SqlType.BOOLEAN, SqlType.BIGINT, SqlType.DOUBLE
LONGEST = 1_000  # characters: text that doubles and doubles must not use up the memory of the rows that have it
_LENGTH = ranges.constant(0, 2**31)
_CODE_POINT = ranges.constant(-1, 0x10FFFF)
_CUT = f"left({{0}}, {LONGEST})"  # what compares sign by sign sees no more of a text


def _cut(made: str) -> str:
    """Cut text that is longer than what it was made of."""
    return f"left({made}, {LONGEST})"


def _padded(name: str) -> Function:
    return Function(name, ("text", "width!", "short!"), _TEXT, f"{name}({{0}}, {{1}}, {{2}})", suits=bad_fill)


def _escaped(name: str) -> Function:
    form = f"({{0}} {name.upper()} {{1}} ESCAPE {{2}})"
    return Function(f"{name} escape", ("text", "text!", "text!"), _BOOLEAN, form, suits=bad_escape, written=False)


TEXT: tuple[Function, ...] = (
    Function("||", ("text", "text"), _TEXT, f"left({{0}} || {{1}}, {LONGEST})"),
    Function("concat", ("text*",), _TEXT, f"left(concat({{*, }}), {LONGEST})", strict=False),
    Function("lower", ("text",), _TEXT, "lower({0})"),
    Function("upper", ("text",), _TEXT, "upper({0})"),
    Function("trim", ("text",), _TEXT, "trim({0})"),
    Function("trim", ("text", "text!"), _TEXT, "trim({0}, {1})"),
    Function("length", ("text",), _INT, "length({0})", _LENGTH),
    Function("substr", ("text", "int!"), _TEXT, "substr({0}, {1})"),
    Function("substr", ("text", "int!", "int!"), _TEXT, "substr({0}, {1}, {2})"),
    Function("left", ("text", "int!"), _TEXT, "left({0}, {1})"),
    Function("right", ("text", "int!"), _TEXT, "right({0}, {1})"),
    Function("like", ("text", "text!"), _BOOLEAN, "({0} LIKE {1})", written=False),
    Function("ilike", ("text", "text!"), _BOOLEAN, "({0} ILIKE {1})", written=False),
    Function("starts_with", ("text", "text!"), _BOOLEAN, "starts_with({0}, {1})"),
    Function("contains", ("text", "text!"), _BOOLEAN, "contains({0}, {1})"),
    Function("ends_with", ("text", "text!"), _BOOLEAN, "ends_with({0}, {1})"),
    _escaped("like"),
    _escaped("ilike"),
    Function("glob", ("text", "text!"), _BOOLEAN, "({0} GLOB {1})", written=False),
    Function("regexp_matches", ("text", "pattern!"), _BOOLEAN, "regexp_matches({0}, {1})", suits=bad_pattern),
    Function("regexp_full_match", ("text", "pattern!"), _BOOLEAN, "regexp_full_match({0}, {1})", suits=bad_pattern),
    Function(
        "regexp_extract", ("text", "pattern!", "group!"), _TEXT, "regexp_extract({0}, {1}, {2})",
        suits=lambda pattern, _: bad_pattern(pattern),
    ),
    Function(
        "regexp_replace", ("text", "pattern!", "short!"), _TEXT, _cut("regexp_replace({0}, {1}, {2})"),
        suits=bad_rewrite,
    ),
    Function(
        "regexp_replace", ("text", "pattern!", "short!", "every!"), _TEXT, _cut("regexp_replace({0}, {1}, {2}, 'g')"),
        suits=bad_rewrite,
    ),
    Function("replace", ("text", "short!", "short!"), _TEXT, _cut("replace({0}, {1}, {2})")),
    Function("translate", ("text", "short!", "short!"), _TEXT, "translate({0}, {1}, {2})"),
    Function("reverse", ("text",), _TEXT, "reverse({0})"),
    Function("strip_accents", ("text",), _TEXT, "strip_accents({0})"),
    Function("ltrim", ("text",), _TEXT, "ltrim({0})"),
    Function("ltrim", ("text", "text!"), _TEXT, "ltrim({0}, {1})"),
    Function("rtrim", ("text",), _TEXT, "rtrim({0})"),
    Function("rtrim", ("text", "text!"), _TEXT, "rtrim({0}, {1})"),
    _padded("lpad"),
    _padded("rpad"),
    Function("split_part", ("text", "short!", "int!"), _TEXT, "split_part({0}, {1}, {2})"),
    Function("strpos", ("text", "text!"), _INT, "strpos({0}, {1})", _LENGTH),
    Function("ascii", ("text",), _INT, "CAST(ascii({0}) AS BIGINT)", _CODE_POINT),
    Function("unicode", ("text",), _INT, "CAST(unicode({0}) AS BIGINT)", _CODE_POINT),
    Function("strlen", ("text",), _INT, "strlen({0})", ranges.constant(0, 2**33)),
    Function("concat_ws", ("short!", "text*"), _TEXT, _cut("concat_ws({*, })"), strict=False),
    Function("levenshtein", ("text", "short!"), _INT, f"levenshtein({_CUT}, {{1}})", ranges.constant(0, LONGEST)),
    Function(
        "jaccard", ("text", "short!"), _DOUBLE, f"jaccard(nullif({_CUT}, ''), {{1}})", ranges.constant(0, 1),
        partial=Partial.VALUE, suits=lambda other: None if other else "There is nothing to compare with.",
    ),
    Function(
        "jaro_winkler_similarity", ("text", "short!"), _DOUBLE, f"jaro_winkler_similarity({_CUT}, {{1}})",
        ranges.constant(0, 1),
    ),
)  # fmt: skip
