"""Noise propagation inside the outer query: hidden fields from which the noise of every row can be computed.

Rows of a UNION ALL carry the origin of their noise (`dialect/algebra/proofs.md#noise-followed`). SUM and AVG over
released rows add up its coefficients; window functions do so over their frame, or take those of a single row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from dialect.algebra.expressions import Expr, Field, Literal, Ref, Shifted, conjunction, expand, fields_of
from dialect.algebra.formulas import Gathered, NoisyTerm, ReleasedSum
from dialect.algebra.relations import (
    Filter,
    Group,
    Join,
    Measure,
    Project,
    Public,
    Relation,
    Released,
    ReleaseScan,
    Scan,
    SemiJoin,
    SetOperation,
    Sort,
    Window,
    WindowCall,
)
from dialect.analysis.uniqueness import at_most_one_row, set_equal
from dialect.catalog.model import SqlType
from dialect.functions.builders import double, is_there, to_double
from dialect.planner.releases import Planning
from dialect.postprocess.noise_propagation import (
    ONE,
    ZERO,
    Form,
    Linear,
    form_of,
    forms_by_field,
    never_negative,
    plus,
    times,
)

Beside = Callable[[str, Expr], Field]

FOLLOWED = {"sum", "avg"}
_SAME = ("=", "is not distinct from")


def with_sums(group: Group, planning: Planning) -> Group:
    """Track the noise of each SUM and AVG over released rows with independent noise; other aggregates are unchanged.

    Claim: such a sum is a constant plus, for each raw number, the sum of c_i raw_i with variance var * sum of c_i^2.
    Symbols: c_i = weight in row i, var = variance of one raw number. Needs: no row of a release occurs in two rows.
    Source and proof: dialect/algebra/proofs.md#noise-followed. Raises: nothing.
    """
    if not isinstance(group.source, Released):
        return group
    own = frozenset(rows_once(group.source, planning))
    # noise of a sum of sums is not tracked
    known = forms_by_field(replace(planning.so_far(group.source), sums=(), gathered=()))
    measures = list(group.measures)
    for measure in group.measures:
        form = form_of(expand(measure.arguments[0]), known) if measure.function in FOLLOWED else None
        if form is not None and each_its_own(form, own, group.source):
            made, more = _summed(measure, form, planning)
            planning.sums.append(made)
            measures += more
    return replace(group, measures=tuple(measures))


def each_its_own(form: Form, own: frozenset[Field], source: Relation) -> bool:
    """Return whether all noisy terms of a form are fields of the source, and no two rows share a noisy number."""
    if form.denominator is not None or not form.numerator.terms:
        return False
    read = set(fields_of(form.offset)) | set(fields_of(form.numerator.value()))
    return read <= set(source.fields) and all(raw in own for raw, _ in form.numerator.terms)


def rows_once(relation: Relation, planning: Planning) -> Iterator[Field]:
    """Yield the fields of releases of which each row occurs at most once in a relation."""
    operator = relation.operator
    if isinstance(operator, ReleaseScan):
        yield from operator.fields
    elif isinstance(operator, Filter | Project | Sort | Window):
        yield from rows_once(operator.source, planning)
    elif isinstance(operator, SemiJoin):
        yield from rows_once(operator.left, planning)
    elif isinstance(operator, Join) and operator.how != "full":
        if _meets_one(operator.right, operator.condition, planning):
            yield from rows_once(operator.left, planning)
        if operator.how != "left" and _meets_one(operator.left, operator.condition, planning):
            yield from rows_once(operator.right, planning)


def _meets_one(side: Relation, condition: Expr, planning: Planning) -> bool:
    """Return whether a join condition matches at most one row of this side: it equates a unique key of it."""
    keys = _keys(side, planning)
    return keys is not None and keys <= {f for f, _ in set_equal(side, condition, _SAME)}


def _keys(side: Relation, planning: Planning) -> frozenset[Field] | None:
    """Return a unique key of a relation; empty for a single row, None if no key is known."""
    operator = side.operator
    if isinstance(operator, ReleaseScan):
        return frozenset(planning.releases[operator.index].keys)
    if isinstance(operator, Group):
        return frozenset(operator.keys)
    if isinstance(operator, Filter | Project | Sort | Window):
        return _keys(operator.source, planning)
    if isinstance(operator, Scan) and operator.table.primary_key:
        named = {f.origin.column: f for f in operator.fields if f.origin is not None}
        return frozenset(named[column] for column in operator.table.primary_key)
    return frozenset() if at_most_one_row(side) else None


def summed(field: Field, function: str, form: Form, beside: Beside) -> ReleasedSum:
    """Express a SUM or AVG over noisy rows as totals per noisy term, with the sum of squared weights of each.

    `add_aggregate` adds an aggregate over the same rows and returns its field.

        SUM(2 * n + p)   ->   constant SUM(p), term SUM(2 * n) with squares SUM(4)
    """
    still = plus(form.offset, form.numerator.constant)
    constant = None if still == ZERO else beside(function, still)
    rows = Ref(beside("sum", ONE)) if function == "avg" else None
    terms = []
    for raw, weight in form.numerator.terms:
        total = replace(beside(function, times(weight, Ref(raw))), origin=raw.origin)
        squares: Expr = Ref(beside("sum", times(weight, weight)))
        terms.append((total, squares if rows is None else double("/", squares, times(rows, rows)), raw))
    weights = [weight for _, weight in form.numerator.terms]
    positive = all(isinstance(w, Literal) and isinstance(w.value, int | float) and w.value >= 0 for w in weights)
    return ReleasedSum(field, constant, tuple(terms), positive)


def _summed(measure: Measure, form: Form, planning: Planning) -> tuple[ReleasedSum, list[Measure]]:
    more: list[Measure] = []
    (argument,) = measure.arguments
    there = is_there(argument)
    test = there if measure.condition is None else conjunction((measure.condition, there))

    def beside(function: str, expr: Expr) -> Field:
        made = Field(planning.reading.fresh(), None, SqlType.DOUBLE)
        more.append(Measure(function, (to_double(expr),), test, made))
        return made

    return summed(measure.field, measure.function, form, beside), more


MOST_NUMBERS = 8  # noisy numbers of one column: each is carried through every enclosing union
MOST_BROUGHT = 300  # carried fields per query


@dataclass
class _Columns:
    """Hidden columns that carry the noise of a union's rows, paired by side."""

    planning: Planning
    left: list[tuple[Field, Expr]] = field(default_factory=list)
    right: list[tuple[Field, Expr]] = field(default_factory=list)
    made: list[Field] = field(default_factory=list)
    positive: frozenset[Field] = frozenset()  # numbers that are never negative

    def add(self, left: Expr, right: Expr) -> Field | None:
        """Add a hidden column; None if it is 0 on both sides."""
        if left == right == ZERO:
            return None
        one, other, both = (Field(self.planning.reading.fresh(), None, SqlType.DOUBLE) for _ in range(3))
        self.left.append((one, left))
        self.right.append((other, right))
        self.made.append(both)
        return both


