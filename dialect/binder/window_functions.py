"""Bind window functions, named windows and QUALIFY of one SELECT to typed calls over its rows or groups.

PARTITION BY, ORDER BY and frame are merged with a named window and checked. Type, range, domain, nullability and the
owner of a call's value are inferred.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlglot import exp

from dialect.algebra import intervals as ranges
from dialect.algebra.expressions import Call, Expr, Field, Literal, Ref, fields_of
from dialect.algebra.relations import (
    Frame,
    FrameEnd,
    OrderKey,
    PerPerson,
    Relation,
    Released,
    Unit,
    WindowCall,
    holds_own_row,
    looks_at_all,
    read_by,
    rows_in,
)
from dialect.binder.aggregates import aggregate_call, check_arguments, with_list
from dialect.binder.group_by import GroupNames
from dialect.binder.scalars import Names, condition, scalar
from dialect.binder.scope import RowNames, Scope, aggregate_name, has_window
from dialect.catalog.model import Bounds, Domain, SqlType, ValueList
from dialect.errors import Code, Refusal
from dialect.functions.aggregates import AGGREGATES, MOMENTS, measure_bounds
from dialect.functions.constant_folding import MONTHS, SECONDS
from dialect.functions.emitter import plain_text
from dialect.functions.inference import alternatives_or_null, nullable, of_person, range_of
from dialect.functions.window_functions import OVER_FRAMES, WINDOW_FUNCTIONS, WINDOW_NODES, RestsOn
from dialect.parser.aggregate_bounds import check_named
from dialect.parser.context import Reading, only, refusal
from dialect.parser.spans import called
from dialect.stability.calls import call, is_person
from dialect.stability.row_operators import keep
from dialect.stability.window_functions import Asked, windowed

FARTHEST = 10**9  # largest constant offset, in rows or groups
_SIDES = {"PRECEDING": "preceding", "FOLLOWING": "following"}
_STEPS = ("preceding", "current row", "following")
_MONTH = 30 * 86_400  # seconds
_HOURS = "RANGE BETWEEN INTERVAL '2 hours' PRECEDING AND CURRENT ROW"


@dataclass(frozen=True)
class Spec:
    """A window specification as syntax nodes."""

    partition: tuple[exp.Expr, ...] = ()
    order: tuple[exp.Expr, ...] = ()
    frame: exp.Expr | None = None


def named_windows(tree: exp.Select) -> dict[str, Spec]:
    """Named windows of the WINDOW clause; a window may extend an earlier one."""
    named: dict[str, Spec] = {}
    for node in tree.args.get("windows") or ():
        name = node.this.name.lower()
        if name in named:
            raise refusal(Code.WINDOW, f"{name[:40]} stands twice in WINDOW.", "give each window its own name", node)
        named[name] = spec_of(node, named)
    return named


def spec_of(node: exp.Expr, named: Mapping[str, Spec]) -> Spec:
    """Window specification of a node, merged with the named window that it refers to."""
    order = node.args.get("order")
    own = Spec(
        tuple(node.args.get("partition_by") or ()),
        () if order is None else tuple(order.expressions),
        node.args.get("spec"),
    )
    name = node.alias.lower()
    if not name:
        return own
    if name not in named:
        hint = f"one of {', '.join(list(named)[:12])}" if named else "WINDOW name AS (PARTITION BY ...)"
        raise refusal(Code.WINDOW, f"There is no window {name[:40]} here.", hint, node)
    base = named[name]
    twice = (base.partition and own.partition) or (base.order and own.order) or (base.frame and own != Spec())
    if twice:
        raise refusal(Code.WINDOW, f"The window {name[:40]} says that already.", "write this window out", node)
    return Spec(own.partition or base.partition, own.order or base.order, own.frame or base.frame)


def order_of(spec: Spec, names: Names) -> tuple[OrderKey, ...]:
    """Bind the ORDER BY of a window."""
    keys = []
    for term in spec.order:
        only(term, "this", "desc", "nulls_first", code=Code.WINDOW)
        descending, nulls_first = bool(term.args.get("desc")), bool(term.args.get("nulls_first"))
        keys.append(OrderKey(scalar(term.this, names), descending, nulls_first))
    return tuple(keys)


def frame_of(spec: Spec, order: tuple[OrderKey, ...]) -> tuple[Frame | None, tuple[OrderKey, ...]]:
    """Bind a window frame; the order is returned in the type of its distances; raises Refusal with E_WINDOW."""
    node = spec.frame
    if node is None:
        return None, order
    only(node, "kind", "start", "start_side", "end", "end_side", code=Code.WINDOW)
    start = _end(node.args.get("start"), node.args.get("start_side"), node)
    end = _end(node.args.get("end"), node.args.get("end_side"), node)
    frame = Frame(Unit(str(node.args["kind"]).upper()), start, end)
    _check_ends(frame, node)
    if frame.unit is not Unit.RANGE:
        _check_counted(frame, order, node)
        return frame, order
    return _distances(frame, order, node)


def _end(part: exp.Expr | str | None, side: str | None, node: exp.Expr) -> FrameEnd:
    """Bind one end of a frame."""
    if part is None or part == "CURRENT ROW" or side is None:
        return FrameEnd("current row")
    where: FrameEnd = FrameEnd("preceding") if side.upper() == "PRECEDING" else FrameEnd("following")
    if isinstance(part, str):
        return where
    offset = scalar(part, RowNames(Scope()))
    if not isinstance(offset, Literal) or offset.value is None or _is_negative(offset):
        why = "A frame ends at a constant distance that is not negative."
        raise refusal(Code.WINDOW, why, "ROWS BETWEEN 2 PRECEDING AND CURRENT ROW", node)
    return replace(where, offset=offset)


def _is_negative(offset: Literal) -> bool:
    """Return whether a frame distance is negative or not a distance."""
    if isinstance(offset.value, str):
        return offset.type is not SqlType.INTERVAL or offset.value.startswith("-")
    return isinstance(offset.value, bool) or offset.value is None or offset.value < 0


def _check_ends(frame: Frame, node: exp.Expr) -> None:
    """Refuse a frame that ends before it starts, as DuckDB does; raises Refusal with E_WINDOW."""
    start, end = _STEPS.index(frame.start.side), _STEPS.index(frame.end.side)
    open_start = frame.start == FrameEnd("following")
    open_end = frame.end == FrameEnd("preceding")
    if open_start or open_end or start > end or (start == end and _is_turned(frame)):
        why = "This frame ends before it starts."
        raise refusal(Code.WINDOW, why, "ROWS BETWEEN 2 PRECEDING AND CURRENT ROW", node)


def _is_turned(frame: Frame) -> bool:
    """Return whether two frame ends on the same side are in the wrong order."""
    first, last = (_length(end.offset) for end in (frame.start, frame.end))
    if first is None or last is None:
        return False
    return first < last if frame.start.side == "preceding" else first > last


def _length(offset: Literal | None) -> float | None:
    """Length of a frame distance: a number, or an interval in seconds with months of 30 days."""
    if offset is None:
        return None
    if isinstance(offset.value, int | float):
        return float(offset.value)
    amount, unit = str(offset.value).split(" ")
    return int(amount) * (MONTHS[unit] * _MONTH if unit in MONTHS else SECONDS[unit])


def _check_counted(frame: Frame, order: Sequence[OrderKey], node: exp.Expr) -> None:
    """Refuse ROWS and GROUPS frames with other than bounded integers as distances."""
    offsets = [end.offset for end in (frame.start, frame.end) if end.offset is not None]
    if any(offset.type is not SqlType.BIGINT or int(offset.value or 0) > FARTHEST for offset in offsets):
        why = f"{frame.unit} are counted by whole numbers of at most {FARTHEST:,}."
        raise refusal(Code.WINDOW, why, f"{frame.unit} BETWEEN 2 PRECEDING AND CURRENT ROW", node)
    if frame.unit is Unit.GROUPS and not order:
        raise refusal(Code.WINDOW, "GROUPS are of rows that an ORDER BY leaves equal.", "add an ORDER BY", node)


def _distances(frame: Frame, order: tuple[OrderKey, ...], node: exp.Expr) -> tuple[Frame, tuple[OrderKey, ...]]:
    """Convert the distances of a RANGE frame to the type of its ORDER BY value."""
    offsets = [end.offset for end in (frame.start, frame.end) if end.offset is not None]
    if not offsets:
        return frame, order
    if len(order) != 1:
        raise refusal(Code.WINDOW, "A RANGE with distances has one ORDER BY value.", f"ORDER BY ts {_HOURS}", node)
    (key,) = order
    if key.expr.type is SqlType.DATE:
        key = replace(key, expr=call("to_timestamp", [key.expr], node))
    ends = [_distance(end, key.expr.type, node) for end in (frame.start, frame.end)]
    return Frame(frame.unit, *ends), (key,)


def _distance(end: FrameEnd, kind: SqlType, node: exp.Expr) -> FrameEnd:
    """Convert one distance of a RANGE frame; raises Refusal for a type that can't be added to the order value."""
    offset = end.offset
    if offset is None:
        return end
    if kind is SqlType.DOUBLE and isinstance(offset.value, int | float):
        return replace(end, offset=Literal(float(offset.value), kind))
    fits = (kind, offset.type) in ((SqlType.BIGINT, SqlType.BIGINT), (SqlType.TIMESTAMP, SqlType.INTERVAL))
    if not fits:
        raise _unlike(kind, node)
    return end


