"""Question: a planned query, that is the releases to make and the outer query over them, with the noise of its columns.

Noise is followed to the output columns once, when the query is planned or its releases turn out to share noise. What
only rewrites expressions of the outer query keeps it: the definitions of fields stay.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from dialect.algebra.expressions import Field
from dialect.algebra.formulas import MeanOf, NoisyUnionColumn, ReleasedNumber, ReleasedSum
from dialect.algebra.properties import Properties
from dialect.algebra.relations import Public, Released
from dialect.algebra.release_plan import PrivatePlan, QueryOverReleases, ReleaseColumns
from dialect.notes import Note
from dialect.parser.options import NO_OPTIONS, Options
from dialect.postprocess.display_rounding import RoundingDistance, rounding_by_column
from dialect.postprocess.noise_propagation import FractionalLinearForm, are_noisy, column_forms


@dataclass(frozen=True)
class ResultColumn:
    """One column of the result, with its noise."""

    name: str
    field: Field
    form: FractionalLinearForm | None  # in raw noisy numbers; None without a usable form
    is_noisy: bool  # depends on released numbers, not only on keys and public columns
    rounding: RoundingDistance | None  # distance of the shown from the noisy number; None: unknown


@dataclass(frozen=True)
class Question:
    """A planned query: the releases to make, and the outer query over them."""

    sql: str
    plans: tuple[PrivatePlan, ...]
    releases: tuple[ReleaseColumns, ...]
    outer: Released | Public
    columns: tuple[ResultColumn, ...]
    options: Options = NO_OPTIONS
    notes: tuple[Note, ...] = ()  # shown with the result: how its numbers are made
    released_sums: tuple[ReleasedSum, ...] = ()  # over released rows, with noise terms
    union_columns: tuple[NoisyUnionColumn, ...] = ()
    # of the question and the relations of its outer query; a copy of the question has its own
    properties: Properties = field(default_factory=Properties, init=False, compare=False, repr=False)


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
    moved = replace(question, releases=releases)
    return replace(moved, columns=result_columns(moved, [(shown.name, shown.field) for shown in question.columns]))


def _about_centre(output: ReleasedNumber, plan_index: int, centres: Mapping[tuple[int, int], float]) -> ReleasedNumber:
    """Return a released number about its measured centre; unchanged if it is no average."""
    formula = output.formula
    if not isinstance(formula, MeanOf):
        return output
    centre = centres.get((plan_index, formula.centred_sum), formula.centre)
    return replace(output, formula=replace(formula, centre=centre))