def with_noise(relation: Relation, operator: SetOperation, planning: Planning) -> Relation:
    """Track the noise of the columns of a UNION ALL; other set operations, and columns of unknown form, are unchanged.

    Claim: each output number has the form of the side its row comes from, with that side's variance. Symbols: of a
    side, weights c_i of raw numbers; the weights of the other side are 0. Source and proof:
    dialect/algebra/proofs.md#noise-followed. Raises: nothing.
    """
    if operator.how != "union" or operator.distinct or not isinstance(relation, Released):
        return replace(relation, operator=operator)
    columns = _Columns(planning, positive=never_negative(planning.so_far(relation)))
    for left, right, made in operator.columns:
        forms = [_form(f, side, planning) for f, side in ((left, operator.left), (right, operator.right))]
        known = [form for form in forms if form is not None]
        if len(known) == len(forms) and made.type in (SqlType.BIGINT, SqlType.DOUBLE) and _few(known, planning):
            planning.gathered.append(_gathered(made, known[0], known[1], columns))
    sides = zip(columns.left, columns.right, columns.made, strict=True)
    brought = tuple((one, other, both) for (one, _), (other, _), both in sides)
    wider = replace(
        operator,
        left=_computed(operator.left, columns.left),
        right=_computed(operator.right, columns.right),
        columns=operator.columns + brought,
    )
    return replace(relation, operator=wider, fields=relation.fields + tuple(columns.made))


