"""Outer query as SQL over stored releases, with the components that intervals of its columns are computed from.

A noisy column is offset + numerator / denominator, where both are linear combinations of noisy numbers (a fractional
linear form, `dialect.postprocess.noise_propagation`). Its components are listed in INTERVAL_COMPONENTS. A raw field
holds a noisy number before rounding.

A ratio is NULL where its noisy denominator may be 0 within its noise. It is NULL where it is computed, so that ORDER
BY, HAVING, COALESCE and aggregates see the same value as the analyst.

A derived release is computed from a stored one and the keys it must have. Its SQL reads two tables: `stored_groups`,
the stored release with k0, ..., w0, ..., and `requested_keys` with the keys k0, ... of the derived one. A Derivation
holds the requested keys as expressions over the stored keys, the indices of the stored vectors, and the condition that
selects stored groups. A cell is one stored group.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from statistics import NormalDist

from dialect.algebra.codegen_types import Target
from dialect.algebra.expressions import NULL, Call, Case, Expr, Field, Literal, Ref, expand_definitions, fields_of
from dialect.algebra.relations import Public, Relation, Released, ReleaseScan, Sort, map_expressions, release_table_name
from dialect.algebra.traversal import map_children
from dialect.catalog.model import SqlType
from dialect.codegen.contribution.physical_plan import clamped_to_bigint
from dialect.codegen.relations.relation import write_rows
from dialect.functions.emitter import write_expr
from dialect.functions.registry import comparison, double_call
from dialect.planner.reuse.view_matching import Derivation
from dialect.postprocess.display_rounding import RoundingDistance
from dialect.postprocess.interval_functions import IntervalParameters, expand_interval_functions
from dialect.postprocess.noise_propagation import (
    ZERO,
    FractionalLinearForm,
    Residuals,
    Variances,
    all_residuals,
    all_variances,
    form_of,
    plus,
    times,
)
from dialect.postprocess.question import Question


@dataclass(frozen=True)
class _DivisionGuard:
    """Rewrite of divisions, from what is known of the numbers of one query.

    `forms` are the linear forms of fields, `variances` are by id of the raw number, `non_negative` are the raw numbers
    that are never negative, and `quantile` is of the confidence level.
    """

    forms: Mapping[Field, FractionalLinearForm]
    variances: Variances
    non_negative: frozenset[Field]
    quantile: float

    def guard(self, expr: Expr, sources: tuple[Relation, ...]) -> Expr:
        """Guard every division in an expression over the rows of one or two relations, innermost first.

        A division stays as it is if the test would read a field that these rows do not carry.
        """
        inner = map_children(expr, lambda part: self.guard(part, sources))
        if not (isinstance(expr, Call) and isinstance(inner, Call) and expr.name == "/"):
            return inner
        top, bottom = inner.arguments
        is_nonzero = self._nonzero_test(expand_definitions(expr.arguments[1]))
        if is_nonzero is None or not set(fields_of(is_nonzero)) <= {f for source in sources for f in source.fields}:
            return inner
        return replace(inner, arguments=(top, Case(((is_nonzero, bottom),), NULL, bottom.type)))

    def _nonzero_test(self, denominator: Expr) -> Expr | None:
        """Build the test that a denominator is clear of 0; None if it is free of noise or of unknown form.

        None too if it is a ratio itself: its own denominator is guarded instead.
        """
        form = form_of(denominator, self.forms)
        if form is None or form.denominator is not None or not form.numerator.terms:
            return None
        noisy = form.as_linear()
        size, variance = noisy.value_expression(), noisy.variance(self.variances)
        if noisy.may_be_negative(self.non_negative):
            size = double_call("abs", size)
        reach = times(Literal(self.quantile, SqlType.DOUBLE), double_call("sqrt", variance))
        return comparison(">", size, reach)


def guard_ratios(question: Question, variances: Variances, quantile: float) -> Question:
    """Replace unstable ratios by NULL; `quantile` is of the confidence level, `variances` are by raw field id.

    Claim: a ratio is NULL exactly where its interval at the level would be unbounded: denominator <= quantile * its
    standard deviation (in magnitude where it may be negative). Post-processing of released numbers. Source: as
    engine/mechanism/proofs.md#ratio_interval.
    """
    if not any(variances.values()):
        return question
    guard = _DivisionGuard(question.forms, variances, question.non_negative, quantile)
    outer = map_expressions(question.outer, guard.guard)
    assert isinstance(outer, Released | Public)  # noqa: S101  guarding keeps the kind
    return replace(question, outer=outer)


INTERVAL_COMPONENTS = (
    "offset", "numerator", "numerator_variance", "denominator", "denominator_variance", "covariance",
    "numerator_residual", "denominator_residual",  # the parts of the variances that correcting clipped numbers leaves
    "retained_share", "noise_variance",  # of the numerator: what clipping left of it, and variance by noise alone
)  # fmt: skip


# what variances of corrected numbers are computed with -> the Arrow function with the same results
ARITHMETIC = {double_call(name, ZERO, ZERO).function: arrow for name, arrow in (("+", "add"), ("*", "multiply"))}
ARITHMETIC[double_call("abs", ZERO).function] = "abs"


@dataclass(frozen=True)
class UnchangedRelease:
    """An outer query that renames a release's columns, or adds and multiplies them, so that no SQL needs to run."""

    table: str
    columns: tuple[tuple[str, Expr], ...]  # name in the SQL's result, and what it is of the release


