"""What DESCRIBE says of whose rows a table has: from the catalog alone, of every rule."""

from __future__ import annotations

import json
from pathlib import Path

from engine.admission_notes import admission_notes
from engine.desk import Desk
from tests.engine.town import CATALOG, make_town, opened

RULES = """
replay_max_age = { days = 30 }
[datasets.town.admission]
jurisdiction = { column = "law", denied = ["FR"] }
minors = { age_band = "gender", admitted = ["f", "m"] }
retention = { days = 2 }
"""


def test_every_rule_is_told_of_a_private_table_and_none_of_a_public_one(tmp_path: Path) -> None:
    declared = CATALOG.replace("[datasets.town.budget]", RULES + "[datasets.town.budget]")
    declared = declared.replace("gender = {", 'law = { type = "VARCHAR", visible = false }\ngender = {')
    declared = declared.replace('size_class = "1e3"\nmax', 'size_class = "1e3"\ntime_column = "day"\nmax')
    catalog = make_town(tmp_path, declared=declared)
    told = admission_notes(catalog.table("visit"), catalog)
    assert told == admission_notes(catalog.table("person"), catalog)
    whose = "who has not objected; whose consent is yes; whose law is none of DE, FR; whose age is one of f, m"
    assert told == (
        f"Read are rows of persons of whom all of this is known and so: {whose}.",
        "Rows from before 2026-10-03 are not read.",
        "Numbers are repeated for 30 days; then the same question is made anew, and charged.",
    )
    assert admission_notes(catalog.table("zone"), catalog) == ()


def test_a_description_bears_it(tmp_path: Path) -> None:
    with opened(make_town(tmp_path), tmp_path / "cache") as engine:
        table = Desk(engine).query("DESCRIBE VISIT", client="ann")
        assert (
            "who has not objected; whose consent is yes" in json.loads(table.schema.metadata[b"passersby"])["notes"][1]
        )
