"""Bind window functions, named windows and QUALIFY of one SELECT to typed calls over its rows or groups.

PARTITION BY, ORDER BY and frame are merged with a named window and checked. Type, range, domain, nullability and the
owner of a call's value are inferred.

Terms:

    window       an SQL window (OVER); the period of a person's data that is protected is called a privacy window
    frame        rows around the current one that a call reads: ROWS, GROUPS or RANGE BETWEEN start AND end
    distance     constant offset of a frame's end: rows, groups, or a difference of ORDER BY values (RANGE)
    side         of a frame end: preceding, current row or following; without a distance it is unbounded
    resolver     what names mean in the clause: columns of rows, or keys and aggregates of groups
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlglot import exp

from dialect.algebra import relations as rel
from dialect.algebra import value_ranges as ranges
from dialect.algebra.expressions import Alternative, Call, Expr, Field, Literal, Ref, fields_of
from dialect.algebra.relations import call_expressions, includes_current_row, is_whole_partition, row_bound_over_windows
from dialect.analysis.predicates import narrowed_range
from dialect.binder.aggregate_fields import with_key_set
from dialect.binder.aggregates import bind_aggregate_call, check_argument_types
from dialect.binder.group_by import GroupResolver
from dialect.binder.scalars import NameResolver, bind_condition, bind_scalar
from dialect.binder.scope import RowResolver, Scope, aggregate_name, has_window
from dialect.catalog.model import Bounds, Domain, SqlType, ValueList
from dialect.diagnostics.kinds import Kind
from dialect.errors import Code, Refusal
from dialect.functions.aggregates import AGGREGATES, FRAME_AGGREGATES, Framed, ReleasedAs, aggregate_range
from dialect.functions.emitter import plain_text
from dialect.functions.literals import interval_seconds
from dialect.functions.registry import is_function_of_person, may_be_null, with_null_alternative
from dialect.functions.window_functions import MAX_OFFSET, WINDOW_FUNCTIONS, WINDOW_NODES, DeterminedBy
from dialect.parser.compile_context import CompileContext, check_parts, refusal
from dialect.parser.privacy_clause import check_bounds_apply
from dialect.parser.spans import written_name
from dialect.stability.row_operators import RequestedCall, add_window_calls, filter_rows
from dialect.stability.typed_calls import apply_function, is_person_key

_SIDE_ORDER = ("preceding", "current row", "following")
_RANGE_HINT = "RANGE BETWEEN INTERVAL '2 hours' PRECEDING AND CURRENT ROW"


@dataclass(frozen=True)
class WindowSpec:
    """A window specification as syntax nodes."""

    partition: tuple[exp.Expr, ...] = ()
    order: tuple[exp.Expr, ...] = ()
    frame: exp.Expr | None = None


def named_windows(tree: exp.Select) -> dict[str, WindowSpec]:
    """Named windows of the WINDOW clause, by lower-case name; a window may extend an earlier one."""
    specs: dict[str, WindowSpec] = {}
    for node in tree.args.get("windows") or ():
        name = node.this.name.lower()
        if name in specs:
            raise refusal(Kind.WINDOW_TWICE, node, name=name[:40])
        specs[name] = window_spec(node, specs)
    return specs


def window_spec(node: exp.Expr, named_specs: Mapping[str, WindowSpec]) -> WindowSpec:
    """Window specification of a node, merged with the named window that it refers to.

    A part may be stated once. A named window with a frame can only be used as it is: SQL allows nothing to be added.
    """
    order = node.args.get("order")
    own = WindowSpec(
        tuple(node.args.get("partition_by") or ()),
        () if order is None else tuple(order.expressions),
        node.args.get("spec"),
    )
    name = node.alias.lower()
    if not name:
        return own
    if name not in named_specs:
        if not named_specs:
            raise refusal(Kind.NO_NAMED_WINDOW, node, name=name[:40])
        raise refusal(Kind.UNKNOWN_WINDOW, node, name=name[:40], windows=", ".join(list(named_specs)[:12]))
    base = named_specs[name]
    is_repeated = (
        (base.partition and own.partition) or (base.order and own.order) or (base.frame and own != WindowSpec())
    )
    if is_repeated:
        raise refusal(Kind.WINDOW_OVERRIDDEN, node, name=name[:40])
    return WindowSpec(own.partition or base.partition, own.order or base.order, own.frame or base.frame)


def bind_window_order(spec: WindowSpec, resolver: NameResolver) -> tuple[rel.OrderKey, ...]:
    """Bind the ORDER BY of a window."""
    keys = []
    for term in spec.order:
        check_parts(term, "this", "desc", "nulls_first", code=Code.WINDOW)
        descending, nulls_first = bool(term.args.get("desc")), bool(term.args.get("nulls_first"))
        keys.append(rel.OrderKey(bind_scalar(term.this, resolver), descending, nulls_first))
    return tuple(keys)


def bind_frame(spec: WindowSpec, order: tuple[rel.OrderKey, ...]) -> tuple[rel.Frame | None, tuple[rel.OrderKey, ...]]:
    """Bind a window frame: (frame or None, ORDER BY keys); raises Refusal with E_WINDOW.

    The distances of RANGE are added to the ORDER BY value, so a DATE is ordered as a TIMESTAMP, to which an interval
    can be added; therefore the order is returned too.
    """
    node = spec.frame
    if node is None:
        return None, order
    check_parts(node, "kind", "start", "start_side", "end", "end_side", code=Code.WINDOW)
    start = _bind_frame_end(node.args.get("start"), node.args.get("start_side"), node)
    end = _bind_frame_end(node.args.get("end"), node.args.get("end_side"), node)
    frame = rel.Frame(rel.FrameUnit(str(node.args["kind"]).upper()), start, end)
    _check_ends(frame, node)
    if frame.unit is not rel.FrameUnit.RANGE:
        _check_row_distances(frame, order, node)
        return frame, order
    return _convert_distances(frame, order, node)


def _bind_frame_end(end_node: exp.Expr | str | None, side: str | None, node: exp.Expr) -> rel.FrameBound:
    """Bind one end of a frame: CURRENT ROW, unbounded, or at a constant distance.

    sqlglot gives "UNBOUNDED" and "CURRENT ROW" as text, distances as nodes; a missing end is the current row.
    """
    if end_node is None or end_node == "CURRENT ROW" or side is None:
        return rel.FrameBound("current row")
    frame_end: rel.FrameBound = (
        rel.FrameBound("preceding") if side.upper() == "PRECEDING" else rel.FrameBound("following")
    )
    if isinstance(end_node, str):
        return frame_end
    offset = bind_scalar(end_node, RowResolver(Scope()))
    if not isinstance(offset, Literal) or offset.value is None or _is_negative(offset):
        raise refusal(Kind.FRAME_DISTANCE, node)
    return replace(frame_end, offset=offset)


def _is_negative(offset: Literal) -> bool:
    """Return whether a frame distance is negative or not a distance."""
    if isinstance(offset.value, str):
        return offset.type is not SqlType.INTERVAL or offset.value.startswith("-")
    return isinstance(offset.value, bool) or offset.value is None or offset.value < 0


def _check_ends(frame: rel.Frame, node: exp.Expr) -> None:
    """Refuse a frame that ends before it starts, as DuckDB does; raises Refusal with E_WINDOW.

    UNBOUNDED FOLLOWING can't be a start, nor UNBOUNDED PRECEDING an end.
    """
    start, end = _SIDE_ORDER.index(frame.start.side), _SIDE_ORDER.index(frame.end.side)
    # without a distance: UNBOUNDED FOLLOWING as start, UNBOUNDED PRECEDING as end
    open_start = frame.start == rel.FrameBound("following")
    open_end = frame.end == rel.FrameBound("preceding")
    if open_start or open_end or start > end or (start == end and _is_reversed(frame)):
        raise refusal(Kind.FRAME_ENDS_BEFORE_START, node)


def _is_reversed(frame: rel.Frame) -> bool:
    """Return whether two frame ends on the same side are in the wrong order; unbounded ends never are."""
    first, last = (_distance_length(end.offset) for end in (frame.start, frame.end))
    if first is None or last is None:
        return False
    return first < last if frame.start.side == "preceding" else first > last


def _distance_length(offset: Literal | None) -> float | None:
    """Length of a frame distance: a number, or an interval in seconds with months of 30 days."""
    if offset is None:
        return None
    if isinstance(offset.value, int | float):
        return float(offset.value)
    return interval_seconds(str(offset.value))


def _check_row_distances(frame: rel.Frame, order: Sequence[rel.OrderKey], node: exp.Expr) -> None:
    """Refuse ROWS and GROUPS frames with other than bounded integers as distances."""
    offsets = [end.offset for end in (frame.start, frame.end) if end.offset is not None]
    if any(offset.type is not SqlType.BIGINT or int(offset.value or 0) > MAX_OFFSET for offset in offsets):
        raise refusal(Kind.FRAME_COUNT, node, unit=frame.unit, limit=MAX_OFFSET)
    if frame.unit is rel.FrameUnit.GROUPS and not order:
        raise refusal(Kind.GROUPS_WITHOUT_ORDER, node)


def _convert_distances(
    frame: rel.Frame, order: tuple[rel.OrderKey, ...], node: exp.Expr
) -> tuple[rel.Frame, tuple[rel.OrderKey, ...]]:
    """Convert the distances of a RANGE frame to the type of its ORDER BY value: (frame, ORDER BY keys).

    Distances need exactly one ORDER BY value.
    """
    offsets = [end.offset for end in (frame.start, frame.end) if end.offset is not None]
    if not offsets:
        return frame, order
    if len(order) != 1:
        raise refusal(Kind.RANGE_ORDER, node)
    (key,) = order
    if key.expr.type is SqlType.DATE:
        key = replace(key, expr=apply_function("to_timestamp", [key.expr], node))
    ends = [_convert_distance(end, key.expr.type, node) for end in (frame.start, frame.end)]
    return rel.Frame(frame.unit, *ends), (key,)


def _convert_distance(end: rel.FrameBound, order_type: SqlType, node: exp.Expr) -> rel.FrameBound:
    """Convert one distance of a RANGE frame; raises Refusal for a type that can't be added to the order value.

    Integers go with integers, numbers with doubles, intervals with timestamps. Instants have no distances here; the
    hint is to order by their epoch.
    """
    offset = end.offset
    if offset is None:
        return end
    if order_type is SqlType.DOUBLE and isinstance(offset.value, int | float):
        return replace(end, offset=Literal(float(offset.value), order_type))
    is_compatible = (order_type, offset.type) in (
        (SqlType.BIGINT, SqlType.BIGINT),
        (SqlType.TIMESTAMP, SqlType.INTERVAL),
    )
    if not is_compatible:
        raise _distance_type_refusal(order_type, node)
    return end


def _distance_type_refusal(order_type: SqlType, node: exp.Expr) -> Refusal:
    """Refusal of a RANGE distance of the wrong type."""
    hint = (
        "ORDER BY epoch(ts) RANGE BETWEEN 7200 PRECEDING AND CURRENT ROW"
        if order_type is SqlType.TIMESTAMPTZ
        else _RANGE_HINT
    )
    return refusal(Kind.RANGE_DISTANCE_TYPE, node, type=order_type, hint=hint)


def _returns_argument(function: str) -> bool:
    """Return whether the result of a window function or aggregate is one of its argument's values."""
    return (WINDOW_FUNCTIONS.get(function) or AGGREGATES[function]).returns_argument


