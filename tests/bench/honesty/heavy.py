"""Two synthetic shops with heavy tails, a month as privacy window: data, catalog and questions.

`pareto`: how often a person buys is Pareto-distributed with shape 1.3. `rare`: 1 person in 1,000 buys a thousand times
as often as the others, and these hold half of all rows: 300 of 300,000 people, whom noise hides in part. `pareto` has
100,000 people. Heavy people prefer other regions and cheaper goods, so that clipping them changes the shape as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import sqrt
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from tests.bench.honesty.questions import (
    KEY_FILTER,
    PEOPLE,
    ROWS,
    TIME_FILTER,
    Aggregate,
    Filter,
    Key,
    Kind,
    Measure,
    Question,
    Rows,
    product,
)

PEOPLE_COUNTS = {"pareto": 100_000, "rare": 300_000}
REGIONS, CATEGORIES, MAX_ROWS = 60, 12, 5_000
MONTH_STARTS = np.array(["2026-01-01", "2026-02-01", "2026-03-01"], dtype="datetime64[us]")
MONTH_DAYS = (31, 28, 31)
AGES, TARIFFS = ("18-29", "30-44", "45-59", "60+"), ("basic", "plus", "pro")


def write_shop(tail: str, database: Path) -> None:
    """Write the data of a tail, `pareto` or `rare`, into a new DuckDB database."""
    draw, people = np.random.default_rng(1300 if tail == "pareto" else 1000), PEOPLE_COUNTS[tail]
    if tail == "pareto":
        rate = np.minimum(draw.random(people) ** (-1 / 1.3), MAX_ROWS - 1)
        is_heavy = rate > 20
    else:
        is_heavy = np.arange(people) % 1000 == 0
        rate = draw.gamma(4, 0.5, people) * np.where(is_heavy, 1000, 1)
    months = [_month(draw, month, np.minimum(rate, MAX_ROWS - 1), is_heavy) for month in range(len(MONTH_STARTS))]
    purchase = pa.concat_tables(months)
    shopper = pa.table(
        {
            "person_id": np.arange(people),
            "age": np.array(AGES)[draw.integers(0, len(AGES), people)],
            "tariff": np.array(TARIFFS)[np.where(is_heavy, 2, draw.integers(0, 3, people))],
        }
    )
    with duckdb.connect(str(database)) as connection:
        connection.register("purchases", purchase)
        connection.register("shoppers", shopper)
        connection.execute("CREATE TABLE purchase AS FROM purchases ORDER BY person_id, ts")
        connection.execute("CREATE TABLE shopper AS FROM shoppers")
        connection.execute(f"CREATE TABLE region AS SELECT i AS region_id FROM range({REGIONS}) AS t(i)")


def _month(draw: np.random.Generator, month: int, rate: np.ndarray, is_heavy: np.ndarray) -> pa.Table:
    count = np.floor(rate + draw.random(len(rate))).astype(int)
    person = np.repeat(np.arange(len(rate)), count)
    size, heavy = len(person), is_heavy[person]
    share = 1 / np.arange(1, REGIONS + 1) ** 0.8
    usual = draw.choice(REGIONS, size, p=share / share.sum())
    home = np.where(heavy, (person * 7) % 20, (person * 13) % REGIONS)
    minute = draw.integers(0, MONTH_DAYS[month] * 1440, size)
    evening = np.where(heavy & (draw.random(size) < 0.4), minute // 1440 * 1440 + 20 * 60 + minute % 240, minute)
    amount = np.round(np.exp(np.log(12) - 0.4 * heavy + 0.9 * draw.standard_normal(size)), 2)
    return pa.table(
        {
            "person_id": person,
            "ts": MONTH_STARTS[month] + evening.astype("timedelta64[m]"),
            "region_id": np.where(draw.random(size) < 0.5, home, usual),
            "category": np.minimum(draw.geometric(np.where(heavy, 0.35, 0.2)), CATEGORIES),
            "amount": amount,
        }
    )


def shop_catalog(tail: str, database: str) -> dict[str, Any]:
    """Return the catalog of a shop, with norms as a careful owner would guess them."""

    def table(name: str, kind: str, columns: dict[str, Any], **others: Any) -> dict[str, Any]:
        source = {"duckdb": database, "table": name}
        return {"dataset": tail, "kind": kind, "source": source, "columns": columns} | others

    key = {"type": "BIGINT", "nullable": False}
    purchase = {
        "person_id": key,
        "ts": {
            "type": "TIMESTAMP",
            "nullable": False,
            "range": ["2026-01-01", "2026-03-31"],
            "time_zone": "UTC",
            "stored": "local",
        },
        "region_id": {**key, "values_of": "region.region_id"},
        "category": {**key, "values": list(range(1, CATEGORIES + 1))},
        "amount": {
            "type": "DOUBLE",
            "nullable": False,
            "bounds": [0, 1000],
            "sum_norm": 600,
            "centred_norm": 250,
            "centre": 15,
        },
    }
    norms = {
        "rows": 40,
        "persons": 5,
        "by_keys": [
            {"keys": ["region_id"], "rows": 25, "persons": 3},
            {"keys": ["category"], "rows": 25, "persons": 3},
            {"keys": ["hour(ts)"], "rows": 15, "persons": 3},
        ],
    }
    shopper = {
        "person_id": key,
        "age": {"type": "VARCHAR", "nullable": False, "values": list(AGES)},
        "tariff": {"type": "VARCHAR", "nullable": False, "values": list(TARIFFS)},
    }
    people = {"person": "person_id", "max_groups_per_person": 60}
    return {
        "format": 1,
        "name": tail,
        "datasets": {
            tail: {
                "window": "month",
                "first_window": "2026-01",
                "last_window": "2026-03",
                "delivered_until": "2026-03",
                "data_version": 1,
                "defaults": {"rho": 0.005, "delta": 1e-12, "confidence": 0.95},
                "budget": {"rho": 1.0, "delta": 1e-9},
            }
        },
        "tables": {
            "purchase": table(
                "purchase",
                "private",
                purchase,
                **people,
                time_column="ts",
                max_rows_per_person=MAX_ROWS,
                size_class="1e6",
                norms=norms,
            ),
            "shopper": table(
                "shopper",
                "private",
                shopper,
                **people | {"max_groups_per_person": 1},
                primary_key=["person_id"],
                max_rows_per_person=1,
                size_class="1e5",
                norms={"rows": 1, "persons": 1},
            ),
            "region": table("region", "public", {"region_id": key}, primary_key=["region_id"]),
        },
    }


PERSON = "person_id"
PURCHASES = Rows(
    "purchases",
    "purchase",
    PERSON,
    keys={
        "region": Key("region", "region_id"),
        "category": Key("category", "category"),
        "date": Key("date", "CAST(ts AS DATE)", is_time=True),
        "hour": Key("hour", "hour(ts)", is_time=True),
        "month": Key("month", "date_trunc('month', ts)", is_time=True),
        "dear": Key("dear", "amount > 20"),
    },
    measures={
        "rows": ROWS,
        "people": PEOPLE,
        "amount": Measure("amount", Aggregate.SUM, "amount"),
        "mean": Measure("mean amount", Aggregate.AVERAGE, "amount", centre=15),
        "dear": Measure("share above 20", Aggregate.SHARE, "amount > 20", centre=0.5),
        "late": Measure("share after 20:00", Aggregate.SHARE, "hour(ts) >= 20", centre=0.5),
        "median": Measure("median amount", Aggregate.QUANTILE, "amount"),
        "sd": Measure("deviation of amounts", Aggregate.STDDEV, "amount", centre=15),
        "regions": Measure("different regions", Aggregate.DISTINCT, "region_id"),
    },
    filters={
        "february": Filter("in February", "ts >= TIMESTAMP '2026-02-01' AND ts < TIMESTAMP '2026-03-01'"),
        "day": Filter("one day", "CAST(ts AS DATE) = DATE '2026-02-10'", TIME_FILTER),
        "r3": Filter("region 3", "region_id = 3", KEY_FILTER),
        "dear": Filter("above 20", "amount > 20", KEY_FILTER),
    },
    window="date_trunc('month', ts)",
)
MONTHS = replace(PURCHASES, name="purchases of all months", kind=Kind.WINDOWS)
SHOPPERS = replace(
    PURCHASES,
    name="purchases with shoppers",
    source="purchase JOIN shopper USING (person_id)",
    keys={"age": Key("age", "age"), "tariff": Key("tariff", "tariff")},
    kind=Kind.JOINS,
)
FREQUENCY = Rows(
    "buyers by how often they bought",
    "(SELECT person_id, count(*) AS n_rows, sum(amount) AS total FROM purchase"
    " WHERE ts >= TIMESTAMP '2026-02-01' AND ts < TIMESTAMP '2026-03-01' GROUP BY person_id) AS x",
    PERSON,
    keys={"times": Key("times", "CASE WHEN n_rows = 1 THEN '1' WHEN n_rows <= 9 THEN '2-9' ELSE '10+' END")},
    measures={
        "people": PEOPLE,
        "mean": Measure("mean purchases", Aggregate.AVERAGE, "least(n_rows, 5000)", centre=2500),
    },
    kind=Kind.SUBQUERIES,
)
CROSSING = Rows(
    "buyers of all months by how often they bought",
    "(SELECT person_id, count(*) AS n_rows FROM purchase GROUP BY person_id) AS x",
    PERSON,
    keys={"times": FREQUENCY.keys["times"]},
    measures={"people": PEOPLE},
    sensitivity=sqrt(2),
    kind=Kind.WINDOWS,
)


def questions() -> Iterator[Question]:
    """All questions of a shop."""
    yield from product(PURCHASES, "rows", ["", "region", "category", "hour", "dear"], ["february"])
    yield from product(PURCHASES, "people", ["", "region", "date"], ["february"])
    yield from product(PURCHASES, "amount", ["", "region", "category"], ["february"])
    yield from product(PURCHASES, "mean dear late", ["", "category"], ["february"])
    yield from product(PURCHASES, "median", ["", "category"], ["february"])
    yield from product(PURCHASES, "sd", [""], ["february"])
    yield from product(PURCHASES, "regions", ["", "category"], ["february"])
    yield from product(PURCHASES, "rows people", ["category"], ["day"])
    yield from product(PURCHASES, "rows", ["hour"], ["february+r3"])
    yield from product(PURCHASES, "rows", ["region"], ["february+dear"])
    yield from product(MONTHS, "rows people amount", ["month", "category"])
    yield from product(MONTHS, "mean", ["month"])
    yield from product(MONTHS, "people", ["", "month+region"])
    yield from product(SHOPPERS, "rows amount", ["age", "tariff"], ["february"])
    yield from product(CROSSING, "people", ["times"])
    yield from product(FREQUENCY, "people", ["times"])
    yield from product(FREQUENCY, "mean")
    yield from product(PURCHASES, "rows amount", ["region"], ["february"], top=5)
    yield from product(PURCHASES, "rows", ["region+category"], ["february"], top=10)
