"""Query vectors: the exact per-group sums behind the aggregates of a release, each planned once.

An aggregate becomes a formula over vectors: AVG(x) is a centred SUM(x) over a COUNT(x), and shares its COUNT(x).

Terms: the source fields are the computed fields from which the release reads arguments and conditions. Stated bounds
are the contribution bounds written in the query. The centre is a public number subtracted from each value. Vectors of
one scale group are clipped by one factor per person. A place is an index into the vectors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from dialect.algebra.expressions import Expr, Field, Ref, conjuncts
from dialect.algebra.formulas import CountOf, Formula, MeanOf, MomentsOf, QuantileOf, ReleasedNumber, SumOf
from dialect.algebra.relations import AggregateCall
from dialect.algebra.release_plan import Factor, QueryVector, VectorKind
from dialect.analysis.canonical_form import CanonicalForm
from dialect.analysis.predicates import narrowed_range
from dialect.catalog.model import Bounds, Catalog, SqlType
from dialect.functions.aggregates import AGGREGATES, MOMENTS, ReleasedAs, integer_bounds
from dialect.functions.emitter import plain_text
from dialect.functions.registry import (
    definition_of,
    may_be_null,
)
from dialect.stability.typed_calls import is_person_key

MAX_INTEGER = 2.0**62
CLAMP_FACTOR = 2.0**13  # values are clamped at this multiple of the bounds of a person's total


@dataclass
class QueryVectors:
    """Query vectors of one plan, collected aggregate by aggregate without duplicates.

    `vectors` and `texts` are parallel: the canonical text of a vector identifies it.
    """

    catalog: Catalog
    source_fields: Mapping[Expr, Field]  # argument or condition -> source field with its value
    canonical: CanonicalForm
    facts: Sequence[Expr] = ()  # true of every row
    counts_rows_as_persons: bool = False  # a person has at most one row in each of several groups
    keys_of_rows: frozenset[Field] = frozenset()  # declared: no two rows have one value of such a field
    vectors: list[QueryVector] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)  # canonical, one per vector

    def formula(self, measure: AggregateCall) -> Formula:
        """Plan the vectors that an aggregate needs, and return its formula over them.

        COUNT(x) counts rows if x is never NULL or NaN. COUNT(DISTINCT person) is a count of persons, and so is a number
        of rows of which a person has at most one in each group. COUNT(DISTINCT key) is COUNT(key), where a key is
        declared to name one row. Raises ValueError for an aggregate that has no vectors, such as a quantile.
        """
        condition = None if measure.condition is None else self.source_fields[measure.condition]
        bounds, released_as = measure.stated_bounds, AGGREGATES[measure.function].released_as
        is_of_persons = self.counts_rows_as_persons and bounds is None
        if released_as is ReleasedAs.ROWS:
            return CountOf(self.add(VectorKind.PERSONS if is_of_persons else VectorKind.ROWS, None, condition, bounds))
        argument = measure.arguments[0]
        maybe = argument if may_be_null(argument) or argument.type is SqlType.DOUBLE else None  # NaN does not count
        match released_as:
            case ReleasedAs.MOMENTS:
                return self._plan_moments(measure, condition)
            case ReleasedAs.SUM:
                return SumOf(self.add(VectorKind.SUM, argument, condition, bounds))
            case ReleasedAs.MEAN:
                return self._plan_mean(argument, condition, bounds)
            case ReleasedAs.DISTINCT if len(measure.arguments) == 1 and is_person_key(argument):
                return CountOf(self.add(VectorKind.PERSONS, maybe, condition))
            case ReleasedAs.DISTINCT if bounds is not None or not self._is_key_of_rows(measure):
                return CountOf(self._index_of(self._distinct_vector(measure, condition)))
            case ReleasedAs.VALUES | ReleasedAs.DISTINCT if is_of_persons:
                return CountOf(self.add(VectorKind.PERSONS, maybe, condition))
            case ReleasedAs.VALUES | ReleasedAs.DISTINCT:
                kind = VectorKind.ROWS if maybe is None else VectorKind.VALID
                return CountOf(self.add(kind, maybe, condition, bounds))
        raise ValueError(f"no vector is planned for the aggregate {measure.function}")

    def _is_key_of_rows(self, measure: AggregateCall) -> bool:
        """Return whether an aggregate's only argument is a field whose values each name one row."""
        (value, *others) = measure.arguments
        read = value.field.expression if isinstance(value, Ref) and not others else None
        return isinstance(read, Ref) and read.field in self.keys_of_rows

    def add(
        self, kind: VectorKind, argument: Expr | None, condition: Field | None, bounds: Bounds | None = None
    ) -> int:
        """Return the index of a vector, added if it is new; `bounds` are the contribution bounds in the query."""
        return self._index_of(self._vector(kind, argument, condition, bounds))

    def _index_of(self, vector: QueryVector) -> int:
        """Return the index of the vector with the same canonical text; adds the vector if there is none."""
        text = self._canonical_text(vector)
        if text in self.texts:
            return self.texts.index(text)
        self.vectors.append(vector)
        self.texts.append(text)
        return len(self.vectors) - 1

    def in_canonical_order(
        self, outputs: list[ReleasedNumber]
    ) -> tuple[tuple[QueryVector, ...], tuple[ReleasedNumber, ...]]:
        """Sort the vectors by canonical text; returns them, and the outputs with renumbered formulas."""
        order = sorted(range(len(self.vectors)), key=lambda i: self.texts[i])
        new_index = {old: new for new, old in enumerate(order)}
        vectors = tuple(replace(self.vectors[i], scale_group=new_index[self.vectors[i].scale_group]) for i in order)
        return vectors, tuple(
            replace(output, formula=renumber_formula(output.formula, new_index)) for output in outputs
        )

    def _plan_mean(self, argument: Expr, condition: Field | None, bounds: Bounds | None) -> MeanOf:
        """Plan a centred sum and a count, with one scale factor: the mean of a clipped person stays the same."""
        count = self._plan_value_count(argument, condition)
        total = self.add(VectorKind.CENTRED, argument, condition, bounds)
        self._share_scale_factor(count, total)
        return MeanOf(total, count, self.vectors[total].centre)

    def _plan_value_count(self, argument: Expr, condition: Field | None) -> int:
        """Return the index of the COUNT of values that a mean is divided by.

        An integer that is never NULL is counted by rows, which other aggregates share.
        """
        never_null = not may_be_null(argument) and argument.type is SqlType.BIGINT
        kind = VectorKind.ROWS if never_null else VectorKind.VALID
        return self.add(kind, None if never_null else argument, condition)

    def _share_scale_factor(self, *places: int) -> None:
        """Merge the scale groups of the vectors at some indices, so that one factor per person scales them all.

        The ratio of a person's numbers, such as a mean, is then unchanged by clipping.
        """
        joined = {self.vectors[place].scale_group for place in places}
        self.vectors = [replace(v, scale_group=min(joined)) if v.scale_group in joined else v for v in self.vectors]

    def _plan_moments(self, measure: AggregateCall, condition: Field | None) -> MomentsOf:
        """Plan the count, centred sums and centred products of a variance, covariance or regression aggregate.

        For a pair of arguments, the condition requires both to be non-NULL.
        """
        needed, bounds = MOMENTS[measure.function], measure.stated_bounds
        count = self._plan_value_count(measure.arguments[0], condition)
        sums = tuple(self.add(VectorKind.CENTRED, value, condition, bounds) for value in measure.arguments)
        products = tuple(
            self._index_of(self._product_vector(measure.arguments[i], measure.arguments[j], condition, bounds))
            for i, j in needed.product_pairs
        )
        self._share_scale_factor(count, *sums, *products)
        centres = tuple(self.vectors[place].centre for place in sums)
        return MomentsOf(measure.function, count, sums, products, centres)

    def _distinct_vector(self, measure: AggregateCall, condition: Field | None) -> QueryVector:
        """Build the vector of COUNT(DISTINCT ...) over a value or a tuple; the order of a tuple does not matter.

        Its fields are sorted by canonical name; the text for people keeps the order of the query.
        """
        fields = sorted(
            (self.source_fields[part] for part in measure.arguments), key=lambda f: self.canonical.names[f.id]
        )
        text = f"{VectorKind.DISTINCT}({', '.join(plain_text(part) for part in measure.arguments)})"
        return QueryVector(
            VectorKind.DISTINCT, fields[0], condition, 0.0, 1.0, 0.0, True, len(self.vectors), text,
            measure.stated_bounds,
            other_values=tuple(fields[1:]),
        )  # fmt: skip

    def _product_vector(self, one: Expr, other: Expr, condition: Field | None, stated: Bounds | None) -> QueryVector:
        """Build the vector of products of two centred values; their order does not matter.

        The value with the first canonical name is that of the vector, and the other one its factor.
        """
        one, other = sorted((one, other), key=lambda value: self.canonical.names[self.source_fields[value].id])
        first, second = (self._centred_factor(value, condition, stated) for value in (one, other))
        is_whole = first.centre.is_integer() and second.centre.is_integer()
        is_integer = SqlType.DOUBLE not in (one.type, other.type) and is_whole
        text = f"{VectorKind.PRODUCT}({plain_text(one)}, {plain_text(other)})"
        return QueryVector(
            VectorKind.PRODUCT, first.value, condition, first.lower, first.upper, first.centre, is_integer,
            len(self.vectors),
            text, factor=second,
        )  # fmt: skip

    def _centred_factor(self, value: Expr, condition: Field | None, stated: Bounds | None) -> Factor:
        """Build one factor of a product: a value with its clamping range and its centre."""
        bounds = self._centred_bounds(value, condition, stated)
        return Factor(self.source_fields[value], bounds.lower, bounds.upper, self._centre(value, bounds))

    def _centred_bounds(self, value: Expr, condition: Field | None, stated: Bounds | None) -> Bounds:
        """Clamping range of a centred value, the same in its sum and in products: integers have whole ends."""
        return integer_bounds(clamp_range(value, self._range(value, condition), VectorKind.CENTRED, stated), value.type)

    def _vector(
        self, kind: VectorKind, argument: Expr | None, condition: Field | None, stated: Bounds | None
    ) -> QueryVector:
        """Build a vector of one value or none: a sum with its clamping range and centre, or a count.

        Stated bounds limit each value of a mean, so they are part of its clamping range; of other vectors they limit a
        person's total per group.
        """
        value = None if argument is None else self.source_fields[argument]
        lower, upper, centre, is_integer = 0.0, 1.0, 0.0, True
        if argument is not None and kind in (VectorKind.SUM, VectorKind.CENTRED):
            is_integer = argument.type is not SqlType.DOUBLE
            is_centred = kind is VectorKind.CENTRED
            bounds = (
                self._centred_bounds(argument, condition, stated)
                if is_centred
                else clamp_range(argument, self._range(argument, condition), kind, stated)
            )
            lower, upper = bounds.lower, bounds.upper
            centre = self._centre(argument, bounds) if is_centred else 0.0
            is_integer = is_integer and centre.is_integer()
        text = kind.value if argument is None else f"{kind}({plain_text(argument)})"
        part = None if kind is VectorKind.CENTRED else stated
        return QueryVector(kind, value, condition, lower, upper, centre, is_integer, len(self.vectors), text, part)

    def _range(self, argument: Expr, condition: Field | None) -> Bounds:
        """Infer the range of a value in the rows that the aggregate counts, by facts and by its FILTER."""
        test = None if condition is None else definition_of(Ref(condition))
        return narrowed_range(argument, (*self.facts, *(conjuncts(test) if test is not None else ())))

    def _centre(self, argument: Expr, bounds: Bounds) -> float:
        """Choose a public centre: the declared typical value, else a calibrated one, else the middle of the range."""
        origin = argument.field.origin if isinstance(argument, Ref) else None
        column = self.catalog.column(origin.table, origin.column) if origin is not None else None
        centre = (bounds.lower + bounds.upper) / 2
        typical = (
            None if column is None else column.calibrated_typical_value if column.centre is None else column.centre
        )
        if typical is not None:
            centre = min(max(typical, bounds.lower), bounds.upper)
        is_narrow = bounds.upper - bounds.lower == 1  # of shares: about 0 or 1, distances would be twice as large
        return centre if argument.type is SqlType.DOUBLE or is_narrow else float(round(centre))

    def _canonical_text(self, vector: QueryVector) -> str:
        """Return the canonical text of a vector: everything that its exact numbers depend on."""
        value = "" if vector.value is None else self.canonical.names[vector.value.id]
        where = "" if vector.condition is None else f" filter {self.canonical.names[vector.condition.id]}"
        ends = _clamp_text(vector) if vector.is_sum else ""
        value += "".join(f", {self.canonical.names[part.id]}" for part in vector.other_values)
        if vector.factor is not None:
            value += f", {self.canonical.names[vector.factor.value.id]}"
            ends += f" and{_clamp_text(vector.factor)}"
        part = (
            ""
            if vector.partial_bounds is None
            else f" each in [{vector.partial_bounds.lower!r}, {vector.partial_bounds.upper!r}]"
        )
        return f"{vector.kind}({value}){where}{ends}{part}"


