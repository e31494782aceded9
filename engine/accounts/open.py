"""Open a catalog's ledger: read-write, read-only, or for an audit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NoReturn

from budgets import Ledger, LedgerUnavailable
from dialect.catalog import Catalog
from engine.accounts.ledger_binding import IN_MEMORY, is_there, open_marked
from engine.catalog.bundled import BUNDLED, find_catalog
from engine.catalog.folders import default_ledger, marks_folder
from engine.problems import refusals
from engine.progress import Progress


@dataclass(frozen=True)
class Opened:
    """Catalog with its open ledger."""

    catalog: Catalog
    place: str  # of the ledger: a file, postgresql://..., or ":memory:"
    ledger: Ledger


def ledger_place(where: str, given: str | None, catalog: Catalog | None = None) -> str:
    """Address of the ledger: the one given, else the catalog's default. Raises CatalogError for a missing catalog."""
    return given or str(default_ledger(catalog or find_catalog(where), bundled=where in BUNDLED))


def held(where: str, catalog: Catalog, place: str) -> Ledger:
    """Open or create a catalog's ledger and verify its marks. Raises LedgerError."""
    return open_marked(place, catalog, None if where in BUNDLED else marks_folder())  # bundled: synthetic or published


@contextmanager
def opened(where: str, given: str | None, progress: Progress | None = None) -> Iterator[Opened]:
    """Open a catalog and its ledger, as `open_ledger` does; refusals inside are raised as Refused."""
    with refusals():
        catalog = find_catalog(where, progress)
        place = ledger_place(where, given, catalog)
        with held(where, catalog, place) as ledger:
            yield Opened(catalog, place, ledger)


@contextmanager
def opened_to_read(where: str, given: str | None) -> Iterator[Opened]:
    """Open a catalog and its ledger for reading, verified and never created. Raises Refused.

    A ledger that is named must exist. A catalog's default ledger that does not exist yet is read as empty.
    """
    with refusals():
        catalog = find_catalog(where)
        place = ledger_place(where, given, catalog)
        if not is_there(place):
            place = _absent(place) if given else IN_MEMORY
        with held(where, catalog, place) as ledger:
            yield Opened(catalog, place, ledger)


@contextmanager
def opened_if_there(where: str, given: str | None) -> Iterator[Ledger]:
    """Open an existing ledger of any dataset for an auditor; none is created. Raises Refused."""
    with refusals():
        place = ledger_place(where, given)
        with Ledger.open(place if is_there(place) else _absent(place)) as ledger:
            yield ledger


def _absent(place: str) -> NoReturn:
    hint = "ask a question first, which makes it; or name another one with --ledger"
    raise LedgerUnavailable(f"There is no ledger {place}.", hint)
