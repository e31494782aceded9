"""plan + catalog -> everything that is known before data is read: bounds, price, SQL, replay key; all of it public."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from fractions import Fraction

from dialect import Admission, BoundedSql, Bounding, Catalog, Code, PrivatePlan, Refusal, bound, write
from dialect.expressions import Field
from dialect.relations import Public
from dialect.work import most_rows
from dialect.write_rows import write_rows
from engine.admission import admission
from engine.backends.duckdb import DuckDBBackend
from engine.keys import MOST_COUNTED, check_key_count
from engine.price import Cost, price

MOST_ROWS_OF_A_PERSON = 10**7
MECHANISM = "1"  # moves when the same plan and price would mean another release


@dataclass(frozen=True)
class Prepared:
    """One release, ready to be charged and run."""

    plan: PrivatePlan
    bounds: Bounding
    cost: Cost
    sql: BoundedSql
    release_key: str  # hex
    key_count: int | None  # None: private keys


def prepare(
    plan: PrivatePlan, catalog: Catalog, backend: DuckDBBackend, rho: Fraction, delta: Fraction | None = None
) -> Prepared:
    """Bound, price and write one release, without `delta` at the catalog's; raises Refusal where it can't be made."""
    dataset = catalog.dataset(plan.dataset)
    check_work(plan, backend)
    keys = count_keys(plan, backend)
    bounds = bound(plan, catalog, keys)
    cost = price(plan, bounds, rho, dataset.defaults.delta if delta is None else delta)
    who: Admission | None = admission(catalog, plan.dataset)
    key = _release_key(plan, bounds, cost, catalog)
    return Prepared(plan, bounds, cost, write(plan, bounds, backend.target, who), key, keys)


def check_work(plan: PrivatePlan, backend: DuckDBBackend) -> None:
    """Refuse a plan in which one person's rows may grow beyond ten million (dialect/proofs.md#most-rows)."""

    def fan(public: Public, equal: tuple[Field, ...]) -> int:
        rows = _count(public, backend)
        if not equal or rows > MOST_COUNTED:
            return rows
        place = f"row_number() OVER (PARTITION BY {', '.join(f.id for f in equal)}) AS place"
        numbered = f"SELECT {place} FROM ({write_rows(public, public.fields, backend.target)}) AS p"
        return backend.count(f"SELECT place FROM ({numbered}) AS n GROUP BY place")

    most = most_rows(plan.source, fan)
    if most > MOST_ROWS_OF_A_PERSON:
        raise Refusal(
            Code.COMPLEX,
            f"The rows of one person may grow to {most:,} here, by joins that meet many rows each.",
            "join public tables by equality with their primary key, or aggregate per person before joining",
        )


def count_keys(plan: PrivatePlan, backend: DuckDBBackend) -> int | None:
    """Count the public keys of a plan, list by list first, so that no product is made that could not be answered."""
    if plan.key_set is None:
        return None
    if not plan.keys:
        return 1
    lists = tuple(_count(source.relation, backend) for source in plan.key_set.sources)
    if math.prod(lists) > MOST_COUNTED:
        check_key_count(plan, None, lists)
    sql = write_rows(plan.key_set.relation, plan.key_set.keys, backend.target)
    keys = backend.count(sql)
    check_key_count(plan, keys, lists)
    return keys


def _count(relation: Public, backend: DuckDBBackend) -> int:
    rows = write_rows(relation, relation.fields, backend.target)
    return backend.count(f"SELECT 1 AS one FROM ({rows}) AS l LIMIT {MOST_COUNTED + 1}")


def _release_key(plan: PrivatePlan, bounds: Bounding, cost: Cost, catalog: Catalog) -> str:
    """Name a release: the same plan, bounds and price over the same version of the data is the same release."""
    version = catalog.dataset(plan.dataset).data_version
    parts = (MECHANISM, plan.canonical, repr(bounds), repr(cost), str(version), _admitting(plan, catalog))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _admitting(plan: PrivatePlan, catalog: Catalog) -> str:
    """Say by which rule people are admitted: another rule makes another release, who objected does not."""
    who = admission(catalog, plan.dataset)
    return "" if who is None else repr((who.table.name, who.state, who.admitted))
