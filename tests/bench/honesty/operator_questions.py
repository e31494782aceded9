"""Questions of the bundled synthetic operator: footfall, dwell, origins, trips, events, as its analysts ask them."""

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

PERSON = "subscriber_id"
AGE, GENDER = Key("age", "age_band"), Key("gender", "gender")
VISITS = Rows(
    "visits",
    "visit",
    PERSON,
    keys={
        "place": Key("place", "place_id"),
        "zone": Key("zone", "zone_id"),
        "date": Key("date", "visit_date", is_time=True),
        "hour": Key("hour", "hour(start_ts)", is_time=True),
        "weekday": Key("weekday", "isodow(visit_date)", is_time=True),
        "direction": Key("direction", "approach_dir"),
        "next": Key("next zone", "next_zone"),
        "band": Key("band", "CASE WHEN dwell_min < 30 THEN 'short' WHEN dwell_min < 90 THEN 'usual' ELSE 'long' END"),
    },
    measures={
        "rows": ROWS,
        "people": PEOPLE,
        "dwell": Measure("minutes", Aggregate.SUM, "dwell_min"),
        "mean": Measure("mean minutes", Aggregate.AVERAGE, "dwell_min", centre=45),
        "long": Measure("share above an hour", Aggregate.SHARE, "dwell_min > 60", centre=0.5),
        "evening": Measure("share after 17:00", Aggregate.SHARE, "hour(start_ts) >= 17", centre=0.5),
        "night": Measure("share before 6:00", Aggregate.SHARE, "hour(start_ts) < 6", centre=0.5),
        "whole": Measure("share above four hours", Aggregate.SHARE, "dwell_min > 240", centre=0.5),
        "median": Measure("median minutes", Aggregate.QUANTILE, "dwell_min"),
        "p90": Measure("90th percentile of minutes", Aggregate.QUANTILE, "dwell_min", level=0.9),
        "sd": Measure("deviation of minutes", Aggregate.STDDEV, "dwell_min", centre=45),
        "places": Measure("different places", Aggregate.DISTINCT, "place_id"),
        "zones_before": Measure("different zones before", Aggregate.DISTINCT, "prev_zone"),
        "over": Measure("minutes against 45", Aggregate.SUM, "dwell_min - 45", is_signed=True),
    },
    filters={
        "tuesday": Filter("one Tuesday", "visit_date = DATE '2026-10-13'", TIME_FILTER),
        "week": Filter("one week", "visit_date BETWEEN DATE '2026-10-12' AND DATE '2026-10-18'", TIME_FILTER),
        "noon": Filter("at noon", "hour(start_ts) BETWEEN 11 AND 13", TIME_FILTER),
        "p1": Filter("place P1", "place_id = 'P1'", KEY_FILTER),
        "three": Filter("three places", "place_id IN ('P2', 'P10', 'P30')", KEY_FILTER),
        "north": Filter("from the north", "approach_dir = 'N'", KEY_FILTER),
    },
)
VISITS_OF_PLACES = replace(
    VISITS,
    name="visits with places",
    source="visit JOIN place USING (place_id)",
    keys={"category": Key("category", "category"), "hour": VISITS.keys["hour"]},
    filters={"malls": Filter("malls", "category = 'mall'", KEY_FILTER)} | VISITS.filters,
)
VISITS_OF_SUBSCRIBERS = replace(
    VISITS,
    name="visits with subscribers",
    source="visit JOIN subscriber USING (subscriber_id)",
    keys={
        "age": AGE,
        "gender": GENDER,
        "contract": Key("contract", "contract_type"),
        "home": Key("home zone", "home_zone"),
        "hour": VISITS.keys["hour"],
    },
    filters={"old": Filter("65 and older", "age_band = '65+'", KEY_FILTER)} | VISITS.filters,
    kind=Kind.JOINS,
)
TRIPS = Rows(
    "trips",
    "trip",
    PERSON,
    keys={
        "mode": Key("mode", "mode"),
        "from": Key("origin", "o_zone"),
        "to": Key("destination", "d_zone"),
        "date": Key("date", "trip_date", is_time=True),
        "hour": Key("hour", "hour(dep_ts)", is_time=True),
        "purpose": Key("purpose", "d_activity"),
        "band": Key("band", "CASE WHEN dist_km < 2 THEN '<2' WHEN dist_km < 10 THEN '2-10' ELSE '10+' END"),
    },
    measures={
        "rows": ROWS,
        "people": PEOPLE,
        "km": Measure("kilometres", Aggregate.SUM, "dist_km"),
        "mean": Measure("mean kilometres", Aggregate.AVERAGE, "dist_km", centre=9),
        "far": Measure("share above 10 km", Aggregate.SHARE, "dist_km > 10", centre=0.5),
        "car": Measure("share by car", Aggregate.SHARE, "mode = 'car'", centre=0.5),
        "var": Measure("variance of kilometres", Aggregate.VARIANCE, "dist_km", centre=9),
        "median": Measure("median kilometres", Aggregate.QUANTILE, "dist_km"),
        "zones": Measure("different destinations", Aggregate.DISTINCT, "d_zone"),
    },
    filters={
        "day": Filter("one day", "trip_date = DATE '2026-10-14'", TIME_FILTER),
        "morning": Filter("from 7 to 9", "hour(dep_ts) BETWEEN 7 AND 9", TIME_FILTER),
        "bike": Filter("by bicycle", "mode = 'bike'", KEY_FILTER),
        "z1": Filter("from Z1", "o_zone = 'Z1'", KEY_FILTER),
        "moving": Filter("between zones", "o_zone <> d_zone"),
    },
)
EVENTS = Rows(
    "events",
    "event JOIN cell USING (cell_id)",
    PERSON,
    keys={
        "technology": Key("technology", "technology"),
        "type": Key("type", "event_type"),
        "hour": Key("hour", "hour(ts)", is_time=True),
        "date": Key("date", "CAST(ts AS DATE)", is_time=True),
        "zone": Key("zone", "zone_id"),
    },
    measures={
        "rows": ROWS,
        "people": PEOPLE,
        "calls": Measure("share of calls", Aggregate.SHARE, "event_type = 'call'", centre=0.5),
        "metres": Measure("mean range", Aggregate.AVERAGE, "range_m", centre=17500),
        "cells": Measure("different cells", Aggregate.DISTINCT, "cell_id"),
    },
    filters={
        "day": Filter("one day", "CAST(ts AS DATE) = DATE '2026-10-14'", TIME_FILTER),
        "calls": Filter("calls", "event_type = 'call'", KEY_FILTER),
    },
)
PASSBYS = Rows(
    "pass-bys",
    "passby",
    PERSON,
    keys={
        "place": Key("place", "place_id"),
        "date": Key("date", "visit_date", is_time=True),
        "heading": Key("heading", "heading"),
    },
    measures={"rows": ROWS, "people": PEOPLE},
    filters={"tuesday": VISITS.filters["tuesday"]},
)
SUBSCRIBERS = Rows("subscribers", "subscriber", PERSON, {"age": AGE, "gender": GENDER}, {"people": PEOPLE})
FREQUENCY = Rows(
    "visitors by how often they came",
    "(SELECT subscriber_id, count(*) AS visits, sum(dwell_min) AS minutes FROM visit GROUP BY subscriber_id) AS x",
    PERSON,
    keys={
        "times": Key("times", "CASE WHEN visits = 1 THEN '1' WHEN visits <= 4 THEN '2-4' ELSE '5+' END"),
        "heavy": Key("hours", "CASE WHEN minutes < 60 THEN 'below 1' WHEN minutes < 600 THEN '1-10' ELSE '10+' END"),
    },
    measures={
        "people": PEOPLE,
        "mean": Measure("mean visits", Aggregate.AVERAGE, "least(visits, 300)", centre=150),
        "minutes": Measure("minutes of a person", Aggregate.AVERAGE, "least(minutes, 10000)", centre=5000),
    },
    kind=Kind.SUBQUERIES,
)
FIRST_VISITS = Rows(
    "first visit of a day",
    "(SELECT subscriber_id, visit_date, min(hour(start_ts)) AS first_hour, count(*) AS visits"
    " FROM visit GROUP BY subscriber_id, visit_date) AS x",
    PERSON,
    keys={
        "hour": Key("first hour", "first_hour"),
        "date": Key("date", "visit_date", is_time=True),
    },
    measures={"rows": ROWS, "mean": Measure("visits a day", Aggregate.AVERAGE, "least(visits, 50)", centre=25)},
    kind=Kind.SUBQUERIES,
)
BOTH_PLACES = Rows(
    "other places of the same day",
    "visit a JOIN visit b ON a.subscriber_id = b.subscriber_id AND a.visit_date = b.visit_date",
    "a.subscriber_id",
    keys={"place": Key("other place", "b.place_id")},
    measures={"rows": ROWS, "people": PEOPLE},
    filters={"p1": Filter("also at P1", "a.place_id = 'P1' AND b.place_id <> 'P1'", KEY_FILTER)},
    kind=Kind.JOINS,
)
PAIRS_PRIVATE = replace(TRIPS, name="trips, private keys", has_private_keys=True)


