"""Noise fields of the outer query: hidden fields from which the noise of every row can be computed.

Rows of a UNION ALL carry the origin of their noise (`dialect/algebra/proofs.md#noise-followed`). SUM and AVG over
released rows add up its coefficients; window functions do so over their frame, or take those of a single row.

Terms: a raw number is one noisy number of a query vector; a weight is the factor, free of noise, that it is multiplied
by. A form is offset + numerator / denominator, both linear in raw numbers (`dialect.postprocess.noise_propagation`). A
noise term is the triple (field with the sum of weighted raw numbers, sum of squared weights, raw number).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from dialect.algebra import relations as rel
from dialect.algebra.expressions import Expr, Field, LagOrigin, Literal, Ref, conjunction, expand_definitions, fields_of
from dialect.algebra.formulas import MeanOf, NoisyTerm, NoisyUnionColumn, ReleasedSum
from dialect.algebra.properties import Properties
from dialect.algebra.release_plan import QueryOverReleases
from dialect.analysis.uniqueness import equates_unique_key
from dialect.catalog.model import SqlType
from dialect.functions.aggregates import AGGREGATES, ReleasedAs
from dialect.functions.registry import double_call, is_not_null, to_double
from dialect.functions.window_functions import WINDOW_FUNCTIONS
from dialect.planner.releases import Planning
from dialect.postprocess.noise_propagation import (
    ONE,
    ZERO,
    FractionalLinearForm,
    LinearCombination,
    form_of,
    forms_by_field,
    non_negative_fields,
    plus,
    times,
)

R = TypeVar("R", bound=rel.Relation)
AddAggregate = Callable[[str, Expr], Field]

TRACKED_AGGREGATES = {a.name for a in AGGREGATES.values() if a.released_as in (ReleasedAs.SUM, ReleasedAs.MEAN)}


def track_aggregate_noise(relation: R, group: rel.Group, planning: Planning) -> R:
    """Track the noise of each SUM and AVG over released rows with independent noise; other aggregates are unchanged.

    Claim: such a sum is a constant plus, for each raw number, the sum of c_i raw_i with variance var * sum of c_i^2.
    Symbols: c_i = weight in row i, var = variance of one raw number. Needs: no row of a release occurs in two rows.
    Source and proof: dialect/algebra/proofs.md#noise-followed. Raises: nothing.

    The returned relation has hidden aggregates after its own ones. The noise terms are added to
    `planning.released_sums`.
    """
    if not isinstance(group.source, rel.Released):
        return relation
    unique_fields = frozenset(unique_row_fields(group.source, planning.context.properties))
    # noise of a sum of sums is not tracked
    forms = forms_by_field(replace(planning.partial_query(group.source), released_sums=(), union_columns=()))
    hidden: list[rel.AggregateCall] = []
    for measure in group.aggregates:
        form = (
            form_of(expand_definitions(measure.arguments[0]), forms) if measure.function in TRACKED_AGGREGATES else None
        )
        if form is not None and has_independent_rows(form, unique_fields, group.source):
            planning.released_sums.append(_track_aggregate(measure, form, planning, hidden))
    return relation.with_operator(replace(group, aggregates=(*group.aggregates, *hidden)), [m.result for m in hidden])


def has_independent_rows(form: FractionalLinearForm, unique_fields: frozenset[Field], source: rel.Relation) -> bool:
    """Return whether the noise of a form is independent from row to row, and all of it is available.

    It is independent if each released row occurs once in the source (`unique_fields`), and available if all fields of
    the form are fields of the source. A ratio has no such form.
    """
    if form.denominator is not None or not form.numerator.terms:
        return False
    read = set(fields_of(form.offset)) | set(fields_of(form.numerator.value_expression()))
    return read <= set(source.fields) and all(raw in unique_fields for raw, _ in form.numerator.terms)


def unique_row_fields(relation: rel.Relation, known: Properties) -> Iterator[Field]:
    """Yield the fields of releases of which each row occurs at most once in a relation.

    Of a join, a side qualifies if the other side has at most one match for each of its rows. Rows of the right side of
    a LEFT JOIN may be missing, and rows of a full join may be padded with NULL, so these are left out.
    """
    operator = relation.operator
    if isinstance(operator, rel.ReleaseScan):
        yield from operator.fields
    elif operator.row_origin is rel.RowOrigin.SUBSET:
        yield from unique_row_fields(relation.children[0], known)
    elif isinstance(operator, rel.Join) and operator.kind != "full":
        if equates_unique_key(operator.right, operator.condition, known):
            yield from unique_row_fields(operator.left, known)
        if operator.kind != "left" and equates_unique_key(operator.left, operator.condition, known):
            yield from unique_row_fields(operator.right, known)


def express_sum(field: Field, function: str, form: FractionalLinearForm, add_aggregate: AddAggregate) -> ReleasedSum:
    """Express a SUM or AVG over noisy rows as totals per raw number, with the sum of squared weights of each.

    `add_aggregate(function, expression)` adds an aggregate over the same rows and returns its field. The mean of n rows
    divides the squares by n^2.

        SUM(2 * n + p)   ->   constant SUM(p), term SUM(2 * n) with squares SUM(4)
    """
    exact_part = plus(form.offset, form.numerator.constant)
    constant = None if exact_part == ZERO else add_aggregate(function, exact_part)
    rows = Ref(add_aggregate("sum", ONE)) if AGGREGATES[function].released_as is ReleasedAs.MEAN else None
    terms = []
    for raw, weight in form.numerator.terms:
        total = replace(add_aggregate(function, times(weight, Ref(raw))), origin=raw.origin)
        squares: Expr = Ref(add_aggregate("sum", times(weight, weight)))
        terms.append((total, squares if rows is None else double_call("/", squares, times(rows, rows)), raw))
    return ReleasedSum(field, constant, tuple(terms), _has_non_negative_weights(form))


def _track_aggregate(
    measure: rel.AggregateCall, form: FractionalLinearForm, planning: Planning, hidden: list[rel.AggregateCall]
) -> ReleasedSum:
    """Return the noise terms of one aggregate; adds the aggregates that compute them to `hidden`.

    These have the same FILTER, and skip rows where the argument is NULL as the aggregate itself does.
    """
    (argument,) = measure.arguments
    is_present = is_not_null(argument)
    test = is_present if measure.condition is None else conjunction((measure.condition, is_present))

    def add_aggregate(function: str, expr: Expr) -> Field:
        """Add a hidden aggregate over the same rows, and return its field."""
        result = Field(planning.context.new_field_id(), None, SqlType.DOUBLE)
        hidden.append(rel.AggregateCall(function, (to_double(expr),), test, result))
        return result

    return express_sum(measure.result, measure.function, form, add_aggregate)


MAX_NOISY_TERMS = 8  # noisy numbers of one column: each is carried through every enclosing union
MAX_CARRIED_FIELDS = 300  # carried fields per query


@dataclass
class _CarriedColumns:
    """Hidden columns that carry the noise of a union's rows.

    Column i is the pair (field, expression) `left[i]` of the left side, `right[i]` of the right one, and the field
    `output[i]` of the union.
    """

    planning: Planning
    left: list[tuple[Field, Expr]] = field(default_factory=list)
    right: list[tuple[Field, Expr]] = field(default_factory=list)
    output: list[Field] = field(default_factory=list)
    non_negative: frozenset[Field] = frozenset()  # numbers that are never negative

    def add(self, left: Expr, right: Expr) -> Field | None:
        """Add a hidden column, an expression per side, and return its field; None if it is 0 on both sides."""
        if left == right == ZERO:
            return None
        one, other, both = (Field(self.planning.context.new_field_id(), None, SqlType.DOUBLE) for _ in range(3))
        self.left.append((one, left))
        self.right.append((other, right))
        self.output.append(both)
        return both


def track_union_noise(relation: rel.Relation, operator: rel.SetOperation, planning: Planning) -> rel.Relation:
    """Track the noise of the columns of a UNION ALL; other set operations, and columns of unknown form, are unchanged.

    Claim: each output number has the form of the side its row comes from, with that side's variance. Symbols: of a
    side, weights c_i of raw numbers; the weights of the other side are 0. Source and proof:
    dialect/algebra/proofs.md#noise-followed. Raises: nothing.

    The returned relation has hidden columns after its own ones. The forms are added to `planning.union_columns`.
    """
    if operator.kind != "union" or operator.is_distinct or not isinstance(relation, rel.Released):
        return relation
    columns = _CarriedColumns(planning, non_negative=non_negative_fields(planning.partial_query(relation)))
    for left, right, output in operator.columns:
        side_forms = [_side_form(f, side, planning) for f, side in ((left, operator.left), (right, operator.right))]
        known_forms = [form for form in side_forms if form is not None]
        if (
            len(known_forms) == len(side_forms)
            and output.type in (SqlType.BIGINT, SqlType.DOUBLE)
            and _is_within_limits(known_forms, planning)
        ):
            planning.union_columns.append(_union_column(output, known_forms[0], known_forms[1], columns))
    sides = zip(columns.left, columns.right, columns.output, strict=True)
    carried = tuple((one, other, both) for (one, _), (other, _), both in sides)
    wider = replace(
        operator,
        left=operator.left.with_columns(columns.left),
        right=operator.right.with_columns(columns.right),
        columns=operator.columns + carried,
    )
    return relation.with_operator(wider, columns.output)


def _side_form(shown: Field, side: rel.Relation, planning: Planning) -> FractionalLinearForm | None:
    """Return the linear form of one side's column; None if it is unknown or cannot be carried through the union.

    It can be carried if that side has all of its parts as fields. A numerator and a denominator that may share noise
    are left out, as their covariance cannot be carried.
    """
    assert isinstance(side, rel.Released | rel.Public)  # noqa: S101  the rows of a released union
    form = form_of(shown.expression, _forms_about_shown_means(planning.partial_query(side)))
    if form is None:
        return None
    parts = [form.offset, form.numerator.value_expression()] + (
        [form.denominator.value_expression()] if form.denominator else []
    )
    is_available = {f for part in parts for f in fields_of(part)} <= set(side.fields)
    return form if is_available and not (form.denominator and form.numerator.shares_noise(form.denominator)) else None


def _forms_about_shown_means(query: QueryOverReleases) -> dict[Field, FractionalLinearForm]:
    """Return `forms_by_field`, with the centre of an average taken from its value: value - numerator / denominator.

    Measuring may choose another centre than the planned one, and the columns of a union are planned before that.
    """
    forms = forms_by_field(query)
    for output in (output for release in query.releases for output in release.outputs):
        form = forms.get(output.field)
        if isinstance(output.formula, MeanOf) and form is not None and form.denominator is not None:
            ratio = double_call("/", form.numerator.value_expression(), form.denominator.value_expression())
            forms[output.field] = replace(form, offset=double_call("-", Ref(output.field), ratio))
    return forms


def _is_within_limits(known_forms: list[FractionalLinearForm], planning: Planning) -> bool:
    """Return whether a union column has noise, and neither it nor all carried columns have too many terms."""
    terms = sum(
        len(form.numerator.terms) + (len(form.denominator.terms) if form.denominator else 0) for form in known_forms
    )
    carried = sum(2 * len(each.all_terms) for each in planning.union_columns)
    return 0 < terms <= MAX_NOISY_TERMS and carried <= MAX_CARRIED_FIELDS


def _union_column(
    output: Field, left: FractionalLinearForm, right: FractionalLinearForm, columns: _CarriedColumns
) -> NoisyUnionColumn:
    """Add hidden columns for all parts of a column's form on both sides, and return their fields.

    If only one side is a ratio, the denominator of the other side is 1.
    """
    has_denominator = left.denominator is not None or right.denominator is not None
    one = LinearCombination(ONE, ())
    denominators = (left.denominator or one, right.denominator or one)
    return NoisyUnionColumn(
        output,
        columns.add(left.offset, right.offset),
        columns.add(left.numerator.constant, right.numerator.constant),
        _union_terms(left.numerator, right.numerator, columns),
        columns.add(denominators[0].constant, denominators[1].constant) if has_denominator else None,
        _union_terms(*denominators, columns) if has_denominator else None,
    )


def _union_terms(left: LinearCombination, right: LinearCombination, columns: _CarriedColumns) -> tuple[NoisyTerm, ...]:
    """Carry the noisy terms of both sides along; each is 0 in rows of the other side.

    A term of the left side and one of the right never occur in one row, so two columns keep their noise apart. Each
    term has a column for its weighted value, and one for its squared weight.
    """
    derived_terms = {each.weighted_value: each for each in _derived_terms(columns.planning)}
    non_negative = columns.non_negative
    terms = []
    for side, of_left in ((left, True), (right, False)):
        for raw, weight in side.terms:
            value, square = times(weight, Ref(raw)), _squared_weight(raw, weight, derived_terms)
            base = derived_terms[raw].raw if raw in derived_terms else raw
            total = columns.add(value if of_left else ZERO, ZERO if of_left else value)
            squares = columns.add(square if of_left else ZERO, ZERO if of_left else square)
            if total is not None and squares is not None:
                is_non_negative = not LinearCombination(ZERO, ((raw, weight),)).may_be_negative(non_negative)
                terms.append(NoisyTerm(replace(total, origin=raw.origin), Ref(squares), base, is_non_negative))
    return tuple(terms)


def _squared_weight(raw: Field, weight: Expr, derived_terms: Mapping[Field, NoisyTerm]) -> Expr:
    """Return the squared weight of a raw number; for a noise term of a sum or a lower union, times its own."""
    square = times(weight, weight)
    return times(square, derived_terms[raw].squared_weight) if raw in derived_terms else square


def _derived_terms(planning: Planning) -> list[NoisyTerm]:
    """Return the noise terms that were tracked further below: their values can be terms of this union again."""
    of_sums = [NoisyTerm(*term, False) for tracked in planning.released_sums for term in tracked.noise_terms]
    return of_sums + [term for tracked in planning.union_columns for term in tracked.all_terms]


# functions that return the value of a single row
_SINGLE_ROW_FUNCTIONS = {f.name for f in WINDOW_FUNCTIONS.values() if f.returns_argument}
_OFFSET_SIGN = {f.name: f.offset_sign for f in WINDOW_FUNCTIONS.values() if f.offset_sign}


@dataclass
class _WindowCalls:
    """Calls of one window operator, and the hidden calls added for their noise."""

    calls: list[rel.WindowCall]
    planning: Planning

    def add(self, call: rel.WindowCall, function: str, arguments: tuple[Expr, ...], test: Expr | None) -> Field:
        """Add a call over the frame of another one, with its own function, arguments and FILTER.

        Returns the field of its result.
        """
        field = Field(self.planning.context.new_field_id(), None, SqlType.DOUBLE)
        self.calls.append(replace(call, function=function, arguments=arguments, condition=test, result=field))
        return field


def track_window_noise(relation: rel.Relation, planning: Planning) -> rel.Relation:
    """Track the noise of window functions over released rows with independent noise; other calls are unchanged.

    Claim: such a value is a constant plus, for each raw number, the sum of c_i raw_i with variance var * sum of c_i^2,
    over the rows of its frame, or the single row that it is taken from. Symbols: c_i = weight in row i, var = variance
    of one raw number. Needs: no row of a release occurs in two rows, and partitions and order do not depend on noise.
    Source and proof: dialect/algebra/proofs.md#noise-followed. Raises: nothing.

    The returned relation has hidden calls and fields after its own ones. The noise terms are added to
    `planning.released_sums`.
    """
    window = relation.operator
    if not isinstance(window, rel.Window) or not isinstance(window.source, rel.Released):
        return relation
    unique_fields = frozenset(unique_row_fields(window.source, planning.context.properties))
    # noise of a window function over tracked sums is not tracked
    forms = forms_by_field(replace(planning.partial_query(window.source), released_sums=(), union_columns=()))
    window_calls = _WindowCalls(list(window.calls), planning)
    for call in window.calls:
        form = _window_form(call, forms)
        if form is not None and has_independent_rows(form, unique_fields, window.source):
            released_sum = (
                _sum_over_frame(call, form, window_calls)
                if call.function in TRACKED_AGGREGATES
                else _take_from_row(call, form, window_calls)
            )
            planning.released_sums.append(released_sum)
    hidden_fields = [call.result for call in window_calls.calls[len(window.calls) :]]
    return relation.with_operator(replace(window, calls=tuple(window_calls.calls)), hidden_fields)


def _window_form(call: rel.WindowCall, forms: Mapping[Field, FractionalLinearForm]) -> FractionalLinearForm | None:
    """Return the form of a call's argument; None if the rows that the call reads depend on noise.

    They do if the partition, the order or FILTER reads noisy numbers. None too for functions that are not tracked, and
    for LAG or LEAD with a default that is not a constant number.
    """
    if (
        # IGNORE NULLS would take the parts of a form from different rows
        call.function not in TRACKED_AGGREGATES | _SINGLE_ROW_FUNCTIONS
        or call.ignore_nulls
        or not _is_number(_default_value(call))
    ):
        return None
    filters = () if call.condition is None else (call.condition,)
    deciding = (*call.partition, *(key.expr for key in call.order), *filters)
    is_exact = all(
        f in forms and not forms[f].numerator.terms for each in deciding for f in fields_of(expand_definitions(each))
    )
    return form_of(expand_definitions(call.arguments[0]), forms) if is_exact else None


def _default_value(call: rel.WindowCall) -> Expr:
    """Return the default of LAG or LEAD; a NULL literal for other calls."""
    # the third argument of LAG and LEAD, after value and offset
    with_default = call.function in _OFFSET_SIGN and len(call.arguments) > 2
    return call.arguments[2] if with_default else Literal(None, SqlType.NULL)


def _is_number(default: Expr) -> bool:
    """Return whether a default is a number or NULL; any other one may depend on noise."""
    return isinstance(default, Literal) and (default.value is None or isinstance(default.value, int | float))


def _sum_over_frame(call: rel.WindowCall, form: FractionalLinearForm, window_calls: _WindowCalls) -> ReleasedSum:
    """Track SUM or AVG as a window function: its noise terms are sums over the same frame."""
    is_present = is_not_null(call.arguments[0])
    test = is_present if call.condition is None else conjunction((call.condition, is_present))
    return express_sum(
        call.result, call.function, form, lambda name, expr: window_calls.add(call, name, (to_double(expr),), test)
    )


def _take_from_row(call: rel.WindowCall, form: FractionalLinearForm, window_calls: _WindowCalls) -> ReleasedSum:
    """Apply LAG, LEAD, FIRST_VALUE, ... to each part of a linear form, so that all come from the same row.

    The default of LAG and LEAD is a constant free of noise: it is the default of the exact part, and the noise terms
    are 0 there.
    """
    default = _default_value(call)
    assert isinstance(default, Literal)  # noqa: S101  as _window_form checks
    default_value = None if default.value is None else float(default.value)

    def take(expr: Expr, default_number: float) -> Field:
        """Add a call that takes the value of `expr` from that row, with `default_number` as its default."""
        where = (
            call.arguments[1:2]
            if default_value is None
            else (call.arguments[1], Literal(default_number, SqlType.DOUBLE))
        )
        return window_calls.add(call, call.function, (to_double(expr), *where), None)

    exact_part = plus(form.offset, form.numerator.constant)
    constant = None if exact_part == ZERO and not default_value else take(exact_part, default_value or 0.0)
    terms = []
    for raw, weight in form.numerator.terms:
        square = times(weight, weight)
        total = replace(take(times(weight, Ref(raw)), 0.0), origin=raw.origin, lag_origin=_lag_origin(call, raw))
        is_constant = isinstance(square, Literal) and default_value is None
        terms.append((total, square if is_constant else Ref(take(square, 0.0)), raw))
    return ReleasedSum(call.result, constant, tuple(terms), _has_non_negative_weights(form))


def _has_non_negative_weights(form: FractionalLinearForm) -> bool:
    """Return whether all weights are constants that are not negative."""
    weights = [weight for _, weight in form.numerator.terms]
    return all(isinstance(w, Literal) and isinstance(w.value, int | float) and w.value >= 0 for w in weights)


def _lag_origin(call: rel.WindowCall, raw: Field) -> LagOrigin | None:
    """Return the row that LAG or LEAD reads, by its distance; None for other calls and variable offsets."""
    if call.function not in _OFFSET_SIGN:
        return None
    steps = call.arguments[1].value if len(call.arguments) > 1 and isinstance(call.arguments[1], Literal) else 1
    if type(steps) is int:
        return LagOrigin(raw.id, (call.partition, call.order), _OFFSET_SIGN[call.function] * steps)
    return None
