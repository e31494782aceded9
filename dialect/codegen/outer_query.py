"""Question -> SQL over its releases: the outer part, with what intervals need beside each shown column."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from statistics import NormalDist

from dialect.algebra.expressions import Expr, Field, Literal, Ref
from dialect.algebra.relations import Project, Public, Relation, Released, ReleaseScan, Sort
from dialect.algebra.release_plan import Question
from dialect.algebra.target import Target
from dialect.algebra.traversal import tables_of
from dialect.catalog.model import SqlType
from dialect.codegen.relations.relation import release_name, write_rows
from dialect.postprocess.display_rounding import Rounding, rounding
from dialect.postprocess.interval_functions import Reaches, with_ends
from dialect.postprocess.noise_propagation import (
    ZERO,
    Form,
    Variances,
    all_variances,
    never_negative,
    noisy,
    uncertainty,
)
from dialect.postprocess.unstable_ratios import guarded

PARTS = ("offset", "numerator", "numerator_variance", "denominator", "denominator_variance", "covariance")


@dataclass(frozen=True)
class AsReleased:
    """A release whose rows are shown as they are: what the SQL would give is its columns under other names."""

    table: str
    columns: tuple[tuple[str, str], ...]  # the SQL's name of a column, the release's


@dataclass(frozen=True)
class OuterSql:
    """SQL whose columns are s0, s1, ... and then, for each column with an interval, its parts.

    The parts are six, s0_offset, ..., or where a release says its own ends, s0_lower and s0_upper. What is the same in
    every row is no column: `constants` has it.
    """

    text: str
    names: tuple[str, ...]  # of the shown columns
    uncertain: tuple[int, ...]  # positions of the shown columns that have an interval
    ratios: tuple[int, ...]  # those among them with a denominator
    alone: Mapping[int, str]  # those that rest on one noisy number: position -> its raw field id
    signed: frozenset[int] = frozenset()  # ratios whose denominator may be below 0
    unknown: tuple[int, ...] = ()  # noisy columns for which no interval is known
    ended: tuple[int, ...] = ()  # columns that show a released number whose release says its ends
    rounded: Mapping[int, Rounding] = field(default_factory=dict)  # position -> how far from the noisy number it lies
    constants: Mapping[str, float] = field(default_factory=dict)  # parts that no row moves, by name
    as_released: AsReleased | None = None  # where nothing is to be run


def write_outer(
    question: Question,
    variances: Mapping[str, float],
    target: Target,
    confidence: float = 0.95,
    reaches: Reaches | None = None,
) -> OuterSql:
    """Write the outer part; `variances` gives the noise variance of every raw field id, in squared units."""
    question = question if reaches is None else with_ends(question, reaches)
    question = guarded(question, variances, NormalDist().inv_cdf((1 + confidence) / 2))
    forms, positive = uncertainty(question), never_negative(question)
    spread = all_variances(question, variances)
    wanted: list[tuple[str, Expr]] = [(f"s{i}", Ref(shown.field)) for i, shown in enumerate(question.columns)]
    for i, form in enumerate(forms):
        if form is not None:
            wanted += [(f"s{i}_{part}", expr) for part, expr in zip(PARTS, _parts(form, spread), strict=True)]
    literals = ((name, expr.value) for name, expr in wanted if isinstance(expr, Literal))
    constants = {name: float(value) for name, value in literals if value is not None}
    wanted = [(name, expr) for name, expr in wanted if name not in constants]
    ends = _ends(question)
    for i, (lower, upper) in ends.items():
        wanted += [(f"s{i}_lower", Ref(lower)), (f"s{i}_upper", Ref(upper))]
    relation, fields = _computed(question.outer, wanted)
    text = write_rows(relation, fields, target)
    columns = ", ".join(f"{f.id} AS {name}" for f, (name, _) in zip(fields, wanted, strict=True))
    return OuterSql(
        f"SELECT {columns} FROM ({text}) AS answer",
        tuple(shown.name for shown in question.columns),
        tuple(i for i, form in enumerate(forms) if form is not None),
        tuple(i for i, form in enumerate(forms) if form is not None and form.denominator is not None),
        {i: raw for i, form in enumerate(forms) if form and (raw := form.alone) is not None and raw in variances},
        frozenset(i for i, form in enumerate(forms) if form and _is_signed(form, positive)),
        tuple(i for i, made in enumerate(noisy(question)) if made and forms[i] is None and i not in ends),
        tuple(ends),
        {i: moved for i, moved in enumerate(rounding(question)) if forms[i] is not None and moved is not None},
        constants,
        _as_released(question.outer, wanted),
    )


def _as_released(outer: Released | Public, wanted: list[tuple[str, Expr]]) -> AsReleased | None:
    """Find the release whose rows the outer part leaves as they are; None where it does anything to them."""
    if not isinstance(outer.operator, ReleaseScan):
        return None
    columns = tuple((name, expr.field.id) for name, expr in wanted if isinstance(expr, Ref))
    return AsReleased(release_name(outer.operator.index), columns) if len(columns) == len(wanted) else None


def _ends(question: Question) -> dict[int, tuple[Field, Field]]:
    """Find the shown columns that are a released number with ends of its own."""
    known = {o.field: o.ends for release in question.releases for o in release.outputs if o.ends is not None}
    carried = set(question.outer.fields)
    found = ((i, known.get(shown.field)) for i, shown in enumerate(question.columns))
    return {i: ends for i, ends in found if ends is not None and set(ends) <= carried}


def _is_signed(form: Form, positive: frozenset[Field]) -> bool:
    return form.denominator is not None and form.denominator.may_be_negative(positive)


def _parts(form: Form, variances: Variances) -> tuple[Expr, ...]:
    top, bottom = form.numerator, form.denominator
    upper = (form.offset, top.value(), top.variance(variances))
    if bottom is None:
        return (*upper, ZERO, ZERO, ZERO)
    return (*upper, bottom.value(), bottom.variance(variances), top.covariance(bottom, variances))


def _computed(outer: Released | Public, wanted: list[tuple[str, Expr]]) -> tuple[Relation, list[Field]]:
    """Compute below the order and the slice, so that both stay last."""
    sort = outer.operator if isinstance(outer.operator, Sort) else None
    below: Relation = outer if sort is None else sort.source
    fields: list[Field] = []
    computed: list[tuple[Field, Expr]] = []
    for name, expr in wanted:
        if isinstance(expr, Ref):
            fields.append(expr.field)
            continue
        made = Field(f"x_{name}", None, SqlType.DOUBLE)
        computed.append((made, expr))
        fields.append(made)
    wider = below.fields + tuple(f for f, _ in computed)
    relation = replace(below, operator=Project(below, tuple(computed)), fields=wider)
    if sort is None:
        return relation, fields
    return replace(outer, operator=replace(sort, source=relation), fields=wider), fields


def public_tables(question: Question) -> tuple[str, ...]:
    """Name the public tables that the outer part reads."""
    return tuple(sorted(tables_of(question.outer)))
