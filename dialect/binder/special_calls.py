"""Calls whose syntax nodes hold more than arguments: flags, positions, units, lists of constants.

Text and list functions have flags, positions or constant lists, time functions a unit or a part of a date. IN with a
list column and IN with rows of values become calls of the allow-list.

h3_cell(lon, lat, resolution) is a parent of stored cells. SQL can't compute an H3 cell, so the catalog declares a
column of cells that is computed when data are loaded (`proofs.md#cells`). It is found by the coordinates that it is
computed from, not by its name.

Polygons are allowed in one place: the point-in-polygon test, which has three names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import reduce
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlglot import exp

from dialect.algebra.expressions import Expr, Field, Literal, Ref
from dialect.catalog.model import SqlType
from dialect.diagnostics.field_values import Unnamed
from dialect.diagnostics.kinds import Kind
from dialect.errors import Code, Suggestion, to_suggestions
from dialect.functions import literals
from dialect.functions.literals import parse_constant
from dialect.functions.registry import DATE_PARTS
from dialect.functions.scalar.time import TIME_UNITS
from dialect.functions.signatures import CONSTANT_RANGES
from dialect.parser.compile_context import check_parts, refusal
from dialect.parser.spans import sql_text, written_name
from dialect.stability.typed_calls import apply_function

_COARSEST, _FINEST = CONSTANT_RANGES["resolution"]


def is_cell_call(node: exp.Expr) -> bool:
    """Return whether a node calls h3_cell."""
    return isinstance(node, exp.Anonymous) and str(node.this).lower() == "h3_cell"


def bind_cell_call(
    node: exp.Expr, resolve_column: Callable[[exp.Column], Expr], visible_fields: Iterable[Field]
) -> Expr:
    """Bind h3_cell(lon, lat, resolution) to a stored cell or its parent; raises Refusal where there is none.

    `visible_fields` are searched for cells of the same coordinates, stored at this resolution or a finer one; of
    several the coarsest is taken. `Field.h3_cell` is (field id of lon, field id of lat, resolution).
    """
    resolution = parse_constant(node.expressions[2]) if len(node.expressions) == 3 else None
    if (
        resolution is None
        or resolution.type is not SqlType.BIGINT
        or not _COARSEST <= int(resolution.value or 0) <= _FINEST
    ):
        raise refusal(Kind.CELL_ARGUMENTS, node)
    requested_resolution = int(resolution.value or 0)
    lon, lat = (_coordinate_field(part, resolve_column) for part in node.expressions[:2])
    if lon is None or lat is None:
        raise refusal(Kind.CELLS_OF_COMPUTED_COORDINATES, node)
    stored = [f for f in visible_fields if f.h3_cell is not None and f.h3_cell[:2] == (lon.id, lat.id)]
    finer = sorted(
        (f for f in stored if f.h3_cell is not None and f.h3_cell[2] >= requested_resolution), key=_resolution
    )
    if finer:
        is_exact = _resolution(finer[0]) == requested_resolution
        if is_exact:
            return Ref(finer[0])
        return apply_function("h3_parent", [Ref(finer[0]), Literal(requested_resolution, SqlType.BIGINT)], node)
    raise _cell_refusal(node, lon, lat, stored)


def _coordinate_field(node: exp.Expr, resolve_column: Callable[[exp.Column], Expr]) -> Field | None:
    """Field of a coordinate that is a plain column; None for other expressions."""
    bound = resolve_column(node) if isinstance(node, exp.Column) else None
    return bound.field if isinstance(bound, Ref) else None


def _resolution(field: Field) -> int:
    """H3 resolution of a cell column."""
    return 0 if field.h3_cell is None else field.h3_cell[2]


def _cell_refusal(node: exp.Expr, lon: Field, lat: Field, stored: list[Field]) -> Exception:
    """Build the refusal of h3_cell: stored cells are too coarse, or none is visible.

    `lon` and `lat` must be stored in one table, or no column of cells can have been computed from them.
    """
    if stored:
        finest = max(map(_resolution, stored))
        texts = [sql_text(part) for part in node.expressions[:2]]
        coarser = f"h3_cell({', '.join(texts)}, {finest})"
        return refusal(
            Kind.CELLS_TOO_FINE, node, Suggestion(coarser, "larger cells"), finest=finest, coordinates=", ".join(texts)
        )
    if lon.origin is None or lat.origin is None or lon.origin.table != lat.origin.table:
        return refusal(Kind.CELLS_OF_TWO_ROWS, node)
    declared = f'h3 = {{ lon = "{lon.origin.column}", lat = "{lat.origin.column}", resolution = 9 }}'
    return refusal(Kind.NO_CELL_COLUMN, node, table=lon.origin.table, declared=declared)


BindScalar = Callable[[exp.Expr], Expr]


def bind_in_list(node: exp.Expr, bind: BindScalar) -> Expr | None:
    """Bind `x IN list_column` and `(a, b) IN ((1, 2), (3, 4))`; None for IN with scalar values."""
    if node.args.get("field") is not None:
        check_parts(node, "this", "field", code=Code.FUNC)
        return apply_function("list_contains", [bind(node.args["field"]), bind(node.this)], node)
    return _bind_in_rows(node, bind) if isinstance(node.this, exp.Tuple) and node.args.get("query") is None else None


def _bind_in_rows(node: exp.Expr, bind: BindScalar) -> Expr:
    """Bind IN with rows of values as comparisons by IS NOT DISTINCT FROM, as in DuckDB: the result is never NULL."""
    check_parts(node, "this", "expressions", code=Code.FUNC)
    values = [bind(part) for part in node.this.expressions]
    return reduce(
        lambda one, other: apply_function("or", [one, other], node),
        [_row_equals(values, row, bind) for row in node.expressions],
    )


def _row_equals(values: list[Expr], row: exp.Expr, bind: BindScalar) -> Expr:
    """Compare a row with one row of the list."""
    if not isinstance(row, exp.Tuple) or len(row.expressions) != len(values):
        raise refusal(Kind.UNEQUAL_IN_ROWS, row)
    pairs = zip(values, row.expressions, strict=True)
    tests = [apply_function("is not distinct from", [value, bind(part)], row) for value, part in pairs]
    return reduce(lambda one, other: apply_function("and", [one, other], row), tests)


# order of the arguments; a point is two numbers
_POLYGON_ARGUMENTS = {
    "within_polygon": ("lon", "lat", "polygon"),
    "st_contains": ("polygon", "point"),
    "st_within": ("point", "polygon"),
}


def is_polygon_call(node: exp.Expr) -> bool:
    """Return whether a node is a point-in-polygon test."""
    name = str(node.this).lower() if isinstance(node, exp.Anonymous) else ""
    slots = _POLYGON_ARGUMENTS.get(name)
    return slots is not None and len(node.expressions) == len(slots)


def point_and_polygon(node: exp.Expr) -> tuple[exp.Expr, exp.Expr, exp.Expr]:
    """Arguments of a point-in-polygon test: (longitude, latitude, polygon).

    The point is two arguments, or ST_Point(lon, lat), by the function's name. Raises Refusal for another point.
    """
    parts = dict(zip(_POLYGON_ARGUMENTS[str(node.this).lower()], node.expressions, strict=True))
    point = parts.get("point")
    if isinstance(point, exp.StPoint) and point.args.get("expression") is not None:
        check_parts(point, "this", "expression", code=Code.FUNC)
        parts |= {"lon": point.this, "lat": point.expression}
    if "lon" not in parts:
        raise refusal(Kind.POINT_FORM, node)
    return parts["lon"], parts["lat"], parts["polygon"]


# test of a list against constants -> how the tests of its members are joined
LIST_TESTS = {"list_has_any": "or", "array_has_any": "or", "list_has_all": "and", "array_has_all": "and"}
CallBinder = Callable[[exp.Expr, Sequence[Expr]], Expr]
_SLICE_END = 2**31 - 1  # end of a slice without one
_REPLACE_ALL = Literal("g", SqlType.VARCHAR)
# options of DuckDB -> inline flags; "c", "m", "n" and "p" are the default
_INLINE_FLAGS = {"i": "i", "s": "s", "c": "", "m": "", "n": "", "p": ""}
_TRIM_FUNCTIONS = {"LEADING": "ltrim", "TRAILING": "rtrim", "BOTH": "trim", "": "trim"}


def bind_list_test(connective: str, stored: Expr, list_node: exp.Expr, node: exp.Expr) -> Expr:
    """Bind a test of a list column against constants: contains all (`connective` = and) or any (or) of them.

    One list_contains for each constant, joined by the connective. && of anything else than lists is refused as a
    mistaken AND.
    """
    if isinstance(node, exp.ArrayOverlaps) and not isinstance(list_node, exp.Array):
        raise refusal(Kind.AMPERSANDS, node)
    constants = (
        [literals.parse_constant(part) for part in list_node.expressions] if isinstance(list_node, exp.Array) else []
    )
    members = [member for member in constants if member is not None and member.value is not None]
    if not members or len(members) < len(constants):
        raise refusal(Kind.LIST_TEST_NOT_CONSTANT, node)
    found = [apply_function("list_contains", [stored, member], node) for member in members]
    return found[0] if len(found) == 1 else apply_function(connective, found, node)


def _calls(name: str) -> CallBinder:
    """Return a binder of a call with its arguments as they stand."""
    return lambda node, arguments: apply_function(name, arguments, node)


def _like(node: exp.Expr, arguments: Sequence[Expr]) -> Expr:
    """Bind LIKE and ILIKE, also with an escape character."""
    like, escape = (node.this, " escape") if isinstance(node, exp.Escape) else (node, "")
    typed = apply_function(f"{'ilike' if isinstance(like, exp.ILike) else 'like'}{escape}", arguments, node)
    return apply_function("not", [typed], node) if like.args.get("negate") else typed


def like_escape(node: exp.Expr, value: Expr, pattern: Expr, escape: Expr) -> Expr:
    """Bind LIKE and ILIKE with an escape character."""
    return _like(node, [value, pattern, escape])


def _trim(node: exp.Expr, arguments: Sequence[Expr]) -> Expr:
    """Bind TRIM, with its side."""
    return apply_function(_TRIM_FUNCTIONS[str(node.args.get("position") or "")], arguments, node)


def _pad(node: exp.Expr, arguments: Sequence[Expr]) -> Expr:
    """Bind LPAD and RPAD."""
    return apply_function("lpad" if node.args.get("is_left") else "rpad", arguments, node)


def _with_flags(node: exp.Expr, pattern: Expr, options: str) -> Expr:
    """Prefix a regular expression with its options as inline flags: (?i)pattern; raises Refusal for unknown options.

    Options that are the default have no flag. A pattern that is no constant is unchanged, and refused by the function.
    """
    if not set(options) <= set(_INLINE_FLAGS):
        raise refusal(Kind.UNKNOWN_PATTERN_OPTION, node, options=options[:10])
    flags = "".join(dict.fromkeys(_INLINE_FLAGS[option] for option in options))
    if not flags or not isinstance(pattern, Literal):
        return pattern
    return Literal(f"(?{flags}){pattern.value}", SqlType.VARCHAR)


def _pattern_options(node: exp.Expr, slot: str) -> str:
    """Constant options of a regular expression."""
    option_node = node.args.get(slot)
    if option_node is None or (isinstance(option_node, exp.Literal) and option_node.is_string):
        return "" if option_node is None else str(option_node.this)
    raise refusal(Kind.PATTERN_OPTIONS_NOT_CONSTANT, node)


def _regexp(name: str, options: str) -> CallBinder:
    """Return a binder of a regular expression function with the options in one part of its node."""

    def bind(node: exp.Expr, arguments: Sequence[Expr]) -> Expr:
        value, pattern, *rest = arguments
        return apply_function(name, [value, _with_flags(node, pattern, _pattern_options(node, options)), *rest], node)

    return bind


def _regexp_imatches(node: exp.Expr, arguments: Sequence[Expr]) -> Expr:
    """Bind the case-insensitive regular expression match `x ~* 'a'`."""
    return apply_function("regexp_matches", [arguments[0], _with_flags(node, arguments[1], "i")], node)


def _regexp_replace(node: exp.Expr, arguments: Sequence[Expr]) -> Expr:
    """Bind regexp_replace, with options; 'g' replaces all matches."""
    options = _pattern_options(node, "modifiers")
    pattern = _with_flags(node, arguments[1], options.replace("g", ""))
    replace_all = [_REPLACE_ALL] if "g" in options else []
    return apply_function("regexp_replace", [arguments[0], pattern, arguments[2], *replace_all], node)


def _bracket(node: exp.Expr, arguments: Sequence[Expr]) -> Expr:
    """Bind x[2] and x[1:3] of text or a list, with constant positions; a slice without ends reaches to both ends."""
    positions = node.expressions
    if len(positions) != 1:
        raise refusal(Kind.PART_POSITIONS, node)
    (position,) = positions
    if not isinstance(position, exp.Slice):
        return apply_function("list_extract", [arguments[0], _position(position, node, 1)], node)
    first, last = position.this, position.args.get("expression")
    ends = [_position(first, node) if first is not None else _integer(1)]
    ends.append(_position(last, node) if last is not None else _integer(_SLICE_END))
    if position.args.get("step") is not None:
        raise refusal(Kind.PART_STEP, node)
    return apply_function("slice", [*arguments, *ends], node)


def _integer(value: int) -> Literal:
    """Constant integer."""
    return Literal(value, SqlType.BIGINT)


def _position(position_node: exp.Expr, node: exp.Expr, offset: int = 0) -> Literal:
    """Constant position plus `offset`: sqlglot counts single positions from 0."""
    unwrapped = position_node.unnest()
    sign = -1 if isinstance(unwrapped, exp.Neg) else 1
    inner = unwrapped.this if isinstance(unwrapped, exp.Neg) else unwrapped
    found = literals.parse_number(inner) if isinstance(inner, exp.Literal) and not inner.is_string else None
    if found is None or not isinstance(found.value, int):
        raise refusal(Kind.POSITION_NOT_CONSTANT, node)
    return _integer(sign * found.value + offset)


_TWO = ("this", "expression")
# node class -> (allowed parts, parts that are arguments in order, binder of the call)
TEXT_CALLS: dict[type[exp.Expr], tuple[tuple[str, ...], tuple[str, ...], CallBinder]] = {
    exp.Like: ((*_TWO, "negate"), _TWO, _like),
    exp.ILike: ((*_TWO, "negate"), _TWO, _like),
    exp.Trim: ((*_TWO, "position"), _TWO, _trim),
    exp.Pad: (("this", "expression", "fill_pattern", "is_left"), ("this", "expression", "fill_pattern"), _pad),
    exp.RegexpLike: ((*_TWO, "flag"), _TWO, _regexp("regexp_matches", "flag")),
    exp.RegexpILike: (_TWO, _TWO, _regexp_imatches),
    exp.RegexpFullMatch: ((*_TWO, "options"), _TWO, _regexp("regexp_full_match", "options")),
    exp.SimilarTo: (_TWO, _TWO, _regexp("regexp_full_match", "options")),
    exp.RegexpExtract: (
        (*_TWO, "group", "parameters", "null_if_pos_overflow"), (*_TWO, "group"),
        _regexp("regexp_extract", "parameters"),
    ),
    exp.RegexpReplace: (
        (*_TWO, "replacement", "modifiers", "single_replace"), (*_TWO, "replacement"), _regexp_replace,
    ),
    exp.Bracket: (("this", "expressions", "offset", "safe"), ("this",), _bracket),
    exp.ArraySlice: (("this", "start", "end"), ("this", "start", "end"), _calls("slice")),
}  # fmt: skip


def bind_date_part(part: Expr, time: Expr, node: exp.Expr) -> Expr:
    """Bind the extraction of a constant part from a date or time."""
    if not isinstance(part, Literal):
        raise refusal(Kind.DATE_PART_NOT_CONSTANT, node)
    unit_name = str(part.value).lower()
    name = DATE_PARTS.get(unit_name) or DATE_PARTS.get(unit_name.removesuffix("s"))
    if name is None:
        raise refusal(Kind.UNKNOWN_DATE_PART, node, part=unit_name[:20])
    return apply_function(name, [time], node)


def _extract(node: exp.Expr, arguments: Sequence[Expr]) -> Expr:
    """Bind EXTRACT(part FROM x)."""
    is_constant = isinstance(node.this, exp.Var | exp.Literal)
    return bind_date_part(Literal(node.this.name if is_constant else Unnamed.UNIT, SqlType.VARCHAR), arguments[0], node)


def _unit(node: exp.Expr) -> Literal:
    """Time unit of a node as a constant, in the singular; raises Refusal for an unknown one."""
    unit_node = node.args.get("unit")
    unit = unit_node.name.lower().removesuffix("s") if isinstance(unit_node, exp.Var | exp.Literal) else Unnamed.UNIT
    if unit not in TIME_UNITS:
        raise refusal(Kind.UNKNOWN_UNIT, node, unit=unit[:20], units=", ".join(TIME_UNITS))
    return Literal(unit, SqlType.VARCHAR)


def _date_trunc(node: exp.Expr, arguments: Sequence[Expr]) -> Expr:
    """Bind date_trunc, with its unit as the first argument."""
    return apply_function("date_trunc", [_unit(node), *arguments], node)


def _date_sub(node: exp.Expr, arguments: Sequence[Expr]) -> Expr:
    """Bind date_sub(unit, start, end), which counts complete units."""
    part = arguments[0] if len(arguments) == 3 else None
    unit = str(part.value).lower().removesuffix("s") if isinstance(part, Literal) else Unnamed.UNIT
    if unit not in TIME_UNITS:
        raise refusal(Kind.UNKNOWN_UNIT, node, unit=unit[:20], units=", ".join(TIME_UNITS))
    return apply_function("date_sub", [Literal(unit, SqlType.VARCHAR), *arguments[1:]], node)


def _date_diff(node: exp.Expr, arguments: Sequence[Expr]) -> Expr:
    """Bind date_diff(unit, start, end), which counts crossed boundaries of the unit."""
    return apply_function("date_diff", [_unit(node), *arguments], node)


def _date_part(node: exp.Expr, arguments: Sequence[Expr]) -> Expr:
    """Bind date_part(part, time), which is EXTRACT."""
    part, time = arguments
    return bind_date_part(part, time, node)


def _from_epoch(node: exp.Expr, arguments: Sequence[Expr]) -> Expr:
    """Bind times from seconds, milliseconds or microseconds since 1970; epoch_ms of a time is the inverse."""
    scale = node.args.get("scale")
    names = {"": "from_epoch", "3": "epoch_ms", "6": "make_timestamp"}
    return apply_function(names.get(scale.name if scale is not None else "", "from_epoch()"), arguments, node)


def _strftime(node: exp.Expr, arguments: Sequence[Expr]) -> Expr:
    """Bind strftime, with its arguments in either order."""
    time, form = arguments
    return apply_function("strftime", [form, time] if time.type is SqlType.VARCHAR else [time, form], node)


def _at_time_zone(node: exp.Expr, arguments: Sequence[Expr]) -> Expr:
    """Bind AT TIME ZONE: an instant to wall-clock time.

    The inverse, wall-clock time to an instant, is bound only where a second one converts it again: other functions
    would read the instant in UTC, a zone that the query does not name.
    """
    time, zone = arguments
    if not isinstance(zone, Literal) or not _is_zone(str(zone.value)):
        raise refusal(Kind.ZONE_NOT_CONSTANT, node)
    if time.type is SqlType.TIMESTAMPTZ:
        return apply_function("wall", arguments, node)
    if not _is_converted_again(node):
        is_own = isinstance(time, Ref) and time.field.time_zone == zone.value
        own = to_suggestions([sql_text(node.this)] if is_own else [], "the column is on that clock")
        raise refusal(Kind.CLOCK_OF_CLOCK, node, *own)
    return apply_function("instant", arguments, node)


def _is_converted_again(node: exp.Expr) -> bool:
    """Return whether another AT TIME ZONE converts the result."""
    outer = node.parent
    while isinstance(outer, exp.Paren):
        outer = outer.parent
    return isinstance(outer, exp.AtTimeZone)


def _is_zone(name: str) -> bool:
    """Return whether a name is UTC or a geographic IANA time zone."""
    try:
        return bool(_ZONE.fullmatch(name)) and ZoneInfo(name).key == name
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False


_ZONE = re.compile(r"UTC|(Africa|America|Antarctica|Asia|Atlantic|Australia|Europe|Indian|Pacific)/[A-Za-z_/-]{1,40}")


def _constant_interval(node: exp.Expr, arguments: Sequence[Expr]) -> Expr:
    """Bind to_minutes(5) as a constant interval; the unit is in the function's name as written."""
    unit = written_name(node).lower().removeprefix("to_").removesuffix("s")
    amount = arguments[0] if len(arguments) == 1 else None
    if not isinstance(amount, Literal) or not isinstance(amount.value, int):
        raise refusal(Kind.INTERVAL_FORM, node)
    return literals.interval_literal(amount.value, unit, node)


