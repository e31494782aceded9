"""Aggregates at the boundary -> the exact vectors behind them, each made once."""

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
WIDER = 2.0**13  # a value may exceed the bounds of its person's sum so many times before it is cut


@dataclass
class Vectors:
    """The vectors of one plan while they are collected."""

    catalog: Catalog
    held: Mapping[Expr, Field]  # argument or condition -> the source field that holds it
    canon: Canon
    facts: Sequence[Expr] = ()  # true of every row
    made: list[Vector] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)  # canonical, one per vector

    def formula(self, measure: Measure) -> Formula:
        """Find or make the vectors that an aggregate needs, and say how it is computed from them."""
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
        """Find or make one vector; `bounds` are those that the question names."""
        return self._place(self._vector(kind, argument, condition, bounds))

    def _place(self, made: Vector) -> int:
        text = self._text(made)
        if text in self.texts:
            return self.texts.index(text)
        self.made.append(made)
        self.texts.append(text)
        return len(self.made) - 1

    def in_order(self, outputs: list[Output]) -> tuple[tuple[Vector, ...], tuple[Output, ...]]:
        """Put the vectors in canonical order, and let formulas follow."""
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
        """Count the values that a mean is of."""
        certain = not nullable(argument) and argument.type is SqlType.BIGINT
        kind = VectorKind.ROWS if certain else VectorKind.VALID
        return self.add(kind, None if certain else argument, condition)

    def _alike(self, *places: int) -> None:
        """Let vectors share one factor per person, with all that share theirs already."""
        joined = {self.made[place].scale_group for place in places}
        self.made = [replace(v, scale_group=min(joined)) if v.scale_group in joined else v for v in self.made]

    def _moments(self, measure: Measure, condition: Field | None) -> MomentsOf:
        """Make the vectors of a variance or of what else is made of products; a pair's condition is that both exist."""
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
        """Tell which different values, or tuples of them, are counted; the order of a tuple's parts does not matter."""
        fields = sorted((self.held[part] for part in measure.arguments), key=lambda f: self.canon.names[f.id])
        text = f"{VectorKind.DISTINCT}({', '.join(plain_text(part) for part in measure.arguments)})"
        return Vector(
            VectorKind.DISTINCT, fields[0], condition, 0.0, 1.0, 0.0, True, len(self.made), text, measure.bounds,
            others=tuple(fields[1:]),
        )  # fmt: skip

    def _product(self, one: Expr, other: Expr, condition: Field | None, named: Bounds | None) -> Vector:
        """Multiply two values less their centres; the order of the two does not matter."""
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
        """Infer the range of a value in the rows that count."""
        test = None if condition is None else definition(Ref(condition))
        return known_range(argument, (*self.facts, *(conjuncts(test) if test is not None else ())))

    def _centre(self, argument: Expr, bounds: Bounds) -> float:
        """Take the steward's typical value, else a calibration's, else the middle of the range: public all three."""
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
    """Give the range that values between two ends are clamped to: whole values are stored in 64 bits.

    Bounds that a question names are those of each value of a mean; of a sum they are of one person's number in a group,
    and values are only kept from being many times as large.
    """
    bounds = ends
    if named is not None:
        bounds = _within(bounds, named if kind is VectorKind.CENTRED else _wide(named))
    if argument.type is SqlType.DOUBLE:
        return bounds
    return Bounds(max(bounds.lower, -LARGEST_WHOLE), min(bounds.upper, LARGEST_WHOLE))


def _within(bounds: Bounds, named: Bounds) -> Bounds:
    """Give the part of a range that lies within named bounds; where none does, these alone."""
    lower, upper = max(bounds.lower, named.lower), min(bounds.upper, named.upper)
    return Bounds(lower, upper) if lower < upper else named


def _wide(named: Bounds) -> Bounds:
    most = WIDER * max(abs(named.lower), abs(named.upper))
    return Bounds(-most, most)


def moved(formula: Formula, place: Mapping[int, int]) -> Formula:
    """Let a formula follow its vectors to other positions."""
    if isinstance(formula, QuantileOf):
        return formula
    if isinstance(formula, MomentsOf):
        sums, products = (tuple(place[old] for old in each) for each in (formula.sums, formula.products))
        return replace(formula, count=place[formula.count], sums=sums, products=products)
    if isinstance(formula, MeanOf):
        return replace(formula, total=place[formula.total], count=place[formula.count])
    return replace(formula, vector=place[formula.vector])
