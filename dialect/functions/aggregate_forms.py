"""DuckDB forms of aggregates: SQL whose result does not depend on threads and row order.

Terms:

    form        SQL template, or a function that writes the call: {0}, {1} are arguments, {order} the ORDER BY terms,
                {where} FILTER and OVER, which are appended where the template has no such slot
    ties        rows that are equal by the aggregate's own order; broken by a hash, then by the value (`tie_order`)
    directions  sort directions of the aggregate's ORDER BY, whose keys are the last arguments
    grain       unit of the fixed-point integers in which doubles are added, so that the row order does not matter
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from dialect.algebra.relations import SortDirection
from dialect.catalog.model import SqlType
from dialect.functions.tie_order import TieOrder


@dataclass(frozen=True)
class AggregateOperands:
    """Operands of one aggregate call, as SQL text of an engine."""

    arguments: Sequence[str]
    types: Sequence[SqlType]
    condition: str | None = None  # FILTER
    window: str = ""  # OVER clause
    directions: Sequence[SortDirection] = ()
    grain: int = 1  # grains per unit of doubles
    ties: TieOrder | None = None  # of the person whose rows these are

    @property
    def suffix(self) -> str:
        """FILTER and OVER clauses."""
        return (f" FILTER (WHERE {self.condition})" if self.condition else "") + self.window

    @property
    def is_double(self) -> bool:
        """Whether the first argument is a DOUBLE."""
        return self.types[0] is SqlType.DOUBLE


AggregateWriter = Callable[[AggregateOperands], str]
AggregateForm = str | AggregateWriter
# interpolating between infinities of both signs gives NaN. DuckDB drops a NaN test on a column known to have none, but
# not on a sum
_NAN_TO_NULL = "nullif({f} + CAST(0 AS DOUBLE), CAST('nan' AS DOUBLE))"
MEDIAN = _NAN_TO_NULL.replace("{f}", "median({0}){where}")
QUANTILE = _NAN_TO_NULL.replace("{f}", "quantile_cont({0}, {1}){where}")
MAX_JOINED_LENGTH = 1_000  # limit on the characters of a joined text, and on its parts
JOINED = (
    f"left(array_to_string(list_slice(list(left({{0}}, {MAX_JOINED_LENGTH}) ORDER BY {{order}}){{where}}, 1,"
    f" {MAX_JOINED_LENGTH}), {{1}}), {MAX_JOINED_LENGTH})"
)


def fill_form(form: str, argument_count: int, call: AggregateOperands, breaks_ties: bool = False) -> str:
    """Fill in a template. Ties in its ORDER BY are broken by a hash and the value, or else by the value itself.

    More value arguments than the aggregate has are a tuple, as in COUNT(DISTINCT (a, b)).
    """
    value_count = len(call.arguments) - len(call.directions)
    values, keys = call.arguments[:value_count], call.arguments[value_count:]
    if len(values) > argument_count:
        values = [f"({', '.join(values)})"]
    order = [
        f"{key} {'DESC' if how.descending else 'ASC'} NULLS {'FIRST' if how.nulls_first else 'LAST'}"
        for key, how in zip(keys, call.directions, strict=True)
    ]
    has_hash = breaks_ties and call.ties is not None
    order += call.ties.order_terms(values[0], call.types[0]) if has_hash and call.ties is not None else values[:1]
    written = form.format(*values, order=", ".join(order), where=call.suffix)
    return written if "{where}" in form else written + call.suffix


@dataclass(frozen=True)
class FixedPoint:
    """SUM and AVG over one person's rows in one engine: exact sums, to which doubles are rounded in grains."""

    exact_sum: str  # SUM of integers in a type that cannot overflow
    is_finite: str
    zero: str  # a DOUBLE

    def sum(self, call: AggregateOperands) -> str:
        """Write SUM; NULL for integers beyond 64 bits."""
        total, _ = self._total(call)
        return total if call.is_double else f"TRY_CAST({total} AS BIGINT)"

    def mean(self, call: AggregateOperands) -> str:
        """Write AVG; exact where all values are equal, which fixed-point rounding could shift.

        A sum of integers may be beyond 64 bits where their mean is not.
        """
        total, counted_value = self._total(call)
        mean = f"(CAST({total} AS DOUBLE) / nullif(count({counted_value}){call.suffix}, 0))"
        if not call.is_double:
            return mean
        least, greatest = (f"{end}({call.arguments[0]}){call.suffix}" for end in ("min", "max"))
        is_equal = f"{least} = {greatest} AND {self.is_finite.format(least)}"
        return f"CASE WHEN {is_equal} THEN {least} + {self.zero} ELSE {mean} END"

    def _total(self, call: AggregateOperands) -> tuple[str, str]:
        """Write an exact sum, and the value that it counts: doubles are rounded to grains, NULL beyond 64 bits."""
        (argument,) = call.arguments
        counted_value = f"TRY_CAST(round({argument} * {call.grain}) AS BIGINT)" if call.is_double else argument
        total = self.exact_sum.format(counted_value) + call.suffix
        return f"CAST({total} AS DOUBLE) / {call.grain}" if call.is_double else total, counted_value


