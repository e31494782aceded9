"""Query vectors: the exact per-group sums behind the aggregates of a release, each planned once.

An aggregate becomes a formula over vectors: AVG(x) is a centred SUM(x) over a COUNT(x), and shares its COUNT(x).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from dialect.algebra.expressions import Expr, Field, Ref, conjuncts
from dialect.algebra.formulas import CountOf, Formula, MeanOf, MomentsOf, Output, QuantileOf, SumOf
from dialect.algebra.relations import Measure
from dialect.algebra.release_plan import Factor, Vector, VectorKind
from dialect.analysis.canonical_form import Canon
from dialect.analysis.predicates import known_range
from dialect.catalog.model import Bounds, Catalog, SqlType
from dialect.functions.aggregates import MOMENTS, wholly
from dialect.functions.emitter import plain_text
from dialect.functions.inference import definition, nullable
from dialect.stability.calls import is_person

LARGEST_WHOLE = 2.0**62
WIDER = 2.0**13  # values are clamped at this multiple of the bounds of a person's total


@dataclass
class Vectors:
    """Query vectors of one plan, collected aggregate by aggregate without duplicates."""

    catalog: Catalog
    held: Mapping[Expr, Field]  # argument or condition -> source field with its value
    canon: Canon
    facts: Sequence[Expr] = ()  # true of every row
    made: list[Vector] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)  # canonical, one per vector

    def formula(self, measure: Measure) -> Formula:
        """Plan the vectors that an aggregate needs, and return its formula over them."""
        condition = None if measure.condition is None else self.held[measure.condition]
        if measure.function == "count_star":
            return CountOf(self.add(VectorKind.ROWS, None, condition, measure.bounds))
        if measure.function in MOMENTS:
            return self._moments(measure, condition)
        argument = measure.arguments[0]
        if measure.function == "sum":
            return SumOf(self.add(VectorKind.SUM, argument, condition, measure.bounds))
        if measure.function == "avg":
            return self._mean(argument, condition, measure.bounds)
        if measure.function == "count_distinct" and (len(measure.arguments) > 1 or not is_person(argument)):
            return CountOf(self._place(self._values_of(measure, condition)))
        maybe = argument if nullable(argument) or argument.type is SqlType.DOUBLE else None  # NaN does not count
        if measure.function == "count_distinct":
            return CountOf(self.add(VectorKind.PERSONS, maybe, condition))
        if measure.function != "count":
            raise ValueError(f"no vector is planned for the aggregate {measure.function}")
        kind = VectorKind.ROWS if maybe is None else VectorKind.VALID
        return CountOf(self.add(kind, maybe, condition, measure.bounds))

    def add(
        self, kind: VectorKind, argument: Expr | None, condition: Field | None, bounds: Bounds | None = None
    ) -> int:
        """Return the index of a vector, added if it is new; `bounds` are the contribution bounds in the query."""
        return self._place(self._vector(kind, argument, condition, bounds))

    def _place(self, made: Vector) -> int:
        text = self._text(made)
        if text in self.texts:
            return self.texts.index(text)
        self.made.append(made)
        self.texts.append(text)
        return len(self.made) - 1

    def in_order(self, outputs: list[Output]) -> tuple[tuple[Vector, ...], tuple[Output, ...]]:
        """Sort the vectors canonically, and renumber the formulas to match."""
        order = sorted(range(len(self.made)), key=lambda i: self.texts[i])
        place = {old: new for new, old in enumerate(order)}
        vectors = tuple(replace(self.made[i], scale_group=place[self.made[i].scale_group]) for i in order)
        return vectors, tuple(replace(output, formula=moved(output.formula, place)) for output in outputs)

    def _mean(self, argument: Expr, condition: Field | None, bounds: Bounds | None) -> MeanOf:
        count = self._values(argument, condition)
        total = self.add(VectorKind.CENTRED, argument, condition, bounds)
        self._alike(count, total)
        return MeanOf(total, count, self.made[total].centre)

    def _values(self, argument: Expr, condition: Field | None) -> int:
        """Return the index of the COUNT of values that a mean is divided by."""
        certain = not nullable(argument) and argument.type is SqlType.BIGINT
        kind = VectorKind.ROWS if certain else VectorKind.VALID
        return self.add(kind, None if certain else argument, condition)

    def _alike(self, *places: int) -> None:
        """Merge the scale groups of some vectors, so that one factor per person scales them all."""
        joined = {self.made[place].scale_group for place in places}
        self.made = [replace(v, scale_group=min(joined)) if v.scale_group in joined else v for v in self.made]

    def _moments(self, measure: Measure, condition: Field | None) -> MomentsOf:
        """Plan the count, centred sums and centred products of a variance, covariance or regression aggregate.

        For a pair of arguments, the condition requires both to be non-NULL.
        """
        needed, bounds = MOMENTS[measure.function], measure.bounds
        count = self._values(measure.arguments[0], condition)
        sums = tuple(self.add(VectorKind.CENTRED, value, condition, bounds) for value in measure.arguments)
        products = tuple(
            self._place(self._product(measure.arguments[i], measure.arguments[j], condition, bounds))
            for i, j in needed.products
        )
        self._alike(count, *sums, *products)
        centres = tuple(self.made[place].centre for place in sums)
        return MomentsOf(measure.function, count, sums, products, centres)

    def _values_of(self, measure: Measure, condition: Field | None) -> Vector:
        """Build the vector of COUNT(DISTINCT ...) over a value or a tuple; the order of a tuple does not matter."""
        fields = sorted((self.held[part] for part in measure.arguments), key=lambda f: self.canon.names[f.id])
        text = f"{VectorKind.DISTINCT}({', '.join(plain_text(part) for part in measure.arguments)})"
        return Vector(
            VectorKind.DISTINCT, fields[0], condition, 0.0, 1.0, 0.0, True, len(self.made), text, measure.bounds,
            others=tuple(fields[1:]),
        )  # fmt: skip

    def _product(self, one: Expr, other: Expr, condition: Field | None, named: Bounds | None) -> Vector:
        """Build the vector of products of two centred values; their order does not matter."""
        one, other = sorted((one, other), key=lambda value: self.canon.names[self.held[value].id])
        first, second = (self._factor(value, condition, named) for value in (one, other))
        whole = SqlType.DOUBLE not in (one.type, other.type)
        text = f"{VectorKind.PRODUCT}({plain_text(one)}, {plain_text(other)})"
        return Vector(
            VectorKind.PRODUCT, first.value, condition, first.lower, first.upper, first.centre, whole, len(self.made),
            text, factor=second,
        )  # fmt: skip

    def _factor(self, value: Expr, condition: Field | None, named: Bounds | None) -> Factor:
        ends = self._range(value, condition)
        bounds = wholly(summed_range(value, ends, VectorKind.CENTRED, named), value.type)
        return Factor(self.held[value], bounds.lower, bounds.upper, self._centre(value, bounds))

    def _vector(self, kind: VectorKind, argument: Expr | None, condition: Field | None, named: Bounds | None) -> Vector:
        value = None if argument is None else self.held[argument]
        lower, upper, centre, whole = 0.0, 1.0, 0.0, True
        if argument is not None and kind in (VectorKind.SUM, VectorKind.CENTRED):
            whole = argument.type is not SqlType.DOUBLE
            bounds = summed_range(argument, self._range(argument, condition), kind, named)
            lower, upper = bounds.lower, bounds.upper
            centre = self._centre(argument, bounds) if kind is VectorKind.CENTRED else 0.0
        text = kind.value if argument is None else f"{kind}({plain_text(argument)})"
        part = None if kind is VectorKind.CENTRED else named
        return Vector(kind, value, condition, lower, upper, centre, whole, len(self.made), text, part)

    def _range(self, argument: Expr, condition: Field | None) -> Bounds:
        """Infer the range of a value in the rows that the aggregate counts."""
        test = None if condition is None else definition(Ref(condition))
        return known_range(argument, (*self.facts, *(conjuncts(test) if test is not None else ())))

    def _centre(self, argument: Expr, bounds: Bounds) -> float:
        """Choose a public centre: the declared typical value, else a calibrated one, else the middle of the range."""
        origin = argument.field.origin if isinstance(argument, Ref) else None
        column = self.catalog.column(origin.table, origin.column) if origin is not None else None
        centre = (bounds.lower + bounds.upper) / 2
        typical = None if column is None else column.usual if column.centre is None else column.centre
        if typical is not None:
            centre = min(max(typical, bounds.lower), bounds.upper)
        return centre if argument.type is SqlType.DOUBLE else float(round(centre))

    def _text(self, vector: Vector) -> str:
        value = "" if vector.value is None else self.canon.names[vector.value.id]
        where = "" if vector.condition is None else f" filter {self.canon.names[vector.condition.id]}"
        ends = _ends(vector) if vector.summed else ""
        value += "".join(f", {self.canon.names[part.id]}" for part in vector.others)
        if vector.factor is not None:
            value += f", {self.canon.names[vector.factor.value.id]}"
            ends += f" and{_ends(vector.factor)}"
        part = "" if vector.part is None else f" each in [{vector.part.lower!r}, {vector.part.upper!r}]"
        return f"{vector.kind}({value}){where}{ends}{part}"


def _ends(values: Vector | Factor) -> str:
    return f" in [{values.lower!r}, {values.upper!r}] about {values.centre!r}"


def summed_range(argument: Expr, ends: Bounds, kind: VectorKind, named: Bounds | None) -> Bounds:
    """Return the range that each value is clamped to; integers must fit 64 bits.

    Bounds stated in the query apply to each value of a mean. For a sum they apply to a person's total per group; values
    are then clamped much wider, only to limit their magnitude.
    """
    bounds = ends
    if named is not None:
        bounds = _within(bounds, named if kind is VectorKind.CENTRED else _wide(named))
    if argument.type is SqlType.DOUBLE:
        return bounds
    return Bounds(max(bounds.lower, -LARGEST_WHOLE), min(bounds.upper, LARGEST_WHOLE))


def _within(bounds: Bounds, named: Bounds) -> Bounds:
    """Intersect a range with stated bounds; if they are disjoint, the stated bounds win."""
    lower, upper = max(bounds.lower, named.lower), min(bounds.upper, named.upper)
    return Bounds(lower, upper) if lower < upper else named


def _wide(named: Bounds) -> Bounds:
    most = WIDER * max(abs(named.lower), abs(named.upper))
    return Bounds(-most, most)


def moved(formula: Formula, place: Mapping[int, int]) -> Formula:
    """Renumber the vectors that a formula refers to."""
    if isinstance(formula, QuantileOf):
        return formula
    if isinstance(formula, MomentsOf):
        sums, products = (tuple(place[old] for old in each) for each in (formula.sums, formula.products))
        return replace(formula, count=place[formula.count], sums=sums, products=products)
    if isinstance(formula, MeanOf):
        return replace(formula, total=place[formula.total], count=place[formula.count])
    return replace(formula, vector=place[formula.vector])