def _unlike(kind: SqlType, node: exp.Expr) -> Refusal:
    """Refusal of a RANGE distance of the wrong type."""
    hint = "ORDER BY epoch(ts) RANGE BETWEEN 7200 PRECEDING AND CURRENT ROW" if kind is SqlType.TIMESTAMPTZ else _HOURS
    why = f"A RANGE over {kind} has no such distances: numbers go with numbers, intervals with dates and times."
    return refusal(Code.WINDOW, why, hint, node)


# the result is one of the argument's values
_ONE_OF = {"lag", "lead", "first_value", "last_value", "nth_value", "min", "max"}
_ALWAYS = {"row_number", "rank", "dense_rank", "percent_rank", "cume_dist", "ntile", "count", "count_star"}
_SHARES = {"percent_rank", "cume_dist"}


def field_of(call: WindowCall, max_rows: int | None, reading: Reading) -> Field:
    """Field of a window call's value; `max_rows`: bound on one person's rows, None where rows have no person."""
    first = call.arguments[0] if call.arguments else None
    kept = first.field if isinstance(first, Ref) and call.function in _ONE_OF else None
    own = WINDOW_FUNCTIONS.get(call.function)
    result = own.result if own is not None else AGGREGATES[call.function].result
    assert result is not None or first is not None  # noqa: S101  functions without a fixed type have an argument
    kind = result if result is not None or first is None else first.type
    assert kind is not None  # noqa: S101  as above
    made = Field(
        reading.fresh(), f"{call.function}({', '.join(map(plain_text, call.arguments))})", kind, _may_be_null(call),
        _range(call, max_rows), domain=_domain(call, kept), origin=kept.origin if kept is not None else None,
        of_person=max_rows is not None and _is_one_value(call), time_zone=kept.time_zone if kept is not None else None,
    )  # fmt: skip
    if max_rows is None or kept is None or _default(call) is not None:
        return made
    if kept.alternatives:
        made = replace(made, alternatives=alternatives_or_null(kept) if made.nullable else kept.alternatives)
    return with_list(made, kept) if kept.public is not None else made


