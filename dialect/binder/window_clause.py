"""Window functions of one SELECT, its named windows and QUALIFY -> typed calls over its rows or its groups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from sqlglot import exp

from dialect.algebra.cuts import rows_in
from dialect.algebra.expressions import Call, Expr, Field, Literal, Ref, fields_of
from dialect.algebra.relations import PerPerson, Relation, Released
from dialect.algebra.window import WindowCall, read_by
from dialect.binder.aggregate_calls import aggregate_call
from dialect.binder.frames import FARTHEST, Spec, frame_of, named_windows, order_of, spec_of
from dialect.binder.grouping import GroupNames
from dialect.binder.measures import check_arguments
from dialect.binder.names import RowNames, aggregate_name, has_window
from dialect.binder.scalars import condition, scalar
from dialect.binder.window_fields import field_of
from dialect.catalog.catalog import SqlType
from dialect.errors import Code, Refusal
from dialect.functions.aggregates import AGGREGATES
from dialect.functions.moments import MOMENTS
from dialect.functions.window_functions import OVER_FRAMES, WINDOW_FUNCTIONS, WINDOW_NODES
from dialect.parser.aggregate_bounds import check_named
from dialect.parser.context import Reading, only, refusal
from dialect.parser.spans import called
from dialect.stability.calls import call, is_person
from dialect.stability.rules import keep
from dialect.stability.window_functions import Asked, windowed

# over released rows alone: they add doubles in no order of ours
_OVER_RELEASED = OVER_FRAMES | {*MOMENTS, "median", "quantile_cont"}
_LEAST = {"lag": -FARTHEST, "lead": -FARTHEST, "ntile": 1, "nth_value": 1}  # of the constant
_PLACE = {"lag": 1, "lead": 1, "ntile": 0, "nth_value": 1}  # of the constant among the arguments


@dataclass
class WindowCalls:
    """The window functions that the expressions of one SELECT read, collected as they are met."""

    names: RowNames | GroupNames  # what a window can read: rows or groups, and no other window
    named: Mapping[str, Spec]
    max_rows: int | None  # of one person; None: the rows are nobody's
    person: str  # how the person key is written
    aggregates: frozenset[str]  # that may be computed over frames of these rows
    reading: Reading
    asked: list[Asked] = field(default_factory=list)

    def value(self, node: exp.Window) -> Expr:
        """Read a window function with its OVER; raises Refusal with E_WINDOW."""
        only(node, "this", "partition_by", "order", "spec", "alias", "over", code=Code.WINDOW)
        spec = spec_of(node, self.named)
        function, arguments, test, skips = self._called(node)
        partition = tuple(dict.fromkeys(scalar(part, self.names) for part in spec.partition))
        frame, order = frame_of(spec, order_of(spec, self.names))
        frame = frame if function in self.aggregates or function.endswith("_value") else None  # others have none
        call_ = WindowCall(function, arguments, test, skips, partition, order, frame, _NO_FIELD)
        self.refuse_windows(read_by(call_), node)
        known = next((a.call for a in self.asked if replace(a.call, field=_NO_FIELD) == call_), None)
        if known is None:
            known = replace(call_, field=field_of(call_, self.max_rows, self.reading))
            self.asked.append(Asked(known, node, self.person))
        return Ref(known.field)

    def refuse_windows(self, exprs: tuple[Expr, ...], node: exp.Expr) -> None:
        """Refuse what is read before windows are computed, and yet names one."""
        made = {asked.call.field for asked in self.asked}
        if any(f in made for expr in exprs for f in fields_of(expr)):
            why = "A window can't be read by another window of the same SELECT, nor by HAVING."
            raise refusal(Code.WINDOW, why, "compute the inner one in a subquery in FROM", node)

    def over(self, relation: Relation) -> Relation:
        """Compute the calls over a relation."""
        return windowed(relation, self.asked)

    def _called(self, node: exp.Window) -> tuple[str, tuple[Expr, ...], Expr | None, bool]:
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
        """Take FILTER and IGNORE NULLS off a call."""
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
        if name == "count_if":  # NULL where no row of the frame decides it, as a sum of the condition is
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
        if not WINDOW_FUNCTIONS[name].skips_nulls:
            raise refusal(Code.WINDOW, f"{name.upper()} has no IGNORE NULLS.", "leave IGNORE NULLS out", node)
        return True

    def _arguments(self, name: str, inner: exp.Expr, node: exp.Expr) -> tuple[Expr, ...]:
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


_NO_FIELD = Field("", None, SqlType.NULL)  # of a call that is compared with others


def _not_allowed(inner: exp.Expr, node: exp.Expr) -> Refusal:
    if inner.find(exp.Distinct) is not None:
        why = "DISTINCT has no window form: rows of a frame come and go."
        return refusal(Code.WINDOW, why, "COUNT(DISTINCT x) with GROUP BY in a subquery", node)
    why = f"{called(inner)[:40]} has no window form in the dialect."
    return refusal(Code.WINDOW, why, "ROW_NUMBER, RANK, LAG, LEAD, FIRST_VALUE, COUNT, SUM, AVG, MIN or MAX", node)


def _example(name: str) -> str:
    shown = {"ntile": "NTILE(4)", "nth_value": "NTH_VALUE(x, 2)"}.get(name, f"{name.upper()}(x)")
    return f"{shown} OVER (...)"


def _check_constant(name: str, typed: list[Expr], node: exp.Expr) -> None:
    """Refuse offsets that are no constants, or such that the engine raises."""
    place = _PLACE.get(name)
    if place is None or len(typed) <= place:
        return
    number = typed[place]
    value = number.value if isinstance(number, Literal) and number.type is SqlType.BIGINT else None
    if not isinstance(value, int) or not _LEAST[name] <= value <= FARTHEST:
        why = f"{name.upper()} counts by a constant whole number of {_LEAST[name]:,} to {FARTHEST:,}."
        raise refusal(Code.WINDOW, why, _example(name), node)


def _with_default(value: Expr, default: Expr, node: exp.Expr, offset: Expr) -> tuple[Expr, Expr, Expr]:
    """Bring the default of LAG or LEAD to the type of its values."""
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
    """Begin to collect the windows of a SELECT; `per_person` where its rows or groups are each one person's."""
    max_rows = rows_in(source, reading.together) if per_person and isinstance(source, PerPerson) else None
    person = source.person if isinstance(source, PerPerson) else None
    alone = len(names.scope.tables) == 1
    written = "" if person is None else (alone and person.name) or names.scope.written(person)
    released = isinstance(source, Released) or not per_person
    aggregates = frozenset(_OVER_RELEASED if released else OVER_FRAMES)
    return WindowCalls(names, named_windows(tree), max_rows, written, aggregates, reading)


def qualified(tree: exp.Select, names: RowNames | GroupNames) -> Expr | None:
    """Read QUALIFY, which chooses rows by their windows."""
    clause = tree.args.get("qualify")
    if clause is None:
        return None
    if not any(has_window(part) for part in (clause.this, *tree.expressions)):
        why = "QUALIFY chooses rows by window functions, and there is none."
        raise refusal(Code.WINDOW, why, "WHERE, or HAVING over groups", clause)
    return condition(clause.this, names)


def chosen(relation: Relation, windows: WindowCalls, test: Expr | None) -> Relation:
    """Compute the windows of a SELECT, and keep the rows that its QUALIFY keeps."""
    made = windows.over(relation)
    return made if test is None else keep(made, test)