FIXED_POINT = FixedPoint("sum({0})", "isfinite({0})", "CAST(0 AS DOUBLE)")


def released_sum(call: AggregateOperands) -> str:
    """Write SUM over released rows; a sum of integers beyond 64 bits is NULL."""
    written = f"sum({call.arguments[0]}){call.suffix}"
    return f"TRY_CAST({written} AS BIGINT)" if call.types[0] is SqlType.BIGINT else written


def in_sorted_order(function: str, otherwise: AggregateForm) -> AggregateWriter:
    """Return the form of SUM or AVG over public rows: doubles are added in sorted order, others as `otherwise`."""

    def form(call: AggregateOperands) -> str:
        """Write the aggregate of a sorted list."""
        if call.is_double:
            return f"list_aggregate(list_sort(list({call.arguments[0]}){call.suffix}), '{function}')"
        return otherwise(call) if callable(otherwise) else fill_form(otherwise, 1, call)

    return form


def extreme_of_order(function: str) -> AggregateWriter:
    """Return the form of ARG_MIN or ARG_MAX as MIN or MAX of (order, hash, value), so that ties have one result.

    Structs are compared field by field: `o` the order, `h` the tie-breaking hash, left out where there is none, `v` the
    value.
    """

    def form(call: AggregateOperands) -> str:
        """Write the value in the row with the extreme order."""
        value, order = call.arguments
        tests = [f"{value} IS NOT NULL", f"{order} IS NOT NULL"] + ([call.condition] if call.condition else [])
        tie_hash = None if call.ties is None else call.ties.hash_of(value, call.types[0])
        hash_field = "" if tie_hash is None else f"h := {tie_hash}, "
        pair = f"struct_pack(o := {order}, {hash_field}v := {value})"
        return f"struct_extract({function}({pair}) FILTER (WHERE {' AND '.join(tests)}), 'v')"

    return form


def in_value_order(function: str, distinct: str = "") -> AggregateWriter:
    """Return the form of an aggregate that adds doubles in sorted order, so that equal multisets give equal results.

    Over a window the frame's order decides; such windows occur over released rows only. Values with squares beyond a
    double are excluded, and a result that is not finite is NULL (dialect/codegen/proofs.md#ordered-statistics). A sum
    of distinct integers beyond 64 bits is NULL.
    """

    def form(call: AggregateOperands) -> str:
        """Write the aggregate with an ORDER BY of its own arguments."""
        pairs = zip(call.arguments, call.types, strict=True)
        finite_tests = [f"{a} BETWEEN -1e150 AND 1e150" for a, kind in pairs if kind is SqlType.DOUBLE]
        tests = [test for test in (call.condition, *dict.fromkeys(finite_tests)) if test is not None]
        condition = " AND ".join(f"({test})" for test in tests)
        order = "" if call.window else f" ORDER BY {', '.join(call.arguments)}"
        written = f"{function}({distinct}{', '.join(call.arguments)}{order}){replace(call, condition=condition).suffix}"
        if function == "sum" and not call.is_double:
            return f"TRY_CAST({written} AS BIGINT)"
        return f"CASE WHEN isfinite({written}) THEN {written} END"

    return form