def _default(call: WindowCall) -> Expr | None:
    """Default value of LAG or LEAD for a missing row; None for NULL."""
    default = call.arguments[2] if call.function in {"lag", "lead"} and len(call.arguments) > 2 else None
    return None if isinstance(default, Literal) and default.value is None else default


def _may_be_null(call: WindowCall) -> bool:
    """Return whether a window call's value may be NULL."""
    if call.function in _ALWAYS:
        return False
    if call.function in {"lag", "lead"}:
        default = _default(call)
        return default is None or nullable(default) or nullable(call.arguments[0])
    if call.function in {"sum", "avg", "nth_value"} or call.condition is not None or not holds_own_row(call.frame):
        return True
    return nullable(call.arguments[0])


def _range(call: WindowCall, max_rows: int | None) -> Bounds | None:
    """Range of a window call's value; None where unknown."""
    own = WINDOW_FUNCTIONS.get(call.function)
    if own is None:
        bounded = max_rows is not None or call.function in _ONE_OF
        return measure_bounds(AGGREGATES[call.function], call.arguments, max_rows or 1) if bounded else None
    if call.function in _SHARES:
        return Bounds(0, 1)
    if own.result is not None:
        most = call.arguments[0] if call.function == "ntile" else None
        upper = most.value if isinstance(most, Literal) else max_rows
        return Bounds(1, upper) if isinstance(upper, int) else None
    default = _default(call)
    bounds = [range_of(call.arguments[0]), *([range_of(default)] if default is not None else [])]
    return ranges.hull(bounds) if all(map(ranges.known, bounds)) else ranges.UNKNOWN


