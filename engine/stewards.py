"""What a steward asks of a catalog, in wire shapes: is it so, and how would one begin."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from engine import problems
from engine.catalog_check import Finding, check_catalog
from engine.catalog_new import new_catalog
from engine.catalogs import find_catalog
from engine.desk import Refused
from engine.errors import CatalogError


def check_catalog_text(where: str) -> list[dict[str, Any]]:
    """List what is wrong with a catalog, or with the files it names; of one that is not accepted, all mistakes."""
    try:
        return [asdict(finding) for finding in check_catalog(find_catalog(where))]
    except CatalogError as error:
        found = (error, *error.others)
        return [asdict(Finding(mistake.file, mistake.key, mistake.why, mistake.cure)) for mistake in found]


def new_catalog_text(folder: str) -> str:
    """Write the commented catalog of a folder's files as TOML; raise Refused where there is none to write."""
    try:
        return new_catalog(Path(folder))
    except CatalogError as error:
        raise Refused(problems.problem(error, None)) from error
