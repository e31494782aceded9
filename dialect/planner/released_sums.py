"""Sums and means over released rows: what their noise is made from is summed beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from dialect.algebra.expressions import Expr, Field, Literal, Ref, conjunction, expand, fields_of
from dialect.algebra.formulas import ReleasedSum
from dialect.algebra.relations import (
    Filter,
    Group,
    Join,
    Measure,
    Project,
    Relation,
    Released,
    ReleaseScan,
    Scan,
    SemiJoin,
    Sort,
)
from dialect.algebra.window import Window
from dialect.analysis.one_row import at_most_one_row, set_equal
from dialect.catalog.catalog import SqlType
from dialect.functions.builders import double, is_there, to_double
from dialect.planner.boundaries import Planning
from dialect.postprocess.linear import ONE, ZERO, plus, times
from dialect.postprocess.uncertainty import Form, form_of, forms_by_field

Beside = Callable[[str, Expr], Field]

FOLLOWED = {"sum", "avg"}
_SAME = ("=", "is not distinct from")


def with_sums(group: Group, planning: Planning) -> Group:
    """Sum the noise of every SUM and AVG whose rows have each their own; other aggregates are left as they are.

    Claim: such a sum is a constant plus, for each raw number, the sum of c_i raw_i with variance var * sum of c_i^2.
    Symbols: c_i = weight in row i, var = variance of one raw number. Needs: no row of a release stands in two rows.
    Source and proof: proofs.md#noise-followed. Raises: nothing.
    """
    if not isinstance(group.source, Released):
        return group
    own = frozenset(rows_once(group.source, planning))
    # of a sum of sums noise is not followed
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
    """Tell whether all noisy numbers of a form are at hand, and no two rows have the same ones."""
    if form.denominator is not None or not form.numerator.terms:
        return False
    read = set(fields_of(form.offset)) | set(fields_of(form.numerator.value()))
    return read <= set(source.fields) and all(raw in own for raw, _ in form.numerator.terms)


def rows_once(relation: Relation, planning: Planning) -> Iterator[Field]:
    """Walk the fields of releases whose rows stand in no two rows of a relation."""
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
    """Tell whether a row on the other side meets at most one of this side: the condition sets all its keys equal."""
    keys = _keys(side, planning)
    return keys is not None and keys <= {f for f, _ in set_equal(side, condition, _SAME)}


def _keys(side: Relation, planning: Planning) -> frozenset[Field] | None:
    """Find fields of which no two rows of a relation have the same values: none of one row, None where not known."""
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
    """Add the parts of a number up as the number is: `beside` computes SUM or AVG of a part over the same rows."""
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
