"""Texts that a collation takes for one are refused when data are opened: persons and keys are what they are written as."""

from __future__ import annotations

from contextlib import closing
from fractions import Fraction
from pathlib import Path

import duckdb
import pytest

from dialect import compile_query
from engine.data.checks import snapshot as snapshot_checks
from engine.errors import DataError
from engine.pricing.compile_release import compile_release
from tests.engine.town import CATALOG, ROWS, backend_over, make_town

BY_SHOP = (
    "SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(max_groups_contributed = 4) shop, count(*) AS n FROM visit GROUP BY shop"
)
SPELT = """
ALTER TABLE visit ALTER shop TYPE VARCHAR COLLATE NOCASE;
UPDATE visit SET shop = upper(shop) WHERE person_id = 2;
"""


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE visit ALTER shop TYPE VARCHAR COLLATE NOCASE",
        "ALTER TABLE visit ALTER zone TYPE VARCHAR COLLATE NOACCENT",
        "ALTER TABLE zone ALTER name TYPE VARCHAR COLLATE NOCASE.NOACCENT",
        "ALTER TABLE visit ALTER shop TYPE VARCHAR COLLATE de",
    ],
)
def test_a_column_with_a_collation_is_refused(tmp_path: Path, change: str) -> None:
    with pytest.raises(DataError, match="stored with a collation"):
        backend_over(make_town(tmp_path, f"{ROWS}; {change}"), tmp_path / "cache")


def test_a_column_that_is_called_like_one_is_read(tmp_path: Path) -> None:
    declared = CATALOG.replace("shop = {", 'collate = { type = "BIGINT" }\nshop = {')
    backend_over(
        make_town(tmp_path, f'{ROWS}; ALTER TABLE visit ADD COLUMN "collate" BIGINT', declared), tmp_path / "cache"
    ).close()


def test_planted_opening_of_a_collated_column_merges_different_texts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot_checks, "_check_collations", lambda *_: None)
    catalog = make_town(tmp_path, ROWS + SPELT)
    with duckdb.connect() as aside, closing(backend_over(catalog, tmp_path / "cache")) as backend:
        nobody = aside.execute("SELECT NULL::VARCHAR AS person WHERE false").to_arrow_table()
        aside.execute(f"ATTACH '{tmp_path}/town.duckdb' AS town (READ_ONLY)")
        texts = aside.execute("SELECT DISTINCT CAST(shop AS BLOB) FROM town.visit").fetchall()
        (plan,) = compile_query(BY_SHOP, catalog).plans
        made = compile_release(plan, catalog, backend, Fraction(1, 10))
        assert made.selection is not None
        keys = backend.run(made.selection.rounds[0].sql, nobody).keys
    assert len(texts) == 6 and keys.num_rows == 3, "one spelling stands for both: some person's"
