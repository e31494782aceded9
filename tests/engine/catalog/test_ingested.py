"""Where new files go, and how what was added is named: by numbers that are never given twice, not by what is in them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dialect import Catalog
from dialect.catalog.model import Source
from engine.catalog.file import load_catalog
from engine.catalog.sources import ingest_digest, ingest_folder
from tests.engine.ingest_town import make


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return load_catalog(make(tmp_path))


@pytest.mark.parametrize(
    ("pattern", "named"),
    [
        ("/d/*.parquet", "/d/ingested-20261126000000.parquet"),
        ("/d/visit-*.pq", "/d/visit-ingested-20261126000000.pq"),
        ("/d/visits.parquet", None),
        ("/d/**/*.parquet", None),
        ("/d/day=*/x.parquet", None),
        ("/d/[ab]*.parquet", None),
        ("/d/a*b*.parquet", None),
        ("s3://d/*.parquet", None),
    ],
)
def test_a_place_is_a_folder_that_the_source_names(catalog: Catalog, pattern: str, named: str | None) -> None:
    visit = next(table for table in catalog.tables if table.name == "visit")
    place = ingest_folder(replace(visit, source=Source("parquet", pattern)))
    assert (None if place is None else str(place.new_file(20261126000000))) == named
    assert ingest_folder(replace(visit, private=False)) is None
    assert ingest_folder(replace(visit, source=Source("csv", pattern))) is None


def test_the_name_follows_from_the_numbers_alone(catalog: Catalog, tmp_path: Path) -> None:
    names = [ingest_digest(catalog, "town")]
    for number in (20261126000000, 20261126000001):
        (tmp_path / "visits" / f"ingested-{number}.parquet").write_bytes(b"some")
        names.append(ingest_digest(catalog, "town"))
    (tmp_path / "visits" / "ingested-20261126000000.parquet").unlink()
    names.append(ingest_digest(catalog, "town"))
    assert names[0] == "" and len(set(names)) == len(names)
    (tmp_path / "visits" / "ingested-20261126000001.parquet").write_bytes(b"other")
    (tmp_path / "visits" / "ingested-2026.parquet").write_bytes(b"no number")
    assert ingest_digest(catalog, "town") == names[-1]
