"""Catalog files: parse TOML into a checked Catalog.

The budget of a dataset is parsed here too: its ceiling, a client's cap, the owner's reserve, the cap of one query and
a client's lifetime cap.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from dialect.catalog import (
    DEFAULT_CALIBRATION,
    NO_ELIGIBILITY_RULES,
    Budget,
    CalibrationPolicy,
    Catalog,
    Dataset,
    Defaults,
    PrivacyWindow,
    Table,
)
from engine.catalog.eligibility import (
    check_eligibility,
    person_table,
    read_eligibility,
    read_replay_max_age,
    with_retention,
)
from engine.catalog.privacy_windows import propagate_source_windows, read_delivered_until, read_window
from engine.catalog.references import check_references
from engine.catalog.sources import check_backend, check_sharing, read_remote, with_ingest_digest
from engine.catalog.tables import read_table
from engine.catalog.toml_section import IDENTIFIER, Section, read_toml

MAX_RHO = "1000000"  # the ledger counts pico-rho in 64 bits
MIN_RHO = "0.0001"
MIN_DELTA, MAX_DELTA = "1e-18", "1e-3"  # the ledger counts in atto-delta
MAX_DAYS = 36_500  # of a calibration's schedule
BUDGET_KEYS = ("rho", "delta", "client_rho", "static_rho", "static_delta", "reserve_rho", "query_rho", "lifetime_rho")


def read_budget(section: Section) -> Budget:
    """Parse the budget caps, in rho; a client's cap defaults to the ceiling minus the owner's reserve."""
    section.check_keys(BUDGET_KEYS)
    collect = section.collector.collect
    rho = collect(Fraction(MAX_RHO), section.fraction, "rho", "0.2", MIN_RHO, MAX_RHO)
    static = collect(None, _static_caps, section)
    reserve = collect(Fraction(0), _reserve_rho, section, rho, static)
    return Budget(
        rho=rho,
        delta=collect(Fraction(1), section.fraction, "delta", "1e-9", MIN_DELTA, MAX_DELTA),
        client_rho=collect(rho - reserve, _client_rho, section, rho, reserve),
        static_budget=static,
        reserve_rho=reserve,
        query_rho=collect(None, _optional_rho, section, "query_rho", "0.02"),
        lifetime_rho=collect(None, _optional_rho, section, "lifetime_rho", "1"),
    )


def check_default_price(section: Section, default_rho: Fraction, budget: Budget) -> None:
    """Reject a cap on one query that is below the default price of a query."""
    if budget.query_rho is not None and budget.query_rho < default_rho:
        why = "a question costs more than this where it names no price."
        raise section.error("budget.query_rho", why, "write at least defaults.rho.")


def _static_caps(section: Section) -> tuple[Fraction, Fraction] | None:
    """Parse the caps (rho, delta) of the static account of private tables without time; default: a window's caps."""
    if not {"static_rho", "static_delta"} & section.entries.keys():
        return None
    rho = "static_rho" if "static_rho" in section.entries else "rho"
    delta = "static_delta" if "static_delta" in section.entries else "delta"
    return section.fraction(rho, "0.2", MIN_RHO, MAX_RHO), section.fraction(delta, "1e-9", MIN_DELTA, MAX_DELTA)


def _reserve_rho(section: Section, rho: Fraction, static: tuple[Fraction, Fraction] | None) -> Fraction:
    """Parse the owner's reserve; it must leave a part of every cap to the clients."""
    reserve = _optional_rho(section, "reserve_rho", "0.02") or Fraction(0)
    smallest_cap, cap = min([(rho, "rho"), *([(static[0], "static_rho")] if static else [])])
    if reserve >= smallest_cap:
        why = f"the owner's reserve leaves clients nothing of budget.{cap}."
        raise section.error("reserve_rho", why, f"write less than budget.{cap}, or remove it.")
    return reserve


def _client_rho(section: Section, rho: Fraction, reserve: Fraction) -> Fraction:
    """Parse a client's cap; at most the ceiling minus the owner's reserve."""
    client_rho = _optional_rho(section, "client_rho", "0.1")
    if client_rho is None:
        return rho - reserve
    if client_rho > rho:
        raise section.error("client_rho", "a client's cap is above the dataset's.", "write at most budget.rho.")
    if client_rho > rho - reserve:
        why = "a client's cap is above what the owner's reserve leaves to all clients."
        raise section.error("client_rho", why, "write at most budget.rho less budget.reserve_rho.")
    return client_rho


def _optional_rho(section: Section, name: str, example: str) -> Fraction | None:
    """Parse an optional rho; None where absent."""
    return section.fraction(name, example, MIN_RHO, MAX_RHO) if name in section.entries else None


FORMAT = 1
FILE_KEYS = ("format", "name", "backend", "remote", "datasets", "tables")
DATASET_KEYS = (
    "window", "first_window", "last_window", "data_version", "defaults", "budget", "calibration", "admission",
    "replay_max_age", "rollups", "delivered_until",
)  # fmt: skip


