"""A charged table keeps its privacy unit: each part of the unit is noted at every charge, and compared when opened."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from importlib import import_module
from pathlib import Path

import pytest

from budgets import ChargeRequest, Ledger, Loss, PricedRelease
from dialect import Catalog
from dialect.catalog.model import PersonPath, Table
from engine.catalog.file import load_catalog
from engine.catalog.version import check_privacy_units
from engine.errors import CatalogError
from engine.pricing.query_terms import caps
from tests.engine.windowed_town import DAYS, WINDOWED
from tests.support.planted import Plant, instead

version, replay = import_module("engine.catalog.version"), import_module("engine.reuse.holdings")
format_units = version.format_units
SEEN = """
[tables.seen]
dataset = "town"
kind = "private"
source = { duckdb = "town.duckdb", table = "seen" }
person = "person_id"
time_column = "at"
size_class = "1e3"
norms = { rows = 20, persons = 3 }
[tables.seen.columns]
person_id = { type = "BIGINT" }
other_id = { type = "BIGINT" }
sale_id = { type = "BIGINT" }
at = { type = "TIMESTAMP", time_zone = "Europe/Berlin", stored = "local" }
until = { type = "TIMESTAMP", time_zone = "Europe/Berlin", stored = "local" }
"""
Change = Callable[[Table], Table]


def person(column: str, *through: tuple[str, str]) -> Change:
    return lambda table: replace(table, person=PersonPath(column, through))


def time(column: str | None) -> Change:
    return lambda table: replace(table, time_column=column)


def clock(**parts: object) -> Change:
    """Change the declaration of the time column."""
    return lambda table: replace(
        table, columns=tuple(replace(c, **parts) if c.name == table.time_column else c for c in table.columns)  # type: ignore[arg-type]
    )  # fmt: skip


UNIT_CHANGES: dict[str, tuple[str, Change]] = {
    "person key": ("seen", person("other_id")),
    "path to the person": ("seen", person("person_id", ("sale_id", "visit"))),
    "another path": ("purchase", person("person_id", ("purchase_id", "visit"))),
    "no path": ("purchase", person("person_id")),
    "another time": ("seen", time("until")),
    "no time": ("seen", time(None)),
    "a time for the first time": ("purchase", time("price")),
    "time zone": ("seen", clock(time_zone="Europe/London")),
    "stored as UTC": ("seen", clock(stored_utc=True)),
}  # fmt: skip


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    with Ledger.open(":memory:") as opened:
        yield opened


@pytest.fixture
def declared(tmp_path: Path) -> Catalog:
    file = tmp_path / "town.toml"
    file.write_text(WINDOWED + SEEN)
    return load_catalog(file)


def charge(ledger: Ledger, catalog: Catalog, key: str) -> None:
    """Charge a release under a catalog, with the notes that the engine writes."""
    (dataset,) = catalog.datasets
    item = PricedRelease(key, Loss.rounded_up(Fraction(1, 100)), f"question {key}", (DAYS[0],))
    ledger.charge(
        ChargeRequest(
            "ann", dataset.name, key, key, (item,), caps(dataset.budget), replay.version_text(catalog, dataset)
        )
    )


def changed(catalog: Catalog, name: str, change: Change) -> Catalog:
    return replace(catalog, tables=tuple(change(table) if table.name == name else table for table in catalog.tables))


def without(catalog: Catalog, name: str) -> Catalog:
    return replace(catalog, tables=tuple(table for table in catalog.tables if table.name != name))


def check_refused(ledger: Ledger, declared: Catalog, name: str, change: Change) -> None:
    """Charge, change the unit of one table, and open again; also where the table was left out in between."""
    charge(ledger, declared, "aa")
    check_privacy_units(ledger, declared)
    other = changed(declared, name, change)
    for catalog in (declared, without(declared, name)):
        charge(ledger, catalog, f"of {len(catalog.tables)} tables")
        with pytest.raises(CatalogError, match=f"tables.{name}"):
            check_privacy_units(ledger, other)


@pytest.mark.parametrize("part", UNIT_CHANGES)
def test_a_charged_table_with_another_unit_is_not_opened(ledger: Ledger, declared: Catalog, part: str) -> None:
    check_refused(ledger, declared, *UNIT_CHANGES[part])


def test_a_new_table_and_other_bounds_are_opened(ledger: Ledger, declared: Catalog) -> None:
    charge(ledger, without(declared, "seen"), "aa")
    check_privacy_units(ledger, declared)
    check_privacy_units(ledger, changed(declared, "visit", lambda table: replace(table, max_groups_per_person=9)))


def note(person: Callable[[PersonPath], str], time: Callable[[Table], str]) -> Plant:
    """Plant a note that leaves a part of the unit out."""

    def written(table: Table) -> str:
        assert table.person is not None
        return f"by {person(table.person)} at {time(table)}"

    return instead(version, "_format_unit", written)


def whole_path(path: PersonPath) -> str:
    return f"{path.through} {path.column}"


def whole_time(table: Table) -> str:
    column = table.columns_by_name.get(table.time_column or "")
    return "" if column is None else f"{column.name} {column.time_zone} {column.stored_utc}"


def of_the_first_table(catalog: Catalog, dataset: str) -> str:
    text: str = format_units(catalog, dataset)
    return text.partition(version.UNIT_SEPARATOR)[0]


versions = Ledger.versions
PLANTED: dict[str, tuple[Plant, str]] = {
    "the person column is left out": (note(lambda path: f"{path.through}", whole_time), "person key"),
    "the path is left out": (note(lambda path: path.column, whole_time), "path to the person"),
    "the length of the path alone": (note(lambda path: f"{len(path.through)} {path.column}", whole_time), "another path"),
    "the time is left out": (note(whole_path, lambda _: ""), "no time"),
    "whether there is a time alone": (note(whole_path, lambda table: f"{table.time_column is not None}"), "another time"),
    "the time zone is left out": (note(whole_path, lambda table: f"{table.time_column}"), "time zone"),
    "what is stored is left out": (
        note(whole_path, lambda table: whole_time(table).rpartition(" ")[0]), "stored as UTC",
    ),
    "one table of the dataset is noted": (instead(replay, "format_units", of_the_first_table), "no time"),
    "the fewest notes of any charge are compared": (
        instead(Ledger, "versions", lambda *given: (min(versions(*given), key=len),)), "no time",
    ),
}  # fmt: skip


@pytest.mark.parametrize("bug", PLANTED)
def test_a_planted_change_of_units_is_found(
    ledger: Ledger, declared: Catalog, monkeypatch: pytest.MonkeyPatch, bug: str
) -> None:
    plant, part = PLANTED[bug]
    plant(monkeypatch)
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        check_refused(ledger, declared, *UNIT_CHANGES[part])
