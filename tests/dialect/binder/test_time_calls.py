"""Time zones that a question may name are zones of the engine."""

from __future__ import annotations

from zoneinfo import available_timezones

import duckdb

from dialect.binder.special_calls import _is_zone


def test_every_zone_that_is_accepted_is_the_engines(database: duckdb.DuckDBPyConnection) -> None:
    accepted = [zone for zone in sorted(available_timezones()) if _is_zone(zone)]
    assert len(accepted) > 300
    for zone in accepted:
        database.execute(f"SELECT timezone('{zone}', TIMESTAMP '2026-10-14 12:00:00')").fetchall()


def test_a_time_zone_must_be_a_place() -> None:
    assert not any(
        map(_is_zone, ("", "Europe", "Europe/", "Europe/Nowhere", "localtime", "+02", "../etc/passwd", "Europe/../UTC"))
    )
