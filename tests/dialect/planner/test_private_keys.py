"""A key that is different in almost every row is refused with a rewrite that is accepted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dialect import Refusal, compile_query
from dialect.catalog.model import Catalog
from dialect.parser.tokens import fill_placeholders
from tests.support.sql.refused import sql_of

DAY = "ts >= YOUR_START AND ts < YOUR_END"


@pytest.fixture
def endless(catalog: Catalog) -> Catalog:
    """The catalog with times that have no declared end."""
    tables = tuple(
        replace(table, columns=tuple(replace(c, domain=None) if c.name == "ts" else c for c in table.columns))
        for table in catalog.tables
    )
    return replace(catalog, tables=tables)


@pytest.mark.parametrize(
    ("key", "tried"),
    [
        ("ts", f"SELECT date_trunc('hour', ts), COUNT(*) FROM events WHERE {DAY} GROUP BY 1"),
        ("date_trunc('minute', ts)", f"SELECT date_trunc('minute', ts), COUNT(*) FROM events WHERE {DAY} GROUP BY 1"),
        (
            "time_bucket(INTERVAL '30 minutes', ts)",
            f"SELECT time_bucket(INTERVAL '30 minutes', ts), COUNT(*) FROM events WHERE {DAY} GROUP BY 1",
        ),
    ],
)
def test_a_nearly_unique_key_is_refused(key: str, tried: str, endless: Catalog) -> None:
    with pytest.raises(Refusal) as refused:
        compile_query(f"SELECT {key}, COUNT(*) FROM events GROUP BY 1", endless)
    assert sql_of(refused.value.hint) == tried
    assert compile_query(fill_placeholders(tried), endless).plans


@pytest.mark.parametrize(
    ("key", "bins"),
    [
        ("dwell_s", "floor(dwell_s / 10)"),
        ("dwell_s // 60", "floor(dwell_s / 60)"),
        ("dwell_s/60", "floor(dwell_s / 60)"),
        ("dwell_s - dwell_s % 60", "floor(dwell_s / 60) * 60"),
    ],
)
def test_a_key_of_numbers_is_suggested_in_bins_of_its_scale(key: str, bins: str, catalog: Catalog) -> None:
    with pytest.raises(Refusal) as refused:
        compile_query(f"SELECT {key} AS bin, COUNT(*) FROM events GROUP BY bin", catalog)
    tried = f"SELECT {bins} AS bin, COUNT(*) FROM events GROUP BY bin"
    assert sql_of(refused.value.hint) == tried
    assert compile_query(tried, catalog).plans