def window_field(call: rel.WindowCall, max_rows: int | None, facts: tuple[Expr, ...], context: CompileContext) -> Field:
    """Field of a window call's value; `max_rows`: bound on one person's rows, None where rows have no person.

    LAG, FIRST_VALUE, MIN and similar return a value of their argument, and keep its domain, origin and time zone; over
    private rows also its key set, or what the facts imply for it, unless a default may occur instead.
    """
    first = call.arguments[0] if call.arguments else None
    argument_field = first.field if isinstance(first, Ref) and _returns_argument(call.function) else None
    window_function = WINDOW_FUNCTIONS.get(call.function)
    fixed_type = window_function.result if window_function is not None else AGGREGATES[call.function].result
    assert fixed_type is not None or first is not None  # noqa: S101  functions without a fixed type have an argument
    result_type = fixed_type if fixed_type is not None or first is None else first.type
    assert result_type is not None  # noqa: S101  as above
    result_field = Field(
        context.new_field_id(), f"{call.function}({', '.join(map(plain_text, call.arguments))})", result_type,
        _may_be_null(call),
        _range(call, max_rows, facts), domain=_domain(call, argument_field),
        origin=argument_field.origin if argument_field is not None else None,
        is_constant_per_person=max_rows is not None and _is_constant_per_person(call),
        time_zone=argument_field.time_zone if argument_field is not None else None,
    )  # fmt: skip
    if max_rows is None or first is None or not _returns_argument(call.function) or _default_value(call) is not None:
        return result_field
    known = result_field if argument_field is None else argument_field
    own = known.alternatives
    if known.domain is None and known.public_values is None:
        own = own or (Alternative(first, facts),)
    result_field = replace(result_field, alternatives=own)
    if result_field.nullable:
        result_field = replace(result_field, alternatives=with_null_alternative(result_field))
    return result_field if known.public_values is None else with_key_set(result_field, known)


