"""Steward commands in wire shapes: findings with a cure, and a first catalog."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from engine import Refused, draft_catalog_text, find_catalog_errors, list_undeclared, open_session
from tests.engine.town import CATALOG, make_town


def test_a_sound_catalog_has_no_findings(tmp_path: Path) -> None:
    make_town(tmp_path)
    assert find_catalog_errors(str(tmp_path / "catalog.toml")) == []


def test_files_that_are_not_as_declared_are_findings(tmp_path: Path) -> None:
    make_town(tmp_path)
    wrong = CATALOG.replace('minutes = { type = "DOUBLE"', 'minutes = { type = "BIGINT"')
    (tmp_path / "catalog.toml").write_text(wrong, encoding="utf-8")
    (found,) = find_catalog_errors(str(tmp_path / "catalog.toml"))
    assert found["key"] == "tables.visit.columns.minutes.type"
    assert set(found) == {"file", "key", "why", "cure"}


def _hints(catalog: Path) -> list[str]:
    """Hints on a catalog, but the one that a person's gender may be NULL."""
    return [hint for hint in list_undeclared(str(catalog)) if not hint.startswith("person: gender may be NULL")]


def test_a_ceiling_that_limits_nothing_is_hinted_at(tmp_path: Path) -> None:
    make_town(tmp_path)
    catalog = tmp_path / "catalog.toml"
    catalog.write_text(re.sub(r"(?m)^rho = .*$", "rho = 50", CATALOG, count=1), encoding="utf-8")
    (hint,) = _hints(catalog)
    assert "budget.rho = 50 is no meaningful limit" in hint


def test_what_an_accepted_catalog_leaves_undeclared_is_hinted_at(tmp_path: Path) -> None:
    make_town(tmp_path)
    catalog = tmp_path / "catalog.toml"
    assert _hints(catalog) == []
    (null,) = list_undeclared(str(catalog))
    assert null.startswith("person: gender may be NULL, and answers by it have a group for that.")
    declared = CATALOG.replace('consent = { column = "consent", admitted = ["yes"] }\n', "", 1)
    declared = declared.replace('values_of = "zone.zone", nullable', "nullable", 1)
    declared = declared.replace("bounds = [0, 9], sum_norm = 60, centred_norm = 30 }", "nullable = true }", 1)
    catalog.write_text(declared.replace(', range = ["2026-10-01", "2026-10-04"]', "", 1), encoding="utf-8")
    consent, zone, bounds, days = _hints(catalog)
    assert "all are counted, also who refused" in consent and 'consent = { column = "consent"' in consent
    assert 'visit.zone: values_of = "zone.zone"' in zone and "visit: no bounds of coins" in bounds
    assert "visit: no range of day" in days
    windows = 'window = "month"\nfirst_window = "2026-10"\nlast_window = "2026-10"\n'
    windowed = catalog.read_text(encoding="utf-8").replace('window = "forever"\n', windows)
    catalog.write_text(windowed.replace("[tables.visit]\n", '[tables.visit]\ntime_column = "day"\n'), encoding="utf-8")
    assert not [hint for hint in _hints(catalog) if "no range" in hint]  # windows are such ends
    timed = catalog.read_text(encoding="utf-8").replace(windows, 'window = "forever"\n')
    catalog.write_text(timed, encoding="utf-8")
    missing = "visit: day may be NULL, and answers by it have a group for that."
    assert not [hint for hint in _hints(catalog) if hint.startswith(missing)]
    catalog.write_text(timed.replace('"DATE", nullable = false', '"DATE"', 1), encoding="utf-8")
    assert _hints(catalog)[-1].startswith(missing)
    texts = CATALOG.replace(
        'day = { type = "DATE", range = ["2026-10-01", "2026-10-04"]', 'day = { type = "VARCHAR"', 1
    )
    catalog.write_text(texts, encoding="utf-8")
    assert _hints(catalog)[0].startswith("visit: no column is a time, and day is text.")
    keyless = CATALOG.replace('primary_key = ["person_id"]\n', "", 1)
    keyless = keyless.replace('consent = { column = "consent", admitted = ["yes"] }\n', "", 1)
    catalog.write_text(keyless, encoding="utf-8")
    consent, key = _hints(catalog)
    assert key.startswith('person: no primary_key. Where a person has one row, primary_key = ["person_id"] makes')
    born = keyless.replace('consent = { type = "VARCHAR" }', 'einwilligung = { type = "DATE" }')  # no time of the row
    catalog.write_text(born, encoding="utf-8")
    consent, key, _ = _hints(catalog)
    assert consent.startswith("person.einwilligung may be people's consent") and key.startswith(
        "person: no primary_key."
    )


TAXI = """
format = 1
name = "taxi"
[datasets.taxi]
window = "forever"
data_version = 1
[datasets.taxi.budget]
rho = 0.2
client_rho = 0.2
[tables.trips]
dataset = "taxi"
kind = "private"
source = { csv = "trips.csv" }
person = "passenger_id"
size_class = "1e4"
[tables.trips.columns]
passenger_id = { type = "BIGINT" }
driver_id = { type = "BIGINT" }
driver_class = { type = "VARCHAR" }
pickup_zone = { type = "BIGINT" }
fare = { type = "DOUBLE" }
[tables.shifts]
dataset = "taxi"
kind = "private"
source = { csv = "shifts.csv" }
person = "driver_id"
primary_key = ["driver_id"]
size_class = "1e3"
[tables.shifts.columns]
driver_id = { type = "BIGINT" }
[tables.drivers]
dataset = "taxi"
kind = "public"
source = { csv = "drivers.csv" }
primary_key = ["driver_id"]
[tables.drivers.columns]
driver_id = { type = "BIGINT" }
[tables.zones]
dataset = "taxi"
kind = "public"
source = { csv = "zones.csv" }
primary_key = ["zone_id"]
[tables.zones.columns]
zone_id = { type = "BIGINT" }
"""


