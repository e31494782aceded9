"""Catalog files: parse TOML into a checked Catalog.

The budget of a dataset is parsed here too: its ceiling, a client's cap, the owner's reserve, the cap of one query and
a client's lifetime cap.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from dialect.catalog import NO_RULES, USUAL, Budget, CalibrationTerms, Catalog, Dataset, Defaults, Window
from engine.catalog.admission import check_admission, read_admission, read_replay, with_retention
from engine.catalog.privacy_windows import read_delivered, read_window, with_inherited_windows
from engine.catalog.references import check_references
from engine.catalog.sources import check_backend, check_sharing, read_remote, with_ingested
from engine.catalog.tables import read_table
from engine.catalog.toml_section import IDENTIFIER, Section, read_toml

MOST_RHO = "1000000"  # the ledger counts pico-rho in 64 bits
LEAST_RHO = "0.0001"
LEAST_DELTA, MOST_DELTA = "1e-18", "1e-3"  # the ledger counts in atto-delta
BUDGET_KEYS = ("rho", "delta", "client_rho", "static_rho", "static_delta", "reserve_rho", "query_rho", "lifetime_rho")


def read_budget(section: Section) -> Budget:
    """Parse the budget caps, in rho; a client's cap defaults to the ceiling minus the owner's reserve."""
    section.only(BUDGET_KEYS)
    part = section.mistakes.part
    rho = part(Fraction(MOST_RHO), section.fraction, "rho", "0.2", LEAST_RHO, MOST_RHO)
    static = part(None, _static, section)
    reserve = part(Fraction(0), _reserve, section, rho, static)
    return Budget(
        rho=rho,
        delta=part(Fraction(1), section.fraction, "delta", "1e-9", LEAST_DELTA, MOST_DELTA),
        client_rho=part(rho - reserve, _client_rho, section, rho, reserve),
        static=static,
        reserve_rho=reserve,
        query_rho=part(None, _optional, section, "query_rho", "0.02"),
        lifetime_rho=part(None, _optional, section, "lifetime_rho", "1"),
    )


def check_default(section: Section, default_rho: Fraction, budget: Budget) -> None:
    """Reject a cap on one query that is below the default price of a query."""
    if budget.query_rho is not None and budget.query_rho < default_rho:
        why = "a question costs more than this where it names no price."
        raise section.error("budget.query_rho", why, "write at least defaults.rho.")


def _static(section: Section) -> tuple[Fraction, Fraction] | None:
    """Parse the caps (rho, delta) of the static account of private tables without time; default: a window's caps."""
    if not {"static_rho", "static_delta"} & section.entries.keys():
        return None
    given = {
        name: name if name in section.entries else name.removeprefix("static_")
        for name in ("static_rho", "static_delta")
    }
    return (
        section.fraction(given["static_rho"], "0.2", LEAST_RHO, MOST_RHO),
        section.fraction(given["static_delta"], "1e-9", LEAST_DELTA, MOST_DELTA),
    )


def _reserve(section: Section, rho: Fraction, static: tuple[Fraction, Fraction] | None) -> Fraction:
    """Parse the owner's reserve; it must leave a part of every cap to the clients."""
    reserve = _optional(section, "reserve_rho", "0.02") or Fraction(0)
    least, cap = min([(rho, "rho"), *([(static[0], "static_rho")] if static else [])])
    if reserve >= least:
        why = f"the owner's reserve leaves clients nothing of budget.{cap}."
        raise section.error("reserve_rho", why, f"write less than budget.{cap}, or remove it.")
    return reserve


def _client_rho(section: Section, rho: Fraction, reserve: Fraction) -> Fraction:
    """Parse a client's cap; at most the ceiling minus the owner's reserve."""
    client_rho = _optional(section, "client_rho", "0.1")
    if client_rho is None:
        return rho - reserve
    if client_rho > rho:
        raise section.error("client_rho", "a client's cap is above the dataset's.", "write at most budget.rho.")
    if client_rho > rho - reserve:
        why = "a client's cap is above what the owner's reserve leaves to all clients."
        raise section.error("client_rho", why, "write at most budget.rho less budget.reserve_rho.")
    return client_rho


def _optional(section: Section, name: str, example: str) -> Fraction | None:
    """Parse an optional rho; None where absent."""
    return section.fraction(name, example, LEAST_RHO, MOST_RHO) if name in section.entries else None


FORMAT = 1
FILE_KEYS = ("format", "name", "backend", "remote", "datasets", "tables")
DATASET = (
    "window", "first_window", "last_window", "data_version", "defaults", "budget", "calibration", "admission",
    "replay_max_age", "rollups", "delivered_until",
)  # fmt: skip