def _default_value(call: rel.WindowCall) -> Expr | None:
    """Default value of LAG or LEAD for a missing row; None where it is NULL, given or not."""
    default = call.arguments[2] if _has_offset(call) and len(call.arguments) > 2 else None
    return None if isinstance(default, Literal) and default.value is None else default


def _has_offset(call: rel.WindowCall) -> bool:
    """Return whether a call is LAG or LEAD."""
    return call.function in WINDOW_FUNCTIONS and WINDOW_FUNCTIONS[call.function].offset_sign != 0


def _may_be_null(call: rel.WindowCall) -> bool:
    """Return whether a window call's value may be NULL.

    A FILTER, or a frame without the current row, may leave no row. With the current row in the frame, the value is NULL
    only if the argument may be. SUM, AVG and NTH_VALUE always count as nullable.
    """
    function, aggregate = WINDOW_FUNCTIONS.get(call.function), AGGREGATES.get(call.function)
    is_count = aggregate is not None and aggregate.is_count
    if is_count or (function is not None and not function.returns_argument):
        return False
    if _has_offset(call):
        default = _default_value(call)
        return default is None or may_be_null(default) or may_be_null(call.arguments[0])
    is_sum = aggregate is not None and aggregate.released_as in (ReleasedAs.SUM, ReleasedAs.MEAN)
    may_miss_row = is_sum or (function is not None and function.constant is not None)
    if may_miss_row or call.condition is not None or not includes_current_row(call.frame):
        return True
    return may_be_null(call.arguments[0])


