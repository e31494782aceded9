"""A list declared complete: data that break it do not open, and none of their values is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from dialect import compile_query
from engine.catalog.file import load_catalog
from engine.data.snapshot import open_snapshot
from engine.errors import CatalogError, DataError
from tests.engine.town import CATALOG, ROWS, make_town

ZONE = 'zone = { type = "VARCHAR", values_of = "zone.zone", nullable = false }'
DAY = 'day = { type = "DATE", range = ["2026-10-01", "2026-10-04"], nullable = false }'
GENDER = 'gender = { type = "VARCHAR", values = ["f", "m"] }'
# what is declared complete, what is done to the rows -> whether the data open
CASES = [
    (ZONE, "", True),
    (ZONE, "INSERT INTO visit VALUES (1, 9001, 'canary', 1.0, 's', 1, DATE '2026-10-01');", False),
    (ZONE, "INSERT INTO visit VALUES (1, 9001, NULL, 1.0, 's', 1, DATE '2026-10-01');", False),
    (ZONE, "INSERT INTO zone VALUES (NULL, 'none', 1);", False),  # the primary key of a public table
    (DAY, "", True),
    (DAY, "INSERT INTO visit VALUES (1, 9001, 'z1', 1.0, 's', 1, DATE '2026-10-05');", False),
    (GENDER, "", True),
    (GENDER, "INSERT INTO person VALUES (999, NULL, 'yes');", True),  # NULL is in the list of a column that may be
    (GENDER, "INSERT INTO person VALUES (999, 'canary', 'yes');", False),
]


def opened(folder: Path, declared: str, more: str) -> None:
    catalog = make_town(folder, ROWS + more, CATALOG.replace(declared, declared.replace(" }", ", complete = true }")))
    open_snapshot(catalog, folder / "cache", lambda stage, part: None)


@pytest.mark.parametrize(("declared", "more", "opens"), CASES)
def test_data_open_where_every_value_is_listed(tmp_path: Path, declared: str, more: str, opens: bool) -> None:
    if opens:
        opened(tmp_path, declared, more)
        return
    with pytest.raises(DataError) as refused:
        opened(tmp_path, declared, more)
    assert "canary" not in str(refused.value)


@pytest.mark.parametrize("column", ['minutes = { type = "DOUBLE", bounds = [0, 60]', 'shop = { type = "VARCHAR"'])
def test_a_column_without_a_key_set_cannot_be_complete(tmp_path: Path, column: str) -> None:
    (tmp_path / "catalog.toml").write_text(CATALOG.replace(column, f"{column}, complete = true"), encoding="utf-8")
    with pytest.raises(CatalogError, match="complete"):
        load_catalog(tmp_path / "catalog.toml")


@pytest.mark.parametrize(("declared", "releases"), [(GENDER, 2), (GENDER.replace(" }", ", complete = true }"), 1)])
def test_roll_ups_in_one_statement_require_the_complete_key_set_too(
    tmp_path: Path, declared: str, releases: int
) -> None:
    sql = "SELECT zone, gender, COUNT(*) AS n FROM visit JOIN person USING (person_id) GROUP BY zone, ROLLUP (gender)"
    catalog = make_town(tmp_path, declared=CATALOG.replace(GENDER, declared))
    assert len(compile_query(sql, catalog).plans) == releases
