"""Question: a planned query, that is the releases to make and the outer query over them, with the noise of its columns.

Noise is followed to the output columns once, when the query is planned or its releases turn out to share noise. What
only rewrites expressions of the outer query keeps it: the definitions of fields stay.

A raw number is one noisy number of a query vector. Its origin identifies the noise: numbers with one origin may share
it, as releases derived from one stored release do. A noise term is the triple (sum of weighted raw numbers, sum of
squared weights, raw number). Where every number reads one group of one release, noise may be correlated between groups;
sums, differences and selections of groups have the noise of several, which independent noise serves better.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from dialect.algebra import relations as rel
from dialect.algebra.expressions import Expr, Field, Origin, fields_of
from dialect.algebra.formulas import MeanOf, NoisyTerm, NoisyUnionColumn, ReleasedNumber, ReleasedSum
from dialect.algebra.properties import Properties
from dialect.algebra.relations import tables_of
from dialect.algebra.release_plan import QueryOverReleases
from dialect.notes import Note
from dialect.parser.privacy_clause import NO_OPTIONS, IntervalCoverage, Options
from dialect.postprocess.display_rounding import RoundingDistance, rounding_by_column
from dialect.postprocess.noise_propagation import (
    FractionalLinearForm,
    are_noisy,
    column_forms,
    forms_by_field,
    non_negative_fields,
)


@dataclass(frozen=True)
class ResultColumn:
    """One column of the result, with its noise."""

    name: str
    field: Field
    form: FractionalLinearForm | None  # in raw noisy numbers; None without a usable form
    is_noisy: bool  # depends on released numbers, not only on keys and public columns
    rounding: RoundingDistance | None  # distance of the shown from the noisy number; None: unknown


@dataclass(frozen=True, kw_only=True)
class Question(QueryOverReleases):
    """A planned query: the releases to make, and the outer query over them."""

    sql: str
    columns: tuple[ResultColumn, ...]
    options: Options = NO_OPTIONS
    notes: tuple[Note, ...] = ()  # shown with the result: how its numbers are made

    @cached_property
    def properties(self) -> Properties:
        """Properties of the question and of the relations of its outer query; a copy of the question has its own."""
        return Properties()

    @cached_property
    def forms(self) -> dict[Field, FractionalLinearForm]:
        """The form of each field that the outer query starts from (`forms_by_field`)."""
        return forms_by_field(self)

    @cached_property
    def non_negative(self) -> frozenset[Field]:
        """The raw noisy numbers whose exact value is never negative (`non_negative_fields`)."""
        return non_negative_fields(self)

    @cached_property
    def public_tables(self) -> tuple[str, ...]:
        """The names of the public tables that the outer query reads."""
        return tuple(sorted(tables_of(self.outer)))

    @cached_property
    def is_ordered(self) -> bool:
        """Whether the query ends in ORDER BY or LIMIT, so that the order of its rows is the client's choice."""
        relation: rel.Relation = self.outer
        while isinstance(relation.operator, rel.Project):
            relation = relation.operator.source
        return isinstance(relation.operator, rel.Sort)

    @property
    def is_simultaneous(self) -> bool:
        """Whether the intervals of all its numbers hold together, if it has any."""
        return self.options.intervals is IntervalCoverage.SIMULTANEOUS and bool(self.releases)


def result_columns(query: QueryOverReleases, columns: Sequence[tuple[str, Field]]) -> tuple[ResultColumn, ...]:
    """Follow noise and rounding to output columns, given by name and field."""
    fields = [field for _, field in columns]
    noise = zip(column_forms(query, fields), are_noisy(query, fields), rounding_by_column(query, fields), strict=True)
    return tuple(
        ResultColumn(name, field, form, form is not None or is_noisy, rounding)
        for (name, field), (form, is_noisy, rounding) in zip(columns, noise, strict=True)
    )


def with_centres(question: Question, centres: Mapping[tuple[int, int], float]) -> Question:
    """Compute averages about other centres: those that were subtracted when the releases were measured.

    `centres` = by (plan, index of the centred sum). Noise is followed again.
    """
    if not centres:
        return question
    releases = tuple(
        replace(columns, outputs=tuple(_about_centre(each, columns.plan_index, centres) for each in columns.outputs))
        for columns in question.releases
    )
    return _with_forms(replace(question, releases=releases))


def _with_forms(question: Question) -> Question:
    """Follow noise to the columns of a question again, after its raw numbers or centres changed: all else stays."""
    forms = column_forms(question, [shown.field for shown in question.columns])
    columns = zip(question.columns, forms, strict=True)
    return replace(question, columns=tuple(replace(shown, form=form) for shown, form in columns))