def _computed(side: Relation, computed: list[tuple[Field, Expr]]) -> Relation:
    if not computed:
        return side
    return replace(side, operator=Project(side, tuple(computed)), fields=side.fields + tuple(f for f, _ in computed))


def _form(shown: Field, side: Relation, planning: Planning) -> Form | None:
    """Return the linear form of one side's column, if that side has all of its parts as fields."""
    assert isinstance(side, Released | Public)  # noqa: S101  the rows of a released union
    form = form_of(expand(Ref(shown)), forms_by_field(planning.so_far(side)))
    if form is None:
        return None
    parts = [form.offset, form.numerator.value()] + ([form.denominator.value()] if form.denominator else [])
    at_hand = {f for part in parts for f in fields_of(part)} <= set(side.fields)
    return form if at_hand and not (form.denominator and form.numerator.shares_noise(form.denominator)) else None


def _few(forms: list[Form], planning: Planning) -> bool:
    numbers = sum(
        len(form.numerator.terms) + (len(form.denominator.terms) if form.denominator else 0) for form in forms
    )
    brought = sum(2 * len(each.every_term) for each in planning.gathered)
    return 0 < numbers <= MOST_NUMBERS and brought <= MOST_BROUGHT


def _gathered(made: Field, left: Form, right: Form, columns: _Columns) -> Gathered:
    ratio = left.denominator is not None or right.denominator is not None
    one = Linear(ONE, ())
    below = (left.denominator or one, right.denominator or one)
    return Gathered(
        made,
        columns.add(left.offset, right.offset),
        columns.add(left.numerator.constant, right.numerator.constant),
        _terms(left.numerator, right.numerator, columns),
        columns.add(below[0].constant, below[1].constant) if ratio else None,
        _terms(*below, columns) if ratio else None,
    )


def _terms(left: Linear, right: Linear, columns: _Columns) -> tuple[NoisyTerm, ...]:
    """Carry the noisy terms of both sides along; each is 0 in rows of the other side."""
    known = {each.total: each for each in _derived(columns.planning)}
    positive = columns.positive
    terms = []
    for side, of_left in ((left, True), (right, False)):
        for raw, weight in side.terms:
            value, square = times(weight, Ref(raw)), _square(raw, weight, known)
            base = known[raw].raw if raw in known else raw
            total = columns.add(value if of_left else ZERO, ZERO if of_left else value)
            squares = columns.add(square if of_left else ZERO, ZERO if of_left else square)
            if total is not None and squares is not None:
                least = not Linear(ZERO, ((raw, weight),)).may_be_negative(positive)
                terms.append(NoisyTerm(replace(total, origin=raw.origin), Ref(squares), base, least))
    return tuple(terms)


def _square(raw: Field, weight: Expr, known: Mapping[Field, NoisyTerm]) -> Expr:
    square = times(weight, weight)
    return times(square, known[raw].squares) if raw in known else square


def _derived(planning: Planning) -> list[NoisyTerm]:
    of_sums = [NoisyTerm(*term, False) for made in planning.sums for term in made.terms]
    return of_sums + [term for made in planning.gathered for term in made.every_term]


_BEHIND = {"lag": 1, "lead": -1}  # direction of the offset
_CHOSEN = {*_BEHIND, "first_value", "last_value", "nth_value"}  # functions that return the value of a single row


@dataclass
class _Beside:
    """Calls of one window operator, and the hidden calls added for their noise."""

    calls: list[WindowCall]
    planning: Planning

    def add(self, call: WindowCall, function: str, arguments: tuple[Expr, ...], test: Expr | None) -> Field:
        """Add a call over the same rows as another one, and return its field."""
        made = Field(self.planning.reading.fresh(), None, SqlType.DOUBLE)
        self.calls.append(replace(call, function=function, arguments=arguments, condition=test, field=made))
        return made


