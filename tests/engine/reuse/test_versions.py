"""A charge's row records its versions."""

from __future__ import annotations

from importlib import metadata

from engine.catalog.version import catalog_version
from engine.pipeline.engine import Engine
from engine.pricing.compile_release import MECHANISM_VERSION
from engine.pricing.query_terms import Request


def test_a_charge_records_versions_of_data_catalog_mechanism_and_code(engine: Engine) -> None:
    engine.answer("SELECT COUNT(*) AS n FROM visit", Request("ann"))
    (charged,) = engine.ledger.entries(kind="charged")
    expected = f"data 1, catalog {catalog_version(engine.catalog)}, mechanism {MECHANISM_VERSION}"
    versions, *units = charged.content["versions"].split("; ")
    assert versions == f"{expected}, code {metadata.version('passersby')}"
    assert units == ["person by person_id", "purchase by visit_id of visit -> person_id", "visit by person_id"]
