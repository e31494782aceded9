"""Origin of each clip bound, as text: the calibration that it was tuned on, or why it is the declared one."""

from __future__ import annotations

from collections.abc import Iterator

from dialect.algebra import Rule, Vector, VectorBound, VectorKind
from dialect.analysis import every_row, multiplies, spreads
from dialect.sensitivity import counted_table, parted_by
from engine.pricing.norms.choose import NormFacts
from engine.pricing.prepare import Prepared, Sized

_CUT = (Rule.SCALE, Rule.CLAMP)  # rules with a clip bound; the others need no explanation


def norm_origins(made: Prepared) -> tuple[str, ...]:
    """Origin of the clip bound of each query vector; an empty text if the vector is not clipped to an L2 bound."""
    sized = made.sized
    rows = zip(sized.numbers.vectors, sized.facts, made.bounds.vectors, strict=True)
    return tuple(_origin(sized, vector, facts, bound) for vector, facts, bound in rows)


def _origin(sized: Sized, vector: Vector, facts: NormFacts | None, bound: VectorBound) -> str:
    if sized.numbers.limits.said:
        return "the question names its own limits"
    if bound.rule not in _CUT or vector.part is not None:
        return ""
    if facts is None or facts.measured is None:
        return _declared(sized)
    return "; ".join([f"{facts.spread.told}, {facts.measured}", *_unlike(sized, vector, facts)])


def _unlike(sized: Sized, vector: Vector, facts: NormFacts) -> Iterator[str]:
    """Differences between what the calibration measured and what this query counts."""
    plan, measured = sized.numbers, facts.measured
    assert measured is not None  # noqa: S101  checked by the caller
    if vector.condition is not None or not every_row(plan.source):
        yield "it was measured of all rows: of those that are left here people have as much or less"
    parts = parted_by(plan, measured.table)
    if not parts.issuperset(measured.keys) and vector.kind is not VectorKind.PERSONS:
        yield "several of its groups lie in one of these, which holds at most the root of their number times as much"
    elif facts.coarser:
        yield "by more keys people are in more groups, and nobody measured how many: what is cut away is not known"
    elif parts != set(measured.keys):
        yield "by more keys people have as much or less"
    if vector.summed and measured.column is None:
        yield "each row is reckoned to have the largest value"


def _declared(sized: Sized) -> str:
    """Why no calibration applies to a query vector, so that its declared clip bound is used."""
    plan = sized.numbers
    table = counted_table(plan, sized.catalog)
    if table is None:
        return "declared: no calibration tells of rows that are made in the question, or gathered from several tables"
    if multiplies(plan.source):
        return "declared: a person's rows are joined with each other, and no calibration tells how many that makes"
    if spreads(plan.source):
        return "declared: a row may be joined with several public ones, and no calibration tells how many that makes"
    if not any(each.measured.table == table.name for each in sized.calibration.histograms):
        return f"declared: no calibration of {table.name} holds today"
    return f"declared: in the calibration of {table.name} nothing of this is clear of the noise"
