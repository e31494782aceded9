"""DESCRIBE's notes on whose rows a table has: from the catalog alone, for every rule."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.api.session import Session
from engine.catalog.eligibility import eligibility_notes, excluded_consent_notes
from tests.engine.town import CATALOG, make_town, opened

RULES = """
replay_max_age = { days = 30 }
[datasets.town.admission]
jurisdiction = { column = "law", denied = ["FR"] }
minors = { age_band = "gender", admitted = ["f", "m"] }
retention = { days = 2 }
"""


def test_private_tables_have_a_note_for_every_eligibility_rule_and_public_ones_none(tmp_path: Path) -> None:
    declared = CATALOG.replace("[datasets.town.budget]", RULES + "[datasets.town.budget]")
    declared = declared.replace("gender = {", 'law = { type = "VARCHAR", visible = false }\ngender = {')
    declared = declared.replace('size_class = "1e3"\nmax', 'size_class = "1e3"\ntime_column = "day"\nmax')
    catalog = make_town(tmp_path, declared=declared)
    told = eligibility_notes(catalog.tables_by_name.get("visit"), catalog)
    assert told == eligibility_notes(catalog.tables_by_name.get("person"), catalog)
    whose = "who has not objected; whose consent is yes; whose law is none of DE, FR; whose age is one of f, m"
    assert told == (
        f"Read are rows of persons of whom all of this is known and so: {whose}.",
        "Not counted: people whose consent is anything but yes.",
        "Rows from before 2026-10-03 are not read.",
        "Numbers are repeated for 30 days; then the same question is made anew, and charged.",
    )
    assert eligibility_notes(catalog.tables_by_name.get("zone"), catalog) == ()


def test_describe_includes_the_eligibility_notes(tmp_path: Path) -> None:
    with opened(make_town(tmp_path), tmp_path / "cache") as engine:
        table = Session(engine).query("DESCRIBE VISIT", client="ann")
        assert (
            "who has not objected; whose consent is yes" in json.loads(table.schema.metadata[b"passersby"])["notes"][1]
        )


@pytest.mark.parametrize(
    ("column", "admitted", "told"),
    [
        ('type = "VARCHAR"', '["yes"]', "anything but yes"),
        ('type = "VARCHAR"', '["yes", "maybe"]', "anything but yes or maybe"),
        ('type = "VARCHAR", values = ["yes", "no"]', '["yes"]', "no or not known"),
        ('type = "VARCHAR", values = ["yes", "no", "gone"]', '["yes"]', "no, gone or not known"),
        ('type = "VARCHAR", nullable = false, values = ["yes", "no"]', '["yes"]', "no"),
    ],
)
def test_the_states_that_are_not_read_are_named_without_a_number(
    tmp_path: Path, column: str, admitted: str, told: str
) -> None:
    declared = CATALOG.replace('consent = { type = "VARCHAR" }', f"consent = {{ {column} }}")
    declared = declared.replace('admitted = ["yes"]', f"admitted = {admitted}")
    catalog = make_town(tmp_path, declared=declared)
    assert excluded_consent_notes(catalog, catalog.datasets[0]) == (f"Not counted: people whose consent is {told}.",)


def test_answers_explanations_and_tables_state_who_is_not_counted(tmp_path: Path) -> None:
    told = "Not counted: people whose consent is anything but yes."
    with opened(make_town(tmp_path), tmp_path / "cache") as engine:
        session = Session(engine)
        sql = "SELECT zone, COUNT(*) AS n FROM visit GROUP BY zone"
        for _ in range(2):  # new, and from store
            card = json.loads(session.query(sql, client="ann").schema.metadata[b"passersby"])
            assert card["notes"].count(told) == 1
        assert session.explain(sql, client="ann")["notes"].count(told) == 1
        assert {table["name"]: table["not_counted"] for table in session.tables()} == {
            "person": [told], "visit": [told], "purchase": [told], "zone": []
        }  # fmt: skip
        public = json.loads(session.query("SELECT zone FROM zone", client="ann").schema.metadata[b"passersby"])
        assert told not in public["notes"]


def test_without_declared_consent_there_is_no_note(tmp_path: Path) -> None:
    declared = CATALOG.replace('consent = { column = "consent", admitted = ["yes"] }\n', "")
    catalog = make_town(tmp_path, declared=declared)
    assert excluded_consent_notes(catalog, catalog.datasets[0]) == ()