def load_catalog(path: str | Path, *, data_folder: Path | None = None) -> Catalog:
    """Load and check a catalog file. Raises CatalogError with file, key, reason and cure, and all other errors.

    References between sections are checked once every section parses. Source paths are relative to `data_folder`, by
    default the folder of the catalog file.
    """
    file = Path(path).absolute()
    whole = read_toml(file)
    _format(whole)
    whole.only(FILE_KEYS)
    folder = (data_folder or file.parent).absolute()
    part = whole.mistakes.part
    no_table = "declare a table, e.g. [tables.trips]; what is not declared is not queryable."
    datasets = part((), whole.named, "datasets", "declare a dataset, e.g. [datasets.city].")
    tables = part((), whole.named, "tables", no_table)
    catalog = Catalog(
        name=part("", _name, whole),
        path=str(file),
        datasets=tuple(_dataset(name, section) for name, section in datasets),
        tables=tuple(read_table(name, section, folder) for name, section in tables),
        remote=part(None, read_remote, whole),
    )
    whole.mistakes.refuse()
    for check in (check_references, check_admission, check_backend, check_sharing):
        check(catalog, whole.mistakes)
        whole.mistakes.refuse()
    return with_ingested(with_inherited_windows(with_retention(catalog)))


def _format(whole: Section) -> None:
    """Check the version of the file format, on which the meaning of all other keys depends."""
    whole.need("format", f"write format = {FORMAT} in the first line.")
    if whole.entries["format"] != FORMAT or whole.entries["format"] is True:
        raise whole.error("format", "this format of catalogs is not known.", f"write format = {FORMAT}.")


def _name(whole: Section) -> str:
    """Parse the catalog's name."""
    whole.need("name", 'write e.g. name = "city".')
    name = whole.text("name") or ""
    if not IDENTIFIER.fullmatch(name):
        raise whole.error("name", f"{name} is no name.", "use a to z, 0 to 9 and _, with no digit in front.")
    return name


def _dataset(name: str, section: Section) -> Dataset:
    """Parse one dataset: its privacy window, defaults, budget, eligibility rules and rollups."""
    section.only(DATASET)
    part = section.mistakes.part
    empty = replace(section, entries={})
    window, stretch = part((Window.FOREVER, None), read_window, section)
    defaults = _defaults(part(empty, section.section, "defaults"))
    budget = read_budget(part(empty, section.section, "budget"))
    part(None, check_default, section, defaults.rho, budget)
    return Dataset(
        name=name,
        window=window,
        data_version=part(1, section.whole, "data_version", 1, 1, 2**31),
        defaults=defaults,
        budget=budget,
        stretch=stretch,
        calibration=_calibration(part(empty, section.section, "calibration"), budget),
        admission=part(NO_RULES, read_admission, part(empty, section.section, "admission")),
        replay_days=part(None, read_replay, section),
        rollups=part((), section.texts, "rollups"),
        delivered_until=part("", read_delivered, section, stretch),
    )


def _defaults(section: Section) -> Defaults:
    """Parse the default price, delta and confidence level of a query."""
    section.only(("rho", "delta", "confidence"))
    part = section.mistakes.part
    return Defaults(
        rho=part(Fraction(1), section.fraction, "rho", "0.005", LEAST_RHO, MOST_RHO),
        delta=part(Fraction(1), section.fraction, "delta", "1e-12", LEAST_DELTA, MOST_DELTA),
        confidence=part(0.95, _confidence, section),
    )


def _calibration(section: Section, budget: Budget) -> CalibrationTerms:
    """Parse the price and the schedule of calibrations; the default price is a tenth of a window's budget."""
    section.only(("rho", "every_days", "expires_days"))
    part = section.mistakes.part
    rho = budget.rho / 10
    if "rho" in section.entries:
        rho = part(rho, section.fraction, "rho", "0.02", LEAST_RHO, MOST_RHO)
    return CalibrationTerms(
        rho=rho,
        every_days=part(USUAL.every_days, section.whole, "every_days", USUAL.every_days, 1, 36_500),
        expires_days=part(USUAL.expires_days, section.whole, "expires_days", USUAL.expires_days, 1, 36_500),
    )


def _confidence(section: Section) -> float:
    """Parse the confidence level of intervals."""
    confidence = section.finite("confidence")
    confidence = 0.95 if confidence is None else confidence
    if not 0.5 <= confidence <= 0.999999:
        why = "a level lies between 0.5 and 0.999999."
        raise section.error("confidence", why, "write e.g. confidence = 0.95.")
    return confidence