def _range(call: rel.WindowCall, max_rows: int | None, facts: Sequence[Expr]) -> Bounds | None:
    """Range of a window call's value; None where unknown.

    Of aggregates from their arguments and the row bound; ranks and row numbers are at most the row bound, NTILE(n) n.
    Other functions return a value of the argument, or the default.
    """
    window_function = WINDOW_FUNCTIONS.get(call.function)
    if window_function is None:
        bounded = max_rows is not None or _returns_argument(call.function)
        return aggregate_range(AGGREGATES[call.function], call.arguments, max_rows or 1) if bounded else None
    if window_function.result is SqlType.DOUBLE:
        return Bounds(0, 1)
    if window_function.result is not None:
        limit = call.arguments[0] if window_function.constant is not None else None  # of NTILE
        upper = limit.value if isinstance(limit, Literal) else max_rows
        return Bounds(1, upper) if isinstance(upper, int) else None
    default = _default_value(call)
    bounds = [narrowed_range(each, facts) for each in (call.arguments[0], default) if each is not None]
    return ranges.hull(bounds) if all(each.is_finite for each in bounds) else ranges.UNKNOWN


def _domain(call: rel.WindowCall, argument_field: Field | None) -> Domain | None:
    """Domain of a window call's value: the argument's, extended by a default; None if the result has none.

    Only a list can be extended, and by a constant.
    """
    default = _default_value(call)
    domain = argument_field.domain if argument_field is not None else None
    if default is None or domain is None:
        return domain
    if not isinstance(domain, ValueList) or not isinstance(default, Literal) or default.value is None:
        return None
    return ValueList(tuple(dict.fromkeys((*domain.values, default.value))))


