"""Joins along the path to the person: the person follows from the foreign key, and from no other column."""

from __future__ import annotations

import pytest

from dialect import Refusal, compile_query
from dialect.catalog.privacy_windows import PrivacyWindow
from tests.support.neighbours.window_worlds import declare

CATALOG = declare(PrivacyWindow.MONTH)
PAIRS = (
    ("COUNT(*) FROM leg l JOIN visit v USING (visit_id)", "COUNT(*) FROM leg l JOIN visit v USING (person_id, visit_id)"),
    ("COUNT(*) FROM visit v LEFT JOIN leg l USING (visit_id)", "COUNT(*) FROM visit v LEFT JOIN leg l USING (person_id, visit_id)"),
    (
        "COUNT(*) FROM visit WHERE visit_id IN (SELECT visit_id FROM point)",
        "COUNT(*) FROM visit WHERE (person_id, visit_id) IN (SELECT person_id, visit_id FROM point)",
    ),
)  # fmt: skip
OTHERS = (
    "COUNT(*) FROM leg l JOIN visit v ON l.place = v.place",
    "COUNT(*) FROM leg l JOIN visit v ON l.visit_id = v.steps",
    "COUNT(*) FROM leg l JOIN visit v ON l.visit_id + 0 = v.visit_id",
    "COUNT(*) FROM leg l JOIN visit v ON l.visit_id = v.visit_id OR l.place = v.place",
    "COUNT(*) FROM leg l JOIN visit v ON l.visit_id >= v.visit_id",
    "COUNT(*) FROM leg l JOIN point p USING (visit_id)",  # both are foreign keys
    "COUNT(*) FROM visit v JOIN visit w USING (visit_id)",  # a primary key of both
)


@pytest.mark.parametrize("short, long", PAIRS)
def test_a_foreign_key_is_as_good_as_the_person_and_it(short: str, long: str) -> None:
    (one,), (other,) = (compile_query(f"SELECT {text}", CATALOG).plans for text in (short, long))
    assert one.canonical_text == other.canonical_text
    assert not one.charged_windows.is_crossing


@pytest.mark.parametrize("sql", OTHERS)
def test_other_columns_do_not_give_the_person(sql: str) -> None:
    with pytest.raises(Refusal, match="E_JOIN"):
        compile_query(f"SELECT {sql}", CATALOG)