def with_windows(relation: Relation, planning: Planning) -> Relation:
    """Track the noise of window functions over released rows with independent noise; other calls are unchanged.

    Claim: such a value is a constant plus, for each raw number, the sum of c_i raw_i with variance var * sum of c_i^2,
    over the rows of its frame, or the single row that it is taken from. Symbols: c_i = weight in row i, var = variance
    of one raw number. Needs: no row of a release occurs in two rows, and partitions and order do not depend on noise.
    Source and proof: dialect/algebra/proofs.md#noise-followed. Raises: nothing.
    """
    window = relation.operator
    if not isinstance(window, Window) or not isinstance(window.source, Released):
        return relation
    own = frozenset(rows_once(window.source, planning))
    known = forms_by_field(replace(planning.so_far(window.source), sums=(), gathered=()))
    beside = _Beside(list(window.calls), planning)
    for call in window.calls:
        form = _window_form(call, known)
        if form is not None and each_its_own(form, own, window.source):
            made = _added_up(call, form, beside) if call.function in FOLLOWED else _taken(call, form, beside)
            planning.sums.append(made)
    more = tuple(call.field for call in beside.calls[len(window.calls) :])
    return replace(relation, operator=replace(window, calls=tuple(beside.calls)), fields=relation.fields + more)


def _window_form(call: WindowCall, known: Mapping[Field, Form]) -> Form | None:
    """Return the form of a call's argument; None if the rows that the call reads depend on noise."""
    if call.function not in FOLLOWED | _CHOSEN or call.ignore_nulls or not _is_number(_default(call)):
        return None
    test = () if call.condition is None else (call.condition,)
    deciding = (*call.partition, *(key.expr for key in call.order), *test)
    still = all(f in known and not known[f].numerator.terms for each in deciding for f in fields_of(expand(each)))
    return form_of(expand(call.arguments[0]), known) if still else None


def _default(call: WindowCall) -> Expr:
    """Return the default of LAG or LEAD; a NULL literal for other calls."""
    with_default = call.function in _BEHIND and len(call.arguments) > 2
    return call.arguments[2] if with_default else Literal(None, SqlType.NULL)


def _is_number(default: Expr) -> bool:
    return isinstance(default, Literal) and (default.value is None or isinstance(default.value, int | float))


def _added_up(call: WindowCall, form: Form, beside: _Beside) -> ReleasedSum:
    there = is_there(call.arguments[0])
    test = there if call.condition is None else conjunction((call.condition, there))
    return summed(call.field, call.function, form, lambda name, expr: beside.add(call, name, (to_double(expr),), test))


def _taken(call: WindowCall, form: Form, beside: _Beside) -> ReleasedSum:
    """Apply LAG, LEAD, FIRST_VALUE, ... to each part of a linear form, so that all come from the same row."""
    default = _default(call)
    assert isinstance(default, Literal)  # noqa: S101  as _form checks
    given = None if default.value is None else float(default.value)

    def taken(expr: Expr, instead: float) -> Field:
        where = call.arguments[1:2] if given is None else (call.arguments[1], Literal(instead, SqlType.DOUBLE))
        return beside.add(call, call.function, (to_double(expr), *where), None)

    still = plus(form.offset, form.numerator.constant)
    constant = None if still == ZERO and not given else taken(still, given or 0.0)
    terms = []
    for raw, weight in form.numerator.terms:
        square = times(weight, weight)
        total = replace(taken(times(weight, Ref(raw)), 0.0), origin=raw.origin, shifted=_shifted(call, raw))
        fixed = isinstance(square, Literal) and given is None
        terms.append((total, square if fixed else Ref(taken(square, 0.0)), raw))
    return ReleasedSum(call.field, constant, tuple(terms), _not_below_zero(form))


def _not_below_zero(form: Form) -> bool:
    weights = [weight for _, weight in form.numerator.terms]
    return all(isinstance(w, Literal) and isinstance(w.value, int | float) and w.value >= 0 for w in weights)


def _shifted(call: WindowCall, raw: Field) -> Shifted | None:
    """Return how many rows LAG or LEAD looks back; None for other calls or an offset that is not constant."""
    if call.function not in _BEHIND:
        return None
    steps = call.arguments[1].value if len(call.arguments) > 1 and isinstance(call.arguments[1], Literal) else 1
    return Shifted(raw.id, (call.partition, call.order), _BEHIND[call.function] * steps) if type(steps) is int else None
