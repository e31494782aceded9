"""Definitions of movement can be wrong: bugs planted in their text, each found by the exact questions about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from dialect.binder import table_functions
from dialect.functions.table_functions import find_table_function
from tests.support.sql.oracle import Oracle
from tests.support.sql.sql_cases import SqlCase, sql_cases
from tests.support.worlds import make_world

# bug -> the function, what of its text is changed into what, and the title of a question that finds it
PLANTED = {
    "a silence ends no stay": ("stays", " AND ts - previous_ts <= INTERVAL 120 MINUTE", "", "stays and people by zone"),
    "another zone ends no stay": ("stays", "previous_zone = zone_id AND", "", "stays and people by zone"),
    "short stays count": ("stays", ">= INTERVAL 15 MINUTE", ">= INTERVAL 14 MINUTE", "stays and people by zone"),
    "the zone before is the one after": ("stays", "lag(zone_id) OVER (PARTITION BY person ORDER BY start", "lead(zone_id) OVER (PARTITION BY person ORDER BY start", "zones before and after"),
    "the way is looked at from its end": ("stays", "bearing_deg(previous_lon, previous_lat, lon, lat)", "bearing_deg(lon, lat, previous_lon, previous_lat)", "in which direction they came"),
    "trips stay in their zone": ("trips", "WHERE o_zone <> d_zone", "", "from zone to zone"),
    "trips arrive when stays end": ("trips", "lead(start_ts)", "lead(end_ts)", "trips by hour of departure and arrival"),
    "the night ends at six": ("home_zone", "hour(ts) < 7", "hour(ts) < 6", "homes"),
    "a night has two dates": ("home_zone", "ts - INTERVAL 7 HOUR", "ts", "homes"),
    "people work on Saturdays": ("work_zone", "isodow(ts) <= 5", "isodow(ts) <= 6", "places of work"),
    "people work at home": ("work_zone", "(home_rank > 1 OR night_events = 0) AND", "", "places of work"),
}  # fmt: skip


@pytest.fixture(scope="module")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Oracle]:
    with Oracle(make_world("operator", tmp_path_factory.mktemp("operator"))) as opened:
        yield opened


def case_of(title: str) -> SqlCase:
    return next(case for case in sql_cases("exact_movement") if case.title == title)


@pytest.mark.parametrize("title", PLANTED)
def test_a_wrong_definition_is_found(title: str, oracle: Oracle, monkeypatch: pytest.MonkeyPatch) -> None:
    name, old, new, asked = PLANTED[title]
    case, function = case_of(asked), find_table_function(name)
    assert function is not None

    def write(*given: object) -> str:
        right = function.expand(*given)  # type: ignore[arg-type]
        assert old in right
        return right.replace(old, new)

    spoilt = replace(function, expand=write)
    monkeypatch.setattr(
        table_functions, "find_table_function", lambda found: spoilt if found == name else find_table_function(found)
    )
    assert oracle.ask(case.sql, case.instead).difference is not None