def _is_constant_per_person(call: rel.WindowCall) -> bool:
    """Return whether the value is constant per person: all rows of a person have the same frame.

    True for calls over the whole partition that do not depend on a row's position, if the partition's keys are
    functions of the person.
    """
    window_function = WINDOW_FUNCTIONS.get(call.function)
    depends_on_frame = window_function is None or window_function.determined_by is DeterminedBy.FRAME
    return depends_on_frame and is_whole_partition(call) and all(map(is_function_of_person, call.partition))


# over released rows only: they sum doubles in an order that the engine chooses
_OVER_RELEASED = {a.name for a in AGGREGATES.values() if a.framed is not Framed.NEVER}


@dataclass
class WindowCalls:
    """Window calls of one SELECT, collected while its expressions are bound."""

    resolver: RowResolver | GroupResolver  # rows or groups, without other windows
    named_specs: Mapping[str, WindowSpec]
    max_rows: int | None  # per person; None: rows are of no person
    person_key: str  # name of the person key
    facts: tuple[Expr, ...]  # true of every row
    aggregates: frozenset[str]  # aggregates allowed over frames of these rows
    context: CompileContext
    calls: list[RequestedCall] = field(default_factory=list)  # without duplicates, in order of occurrence

    def bind(self, node: exp.Window) -> Expr:
        """Bind a window function with its OVER to the field of its value; raises Refusal with E_WINDOW.

        Equal calls share one field. They are compared with a placeholder in place of the result, which is created
        afterwards.
        """
        check_parts(node, "this", "partition_by", "order", "spec", "alias", "over", code=Code.WINDOW)
        spec = window_spec(node, self.named_specs)
        function, arguments, test, ignores_nulls = self._bind_function(node)
        partition = tuple(dict.fromkeys(bind_scalar(part, self.resolver) for part in spec.partition))
        frame, order = bind_frame(spec, bind_window_order(spec, self.resolver))
        # other functions ignore frames
        is_framed = function in self.aggregates or WINDOW_FUNCTIONS[function].determined_by is DeterminedBy.FRAME
        frame = frame if is_framed else None
        call_ = rel.WindowCall(function, arguments, test, ignores_nulls, partition, order, frame, _PLACEHOLDER_FIELD)
        self.refuse_window_fields(call_expressions(call_), node)
        existing = next((a.call for a in self.calls if replace(a.call, result=_PLACEHOLDER_FIELD) == call_), None)
        if existing is None:
            existing = replace(call_, result=window_field(call_, self.max_rows, self.facts, self.context))
            self.calls.append(RequestedCall(existing, node, self.person_key))
        return Ref(existing.result)

    def refuse_window_fields(self, exprs: tuple[Expr, ...], node: exp.Expr) -> None:
        """Refuse windows in expressions that are computed before windows."""
        window_fields = {window_call.call.result for window_call in self.calls}
        if any(f in window_fields for expr in exprs for f in fields_of(expr)):
            raise refusal(Kind.NESTED_WINDOW, node)

    def _bind_function(self, node: exp.Window) -> tuple[str, tuple[Expr, ...], Expr | None, bool]:
        """Bind the function of a window call: (name, arguments, FILTER condition, is it IGNORE NULLS)."""
        inner, test, ignores_nulls = self._unwrap(node)
        name = WINDOW_NODES.get(type(inner)) or aggregate_name(inner) or ""
        if name in WINDOW_FUNCTIONS:
            if test is not None:
                raise refusal(Kind.WINDOW_FILTER, node, name=name.upper())
            return (
                name,
                self._bind_arguments(name, inner, node),
                None,
                ignores_nulls and self._check_ignore_nulls(name, node),
            )
        is_count_if = name in AGGREGATES and AGGREGATES[name].as_filter_of != ""  # is bound as a sum
        if (name not in self.aggregates and not is_count_if) or ignores_nulls:
            raise _not_allowed_refusal(inner, node)
        return (*self._bind_aggregate(name, inner, test, node), False)

    def _unwrap(self, node: exp.Window) -> tuple[exp.Expr, Expr | None, bool]:
        """Remove FILTER and IGNORE NULLS from a call: (the call, bound FILTER condition, is it IGNORE NULLS)."""
        inner, test, ignores_nulls = node.this, None, False
        while isinstance(inner, exp.Filter | exp.IgnoreNulls | exp.RespectNulls):
            if isinstance(inner, exp.Filter):
                test = bind_condition(inner.expression.this, self.resolver)
            ignores_nulls |= isinstance(inner, exp.IgnoreNulls)
            inner = inner.this
        return inner, test, ignores_nulls

    def _bind_aggregate(
        self, name: str, inner: exp.Expr, test: Expr | None, node: exp.Expr
    ) -> tuple[str, tuple[Expr, ...], Expr | None]:
        """Bind an aggregate used as a window function: (name, arguments, FILTER condition).

        The name may change, as of COUNT_IF and of COUNT(*). Named contribution bounds are refused: nothing is clipped
        here.
        """
        if AGGREGATES[name].as_filter_of:  # as the sum of the condition: NULL where it is NULL in all rows of the frame
            bind_condition(inner.this, self.resolver)
            name = "sum"
        bound = bind_aggregate_call(name, inner, test, self.resolver, node)
        name, arguments, test = bound.name, bound.arguments, bound.filter_condition
        if name not in self.aggregates:
            raise _not_allowed_refusal(inner, node)
        check_argument_types(AGGREGATES[name], arguments, inner)
        bounds = self.context.bounds.get(inner.meta.get("start", -1))
        if bounds is not None:
            check_bounds_apply(bounds, AGGREGATES[name].is_count, False, False)
        return name, arguments, test

    def _check_ignore_nulls(self, name: str, node: exp.Expr) -> bool:
        """Check that a function supports IGNORE NULLS."""
        if not WINDOW_FUNCTIONS[name].allows_ignore_nulls:
            raise refusal(Kind.IGNORE_NULLS, node, name=name.upper())
        return True

    def _bind_arguments(self, name: str, inner: exp.Expr, node: exp.Expr) -> tuple[Expr, ...]:
        """Bind the arguments of a window function: at most three, the value, an offset or count, and a default.

        A default is converted to the type of the value. Raises Refusal with E_WINDOW, or E_PERSON_KEY for a person key.
        """
        function = WINDOW_FUNCTIONS[name]
        check_parts(inner, *function.argument_slots, code=Code.WINDOW)
        argument_nodes = [inner.args[slot] for slot in function.argument_slots if inner.args.get(slot) is not None]
        if len(argument_nodes) < function.min_arguments:
            raise refusal(Kind.WINDOW_ARGUMENT_COUNT, node, name=name.upper(), form=_example_call(name))
        if isinstance(argument_nodes[0] if argument_nodes else None, exp.Order | exp.Distinct):
            raise refusal(Kind.WINDOW_ORDER_ARGUMENT, node, name=name.upper(), form=_example_call(name))
        typed = [bind_scalar(part, self.resolver) for part in argument_nodes]
        if any(map(is_person_key, typed)):
            raise refusal(Kind.PERSON_KEY_IN_WINDOW, node)
        _check_constant_argument(name, typed, node)
        return (*_with_typed_default(typed[0], typed[2], node, typed[1]),) if len(typed) > 2 else tuple(typed)