def test_columns_of_other_people_get_a_hint(tmp_path: Path) -> None:
    """A driver of a passenger's trip is not protected, and is not the passenger of the same number."""
    catalog = tmp_path / "catalog.toml"
    catalog.write_text(TAXI, encoding="utf-8")
    public, driver, shifts, _, zone, bounds = list_undeclared(str(catalog))
    assert public.startswith("drivers is public, so all of its rows can be read, and its key driver_id may name people")
    assert driver.startswith("trips.driver_id may name other people than passenger_id, and passenger_id alone is")
    assert shifts.startswith("shifts: who has the same value in driver_id as in passenger_id of trips is one person.")
    assert zone.startswith('trips.pickup_zone: values_of = "zones.zone_id"') and "no bounds of fare." in bounds
    keyless = TAXI.replace('primary_key = ["zone_id"]\n', "")
    catalog.write_text(keyless, encoding="utf-8")
    assert list_undeclared(str(catalog))[1] == (
        'zones: no primary_key. Where no two rows have the same zone_id, primary_key = ["zone_id"] lets it be joined,'
        " and trips.pickup_zone be a key whose groups are all shown."
    )
    other = TAXI.replace(
        'driver_id = { type = "BIGINT" }\n[tables.drivers', 'driver_id = { type = "VARCHAR" }\n[tables.drivers'
    )
    catalog.write_text(other, encoding="utf-8")
    (found,) = find_catalog_errors(str(catalog))
    assert found["key"] == "tables.shifts.person" and "are a dataset of their own" in found["cure"]


def test_a_join_with_people_of_unknown_rows_is_answered(tmp_path: Path) -> None:
    """Without primary_key a person may have any number of rows on both sides: few of them are joined, as a note says."""
    (tmp_path / "trips.csv").write_text("passenger_id,driver_id,driver_class,pickup_zone,fare\n1,2,a,1,2.5\n")
    (tmp_path / "shifts.csv").write_text("passenger_id\n1\n")
    keyless = (
        TAXI.partition("[tables.drivers]")[0].replace('primary_key = ["driver_id"]\n', "").replace('"1e3"', '"1e4"')
    )
    start, shifts = keyless.split("[tables.shifts]")
    declared = f"{start}[tables.shifts]{shifts.replace('driver_id', 'passenger_id')}"
    question = "SELECT count(*) AS n FROM trips JOIN shifts USING (passenger_id)"
    for key in ("", 'primary_key = ["passenger_id"]\n'):
        (tmp_path / "catalog.toml").write_text(declared.replace("[tables.shifts]\n", f"[tables.shifts]\n{key}"))
        with open_session(str(tmp_path / "catalog.toml"), ledger=str(tmp_path / f"{len(key)}.ledger")) as session:
            explained = session.explain(question, client="ann")
        assert any("rows of a table are joined with others" in note for note in explained["notes"]) == (not key)


def test_rollups_that_cannot_be_made_are_findings(tmp_path: Path) -> None:
    rollups = ["SELECT zone, COUNT(*) FROM visits GROUP BY 1", "SELECT zone, COUNT(*) FROM visit GROUP BY 1"]
    rollups += ["SELECT zone, VARIANCE(minutes) FROM visit GROUP BY 1"]
    make_town(tmp_path)
    declared = CATALOG.replace("[datasets.town.budget]", f"rollups = {rollups}\n[datasets.town.budget]")
    (tmp_path / "catalog.toml").write_text(declared, encoding="utf-8")
    found = {found["key"]: found["why"] for found in find_catalog_errors(str(tmp_path / "catalog.toml"))}
    assert found == {
        "datasets.town.rollups[0]": "it is refused: There is no table visits.",
        "datasets.town.rollups[2]": "it is no question whose numbers add up from group to group.",
    }


def test_every_mistake_of_a_catalog_is_a_finding(tmp_path: Path) -> None:
    wrong = CATALOG.replace('type = "DOUBLE"', 'type = "DUOBLE"').replace("norms = { rows = 20", "norms = { rows = 0")
    (tmp_path / "catalog.toml").write_text(wrong, encoding="utf-8")
    keys = [found["key"] for found in find_catalog_errors(str(tmp_path / "catalog.toml"))]
    assert {"tables.visit.columns.minutes.type", "tables.visit.norms.rows", "tables.purchase.norms.rows"} <= set(keys)


def test_a_catalog_of_another_format_is_one_finding(tmp_path: Path) -> None:
    (tmp_path / "catalog.toml").write_text("format = 2\n", encoding="utf-8")
    (found,) = find_catalog_errors(str(tmp_path / "catalog.toml"))
    assert found["file"].endswith("catalog.toml")


def test_a_new_catalog_is_toml_in_which_nothing_is_declared(tmp_path: Path) -> None:
    make_town(tmp_path)
    (tmp_path / "catalog.toml").unlink()
    assert "tables" not in tomllib.loads(draft_catalog_text(str(tmp_path)))


def test_a_folder_without_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused) as refused:
        draft_catalog_text(str(tmp_path))
    assert refused.value.problem["code"] == "E_CATALOG"
