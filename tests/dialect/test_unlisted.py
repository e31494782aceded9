"""A constant that no declared list holds is noted, wherever it is compared; nothing else is."""

from __future__ import annotations

import pytest

import dialect
from dialect.catalog import Catalog

ODD = "gender: 'female' is none of its declared values, 'f', 'm', 'x': no row should hold it"


@pytest.mark.parametrize(
    ("sql", "notes"),
    [
        ("SELECT COUNT(*) FROM subscribers WHERE gender = 'female'", [ODD]),
        ("SELECT COUNT(*) FROM subscribers WHERE 'female' <> gender AND age > 3", [ODD]),
        ("SELECT COUNT(*) FILTER (WHERE gender IN ('f', 'female')) AS n FROM subscribers", [ODD]),
        ("SELECT gender, COUNT(*) FROM (SELECT * FROM subscribers WHERE gender = 'female') GROUP BY gender", [ODD]),
        ("SELECT CASE WHEN gender = 'female' THEN 1 ELSE 0 END AS x, COUNT(*) FROM subscribers GROUP BY x", [ODD]),
        ("SELECT COUNT(*) FROM events e JOIN subscribers s USING (subscriber_id) WHERE s.gender = 'female'", [ODD]),
        ("SELECT COUNT(*) FROM subscribers WHERE gender IN ('f', 'm') OR gender IS NULL", []),
        ("SELECT COUNT(*) FROM subscribers WHERE lower(gender) = 'female'", []),
        ("SELECT COUNT(*) FROM subscribers WHERE gender = home_zone", []),
    ],
)
def test_a_constant_outside_a_list_is_noted(sql: str, notes: list[str], catalog: Catalog) -> None:
    assert [note for note in dialect.read(sql, catalog).notes if "declared values" in note] == notes