_PLACEHOLDER_FIELD = Field("", None, SqlType.NULL)  # placeholder while calls are compared


def _not_allowed_refusal(inner: exp.Expr, node: exp.Expr) -> Refusal:
    """Refusal of a function that can't be used as a window function."""
    if inner.find(exp.Distinct) is not None:
        return refusal(Kind.DISTINCT_WINDOW, node)
    return refusal(Kind.NO_WINDOW_FORM, node, name=written_name(inner)[:40])


def _example_call(name: str) -> str:
    """Return an example of a window function call."""
    shown = {"ntile": "NTILE(4)", "nth_value": "NTH_VALUE(x, 2)"}.get(name, f"{name.upper()}(x)")
    return f"{shown} OVER (...)"


def _check_constant_argument(name: str, typed: list[Expr], node: exp.Expr) -> None:
    """Refuse offsets that are not constant integers in the allowed range; raises Refusal with E_WINDOW.

    The offset of LAG and LEAD, the n of NTH_VALUE, the number of NTILE.
    """
    function = WINDOW_FUNCTIONS[name]
    if function.constant is None or len(typed) <= function.constant:
        return
    constant = typed[function.constant]
    value = constant.value if isinstance(constant, Literal) and constant.type is SqlType.BIGINT else None
    if not isinstance(value, int) or not function.min_constant <= value <= MAX_OFFSET:
        raise refusal(
            Kind.WINDOW_CONSTANT,
            node,
            name=name.upper(),
            lowest=function.min_constant,
            highest=MAX_OFFSET,
            form=_example_call(name),
        )