def _clamp_text(values: QueryVector | Factor) -> str:
    """Return the canonical text of a clamping range and a centre."""
    return f" in [{values.lower!r}, {values.upper!r}] about {values.centre!r}"


def clamp_range(argument: Expr, inferred: Bounds, kind: VectorKind, stated: Bounds | None) -> Bounds:
    """Return the range that each value is clamped to; integers must fit 64 bits.

    Bounds stated in the query apply to each value of a mean. For a sum they apply to a person's total per group; values
    are then clamped much wider, only to limit their magnitude.
    """
    bounds = inferred
    if stated is not None:
        bounds = _intersect(bounds, stated if kind is VectorKind.CENTRED else _widen(stated))
    if argument.type is SqlType.DOUBLE:
        return bounds
    return Bounds(max(bounds.lower, -MAX_INTEGER), min(bounds.upper, MAX_INTEGER))


def _intersect(bounds: Bounds, stated: Bounds) -> Bounds:
    """Intersect a range with stated bounds; if they are disjoint, the stated bounds win."""
    lower, upper = max(bounds.lower, stated.lower), min(bounds.upper, stated.upper)
    return Bounds(lower, upper) if lower < upper else stated


def _widen(stated: Bounds) -> Bounds:
    """Return the range in which each value is clamped where bounds are stated for a person's total, not for a value."""
    limit = CLAMP_FACTOR * max(abs(stated.lower), abs(stated.upper))
    return Bounds(-limit, limit)


def renumber_formula(formula: Formula, new_index: Mapping[int, int]) -> Formula:
    """Renumber the vectors that a formula refers to; `new_index` maps old indices. A quantile refers to none."""
    if isinstance(formula, QuantileOf):
        return formula
    if isinstance(formula, MomentsOf):
        sums, products = (tuple(new_index[old] for old in each) for each in (formula.sums, formula.products))
        return replace(formula, count=new_index[formula.count], sums=sums, products=products)
    if isinstance(formula, MeanOf):
        return replace(formula, centred_sum=new_index[formula.centred_sum], count=new_index[formula.count])
    return replace(formula, vector=new_index[formula.vector])


def is_histogram_aggregate(measure: AggregateCall) -> bool:
    """Return whether an aggregate over many people is read from a histogram: quantiles, MEDIAN, MIN and MAX."""
    return AGGREGATES[measure.function].released_as is ReleasedAs.QUANTILE