def questions() -> Iterator[Question]:
    """All questions of the operator."""
    yield from product(VISITS, "rows", ["", "place", "zone", "date", "hour", "weekday", "direction", "band"])
    yield from product(VISITS, "people", ["", "place", "zone", "date", "hour", "direction", "zone+date"])
    yield from product(VISITS, "dwell", ["", "place", "date", "hour"])
    yield from product(VISITS, "over", ["place"])
    yield from product(VISITS, "mean", ["", "place", "hour", "direction"])
    yield from product(VISITS, "long evening", ["", "place", "date"])
    yield from product(VISITS, "median p90", ["", "hour"])
    yield from product(VISITS, "sd", ["", "direction"])
    yield from product(VISITS, "places zones_before", ["", "hour"])
    yield from product(VISITS, "rows people", ["place", "hour"], ["tuesday", "week"])
    yield from product(VISITS, "rows people", ["hour", "date"], ["p1"])
    yield from product(VISITS, "mean dwell", ["hour"], ["three", "week"])
    yield from product(VISITS, "rows", ["place"], ["noon", "north", "tuesday+noon"])
    yield from product(VISITS_OF_PLACES, "rows dwell mean", ["category"])
    yield from product(VISITS_OF_PLACES, "rows people", ["hour"], ["malls"])
    yield from product(VISITS_OF_SUBSCRIBERS, "rows people mean long", ["age", "contract"])
    yield from product(VISITS_OF_SUBSCRIBERS, "people", ["age+gender", "home"])
    yield from product(VISITS_OF_SUBSCRIBERS, "rows", ["hour"], ["old"])
    yield from product(BOTH_PLACES, "rows people", ["place"], ["p1"])
    yield from product(TRIPS, "rows", ["", "mode", "from", "hour", "date", "band"])
    yield from product(TRIPS, "people", ["mode", "to", "date", "hour"])
    yield from product(TRIPS, "km", ["", "mode", "from", "purpose"])
    yield from product(TRIPS, "mean", ["", "mode", "hour"])
    yield from product(TRIPS, "far car", ["", "hour"])
    yield from product(TRIPS, "var", ["", "mode"])
    yield from product(TRIPS, "median", ["mode"])
    yield from product(TRIPS, "zones", ["mode"])
    yield from product(TRIPS, "rows km", ["from", "hour"], ["day", "bike"])
    yield from product(TRIPS, "rows", ["to"], ["z1", "morning"])
    yield from product(EVENTS, "rows", ["", "technology", "type", "hour", "date", "zone"])
    yield from product(EVENTS, "people", ["hour", "date", "zone"])
    yield from product(EVENTS, "calls metres", ["hour", "technology"])
    yield from product(EVENTS, "rows", ["hour"], ["day", "calls"])
    yield from product(EVENTS, "cells", ["type"])
    yield from product(PASSBYS, "rows people", ["place", "heading", "date"])
    yield from product(PASSBYS, "rows", ["place"], ["tuesday"])
    yield from product(SUBSCRIBERS, "people", ["", "age", "gender", "age+gender"])
    yield from product(VISITS, "night whole", ["", "place", "weekday"])
    yield from product(FREQUENCY, "people", ["times", "heavy"])
    yield from product(FREQUENCY, "mean minutes")
    yield from product(FIRST_VISITS, "rows", ["hour", "date"])
    yield from product(FIRST_VISITS, "mean", ["", "hour"])
    yield from product(VISITS, "rows people dwell", ["place", "zone+hour"], top=10)
    yield from product(TRIPS, "rows", ["from+to"], ["moving"], top=15)
    yield from product(TRIPS, "people", ["from+to"], ["moving", "day"], top=15)
    yield from product(PAIRS_PRIVATE, "rows people", ["from+to"], ["moving"])
    yield from product(TRIPS, "rows", ["from+to"], ["moving"])