def _about_centre(output: ReleasedNumber, plan_index: int, centres: Mapping[tuple[int, int], float]) -> ReleasedNumber:
    """Return a released number about its measured centre; unchanged if it is no average."""
    formula = output.formula
    if not isinstance(formula, MeanOf):
        return output
    centre = centres.get((plan_index, formula.centred_sum), formula.centre)
    return replace(output, formula=replace(formula, centre=centre))


def reads_single_groups(question: Question) -> bool:
    """Return whether every number shown is computed from the numbers of a single group, whichever they are.

    The query has one release, and above it only projections, ORDER BY, joins with public tables, and filters on what
    is free of noise. Anything else counts as reading several groups: it may add them up, or choose among them.

    Claim: no output row depends on the noise of two groups of a release, and which rows are shown does not depend on
    noise. Proof: proofs.md#single-groups
    """
    if len(question.releases) != 1 or question.released_sums or question.union_columns:
        return False
    return _reads_single_groups(question.outer, frozenset(question.releases[0].keys))


def _reads_single_groups(relation: rel.Relation, keys: frozenset[Field]) -> bool:
    """Return whether each row of a released relation comes from one row of the release, chosen without noise."""
    operator = relation.operator
    if isinstance(operator, rel.ReleaseScan):
        return True
    if isinstance(operator, rel.Project):
        return _reads_single_groups(operator.source, keys)
    if isinstance(operator, rel.Sort):
        return operator.limit is None and operator.offset == 0 and _reads_single_groups(operator.source, keys)
    if isinstance(operator, rel.Filter):
        return _is_noise_free(operator.condition, keys) and _reads_single_groups(operator.source, keys)
    if isinstance(operator, rel.SemiJoin):
        is_lookup = isinstance(operator.right, rel.Public) and _is_noise_free(operator.condition, keys)
        return is_lookup and _reads_single_groups(operator.left, keys)
    if isinstance(operator, rel.Join):
        sides = (operator.left, operator.right)
        released = [side for side in sides if not isinstance(side, rel.Public)]
        is_lookup = len(released) == 1 and _is_noise_free(operator.condition, keys)
        return is_lookup and _reads_single_groups(released[0], keys)
    return False


def _is_noise_free(condition: Expr, keys: frozenset[Field]) -> bool:
    """Return whether a condition reads keys and public columns alone."""
    read = (part for field in fields_of(condition) for part in fields_of(field.expression))
    return all(field in keys or field.public_values is not None for field in read)


STORED_ORIGIN = "held"
SharedNoiseIds = Mapping[tuple[int, int], int]  # (plan, vector) -> id of the noise it may share


def mark_shared_noise(question: Question, shared_noise_ids: SharedNoiseIds) -> Question:
    """Mark raw numbers that may share noise by a common origin, so that variances bound their correlation.

    Claim: computed variances are at least those of numbers that share noise with non-negative weights. Symbols:
    `shared_noise_ids` = one number for all vectors that share noise. Raises: nothing. Proof: proofs.md#shared-noise
    """
    if not shared_noise_ids:
        return question
    raw: dict[str, Field] = {}
    for columns in question.releases:
        for i, of in enumerate(columns.raw_fields):
            noise_id = shared_noise_ids.get((columns.plan_index, i))
            raw[of.id] = of if noise_id is None else replace(of, origin=Origin(STORED_ORIGIN, f"n{noise_id}"))
    releases = tuple(replace(each, raw_fields=tuple(raw[f.id] for f in each.raw_fields)) for each in question.releases)
    sums = tuple(_mark_released_sum(each, raw) for each in question.released_sums)
    gathered = tuple(_mark_union_column(each, raw) for each in question.union_columns)
    return _with_forms(replace(question, releases=releases, released_sums=sums, union_columns=gathered))


def _mark_released_sum(released_sum: ReleasedSum, raw: Mapping[str, Field]) -> ReleasedSum:
    """Replace the raw numbers of a sum's noise terms by marked ones, and give the totals their origin."""
    terms = (
        (replace(total, origin=raw[of.id].origin), squares, raw[of.id])
        for total, squares, of in released_sum.noise_terms
    )
    return replace(released_sum, noise_terms=tuple(terms))


def _mark_union_column(column: NoisyUnionColumn, raw: Mapping[str, Field]) -> NoisyUnionColumn:
    """Replace the raw numbers of a union column by marked ones, in numerator and denominator."""
    below = (
        None if column.denominator_terms is None else tuple(_mark_term(term, raw) for term in column.denominator_terms)
    )
    return replace(column, terms=tuple(_mark_term(term, raw) for term in column.terms), denominator_terms=below)


def _mark_term(term: NoisyTerm, raw: Mapping[str, Field]) -> NoisyTerm:
    """Replace the raw number of a term by the marked one, and give the weighted value its origin."""
    of = raw[term.raw.id]
    return replace(term, weighted_value=replace(term.weighted_value, origin=of.origin), raw=of)
