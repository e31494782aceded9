"""A charge's row records its versions."""

from __future__ import annotations

from importlib import metadata

from engine.catalog.version import catalog_version
from engine.pipeline.engine import Engine
from engine.pricing.release_key import MECHANISM
from engine.pricing.terms import Asked


def test_a_charge_tells_data_catalog_mechanism_and_code(engine: Engine) -> None:
    engine.answer("SELECT COUNT(*) AS n FROM visit", Asked("ann"))
    (charged,) = engine.ledger.audit(kind="charged")
    expected = f"data 1, catalog {catalog_version(engine.catalog)}, mechanism {MECHANISM}"
    versions, *units = charged.said["versions"].split("; ")
    assert versions == f"{expected}, code {metadata.version('passersby')}"
    assert units == ["person by person_id", "purchase by visit_id of visit -> person_id", "visit by person_id"]