def _domain(call: WindowCall, kept: Field | None) -> Domain | None:
    """Domain of a window call's value: the argument's, extended by a default."""
    default = _default(call)
    domain = kept.domain if kept is not None else None
    if default is None or domain is None:
        return domain
    if not isinstance(domain, ValueList) or not isinstance(default, Literal) or default.value is None:
        return None
    return ValueList(tuple(dict.fromkeys((*domain.values, default.value))))


def _is_one_value(call: WindowCall) -> bool:
    """Return whether the value is constant per person: all rows of a person have the same frame."""
    own = WINDOW_FUNCTIONS.get(call.function)
    of_frame = own is None or own.rests_on is RestsOn.FRAME
    return of_frame and looks_at_all(call) and all(map(of_person, call.partition))


# over released rows only: they sum doubles in an order that the engine chooses
_OVER_RELEASED = OVER_FRAMES | {*MOMENTS, "median", "quantile_cont"}
_LEAST = {"lag": -FARTHEST, "lead": -FARTHEST, "ntile": 1, "nth_value": 1}  # smallest constant
_PLACE = {"lag": 1, "lead": 1, "ntile": 0, "nth_value": 1}  # position of the constant among the arguments


@dataclass
class WindowCalls:
    """Window calls of one SELECT, collected while its expressions are bound."""

    names: RowNames | GroupNames  # rows or groups, without other windows
    named: Mapping[str, Spec]
    max_rows: int | None  # per person; None: rows are of no person
    person: str  # name of the person key
    aggregates: frozenset[str]  # aggregates allowed over frames of these rows
    reading: Reading
    asked: list[Asked] = field(default_factory=list)

    def value(self, node: exp.Window) -> Expr:
        """Bind a window function with its OVER; equal calls share one field; raises Refusal with E_WINDOW."""
        only(node, "this", "partition_by", "order", "spec", "alias", "over", code=Code.WINDOW)
        spec = spec_of(node, self.named)
        function, arguments, test, skips = self._called(node)
        partition = tuple(dict.fromkeys(scalar(part, self.names) for part in spec.partition))
        frame, order = frame_of(spec, order_of(spec, self.names))
        # other functions ignore frames
        frame = frame if function in self.aggregates or function.endswith("_value") else None
        call_ = WindowCall(function, arguments, test, skips, partition, order, frame, _NO_FIELD)
        self.refuse_windows(read_by(call_), node)
        known = next((a.call for a in self.asked if replace(a.call, field=_NO_FIELD) == call_), None)
        if known is None:
            known = replace(call_, field=field_of(call_, self.max_rows, self.reading))
            self.asked.append(Asked(known, node, self.person))
        return Ref(known.field)

    def refuse_windows(self, exprs: tuple[Expr, ...], node: exp.Expr) -> None:
        """Refuse windows in expressions that are computed before windows."""
        made = {asked.call.field for asked in self.asked}
        if any(f in made for expr in exprs for f in fields_of(expr)):
            why = "A window can't be read by another window of the same SELECT, nor by HAVING."
            raise refusal(Code.WINDOW, why, "compute the inner one in a subquery in FROM", node)

    def over(self, relation: Relation) -> Relation:
        """Compute the collected window calls over a relation."""
        return windowed(relation, self.asked)

    def _called(self, node: exp.Window) -> tuple[str, tuple[Expr, ...], Expr | None, bool]:
        """Bind the function of a window call: name, arguments, FILTER, and IGNORE NULLS."""
        inner, test, skips = self._unwrapped(node)
        name = WINDOW_NODES.get(type(inner)) or aggregate_name(inner) or ""
        if name in WINDOW_FUNCTIONS:
            if test is not None:
                why = f"{name.upper()} has no FILTER: it belongs to aggregates."
                raise refusal(
                    Code.WINDOW, why, f"{name.upper()} over rows that WHERE or a subquery in FROM keeps", node
                )
            return name, self._arguments(name, inner, node), None, skips and self._skips(name, node)
        if name not in self.aggregates | {"count_if"} or skips:
            raise _not_allowed(inner, node)
        return (*self._aggregated(name, inner, test, node), False)

    def _unwrapped(self, node: exp.Window) -> tuple[exp.Expr, Expr | None, bool]:
        """Remove FILTER and IGNORE NULLS from a call and bind them."""
        inner, test, skips = node.this, None, False
        while isinstance(inner, exp.Filter | exp.IgnoreNulls | exp.RespectNulls):
            if isinstance(inner, exp.Filter):
                test = condition(inner.expression.this, self.names)
            skips |= isinstance(inner, exp.IgnoreNulls)
            inner = inner.this
        return inner, test, skips

    def _aggregated(
        self, name: str, inner: exp.Expr, test: Expr | None, node: exp.Expr
    ) -> tuple[str, tuple[Expr, ...], Expr | None]:
        """Bind an aggregate used as a window function."""
        if name == "count_if":  # as the sum of the condition: NULL where it is NULL in all rows of the frame
            condition(inner.this, self.names)
            name = "sum"
        read = aggregate_call(name, inner, test, self.names, node)
        name, arguments, test = read.name, read.arguments, read.test
        if name not in self.aggregates:
            raise _not_allowed(inner, node)
        check_arguments(AGGREGATES[name], arguments, inner)
        bounds = self.reading.bounds.get(inner.meta.get("start", -1))
        if bounds is not None:
            check_named(name, bounds, False)
        return name, arguments, test

    def _skips(self, name: str, node: exp.Expr) -> bool:
        """Check that a function supports IGNORE NULLS."""
        if not WINDOW_FUNCTIONS[name].skips_nulls:
            raise refusal(Code.WINDOW, f"{name.upper()} has no IGNORE NULLS.", "leave IGNORE NULLS out", node)
        return True

    def _arguments(self, name: str, inner: exp.Expr, node: exp.Expr) -> tuple[Expr, ...]:
        """Bind the arguments of a window function."""
        function = WINDOW_FUNCTIONS[name]
        only(inner, *function.slots, code=Code.WINDOW)
        given = [inner.args[slot] for slot in function.slots if inner.args.get(slot) is not None]
        if len(given) < function.least:
            raise refusal(Code.WINDOW, f"{name.upper()} takes more arguments.", _example(name), node)
        if isinstance(given[0] if given else None, exp.Order | exp.Distinct):
            raise refusal(Code.WINDOW, f"{name.upper()} takes its order from OVER.", _example(name), node)
        typed = [scalar(part, self.names) for part in given]
        if any(map(is_person, typed)):
            why = "The person key can be counted, joined on and grouped by, and nothing else."
            raise refusal(Code.PERSON_KEY, why, "row_number() OVER (PARTITION BY the person ...)", node)
        _check_constant(name, typed, node)
        return (*_with_default(typed[0], typed[2], node, typed[1]),) if len(typed) > 2 else tuple(typed)