def load_catalog(path: str | Path, *, data_folder: Path | None = None) -> Catalog:
    """Load and check a catalog file. Raises CatalogError with file, key, reason and cure, and all other errors.

    References between sections are checked once every section parses. Source paths are relative to `data_folder`, by
    default the folder of the catalog file.
    """
    file = Path(path).absolute()
    root = read_toml(file)
    _check_format(root)
    root.check_keys(FILE_KEYS)
    folder = (data_folder or file.parent).absolute()
    collect = root.collector.collect
    no_table = 'declare a table, e.g. [tables.trips]: take "# " off its lines in a draft; the rest is not queryable.'
    datasets = collect((), root.named_sections, "datasets", "declare a dataset, e.g. [datasets.city].")
    tables = collect((), root.named_sections, "tables", no_table)
    catalog = Catalog(
        name=collect("", _name, root),
        path=str(file),
        datasets=tuple(_dataset(name, section) for name, section in datasets),
        tables=tuple(read_table(name, section, folder) for name, section in tables),
        remote=collect(None, read_remote, root),
    )
    root.collector.raise_first()
    for check in (check_references, check_eligibility, check_backend, check_sharing):
        check(catalog, root.collector)
        root.collector.raise_first()
    return with_ingest_digest(propagate_source_windows(with_retention(_with_mean_rows(catalog))))


def _with_mean_rows(catalog: Catalog) -> Catalog:
    """Add the mean rows of a person in one privacy window to private tables, by the declared orders of magnitude.

    Rows of the table divided by those of the person table, and by the number of windows if the table has a time.
    """
    return replace(
        catalog, tables=tuple(replace(t, mean_rows_per_person=_mean_rows(t, catalog)) for t in catalog.tables)
    )


def _mean_rows(table: Table, catalog: Catalog) -> float | None:
    """Mean rows of a person in one privacy window; None for a public table, or where no table lists the people."""
    dataset = catalog.datasets_by_name[table.dataset]
    people = person_table(catalog, dataset) if table.private else None
    if people is None or people.size_class is None or table.size_class is None:
        return None
    windows = len(dataset.window_names) if table.time_column is not None else 1
    return float(table.size_class) / float(people.size_class) / windows


def _check_format(root: Section) -> None:
    """Check the version of the file format, on which the meaning of all other keys depends."""
    root.require("format", f"write format = {FORMAT} in the first line.")
    if root.entries["format"] != FORMAT or root.entries["format"] is True:
        raise root.error("format", "this format of catalogs is not known.", f"write format = {FORMAT}.")


def _name(root: Section) -> str:
    """Catalog name: a key of the TOML file, checked as an identifier."""
    name = root.required_text("name", 'write e.g. name = "city".')
    if not IDENTIFIER.fullmatch(name):
        raise root.error("name", f"{name} is no name.", "use a to z, 0 to 9 and _, with no digit in front.")
    return name


def _dataset(name: str, section: Section) -> Dataset:
    """Parse one dataset: its privacy window, defaults, budget, eligibility rules and rollups."""
    section.check_keys(DATASET_KEYS)
    collect = section.collector.collect
    empty = replace(section, entries={})
    window, stretch = collect((PrivacyWindow.FOREVER, None), read_window, section)
    defaults = _defaults(collect(empty, section.section, "defaults"))
    budget = read_budget(collect(empty, section.section, "budget"))
    collect(None, check_default_price, section, defaults.rho, budget)
    return Dataset(
        name=name,
        window=window,
        data_version=collect(1, section.integer, "data_version", 1, 1, 2**31),
        defaults=defaults,
        budget=budget,
        window_range=stretch,
        calibration=_calibration(collect(empty, section.section, "calibration"), budget),
        eligibility=collect(NO_ELIGIBILITY_RULES, read_eligibility, collect(empty, section.section, "admission")),
        replay_days=collect(None, read_replay_max_age, section),
        rollups=collect((), section.texts, "rollups"),
        delivered_until=collect("", read_delivered_until, section, stretch),
    )


def _defaults(section: Section) -> Defaults:
    """Parse the default price, delta and confidence level of a query."""
    section.check_keys(("rho", "delta", "confidence"))
    collect = section.collector.collect
    return Defaults(
        rho=collect(Fraction(1), section.fraction, "rho", "0.005", MIN_RHO, MAX_RHO),
        delta=collect(Fraction(1), section.fraction, "delta", "1e-12", MIN_DELTA, MAX_DELTA),
        confidence=collect(0.95, _confidence, section),
    )


def _calibration(section: Section, budget: Budget) -> CalibrationPolicy:
    """Parse the price and the schedule of calibrations; the default price is a tenth of a window's budget."""
    section.check_keys(("rho", "every_days", "expires_days"))
    collect = section.collector.collect
    rho = budget.rho / 10
    if "rho" in section.entries:
        rho = collect(rho, section.fraction, "rho", "0.02", MIN_RHO, MAX_RHO)
    days, expires = DEFAULT_CALIBRATION.interval_days, DEFAULT_CALIBRATION.expires_days
    return CalibrationPolicy(
        rho=rho,
        interval_days=collect(days, section.integer, "every_days", days, 1, MAX_DAYS),
        expires_days=collect(expires, section.integer, "expires_days", expires, 1, MAX_DAYS),
    )


def _confidence(section: Section) -> float:
    """Parse the confidence level of intervals."""
    confidence = section.finite_float("confidence")
    confidence = 0.95 if confidence is None else confidence
    if not 0.5 <= confidence <= 0.999999:
        why = "a level lies between 0.5 and 0.999999."
        raise section.error("confidence", why, "write e.g. confidence = 0.95.")
    return confidence
