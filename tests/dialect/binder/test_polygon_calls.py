"""A polygon is what places are held against, and no value anywhere else."""

from __future__ import annotations

import pytest

import dialect
from dialect.catalog.model import Catalog, SqlType
from dialect.errors import Code, Refusal
from tests.support.worlds import make_world

ALIKE = (
    "SELECT a.area, count(*) FROM sight s JOIN area a ON within_polygon(s.lon, s.lat, a.shape) GROUP BY 1",
    "SELECT a.area, count(*) FROM sight s JOIN area a ON ST_Contains(a.shape, ST_Point(s.lon, s.lat)) GROUP BY 1",
    "SELECT a.area, count(*) FROM sight s JOIN (SELECT shape, area FROM area) a ON st_within(ST_Point(lon, lat), shape) GROUP BY 1",
    "WITH a AS (SELECT * FROM area) SELECT a.area, count(*) FROM sight s JOIN a ON within_polygon(lon, lat, a.shape) GROUP BY 1",
)


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    return make_world("places", tmp_path_factory.mktemp("places"))


def test_every_spelling_of_the_polygon_test_has_one_canonical_text(places: Catalog) -> None:
    assert len({dialect.compile_query(sql, places).plans[0].canonical_text for sql in ALIKE}) == 1


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM area",
        "SELECT a.* FROM area a",
        "SELECT * FROM (SELECT * FROM area) a",
        "SELECT DISTINCT * FROM area",
    ],
)
def test_a_star_shows_no_polygon(sql: str, places: Catalog) -> None:
    assert SqlType.POLYGON not in [shown.field.type for shown in dialect.compile_query(sql, places).columns]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT shape FROM area",
        "SELECT shape FROM (SELECT area, shape FROM area) a",
        "SELECT shape, count(*) FROM area GROUP BY 1",
        "SELECT count(*) FROM area GROUP BY shape",
        "SELECT DISTINCT shape FROM area",
        "SELECT count(*) FROM (SELECT DISTINCT * FROM area) a",
        "SELECT count(*) FROM (SELECT shape FROM area GROUP BY ALL) a",
        "SELECT count(shape) FROM area",
        "SELECT count(DISTINCT shape) FROM area",
        "SELECT max(shape) FROM area",
        "SELECT shape IS NULL AS none FROM area",
        "SELECT count(*) FROM area a JOIN area b ON a.shape = b.shape",
        "SELECT CASE WHEN level = 1 THEN shape END AS s FROM area",
        "SELECT coalesce(shape, shape) AS s FROM area",
        "SELECT CAST(shape AS VARCHAR) AS s FROM area",
        "SELECT area FROM area ORDER BY shape",
        "SELECT area FROM area WHERE shape IN (SELECT shape FROM area)",
        "SELECT count(*) FROM (SELECT shape FROM area UNION SELECT shape FROM area) a",
        "SELECT count(*) FROM (SELECT shape FROM area UNION ALL SELECT shape FROM area) a",
        "SELECT row_number() OVER (ORDER BY shape) AS n FROM area",
        "SELECT lag(shape) OVER (ORDER BY area) AS before FROM area",
        "SELECT count(*) FROM sight s JOIN area a ON within_polygon(s.lon, s.lat, a.area)",
        "SELECT count(*) FROM sight s JOIN area a ON within_polygon(s.lon, s.lat, NULL)",
        "SELECT count(*) FROM sight s JOIN area a ON within_polygon(a.shape, s.lat, a.shape)",
        "SELECT count(*) FROM sight s JOIN area a ON ST_Contains(a.shape, s.lon)",
        "SELECT count(*) FROM sight s JOIN area a ON ST_Contains(ST_Point(s.lon, s.lat), a.shape)",
        "SELECT count(*) FROM sight s JOIN area a ON ST_Contains(a.shape, ST_Point(s.lon))",
        "SELECT ST_Point(lon, lat) AS p FROM mast",
    ],
)  # fmt: skip
def test_a_polygon_cannot_be_selected_as_a_value(sql: str, places: Catalog) -> None:
    with pytest.raises(Refusal) as refused:
        dialect.compile_query(sql, places)
    assert refused.value.code in {Code.FUNC, Code.SUBQUERY, Code.JOIN, Code.AGG, Code.KEY, Code.WINDOW, Code.PARSE}
