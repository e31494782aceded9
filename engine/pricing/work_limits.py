"""Work limits and public row counts: keys, join fan-out and per-group distinct bounds. No private row is read."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from dialect import Catalog, PrivatePlan
from dialect.algebra import DistinctBound, Field, Properties, Public, VectorKind
from dialect.analysis import MAX_DECLARED_TEXT, Work, partial_counts, partials_work, row_bounds, work_bound
from dialect.codegen.relations import write_rows
from dialect.diagnostics import Unnamed
from dialect.planner.keys import MAX_KEYS
from dialect.sensitivity import values_by_group
from engine.backends.protocol import Backend
from engine.errors import EngineKind
from engine.pricing.clip_bounds.histograms import NO_CALIBRATION, Calibration

MAX_ROWS_PER_PERSON = 10**7
SCAN_MULTIPLE = 30  # a query may take this many times the steps of a scan of its tables, at least
MAX_BYTES_PER_PERSON = 10**9  # memory at a time: a quarter of that of all queries together
SELECTION_PASSES = 2  # a release with private keys reads the rows at most so often to select them
NOISED_NUMBER_STEPS = 40.0  # of one noisy weight: ten microseconds
MAX_COUNTED_ROWS = 100 * MAX_KEYS  # counting stops here: 0 to 2^63 would take years
MAX_SEARCHED_ROWS = 10**6  # largest public table searched for a smaller clip bound


def check_row_limits(plan: PrivatePlan, backend: Backend) -> tuple[Work, Properties]:
    """Bound the work of one pass over the rows of a plan, in row steps (dialect/analysis/proofs.md#work).

    A row step is the work of one plain row in one operator. Raises Refusal where one person's rows may grow beyond ten
    million, or may hold more than a gigabyte at a time. Also returns the properties of the plan's relations.
    """

    def join_fan_out(public: Public, equated: tuple[Field, ...]) -> int:
        """Upper bound on the public rows that one row can match in an equi-join."""
        rows = count_rows(public, backend)
        # without an equality every row matches; a table beyond the counting limit is not searched for its groups
        if not equated or rows > MAX_COUNTED_ROWS:
            return rows
        return _largest_group(public, equated, backend)

    def has_short_texts(public: Public, text: Field) -> bool:
        """Check that a public text column has at most MAX_DECLARED_TEXT characters in every row."""
        rows = write_rows(public, (text,), backend.target)
        return not backend.count(
            f"SELECT 1 AS one FROM ({rows}) AS l WHERE length({text.id}) > {MAX_DECLARED_TEXT} LIMIT 1"
        )

    properties = Properties(join_fan_out)
    max_rows, work = properties.of(row_bounds, plan.source).peak, work_bound(plan, properties, has_short_texts)
    if max_rows > MAX_ROWS_PER_PERSON:
        windows = len(plan.charged_windows.windows)
        if windows > 1:
            raise EngineKind.PERSON_ROWS_TOO_MANY_IN_WINDOWS.at(rows=max_rows, windows=windows)
        raise EngineKind.PERSON_ROWS_TOO_MANY.at(rows=max_rows)
    if work.max_unit_bytes > MAX_BYTES_PER_PERSON:
        raise EngineKind.PERSON_ROWS_TOO_LARGE.at(gigabytes=work.max_unit_bytes / 1e9)
    return work, properties


def release_work(
    plan: PrivatePlan, once: Work, properties: Properties, backend: Backend, key_count: int | None,
    statements: int = 1, numbers: int = 1, max_groups: int | None = None,
) -> Work:  # fmt: skip
    """Bound the work of a release: selection of private keys, and its statements.

    `once` = work of one pass over the rows; `statements` of profile, distances, totals and numbers, each of at most
    `numbers` vectors or histograms; `max_groups` = groups of one person, if keys are private: each may be a key that
    nobody else has, whose weight gets noise. Several statements share their partial aggregates, which DuckDB makes in
    one pass over the rows; different values are counted in a pass of their own, and a lake runs each statement over the
    rows. Proof: dialect/analysis/proofs.md#work.
    """
    selections = 0 if plan.key_set is not None else SELECTION_PASSES + (plan.others is not None)
    own_keys = 0.0 if max_groups is None else min(float(max_groups), partial_counts(plan, properties, None)[1])
    noised = Work(max_unit_steps=SELECTION_PASSES * NOISED_NUMBER_STEPS * own_keys)
    if statements == 1 or backend.target.lake is not None:
        return noised + once.times(selections + statements)
    passes = 1 + any(vector.kind is VectorKind.DISTINCT for vector in plan.vectors)
    shared = partials_work(plan, properties, key_count, numbers)
    return noised + once.times(selections + passes) + shared.times(statements)


def check_steps(works: Sequence[Work], max_unit_steps: float, max_steps: float) -> None:
    """Refuse a query that may take too many steps for one person's rows, or for all rows together.

    Proof: `dialect/analysis/proofs.md#work`.

    The limit for all rows is at least SCAN_MULTIPLE the steps of a scan, so that large tables can be queried.
    """
    unit_steps, steps = max((work.max_unit_steps for work in works), default=0.0), sum(work.steps for work in works)
    if unit_steps > max_unit_steps:
        raise EngineKind.PERSON_WORK.at(steps=unit_steps, limit=max_unit_steps)
    if steps > max(max_steps, SCAN_MULTIPLE * sum(work.scan_steps for work in works)):
        raise EngineKind.TOTAL_WORK.at(steps=steps, limit=max_steps)


def count_keys(plan: PrivatePlan, backend: Backend) -> int | None:
    """Return the number of public keys of a plan; None if keys are private.

    Single key lists are counted first, so that no oversized product is computed. Raises Refusal where there are more
    keys than an answer may have.
    """
    if plan.key_set is None:
        parents = 0 if plan.others is None else count_rows(plan.others.relation, backend)
        check_key_count(plan, parents if parents <= MAX_COUNTED_ROWS else None, ())
        return None
    if not plan.keys:
        return 1
    factor_counts = tuple(count_rows(source.relation, backend) for source in plan.key_set.sources)
    if math.prod(factor_counts) > MAX_COUNTED_ROWS:
        check_key_count(plan, None, factor_counts)
    sql = write_rows(plan.key_set.relation, plan.key_set.keys, backend.target)
    key_count = backend.count(sql)
    check_key_count(plan, key_count, factor_counts)
    return key_count


def per_group_distinct_bounds(
    plan: PrivatePlan,
    catalog: Catalog,
    backend: Backend,
    properties: Properties,
    calibration: Calibration = NO_CALIBRATION,
) -> Iterator[DistinctBound]:
    """Per-group distinct bounds: how many values a person's column may have in one group, from public tables.

    Pairs (canonical text of the key, largest number of its values in one group). Tables that are empty or too large to
    search yield nothing, and so no bound. Proof: `dialect/sensitivity/proofs.md#usual-keys`.
    """
    measured_keys = {key for each in calibration.histograms for key in each.subject.keys}
    for each in values_by_group(plan, catalog, properties, measured_keys):
        if 0 < count_rows(each.relation, backend) <= MAX_SEARCHED_ROWS:
            yield each.key_text, _largest_group(each.relation, each.groups, backend)


def count_rows(public: Public, backend: Backend) -> int:
    """Return the number of rows of a public relation; counting stops at MAX_COUNTED_ROWS + 1."""
    rows = write_rows(public, public.fields, backend.target)
    return backend.count(f"SELECT 1 AS one FROM ({rows}) AS l LIMIT {MAX_COUNTED_ROWS + 1}")


def _largest_group(public: Public, equated: tuple[Field, ...], backend: Backend) -> int:
    """Size of the largest group of rows with equal values in some fields; all rows if there are no fields.

    The SQL numbers the rows of each group and lists the different numbers: there are as many as the largest group has
    rows.
    """
    if not equated:
        return count_rows(public, backend)
    rows = write_rows(public, public.fields, backend.target)
    place = f"row_number() OVER (PARTITION BY {', '.join(f.id for f in equated)}) AS place"
    return backend.count(f"SELECT place FROM (SELECT {place} FROM ({rows}) AS p) AS n GROUP BY place")


def check_key_count(plan: PrivatePlan, key_count: int | None, factor_counts: tuple[int, ...]) -> None:
    """Refuse a public key set of more than MAX_KEYS keys, naming its largest factor (proofs.md#check_key_count).

    `key_count` = None if the factors are so large that their product was not counted: that is refused too.
    `factor_counts` = number of values of each list of which the key set is the product.
    """
    if key_count is not None and key_count <= MAX_KEYS:
        return
    sources = plan.key_set.sources if plan.key_set is not None else ()
    # (number of values, description) of the longest list
    values, key = max(
        zip(factor_counts, (source.description for source in sources), strict=False), default=(0, Unnamed.KEYS)
    )
    if values > MAX_COUNTED_ROWS:  # counting stopped there, so that it is not the real number
        raise EngineKind.TOO_MANY_GROUPS_TO_COUNT.at(limit=MAX_KEYS, key=key, counted=MAX_COUNTED_ROWS)
    raise EngineKind.TOO_MANY_GROUPS.at(limit=MAX_KEYS, key=key, values=values)