@dataclass(frozen=True)
class OuterSql:
    """SQL of an outer query: columns s0, s1, ..., followed by the interval components of uncertain columns.

    Components are those of INTERVAL_COMPONENTS, s0_offset, ...; where a release holds its own interval, they are
    s0_lower and s0_upper. Components with the same value in every row are no columns; `constants` holds them.
    """

    text: str  # empty for an unchanged release
    names: tuple[str, ...]  # of the result columns
    uncertain_columns: tuple[int, ...]  # indices of the result columns that have an interval
    ratio_columns: tuple[int, ...]  # indices of those with a denominator
    single_noise_columns: Mapping[int, str]  # columns with a single noisy number: index -> its raw field id
    signed_ratios: frozenset[int] = frozenset()  # ratios whose denominator may be negative
    unknown_interval_columns: tuple[int, ...] = ()  # noisy columns without a known interval
    stored_interval_columns: tuple[int, ...] = ()  # columns whose release holds their interval
    # index -> distance of the shown from the noisy value
    rounding: Mapping[int, RoundingDistance] = field(default_factory=dict)
    # components that are equal in all rows, by column name
    constants: Mapping[str, float] = field(default_factory=dict)
    unchanged_release: UnchangedRelease | None = None  # set if the outer query returns the release unchanged


