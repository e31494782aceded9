"""Work limits and public row counts: keys, join fan-out and per-group distinct bounds. No private row is read."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from dialect import Catalog, Code, PrivatePlan, Refusal
from dialect.algebra import Field, MostValues, Public
from dialect.analysis import LISTED, Work, bounded_work, most_rows
from dialect.codegen.relations import write_rows
from dialect.sensitivity import values_by_group
from engine.backends.protocol import Backend
from engine.pricing.group_keys import MOST_COUNTED, check_key_count
from engine.pricing.norms.histograms import NO_CALIBRATION, Calibration

MOST_ROWS_OF_A_PERSON = 10**7
MANY_TIMES = 30  # times the steps of a table scan
MOST_BYTES_OF_A_PERSON = 10**9  # memory at a time: a quarter of that of all queries together
FEWER_ROWS = "join public tables by equality with their primary key, or aggregate per person before joining"
SHORTER_TEXTS = "cut text to what is needed, as left(x, 20) does,"
MOST_LOOKED_THROUGH = 10**6  # largest public table searched for a smaller clip bound


def check_work(plan: PrivatePlan, backend: Backend) -> Work:
    """Bound the work of a plan, in row steps over all its passes (dialect/analysis/proofs.md#work).

    Raises Refusal where one person's rows may grow beyond ten million, or may hold more than a gigabyte at a time.
    """

    def fan(public: Public, equal: tuple[Field, ...]) -> int:
        """Upper bound on the public rows that one row can match in an equi-join."""
        rows = count_rows(public, backend)
        if not equal or rows > MOST_COUNTED:
            return rows
        return _most_alike(public, equal, backend)

    def is_short(public: Public, text: Field) -> bool:
        """Return whether a public text column has at most LISTED characters in every row."""
        rows = write_rows(public, (text,), backend.target)
        return not backend.count(f"SELECT 1 AS one FROM ({rows}) AS l WHERE length({text.id}) > {LISTED} LIMIT 1")

    most, work = most_rows(plan.source, fan), bounded_work(plan, fan, is_short)
    if most > MOST_ROWS_OF_A_PERSON:
        windows = len(plan.touched.windows)
        over, fewer = (f" over {windows:,} windows of time", ", or a shorter time") if windows > 1 else ("", "")
        raise Refusal(
            Code.COMPLEX,
            f"The rows of one person may grow to {most:,}{over} here, by joins that meet many rows each.",
            f"{FEWER_ROWS}{fewer}",
        )
    if work.unit_bytes > MOST_BYTES_OF_A_PERSON:
        held = f"{work.unit_bytes / 1e9:,.1f} GB"
        why = f"The rows of one person may fill {held} of memory here: much is gathered of many rows or long texts."
        raise Refusal(Code.COMPLEX, why, f"{SHORTER_TEXTS} or {FEWER_ROWS}")
    return work.times(1 if plan.key_set is not None else 2)  # private keys need a selection pass first


def check_time(works: Sequence[Work], most_of_unit: float, most: float) -> None:
    """Refuse a query that may take too many steps for one person's rows, or for all rows together.

    Proof: `dialect/analysis/proofs.md#work`.

    The limit for all rows is at least MANY_TIMES the steps of a scan, so that large tables can be queried.
    """
    largest, steps = max((work.unit_steps for work in works), default=0.0), sum(work.steps for work in works)
    hint = f"{FEWER_ROWS}; {SHORTER_TEXTS} before it is searched"
    if largest > most_of_unit:
        why = f"The rows of one person may take as much work here as {largest:,.0f} plain rows"
        raise Refusal(Code.COMPLEX, f"{why}; {most_of_unit:,.0f} are allowed.", hint)
    if steps > max(most, MANY_TIMES * sum(work.scanned for work in works)):
        why = f"All rows together may take as much work here as {steps:,.0f} plain rows"
        raise Refusal(Code.COMPLEX, f"{why}; {most:,.0f} are allowed.", hint)


def count_keys(plan: PrivatePlan, backend: Backend) -> int | None:
    """Return the number of public keys of a plan; None if keys are private.

    Single key lists are counted first, so that no oversized product is computed. Raises Refusal where there are more
    keys than an answer may have.
    """
    if plan.key_set is None:
        return None
    if not plan.keys:
        return 1
    lists = tuple(count_rows(source.relation, backend) for source in plan.key_set.sources)
    if math.prod(lists) > MOST_COUNTED:
        check_key_count(plan, None, lists)
    sql = write_rows(plan.key_set.relation, plan.key_set.keys, backend.target)
    keys = backend.count(sql)
    check_key_count(plan, keys, lists)
    return keys


def count_values(
    plan: PrivatePlan, catalog: Catalog, backend: Backend, calibration: Calibration = NO_CALIBRATION
) -> Iterator[MostValues]:
    """Per-group distinct bounds: how many values a person's column may have in one group, from public tables.

    Proof: `dialect/sensitivity/proofs.md#usual-keys`.
    """
    measured = {key for each in calibration.histograms for key in each.measured.keys}
    for each in values_by_group(plan, catalog, measured):
        if 0 < count_rows(each.relation, backend) <= MOST_LOOKED_THROUGH:
            yield each.text, _most_alike(each.relation, each.groups, backend)


def count_rows(public: Public, backend: Backend) -> int:
    """Return the number of rows of a public relation; counting stops at MOST_COUNTED + 1."""
    rows = write_rows(public, public.fields, backend.target)
    return backend.count(f"SELECT 1 AS one FROM ({rows}) AS l LIMIT {MOST_COUNTED + 1}")


def _most_alike(public: Public, equal: tuple[Field, ...], backend: Backend) -> int:
    """Size of the largest group of rows with equal values in some fields; all rows if there are none."""
    if not equal:
        return count_rows(public, backend)
    rows = write_rows(public, public.fields, backend.target)
    place = f"row_number() OVER (PARTITION BY {', '.join(f.id for f in equal)}) AS place"
    return backend.count(f"SELECT place FROM (SELECT {place} FROM ({rows}) AS p) AS n GROUP BY place")
