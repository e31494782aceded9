"""Open a catalog's ledger: read-write, read-only, or for an audit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NoReturn

from budgets import Ledger, LedgerUnavailable
from dialect.catalog import Catalog
from engine.accounts.ledger_binding import IN_MEMORY, exists_or_needs_no_file, open_bound_ledger
from engine.catalog.bundled import BUNDLED, find_catalog
from engine.catalog.folders import default_ledger, ledger_bindings_folder
from engine.errors import refusals
from engine.progress import Progress


@dataclass(frozen=True)
class OpenLedger:
    """Catalog with its open ledger."""

    catalog: Catalog
    address: str  # of the ledger: a file, postgresql://..., or ":memory:"
    ledger: Ledger


def ledger_address(catalog_name: str, address: str | None, catalog: Catalog | None = None) -> str:
    """Address of the ledger: the one given, else the catalog's default. Raises CatalogError for a missing catalog."""
    return address or str(default_ledger(catalog or find_catalog(catalog_name), bundled=catalog_name in BUNDLED))


def open_ledger(catalog_name: str, catalog: Catalog, address: str) -> Ledger:
    """Open or create a catalog's ledger and verify its marks. Raises LedgerError."""
    # bundled catalogs are synthetic or published: they bind no ledger
    return open_bound_ledger(address, catalog, None if catalog_name in BUNDLED else ledger_bindings_folder())


@contextmanager
def opened_ledger(catalog_name: str, address: str | None, progress: Progress | None = None) -> Iterator[OpenLedger]:
    """Open a catalog and its ledger, as `open_ledger` does; refusals inside are raised as Refused."""
    with refusals():
        catalog = find_catalog(catalog_name, progress)
        place = ledger_address(catalog_name, address, catalog)
        with open_ledger(catalog_name, catalog, place) as ledger:
            yield OpenLedger(catalog, place, ledger)


@contextmanager
def opened_for_reading(catalog_name: str, requested_address: str | None) -> Iterator[OpenLedger]:
    """Open a catalog and its ledger for reading, verified and never created. Raises Refused.

    A ledger that is named must exist. A catalog's default ledger that does not exist yet is read as empty.
    """
    with refusals():
        catalog = find_catalog(catalog_name)
        place = ledger_address(catalog_name, requested_address, catalog)
        if not exists_or_needs_no_file(place):
            place = _refuse_absent(place) if requested_address else IN_MEMORY
        with open_ledger(catalog_name, catalog, place) as ledger:
            yield OpenLedger(catalog, place, ledger)


@contextmanager
def opened_for_audit(catalog_name: str, requested_address: str | None) -> Iterator[Ledger]:
    """Open an existing ledger of any dataset for an auditor; none is created. Raises Refused."""
    with refusals():
        place = ledger_address(catalog_name, requested_address)
        with Ledger.open(place if exists_or_needs_no_file(place) else _refuse_absent(place)) as ledger:
            yield ledger


def _refuse_absent(place: str) -> NoReturn:
    hint = "ask a question first, which makes it; or name another one with --ledger"
    raise LedgerUnavailable(f"There is no ledger {place}.", hint)
