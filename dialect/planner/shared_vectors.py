"""Boundaries over the same rows and groups -> one release with the vectors of all (`proofs.md#shared-vectors`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from dialect.algebra.expressions import Expr, Field, Ref, rebuild
from dialect.algebra.formulas import Output
from dialect.algebra.private_plan import PrivatePlan
from dialect.algebra.relation_parts import sources
from dialect.algebra.relations import Boundary, Measure, PerPerson, Relation
from dialect.analysis.canonical_form import Canon
from dialect.errors import Refusal
from dialect.parser.context import Reading
from dialect.planner.histograms import is_quantile
from dialect.planner.one_release import one_release
from dialect.planner.vectors import moved


@dataclass(frozen=True)
class _Planned:
    """A boundary with its plan."""

    boundary: Boundary
    plan: PrivatePlan


def unions(relation: Relation, reading: Reading) -> Mapping[str, PrivatePlan]:
    """Plan one release for every frame in a question, with the vectors of all the boundaries that have it."""
    boundaries = tuple(_boundaries(relation))
    found: dict[str, _Planned] = {}
    for boundary in boundaries if len(boundaries) > 1 else ():
        plain = tuple(measure for measure in boundary.measures if not is_quantile(measure))
        with suppress(Refusal):  # it is raised where this boundary is planned for itself
            made = _planned(replace(boundary, measures=plain), reading)
            if plain:
                known = found.get(made.plan.frame, made)
                found[made.plan.frame] = _joined(known, made, reading)
    return {frame: each.plan for frame, each in found.items()}


def read_from(
    union: PrivatePlan | None, made: PrivatePlan, outputs: tuple[Output, ...]
) -> tuple[PrivatePlan, tuple[Output, ...]]:
    """Read the numbers of a plan from a release that has all of its vectors; where none has, from its own."""
    if union is None or union.frame != made.frame or not set(made.texts) <= set(union.texts):
        return made, outputs
    place = {own: union.texts.index(text) for own, text in enumerate(made.texts)}
    factor = {own: union.vectors[there].scale_group for own, there in place.items()}
    if any(factor[own] != factor[vector.scale_group] for own, vector in enumerate(made.vectors)):
        return made, outputs  # the parts of a mean are cut by one factor
    return union, tuple(replace(output, formula=moved(output.formula, place)) for output in outputs)


def _boundaries(relation: Relation) -> Iterator[Boundary]:
    if isinstance(relation.operator, Boundary):
        yield relation.operator
        return
    for source in sources(relation):
        yield from _boundaries(source)


def _planned(boundary: Boundary, reading: Reading) -> _Planned:
    return _Planned(boundary, one_release(boundary, reading)[0])


def _joined(known: _Planned, other: _Planned, reading: Reading) -> _Planned:
    """Ask a boundary for another one's numbers too; where these would not be the same vectors, leave it alone."""
    wanted = {*known.plan.texts, *other.plan.texts}
    measures = _over(known.boundary.source, other.boundary)
    if wanted == set(known.plan.texts) or measures is None:
        return known
    with suppress(Refusal):
        both = replace(known.boundary, measures=known.boundary.measures + measures)
        made = _planned(both, reading)
        if made.plan.frame == known.plan.frame and set(made.plan.texts) == wanted:
            return made
    return known


def _over(source: PerPerson, boundary: Boundary) -> tuple[Measure, ...] | None:
    """Write a boundary's aggregates over another source of the same rows; None where a value is not found there."""
    here, there = Canon(), Canon()
    here.relation(source)
    there.relation(boundary.source)
    fields = {here.names[f.id]: f for f in reversed(source.fields) if f.id in here.names}

    def image(expr: Expr) -> Expr:
        if not isinstance(expr, Ref):
            return rebuild(expr, image)
        same = fields.get(there.names.get(expr.field.id, ""))
        return Ref(same) if same is not None else _computed(expr.field, image)

    try:
        return tuple(_with(measure, image) for measure in boundary.measures)
    except _NotFoundError:
        return None


def _with(measure: Measure, image: Callable[[Expr], Expr]) -> Measure:
    condition = None if measure.condition is None else image(measure.condition)
    return replace(measure, arguments=tuple(map(image, measure.arguments)), condition=condition)


def _computed(field: Field, image: Callable[[Expr], Expr]) -> Expr:
    if field.definition is None or field.definition == Ref(field):
        raise _NotFoundError
    return image(field.definition)


class _NotFoundError(Exception):
    """A value that the other source does not have."""
