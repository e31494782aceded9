"""Questions of MiBici, a month of Guadalajara's public bicycles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

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

PERSON = "person_id"
MINUTES = "least(greatest(epoch(ended_at - started_at) / 60, 0), 60)"
TRIPS = Rows(
    "trips",
    "trips",
    PERSON,
    keys={
        "from": Key("origin", "origin_zone"),
        "to": Key("destination", "dest_zone"),
        "station": Key("station", "origin_id"),
        "date": Key("date", "CAST(started_at AS DATE)", is_time=True),
        "hour": Key("hour", "hour(started_at)", is_time=True),
        "weekday": Key("weekday", "isodow(started_at)", is_time=True),
        "round": Key("round trip", "origin_zone = dest_zone"),
    },
    measures={
        "rows": ROWS,
        "people": PEOPLE,
        "minutes": Measure("minutes", Aggregate.SUM, MINUTES),
        "mean": Measure("mean minutes", Aggregate.AVERAGE, MINUTES, centre=30),
        "short": Measure("share below 10 minutes", Aggregate.SHARE, f"{MINUTES} < 10", centre=0.5),
        "round": Measure("share of round trips", Aggregate.SHARE, "origin_zone = dest_zone", centre=0.5),
        "median": Measure("median minutes", Aggregate.QUANTILE, MINUTES),
        "p95": Measure("95th percentile of minutes", Aggregate.QUANTILE, MINUTES, level=0.95),
        "sd": Measure("deviation of minutes", Aggregate.STDDEV, MINUTES, centre=30),
        "stations": Measure("different stations", Aggregate.DISTINCT, "dest_id"),
    },
    filters={
        "day": Filter("one day", "CAST(started_at AS DATE) = DATE '2026-06-10'", TIME_FILTER),
        "week": Filter(
            "one week", "CAST(started_at AS DATE) BETWEEN DATE '2026-06-08' AND DATE '2026-06-14'", TIME_FILTER
        ),
        "morning": Filter("from 7 to 9", "hour(started_at) BETWEEN 7 AND 9", TIME_FILTER),
        "centre": Filter("from zone 1219", "origin_zone = 1219", KEY_FILTER),
        "three": Filter("from three zones", "origin_zone IN (1119, 1317, 1420)", KEY_FILTER),
    },
)
RIDERS = replace(
    TRIPS,
    name="trips with riders",
    source="trips JOIN persons USING (person_id)",
    keys={"age": Key("age", "age_band"), "gender": Key("gender", "gender"), "hour": TRIPS.keys["hour"]},
    measures=TRIPS.measures | {"women": Measure("women's share", Aggregate.SHARE, "gender = 'F'", centre=0.5)},
    filters={
        "known": Filter("gender known", "gender IS NOT NULL AND hour(started_at) BETWEEN 6 AND 22"),
        "women": Filter("women", "gender = 'F'", KEY_FILTER),
    },
    kind=Kind.JOINS,
)
PERSONS = Rows(
    "persons",
    "persons",
    PERSON,
    {"age": RIDERS.keys["age"], "gender": RIDERS.keys["gender"]},
    {"people": PEOPLE, "born": Measure("mean year of birth", Aggregate.AVERAGE, "birth_year", centre=1990)},
)
FREQUENCY = Rows(
    "riders by how often they rode",
    "(SELECT person_id, count(*) AS rides, count(DISTINCT CAST(started_at AS DATE)) AS days"
    " FROM trips GROUP BY person_id) AS x",
    PERSON,
    keys={
        "times": Key("times", "CASE WHEN rides = 1 THEN '1' WHEN rides <= 9 THEN '2-9' ELSE '10+' END"),
        "days": Key("days", "least(days, 30)"),
    },
    measures={"people": PEOPLE, "mean": Measure("mean rides", Aggregate.AVERAGE, "least(rides, 500)", centre=250)},
    kind=Kind.SUBQUERIES,
)
PAIRS_PRIVATE = replace(TRIPS, name="trips, private keys", has_private_keys=True)


def questions() -> Iterator[Question]:
    """All questions of MiBici."""
    yield from product(TRIPS, "rows", ["", "from", "station", "date", "hour", "weekday", "round"])
    yield from product(TRIPS, "people", ["", "from", "date", "hour", "weekday"])
    yield from product(TRIPS, "minutes", ["", "from", "hour"])
    yield from product(TRIPS, "mean short round", ["", "from", "hour"])
    yield from product(TRIPS, "median p95", ["", "hour"])
    yield from product(TRIPS, "sd", ["", "weekday"])
    yield from product(TRIPS, "stations", ["", "from"])
    yield from product(TRIPS, "rows people", ["from", "hour"], ["day"])
    yield from product(TRIPS, "rows mean", ["from"], ["week", "morning"])
    yield from product(TRIPS, "rows", ["date", "hour"], ["centre", "three"])
    yield from product(TRIPS, "people", ["date"], ["centre"])
    yield from product(RIDERS, "rows people mean", ["age", "gender"])
    yield from product(RIDERS, "women", ["", "hour"], ["known"])
    yield from product(RIDERS, "rows", ["hour"], ["women"])
    yield from product(PERSONS, "people", ["age", "gender", "age+gender"])
    yield from product(PERSONS, "born")
    yield from product(FREQUENCY, "people", ["times", "days"])
    yield from product(FREQUENCY, "mean")
    yield from product(TRIPS, "rows people", ["station", "from+to"], top=10)
    yield from product(PAIRS_PRIVATE, "rows people", ["from+to"])
    yield from product(TRIPS, "rows", ["from+to"])