def write_outer_query(
    question: Question,
    variances: Mapping[str, float],
    target: Target,
    confidence: float = 0.95,
    interval_reaches: IntervalParameters | None = None,
    residuals: Residuals | None = None,
) -> OuterSql:
    """Write the SQL of the outer query, with interval components; `variances` maps raw field ids to noise variances.

    `residuals` = the errors that correcting clipped numbers leaves.
    `interval_reaches` replaces interval functions of the query by expressions. Ratios with a denominator that noise
    dominates at `confidence` become NULL. Components that are literals go to `constants` and are not selected.
    """
    residuals = residuals or {}
    question = (
        question if interval_reaches is None else expand_interval_functions(question, interval_reaches, residuals)
    )
    noise = all_variances(question, variances)
    question = guard_ratios(question, noise, NormalDist().inv_cdf((1 + confidence) / 2))
    left = all_residuals(question, residuals)
    select_list: list[tuple[str, Expr]] = [(f"s{i}", Ref(shown.field)) for i, shown in enumerate(question.columns)]
    forms = {i: shown.form for i, shown in enumerate(question.columns) if shown.form is not None}
    for i, form in forms.items():
        components = _interval_components(form, noise, left, question.non_negative)
        select_list += [(f"s{i}_{part}", expr) for part, expr in zip(INTERVAL_COMPONENTS, components, strict=True)]
    literals = ((name, expr.value) for name, expr in select_list if isinstance(expr, Literal))
    constants = {name: float(value) for name, value in literals if value is not None}
    select_list = [(name, expr) for name, expr in select_list if name not in constants]
    stored_intervals = _stored_intervals(question)
    for i, (lower, upper) in stored_intervals.items():
        select_list += [(f"s{i}_lower", Ref(lower)), (f"s{i}_upper", Ref(upper))]
    unchanged = _unchanged_release(question.outer, select_list)
    single = ((i, form.single_raw_id) for i, form in forms.items())
    rounding = ((i, question.columns[i].rounding) for i in forms)
    return OuterSql(  # in the order of its fields
        "" if unchanged is not None else _outer_text(question.outer, select_list, target),
        tuple(shown.name for shown in question.columns),
        tuple(forms),
        tuple(i for i, form in forms.items() if form.denominator is not None),
        {i: raw for i, raw in single if raw is not None and raw in variances},
        frozenset(
            i
            for i, form in forms.items()
            if form.denominator is not None and form.denominator.may_be_negative(question.non_negative)
        ),
        tuple(
            i
            for i, shown in enumerate(question.columns)
            if shown.is_noisy and i not in forms and i not in stored_intervals
        ),
        tuple(stored_intervals),
        {i: distance for i, distance in rounding if distance is not None},
        constants,
        unchanged,
    )


def _outer_text(outer: Released | Public, select_list: list[tuple[str, Expr]], target: Target) -> str:
    """Write a SELECT of the named expressions over the rows of the outer query."""
    relation, fields = _below_sort(outer, select_list)
    columns = ", ".join(f"{f.id} AS {name}" for f, (name, _) in zip(fields, select_list, strict=True))
    return f"SELECT {columns} FROM ({write_rows(relation, fields, target)}) AS answer"


def _unchanged_release(outer: Released | Public, select_list: list[tuple[str, Expr]]) -> UnchangedRelease | None:
    """Find the release whose rows the outer query returns unchanged; None where it computes more than variances."""
    if not isinstance(outer.operator, ReleaseScan) or not all(_is_arithmetic(expr) for _, expr in select_list):
        return None
    return UnchangedRelease(release_table_name(outer.operator.index), tuple(select_list))


def _is_arithmetic(expr: Expr) -> bool:
    """Return whether an expression is made of fields and numbers by ARITHMETIC alone."""
    if isinstance(expr, Call):
        return expr.function in ARITHMETIC and expr.type is SqlType.DOUBLE and all(map(_is_arithmetic, expr.arguments))
    return isinstance(expr, Ref | Literal)


def _stored_intervals(question: Question) -> dict[int, tuple[Field, Field]]:
    """Find the result columns that are released numbers with an interval of their own: index -> (lower, upper) field.

    Only where the outer query still passes both fields on.
    """
    intervals = {
        o.field: o.interval_fields
        for release in question.releases
        for o in release.outputs
        if o.interval_fields is not None
    }
    carried = set(question.outer.fields)
    column_intervals = ((i, intervals.get(shown.field)) for i, shown in enumerate(question.columns))
    return {i: ends for i, ends in column_intervals if ends is not None and set(ends) <= carried}


def _interval_components(
    form: FractionalLinearForm, variances: Variances, residuals: Residuals, non_negative: frozenset[Field]
) -> tuple[Expr, ...]:
    """Write the components in the order of INTERVAL_COMPONENTS; those of a missing denominator are 0.

    Variances are those of the noise and of what correction leaves.
    """
    numerator, denominator = form.numerator, form.denominator
    residual = numerator.residual_variance(residuals, denominator)
    components = (form.offset, numerator.value_expression(), plus(numerator.variance(variances), residual))
    retained = Literal(form.retained_share(residuals, non_negative), SqlType.DOUBLE)
    if denominator is None:
        return (*components, ZERO, ZERO, ZERO, residual, ZERO, retained, numerator.variance(variances))
    residual_below = denominator.residual_variance(residuals)
    return (
        *components,
        denominator.value_expression(),
        plus(denominator.variance(variances), residual_below),
        numerator.covariance(denominator, variances),
        residual,
        residual_below,
        retained,
        ZERO,
    )