_NO_FIELD = Field("", None, SqlType.NULL)  # placeholder while calls are compared


def _not_allowed(inner: exp.Expr, node: exp.Expr) -> Refusal:
    """Refusal of a function that can't be used as a window function."""
    if inner.find(exp.Distinct) is not None:
        why = "DISTINCT has no window form: rows of a frame come and go."
        return refusal(Code.WINDOW, why, "COUNT(DISTINCT x) with GROUP BY in a subquery", node)
    why = f"{called(inner)[:40]} has no window form in the dialect."
    return refusal(Code.WINDOW, why, "ROW_NUMBER, RANK, LAG, LEAD, FIRST_VALUE, COUNT, SUM, AVG, MIN or MAX", node)


def _example(name: str) -> str:
    """Return an example of a window function call."""
    shown = {"ntile": "NTILE(4)", "nth_value": "NTH_VALUE(x, 2)"}.get(name, f"{name.upper()}(x)")
    return f"{shown} OVER (...)"


def _check_constant(name: str, typed: list[Expr], node: exp.Expr) -> None:
    """Refuse offsets that are not constant integers in the allowed range; raises Refusal with E_WINDOW."""
    place = _PLACE.get(name)
    if place is None or len(typed) <= place:
        return
    number = typed[place]
    value = number.value if isinstance(number, Literal) and number.type is SqlType.BIGINT else None
    if not isinstance(value, int) or not _LEAST[name] <= value <= FARTHEST:
        why = f"{name.upper()} counts by a constant whole number of {_LEAST[name]:,} to {FARTHEST:,}."
        raise refusal(Code.WINDOW, why, _example(name), node)