def _with_typed_default(value: Expr, default: Expr, node: exp.Expr, offset: Expr) -> tuple[Expr, Expr, Expr]:
    """Convert the default of LAG or LEAD to the type of its value: (value, offset, default).

    COALESCE of both has the same rule of types; its arguments are taken from the bound call.
    """
    if default.type is SqlType.NULL:
        return value, offset, Literal(None, value.type)
    coalesced = apply_function("coalesce", [value, default], node)
    if not isinstance(coalesced, Call) or coalesced.type is not value.type:
        raise refusal(Kind.DEFAULT_OF_OTHER_TYPE, node)
    return coalesced.arguments[0], offset, coalesced.arguments[1]


def collect_window_calls(
    tree: exp.Select,
    resolver: RowResolver | GroupResolver,
    source: rel.Relation,
    per_person: bool,
    context: CompileContext,
) -> WindowCalls:
    """Start collecting the window calls of a SELECT; `per_person`: each row or group is one person's.

    Over groups of many persons the rows will be released numbers, which have no row bound and allow more aggregates.
    """
    max_rows = (
        row_bound_over_windows(source, context.windows_per_unit)
        if per_person and isinstance(source, rel.PerPerson)
        else None
    )
    person = source.person if isinstance(source, rel.PerPerson) else None
    is_single_table = len(resolver.scope.tables) == 1
    person_key = "" if person is None else (is_single_table and person.name) or resolver.scope.qualified_name(person)
    is_released = isinstance(source, rel.Released) or not per_person
    aggregates = frozenset(_OVER_RELEASED if is_released else FRAME_AGGREGATES)
    facts = source.predicates if isinstance(source, rel.PerPerson) and isinstance(resolver, RowResolver) else ()
    return WindowCalls(resolver, named_windows(tree), max_rows, person_key, facts, aggregates, context)


def bind_qualify(tree: exp.Select, resolver: RowResolver | GroupResolver) -> Expr | None:
    """Bind QUALIFY; None without the clause."""
    clause = tree.args.get("qualify")
    if clause is None:
        return None
    if not any(has_window(part) for part in (clause.this, *tree.expressions)):
        raise refusal(Kind.QUALIFY_WITHOUT_WINDOW, clause)
    return bind_condition(clause.this, resolver)


def apply_windows(relation: rel.Relation, windows: WindowCalls, test: Expr | None) -> rel.Relation:
    """Compute the window calls of a SELECT, then apply its QUALIFY."""
    with_windows = add_window_calls(relation, windows.calls) if windows.calls else relation
    return with_windows if test is None else filter_rows(with_windows, test, windows.context.properties)