def _below_sort(outer: Released | Public, select_list: list[tuple[str, Expr]]) -> tuple[Relation, list[Field]]:
    """Compute expressions below ORDER BY and LIMIT, so that both stay outermost.

    Returns the relation with the computed columns, and the field of each entry of `select_list`, in its order.
    """
    sort = outer.operator if isinstance(outer.operator, Sort) else None
    source: Relation = outer if sort is None else sort.source
    fields: list[Field] = []
    computed: list[tuple[Field, Expr]] = []
    for name, expr in select_list:
        if isinstance(expr, Ref):
            fields.append(expr.field)
            continue
        computed_field = Field(f"x_{name}", None, SqlType.DOUBLE)
        computed.append((computed_field, expr))
        fields.append(computed_field)
    relation = source.with_columns(computed)
    return (relation if sort is None else replace(outer.with_children((relation,)), fields=relation.fields)), fields


def write_derived_release(derivation: Derivation) -> str:
    """Write one row per requested key in public order: k0, ..., w0, ..., and `source_groups`, how many were added up.

    Reads two tables: `stored_groups`, the stored release with k0, ..., w0, ..., and `requested_keys` with k0, ...
    """
    keys, vectors = range(len(derivation.keys)), range(len(derivation.vectors))
    select_columns = [f"{write_expr(key)} AS g{i}" for i, key in enumerate(derivation.keys)]
    select_columns += [f"w{index} AS v{i}" for i, index in enumerate(derivation.vectors)]
    groups = (
        f"SELECT {', '.join([*select_columns, '1 AS is_stored'])} FROM stored_groups"
        f" WHERE {write_expr(derivation.condition)}"
    )
    sums = [f"{clamped_to_bigint(f'sum(v{i})')} AS w{i}" for i in vectors]
    columns = ", ".join([*(f"requested_keys.k{i}" for i in keys), *sums, "count(is_stored) AS source_groups"])
    if not keys:
        return f"SELECT {columns} FROM ({groups}) AS g"
    join_condition = " AND ".join(f"requested_keys.k{i} IS NOT DISTINCT FROM g.g{i}" for i in keys)
    group_columns = ", ".join(f"requested_keys.k{i}" for i in keys)
    order = ", ".join(f"requested_keys.k{i} NULLS LAST" for i in keys)
    return (
        f"SELECT {columns} FROM requested_keys LEFT JOIN ({groups}) AS g ON {join_condition} GROUP BY {group_columns}"
        f" ORDER BY {order}"
    )


def write_group_mapping(derivation: Derivation) -> str:
    """Write which requested group contains each stored group: `fine` and `coarse`, by the tables' column `row_index`.

    `fine` is the row of the stored group, `coarse` that of the requested one.
    """
    select_columns = [f"{write_expr(key)} AS g{i}" for i, key in enumerate(derivation.keys)]
    groups = (
        f"SELECT {', '.join([*select_columns, 'row_index'])} FROM stored_groups"
        f" WHERE {write_expr(derivation.condition)}"
    )
    on = " AND ".join(f"requested_keys.k{i} IS NOT DISTINCT FROM g.g{i}" for i in range(len(derivation.keys))) or "TRUE"
    return (
        "SELECT g.row_index AS fine, requested_keys.row_index AS coarse"
        f" FROM ({groups}) AS g JOIN requested_keys ON {on}"
    )


def write_pinned_counts(derivation: Derivation) -> str:
    """Write the number of distinct values that each pinned key has among the stored groups used, as n0, ....

    n<i> belongs to entry i of `required_values`: (index of a stored key, number of its values that must be among the
    groups).
    """
    counts = ", ".join(f"count(DISTINCT k{place}) AS n{i}" for i, (place, _) in enumerate(derivation.required_values))
    return f"SELECT {counts} FROM stored_groups WHERE {write_expr(derivation.condition)}"