def _with_default(value: Expr, default: Expr, node: exp.Expr, offset: Expr) -> tuple[Expr, Expr, Expr]:
    """Convert the default of LAG or LEAD to the type of its value."""
    if default.type is SqlType.NULL:
        return value, offset, Literal(None, value.type)
    both = call("coalesce", [value, default], node)
    if not isinstance(both, Call) or both.name != "coalesce" or both.type is not value.type:
        why = "The default has another type than the values beside it."
        raise refusal(Code.WINDOW, why, "CAST one of them", node)
    return both.arguments[0], offset, both.arguments[1]


def window_calls(
    tree: exp.Select, names: RowNames | GroupNames, source: Relation, per_person: bool, reading: Reading
) -> WindowCalls:
    """Start collecting the window calls of a SELECT; `per_person`: each row or group is one person's."""
    max_rows = rows_in(source, reading.together) if per_person and isinstance(source, PerPerson) else None
    person = source.person if isinstance(source, PerPerson) else None
    alone = len(names.scope.tables) == 1
    written = "" if person is None else (alone and person.name) or names.scope.written(person)
    released = isinstance(source, Released) or not per_person
    aggregates = frozenset(_OVER_RELEASED if released else OVER_FRAMES)
    return WindowCalls(names, named_windows(tree), max_rows, written, aggregates, reading)


def qualified(tree: exp.Select, names: RowNames | GroupNames) -> Expr | None:
    """Bind QUALIFY; None without the clause."""
    clause = tree.args.get("qualify")
    if clause is None:
        return None
    if not any(has_window(part) for part in (clause.this, *tree.expressions)):
        why = "QUALIFY chooses rows by window functions, and there is none."
        raise refusal(Code.WINDOW, why, "WHERE, or HAVING over groups", clause)
    return condition(clause.this, names)


def chosen(relation: Relation, windows: WindowCalls, test: Expr | None) -> Relation:
    """Compute the window calls of a SELECT, then apply its QUALIFY."""
    made = windows.over(relation)
    return made if test is None else keep(made, test)