# function without a node class in sqlglot -> binder of the call
NAMED_CALLS: dict[str, CallBinder] = {
    **dict.fromkeys(("date_part", "datepart"), _date_part),
    **dict.fromkeys(("date_sub", "datesub"), _date_sub),
    "timezone": lambda node, arguments: _at_time_zone(node, arguments[::-1]),  # time AT TIME ZONE zone
    **{f"to_{unit}s": _constant_interval for unit in ("year", "month", "week", "day", "hour", "minute", "second")},
}

# node class -> (allowed parts, parts that are arguments in order, binder of the call)
TIME_CALLS: dict[type[exp.Expr], tuple[tuple[str, ...], tuple[str, ...], CallBinder]] = {
    exp.Extract: (("this", "expression"), ("expression",), _extract),
    exp.TimestampTrunc: (("this", "unit"), ("this",), _date_trunc),
    exp.DateTrunc: (("this", "unit"), ("this",), _date_trunc),
    exp.DateDiff: (("this", "expression", "unit"), ("expression", "this"), _date_diff),
    exp.DateAdd: (("this", "expression"), ("this", "expression"), _calls("+")),
    exp.UnixToTime: (("this", "scale"), ("this",), _from_epoch),
    exp.TimeToStr: (("this", "format"), ("this", "format"), _strftime),
    exp.AtTimeZone: (("this", "zone"), ("this", "zone"), _at_time_zone),
    exp.ToDays: (("this",), ("this",), _constant_interval),
    exp.DateBin: (("this", "expression"), ("this", "expression"), _calls("time_bucket")),
}
