"""Windows over released rows: what the noise of sums, means and single values is made from, computed beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from dialect.algebra.expressions import Expr, Field, Literal, Ref, Shifted, conjunction, expand, fields_of
from dialect.algebra.formulas import ReleasedSum
from dialect.algebra.relations import Relation, Released
from dialect.algebra.window import Window, WindowCall
from dialect.catalog.catalog import SqlType
from dialect.functions.builders import is_there, to_double
from dialect.planner.boundaries import Planning
from dialect.planner.released_sums import FOLLOWED, each_its_own, rows_once, summed
from dialect.postprocess.linear import ZERO, plus, times
from dialect.postprocess.uncertainty import Form, form_of, forms_by_field

_BEHIND = {"lag": 1, "lead": -1}  # which way a row is looked for
_CHOSEN = {*_BEHIND, "first_value", "last_value", "nth_value"}  # the value of one row


@dataclass
class _Beside:
    """The calls of one window operator, and those that are computed beside them."""

    calls: list[WindowCall]
    planning: Planning

    def add(self, call: WindowCall, function: str, arguments: tuple[Expr, ...], test: Expr | None) -> Field:
        """Compute another call over the rows that one looks at."""
        made = Field(self.planning.reading.fresh(), None, SqlType.DOUBLE)
        self.calls.append(replace(call, function=function, arguments=arguments, condition=test, field=made))
        return made


def with_windows(relation: Relation, planning: Planning) -> Relation:
    """Compute the noise of windows whose rows have each their own; other calls are left as they are.

    Claim: such a value is a constant plus, for each raw number, the sum of c_i raw_i with variance var * sum of c_i^2,
    over the rows of its frame, or the one row that it is taken from. Symbols: c_i = weight in row i, var = variance of
    one raw number. Needs: no row of a release stands in two rows, and no noise decides partitions or order.
    Source and proof: proofs.md#noise-followed. Raises: nothing.
    """
    window = relation.operator
    if not isinstance(window, Window) or not isinstance(window.source, Released):
        return relation
    own = frozenset(rows_once(window.source, planning))
    known = forms_by_field(replace(planning.so_far(window.source), sums=(), gathered=()))
    beside = _Beside(list(window.calls), planning)
    for call in window.calls:
        form = _form(call, known)
        if form is not None and each_its_own(form, own, window.source):
            made = _added_up(call, form, beside) if call.function in FOLLOWED else _taken(call, form, beside)
            planning.sums.append(made)
    more = tuple(call.field for call in beside.calls[len(window.calls) :])
    return replace(relation, operator=replace(window, calls=tuple(beside.calls)), fields=relation.fields + more)


def _form(call: WindowCall, known: Mapping[Field, Form]) -> Form | None:
    """Find the form of what a call adds up or takes; None where noise decides from which rows."""
    if call.function not in FOLLOWED | _CHOSEN or call.ignore_nulls or not _is_number(_default(call)):
        return None
    test = () if call.condition is None else (call.condition,)
    deciding = (*call.partition, *(key.expr for key in call.order), *test)
    still = all(f in known and not known[f].numerator.terms for each in deciding for f in fields_of(expand(each)))
    return form_of(expand(call.arguments[0]), known) if still else None


def _default(call: WindowCall) -> Expr:
    """Find what LAG or LEAD gives where there is no row."""
    with_default = call.function in _BEHIND and len(call.arguments) > 2
    return call.arguments[2] if with_default else Literal(None, SqlType.NULL)


def _is_number(default: Expr) -> bool:
    return isinstance(default, Literal) and (default.value is None or isinstance(default.value, int | float))


def _added_up(call: WindowCall, form: Form, beside: _Beside) -> ReleasedSum:
    there = is_there(call.arguments[0])
    test = there if call.condition is None else conjunction((call.condition, there))
    return summed(call.field, call.function, form, lambda name, expr: beside.add(call, name, (to_double(expr),), test))


def _taken(call: WindowCall, form: Form, beside: _Beside) -> ReleasedSum:
    """Take the parts of a number from the row that the number is taken from."""
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
    """Say how many rows away a number stood; None where it may be the row's own."""
    if call.function not in _BEHIND:
        return None
    steps = call.arguments[1].value if len(call.arguments) > 1 and isinstance(call.arguments[1], Literal) else 1
    return Shifted(raw.id, (call.partition, call.order), _BEHIND[call.function] * steps) if type(steps) is int else None
