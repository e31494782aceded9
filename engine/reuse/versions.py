"""What an answer was made with: versions of data, catalog, mechanism and code, as a charge's row tells auditors."""

from __future__ import annotations

import re
from functools import cache
from importlib import metadata

from dialect import Catalog
from dialect.catalog.catalog import Dataset
from engine.catalog.catalog_version import catalog_version
from engine.catalog.ingested import version_of
from engine.catalog.person_units import BETWEEN, units_said
from engine.pricing.prepare import MECHANISM


def versions(catalog: Catalog, dataset: Dataset) -> str:
    """Tell the versions of one moment, and what one person in one window is."""
    told = {"data": version_of(dataset), "catalog": catalog_version(catalog), "mechanism": MECHANISM, "code": code()}
    noted = ", ".join(f"{what} {version}" for what, version in told.items())
    return BETWEEN.join((noted, units_said(catalog, dataset.name)))


def data_of(noted: str) -> str:
    """Read the version of the data out of what was told; '' where nothing was, as in rows of old."""
    found = re.match(r"data ([^,]+), ", noted)
    return found[1] if found else ""


@cache
def code() -> str:
    """Tell the version of the code that is installed; `unknown` where it was put there by hand."""
    try:
        return metadata.version("passersby")
    except metadata.PackageNotFoundError:
        return "unknown"
