"""Expression, aggregate call, window call -> nanoseconds that one row takes, and characters that its text has.

What is counted is static: the form that is written, the constants, and the longest text that a row may bring. Figures
were measured with DuckDB on one quiet core, and rounded up (`proofs.md#work`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dialect.catalog import SqlType, ValueList
from dialect.expressions import Call, Case, Expr, Field, Literal, Ref
from dialect.functions import function
from dialect.patterns import never_tries_again, parts_of
from dialect.relations import Measure
from dialect.window import Unit, WindowCall

CUT = 1_000  # characters: text that is made is cut to so many
_LISTS = (SqlType.VARCHAR_LIST, SqlType.BIGINT_LIST)

_PER_CALL = 10.0
_PER_CALL_OF = {
    **dict.fromkeys(("to_varchar", "strftime", "wall", "dayname", "monthname"), 200.0),
    **dict.fromkeys(("haversine_m", "bearing_deg", "compass8", "within_m", "geohash", "grid_cell", "h3_parent"), 200.0),
    **dict.fromkeys(("sin", "cos", "tan", "asin", "acos", "atan", "atan2", "pow", "exp", "ln", "log", "cbrt"), 50.0),
    "within_polygon": 2_000.0,
}
_PER_CHARACTER = {
    **dict.fromkeys(("lower", "upper", "reverse", "||", "concat", "concat_ws", "substr", "left", "right"), 1.0),
    **dict.fromkeys(("like", "ilike", "like escape", "ilike escape", "contains", "strpos"), 1.0),
    **dict.fromkeys(("=", "<>", "<", "<=", ">", ">=", "is distinct from", "is not distinct from", "in"), 0.1),
    **dict.fromkeys(("is null", "not null", "coalesce", "least", "greatest", "nullif", "length", "strlen"), 0.1),
    **dict.fromkeys(("trim", "ltrim", "rtrim", "glob", "split_part", "starts_with", "ends_with"), 5.0),
    **dict.fromkeys(("translate", "strip_accents"), 12.0),
    **dict.fromkeys(("lpad", "rpad"), 8.0),
    "string_split": 30.0,
    "replace": 4.0,
    "jaccard": 3.0,
    "jaro_winkler_similarity": 12.0,
}
_PER_COMPARED_PAIR = 2.0  # of characters, by levenshtein
_PER_STATE = 25.0  # of an automaton, for each character
_PER_RESTART = 2.5  # likewise where each match begins a search that may read all the rest
_PER_MATCH = 90.0
_PER_MADE_CHARACTER = 5.0
_FEW_STATES, _DETERMINISTIC = 12, 10.0  # of so few states an automaton is made deterministic: then for each character
_PER_ELEMENT, _PER_DIFFERENT_ELEMENT = 15.0, 150.0  # of a list
_STORED_ELEMENTS = 100  # of a stored list
_LISTED = 100  # characters of a stored text whose values are those of a declared list, but for some
_JOINED = {"||", "concat", "concat_ws"}
_AS_LONG_AS_THE_FIRST = {
    *("lower", "upper", "trim", "ltrim", "rtrim", "reverse", "translate", "strip_accents", "split_part"),
    *("regexp_extract", "nullif", "to_varchar", "slice"),
}
_WRITTEN = 64  # characters of a number, a time or a name that is written out


@dataclass(frozen=True)
class Widths:
    """How long texts and lists are taken to be: of one row, at most or usually."""

    text: int  # characters of a stored text that no list declares
    made: Mapping[Field, float] = field(default_factory=dict)  # of what was computed below

    def of(self, expr: Expr) -> float:
        """Give the characters of a text, or the elements of a list; 1 of anything else."""
        if isinstance(expr, Literal):
            return float(len(expr.value)) if isinstance(expr.value, str) else 1.0
        if isinstance(expr, Ref):
            return self.of_field(expr.field)
        if isinstance(expr, Case):
            return max(self.of(part) for part in (*(value for _, value in expr.branches), expr.otherwise))
        return self._of_call(expr) if expr.type in (SqlType.VARCHAR, *_LISTS) else 1.0

    def of_field(self, read: Field) -> float:
        """Give the same of a field."""
        if read in self.made:
            return self.made[read]
        if read.type in _LISTS:
            return float(min(_STORED_ELEMENTS, self.text))
        if read.type is not SqlType.VARCHAR:
            return 1.0
        if read.complete and isinstance(read.domain, ValueList):
            return float(max((len(str(each)) for each in read.domain.values), default=1))
        return float(self.text if read.domain is None else min(self.text, _LISTED))

    def _of_call(self, call: Call) -> float:
        parts = [self.of(each) for each in call.arguments]
        if call.name in _JOINED:
            return min(float(CUT), sum(parts))
        if call.name in ("substr", "left", "right") and isinstance(call.arguments[-1], Literal):
            kept = call.arguments[-1].value if len(call.arguments) > 1 + (call.name == "substr") else None
            return min(parts[0], float(abs(kept))) if isinstance(kept, int) else parts[0]
        if call.name in ("lpad", "rpad") and isinstance(call.arguments[1], Literal):
            return float(call.arguments[1].value or 1)
        if call.name in ("replace", "regexp_replace", "array_to_string"):
            return float(CUT)
        if call.name in ("list_extract", "list_min", "list_max"):  # an element, of whatever length
            return float(CUT)
        if call.name in _AS_LONG_AS_THE_FIRST:
            return max(parts[0], float(_WRITTEN) if call.name == "to_varchar" else 1.0)
        return max([float(_WRITTEN) if not parts else 1.0, *parts])


def row_cost(expr: Expr, widths: Widths) -> float:
    """Bound the nanoseconds of one row: an argument counts as often as its form repeats it."""
    if isinstance(expr, Literal | Ref):
        return 0.0
    if isinstance(expr, Case):
        parts = (*(part for branch in expr.branches for part in branch), expr.otherwise)
        return sum(_PER_CALL + row_cost(part, widths) for part in parts)
    form = function(expr.function).duckdb
    repeats = [max(1, form.count(f"{{{place}}}")) for place in range(len(expr.arguments))]
    below = sum(times * row_cost(each, widths) for times, each in zip(repeats, expr.arguments, strict=True))
    return below + _own_cost(expr, widths)


def _own_cost(call: Call, widths: Widths) -> float:
    if call.name.startswith("regexp_"):
        return _PER_CALL + _regexp_cost(call, widths)
    first = call.arguments[0] if call.arguments else None
    per_call = _PER_CALL_OF.get(call.name, _PER_CALL) + (5.0 * len(call.arguments) if call.name == "in" else 0.0)
    if first is None:
        return per_call
    width = max(map(widths.of, call.arguments)) if call.name in _JOINED else widths.of(first)
    if call.name == "levenshtein":
        return per_call + _PER_COMPARED_PAIR * min(width, CUT) * widths.of(call.arguments[1])
    if call.name == "replace":
        width *= 1 + 0.1 * widths.of(call.arguments[2])
    if call.name in ("lpad", "rpad"):
        width = max(width, widths.of(call))
    if call.name != "is null" and any(each.type in _LISTS for each in (*call.arguments, call)):
        each = _PER_DIFFERENT_ELEMENT if call.name in ("list_unique", "array_to_string") else _PER_ELEMENT
        return per_call + (_PER_CHARACTER["string_split"] if call.name == "string_split" else each) * width
    per_character = _PER_CHARACTER.get(call.name, 1.0 if first.type is SqlType.VARCHAR else 0.0)
    return per_call + per_character * width


def _regexp_cost(call: Call, widths: Widths) -> float:
    """RE2 reads a text once with a deterministic automaton, or with all states of it at a time where that is large."""
    text, pattern = call.arguments[0], str(getattr(call.arguments[1], "value", ""))
    width, states = widths.of(text), float(parts_of(pattern))
    once = width * max(_DETERMINISTIC, 0.0 if states <= _FEW_STATES else _PER_STATE * min(states, width))
    if call.name in ("regexp_matches", "regexp_full_match"):
        return once
    captured = width * _PER_STATE * min(states, width)
    if call.name != "regexp_replace":
        return captured
    written = _PER_MADE_CHARACTER * widths.of(call.arguments[2])
    if len(call.arguments) == 3:
        return captured + written * width  # it may name groups as long as the text
    every = width * (_PER_MATCH + written)
    if never_tries_again(pattern):
        return every + captured
    return every + _PER_RESTART * width * width * min(states, width)


@dataclass(frozen=True)
class _Gathering:
    """What an aggregate takes for each row of a group: time and memory, and the same for each character of its text."""

    nanoseconds: float
    bytes: float = 0.0
    nanoseconds_per_character: float = 0.0
    bytes_per_character: float = 0.0


_ADDING = _Gathering(100.0)
_IN_ORDER = _Gathering(500.0, 150.0, 2.0)
_GATHERING = {
    "min": _Gathering(100.0, 0.0, 1.0),
    "max": _Gathering(100.0, 0.0, 1.0),
    "any_value": _Gathering(100.0, 0.0, 1.0),
    "arg_min": _Gathering(200.0, 50.0, 2.0),
    "arg_max": _Gathering(200.0, 50.0, 2.0),
    "first": _Gathering(300.0, 150.0, 2.0, 1.0),
    "last": _Gathering(300.0, 150.0, 2.0, 1.0),
    "avg": _Gathering(200.0),
    "median": _Gathering(150.0, 60.0),
    "quantile_cont": _Gathering(150.0, 60.0),
    "quantile_disc": _Gathering(250.0, 80.0, 2.0, 1.5),
    "count_distinct": _Gathering(300.0, 100.0, 2.5, 1.5),
    "list": _Gathering(400.0, 180.0, 8.0, 4.0),
    "list_distinct": _Gathering(500.0, 200.0, 8.0, 4.0),
    "mode": _Gathering(500.0, 150.0, 5.0, 3.0),
    "string_agg": _Gathering(800.0, 250.0, 14.0, 6.0),
    "product": _IN_ORDER,
    "sum_distinct": _IN_ORDER,
    "avg_distinct": _IN_ORDER,
}
_OF_MOMENTS = {"var", "std", "cor", "cov", "reg", "ske", "kur"}  # how their names begin


@dataclass(frozen=True)
class Cost:
    """What one row takes: nanoseconds, and bytes that are held until its group or partition is complete."""

    nanoseconds: float
    bytes: float = 0.0


def measure_cost(measure: Measure, widths: Widths) -> Cost:
    """Bound what one row adds to one person's aggregate."""
    known = _IN_ORDER if measure.function[:3] in _OF_MOMENTS else _ADDING
    gathering = _GATHERING.get(measure.function, known)
    read = (*measure.arguments, *((measure.condition,) if measure.condition is not None else ()))
    characters = sum(widths.of(each) for each in measure.arguments if each.type in (SqlType.VARCHAR, *_LISTS))
    return Cost(
        gathering.nanoseconds
        + gathering.nanoseconds_per_character * characters
        + sum(row_cost(e, widths) for e in read),
        gathering.bytes + gathering.bytes_per_character * characters,
    )


def window_cost(call: WindowCall, rows: float, widths: Widths) -> Cost:
    """Bound what one row of a partition of so many rows takes: it is sorted, and its frame is looked at in a tree.

    In frames of GROUPS the end of each is looked for group by group, and IGNORE NULLS looks for what is not NULL.
    """
    read = (*call.arguments, *call.partition, *(key.expr for key in call.order))
    condition = (call.condition,) if call.condition is not None else ()
    characters = sum(widths.of(each) for each in read if each.type in (SqlType.VARCHAR, *_LISTS))
    nanoseconds = 800.0 + sum(row_cost(each, widths) for each in (*read, *condition)) + 2.0 * characters
    if call.frame is not None:
        nanoseconds += 4_000.0 + 12.0 * characters
        if call.frame.unit is Unit.GROUPS:
            nanoseconds += 4.0 * rows
    if call.ignore_nulls:
        nanoseconds += 0.1 * rows
    return Cost(nanoseconds, 150.0 + 2.0 * characters)
