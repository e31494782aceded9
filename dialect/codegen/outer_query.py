"""Outer query as SQL over stored releases, with the components that intervals of its columns are computed from."""

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
    """An outer query that only renames a release's columns, so that no SQL needs to run."""

    table: str
    columns: tuple[tuple[str, str], ...]  # (name in the SQL's result, name in the release)


@dataclass(frozen=True)
class OuterSql:
    """SQL of an outer query: columns s0, s1, ..., followed by the interval components of uncertain columns.

    There are six components (PARTS), s0_offset, ...; where a release holds its own interval, they are s0_lower and
    s0_upper. Components with the same value in every row are no columns; `constants` holds them.
    """

    text: str
    names: tuple[str, ...]  # of the result columns
    uncertain: tuple[int, ...]  # indices of the result columns that have an interval
    ratios: tuple[int, ...]  # indices of those with a denominator
    alone: Mapping[int, str]  # columns with a single noisy number: index -> its raw field id
    signed: frozenset[int] = frozenset()  # ratios whose denominator may be negative
    unknown: tuple[int, ...] = ()  # noisy columns without a known interval
    ended: tuple[int, ...] = ()  # columns whose release holds their interval
    rounded: Mapping[int, Rounding] = field(default_factory=dict)  # index -> distance of the shown from the noisy value
    constants: Mapping[str, float] = field(
        default_factory=dict
    )  # components that are equal in all rows, by column name
    as_released: AsReleased | None = None  # set if the outer query returns the release unchanged


def write_outer(
    question: Question,
    variances: Mapping[str, float],
    target: Target,
    confidence: float = 0.95,
    reaches: Reaches | None = None,
) -> OuterSql:
    """Write the SQL of the outer query, with interval components; `variances` maps raw field ids to noise variances."""
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
    """Find the release whose rows the outer query returns unchanged; None where it computes anything."""
    if not isinstance(outer.operator, ReleaseScan):
        return None
    columns = tuple((name, expr.field.id) for name, expr in wanted if isinstance(expr, Ref))
    return AsReleased(release_name(outer.operator.index), columns) if len(columns) == len(wanted) else None


def _ends(question: Question) -> dict[int, tuple[Field, Field]]:
    """Find the result columns that are released numbers with an interval of their own."""
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
    """Compute expressions below ORDER BY and LIMIT, so that both stay outermost."""
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
    """Return the names of the public tables that the outer query reads."""
    return tuple(sorted(tables_of(question.outer)))
