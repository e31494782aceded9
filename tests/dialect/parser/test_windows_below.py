"""A window function over rows, used with groups or in WHERE, is moved below them; the result is accepted."""

from __future__ import annotations

import pytest

import dialect
from dialect.catalog.model import Catalog
from dialect.errors import Refusal

FIRST = "row_number() OVER (PARTITION BY subscriber_id ORDER BY ts) = 1"


@pytest.mark.parametrize(
    "sql",
    [
        f"SELECT cell_id, count(*) AS n FROM events GROUP BY cell_id QUALIFY {FIRST}",
        f"SELECT count(*) AS n FROM events QUALIFY {FIRST}",
        f"SELECT hour(e.ts) AS h, count(*) AS n FROM events e WHERE e.dwell_s > 5 GROUP BY 1 HAVING count(*) > 9 QUALIFY {FIRST}",
        f"SELECT cell_id, count(*) AS n FROM events WHERE {FIRST} GROUP BY cell_id",
    ],
)
def test_a_window_over_rows_is_put_below_the_groups(sql: str, catalog: Catalog) -> None:
    with pytest.raises(Refusal) as caught:
        dialect.compile_query(sql, catalog)
    assert "FROM (SELECT *" in caught.value.hint and "QUALIFY ROW_NUMBER()" in caught.value.hint
    assert dialect.compile_query(caught.value.hint, catalog).plans


@pytest.mark.parametrize(
    ("rows", "window"),
    [
        ("* FROM events ORDER BY ts", "(PARTITION BY {} ORDER BY ts)"),
        ("* FROM events ORDER BY subscriber_id, ts DESC, lat", "(PARTITION BY {} ORDER BY ts DESC, lat)"),
        ("subscriber_id, cell_id FROM events WHERE dwell_s > 5", "(PARTITION BY {})"),
    ],
)
@pytest.mark.parametrize("keys", ["subscriber_id", "subscriber_id, cell_id"])
def test_the_first_row_of_each_key_is_chosen_by_qualify(rows: str, window: str, keys: str, catalog: Catalog) -> None:
    with pytest.raises(Refusal, match="one whole row of several") as caught:
        dialect.compile_query(f"SELECT count(*) AS n FROM (SELECT DISTINCT ON ({keys}) {rows}) AS e", catalog)
    assert f"QUALIFY ROW_NUMBER() OVER {window.format(keys)} = 1" in caught.value.hint
    assert dialect.compile_query(caught.value.hint, catalog).plans


def test_qualify_is_not_suggested_for_keys_of_many_people(catalog: Catalog) -> None:
    with pytest.raises(Refusal) as caught:
        dialect.compile_query("SELECT count(*) AS n FROM (SELECT DISTINCT ON (cell_id) * FROM events) AS e", catalog)
    assert caught.value.hint == "GROUP BY, with MIN(x) or ARG_MIN(x, y) of the others"
