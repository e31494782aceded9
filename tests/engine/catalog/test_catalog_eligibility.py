"""Eligibility rules are read strictly, and each error names its key and a cure."""

from __future__ import annotations

import textwrap
from dataclasses import replace
from pathlib import Path

import pytest

from dialect.catalog.model import NO_ELIGIBILITY_RULES, AgeUnit, Catalog, Jurisdiction, MinimumAge, Retention
from engine.catalog.eligibility import age_reference_day, declared_days, first_retained_day, person_table
from engine.catalog.file import load_catalog
from engine.errors import CatalogError
from tests.support.tree import ROOT

DECLARED = """
format = 1
name = "city"
[datasets.city]
window = "forever"
[datasets.city.admission]
RULES

[tables.people]
dataset = "city"
kind = "private"
source = { parquet = "people.parquet" }
person = "person_id"
primary_key = ["person_id"]
size_class = "1e5"
norms = { rows = 1, persons = 1 }
[tables.people.columns]
person_id = { type = "BIGINT", nullable = false }
country = { type = "VARCHAR", visible = false }
born = { type = "DATE" }
year = { type = "SMALLINT" }
age = { type = "UTINYINT" }
band = { type = "VARCHAR" }

[tables.trips]
dataset = "city"
kind = "private"
source = { parquet = "trips.parquet" }
person = "person_id"
time_column = "at"
size_class = "1e7"
norms = { rows = 60, persons = 8 }
[tables.trips.columns]
person_id = { type = "BIGINT" }
at = { type = "TIMESTAMP", time_zone = "Europe/Berlin", range = ["2025-03-01", "2026-03-31"] }
"""
MORE = """
[tables.members]
dataset = "city"
kind = "private"
source = { parquet = "members.parquet" }
person = "person_id"
primary_key = ["person_id"]
size_class = "1e5"
norms = { rows = 1, persons = 1 }
consent = { column = "yes", admitted = [true] }
columns = { person_id = { type = "BIGINT", nullable = false }, yes = { type = "BOOLEAN" } }
"""


def load(folder: Path, rules: str, more: str = "", without: str = "") -> Catalog:
    text = DECLARED.replace("RULES", textwrap.dedent(rules)).replace(without or "\0", "") + more
    (folder / "catalog.toml").write_text(text, encoding="utf-8")
    return load_catalog(folder / "catalog.toml")


def test_without_rules_everybody_is_eligible(tmp_path: Path) -> None:
    catalog = load(tmp_path, "")
    assert catalog.datasets[0].eligibility == NO_ELIGIBILITY_RULES
    assert [table.retained_from for table in catalog.tables] == [None, None]


@pytest.mark.parametrize(
    ("law", "codes", "denied", "basis"),
    [
        ('column = "Country"', ("DE",), True, ()),
        ('column = "country", denied = ["FR", "DE"]', ("DE", "FR"), True, ()),
        ('column = "country", denied = []', ("DE",), True, ()),
        ('column = "country", legal_basis = { DE = "they signed" }', (), True, (("DE", "they signed"),)),
        ('column = "country", admitted = ["AT", "MX"]', ("AT", "MX"), False, ()),
        ('column = "country", admitted = ["DE"], legal_basis = { DE = "signed" }', ("DE",), False, (("DE", "signed"),)),
    ],
)
def test_a_law_is_denied_until_there_is_a_basis(
    tmp_path: Path, law: str, codes: tuple[str, ...], denied: bool, basis: tuple[tuple[str, str], ...]
) -> None:
    (dataset,) = load(tmp_path, f"jurisdiction = {{ {law} }}").datasets
    assert dataset.eligibility.jurisdiction == Jurisdiction("country", None, codes, denied, basis)


def test_one_law_may_apply_to_everybody(tmp_path: Path) -> None:
    for law in ('constant = "AT"', 'constant = "DE", legal_basis = { DE = "signed" }'):
        (dataset,) = load(tmp_path, f"jurisdiction = {{ {law} }}").datasets
        assert dataset.eligibility.jurisdiction is not None and dataset.eligibility.jurisdiction.column is None


@pytest.mark.parametrize(
    ("rule", "minors"),
    [
        ('birth_date = "born"', MinimumAge("born", AgeUnit.BIRTH_DATE)),
        (
            'birth_year = "year", minimum = 16, on = 2026-01-01',
            MinimumAge("year", AgeUnit.BIRTH_YEAR, 16, "2026-01-01"),
        ),
        ('age = "age"', MinimumAge("age", AgeUnit.AGE)),
        ('age_band = "band", admitted = ["18+"]', MinimumAge("band", AgeUnit.AGE_BAND, eligible_bands=("18+",))),
    ],
)
def test_a_minimum_age_is_read(tmp_path: Path, rule: str, minors: MinimumAge) -> None:
    assert load(tmp_path, f"minors = {{ {rule} }}").datasets[0].eligibility.minors == minors


@pytest.mark.parametrize(
    ("rule", "retention", "first"),
    [
        ("months = 12", Retention(months=12), "2025-04-01"),
        ("months = 1", Retention(months=1), "2026-03-01"),  # after the last day of a shorter month
        ("months = 3", Retention(months=3), "2026-01-01"),
        ("months = 1200", Retention(months=1200), "1926-04-01"),
        ("days = 1", Retention(days=1), "2026-03-31"),
        ("days = 31", Retention(days=31), "2026-03-01"),
    ],
)
def test_the_retention_period_ends_at_the_last_declared_day(
    tmp_path: Path, rule: str, retention: Retention, first: str
) -> None:
    catalog = load(tmp_path, f'retention = {{ {rule} }}\nminors = {{ birth_date = "born" }}')
    (dataset,) = catalog.datasets
    assert (dataset.eligibility.retention, first_retained_day(catalog, dataset)) == (retention, first)
    assert [table.retained_from for table in catalog.tables] == [None, first]
    assert declared_days(catalog, dataset) == ("2025-03-01", "2026-03-31")
    minors = dataset.eligibility.minors
    assert minors is not None and str(age_reference_day(catalog, dataset, minors)) == first


def test_the_declared_days_are_those_of_all_tables(tmp_path: Path) -> None:
    catalog = load(tmp_path, "retention = { months = 1 }")
    (timed,) = [table for table in catalog.tables if table.time_column is not None]
    column = timed.columns_by_name.get(timed.time_column or "")
    assert column is not None and column.domain is not None
    far = replace(column, domain=replace(column.domain, lower="2024-01-05", upper="2025-06-30"))
    columns = tuple(far if each is column else each for each in timed.columns)
    both = replace(catalog, tables=(*catalog.tables, replace(timed, name="earlier", columns=columns)))
    assert declared_days(both, both.datasets[0]) == ("2024-01-05", "2026-03-31")


def test_the_table_of_persons_is_found_or_named(tmp_path: Path) -> None:
    one = load(tmp_path, 'minors = { age = "age" }')
    assert person_table(one, one.datasets[0]) is one.tables_by_name.get("people")
    both = load(tmp_path, "", MORE)
    assert person_table(both, both.datasets[0]) is both.tables_by_name.get("members"), "the one with consent"


NO_RANGE = ', range = ["2025-03-01", "2026-03-31"]'
BAD = {
    "a key that is none": ("minor = 1", "minor", "not known", "write minors"),
    "no law": ("jurisdiction = {}", "jurisdiction", "a law is that of a column", "column ="),
    "two laws": ('jurisdiction = { column = "country", constant = "AT" }', "jurisdiction", "a law is that", "column ="),
    "no code": ('jurisdiction = { constant = "Austria" }', "jurisdiction.constant", "no code", "two capitals"),
    "no list": ('jurisdiction = { column = "country", denied = "FR" }', "jurisdiction.denied", "no list", "denied ="),
    "small code": ('jurisdiction = { column = "country", denied = ["fr"] }', "jurisdiction.denied", "no code", "two cap"),
    "both lists": ('jurisdiction = { column = "country", denied = ["FR"], admitted = ["AT"] }', "jurisdiction.admitted", "not both", "keep one"),
    "admitted without a basis": ('jurisdiction = { column = "country", admitted = ["DE"] }', "jurisdiction.admitted", "until its legal basis", "legal_basis"),
    "denied with a basis": ('jurisdiction = { column = "country", denied = ["DE"], legal_basis = { DE = "x" } }', "jurisdiction.denied", "has a legal basis", "keep one"),
    "an empty basis": ('jurisdiction = { column = "country", legal_basis = { DE = " " } }', "jurisdiction.legal_basis.DE", "is empty", "fill it in"),
    "everybody denied": ('jurisdiction = { constant = "DE" }', "jurisdiction", "law of DE, which is denied", "legal_basis = { DE"),
    "everybody not listed": ('jurisdiction = { constant = "AT", admitted = ["FR"] }', "jurisdiction", "law of AT", "legal_basis"),
    "no column": ('jurisdiction = { column = "county" }', "jurisdiction.column", "declares no column county", "write country"),
    "no text": ('jurisdiction = { column = "age" }', "jurisdiction.column", "no VARCHAR", "VARCHAR"),
    "the person": ('minors = { age = "person_id" }', "minors.age", "no BIGINT column that says this", "beside the person"),
    "no age": ("minors = { minimum = 18 }", "minors", "one column", "birth_date"),
    "two ages": ('minors = { age = "age", birth_year = "year" }', "minors", "one column", "birth_date"),
    "no bands": ('minors = { age_band = "band" }', "minors.admitted", "no list of age bands", "admitted"),
    "bands and a minimum": ('minors = { age_band = "band", admitted = ["18+"], minimum = 18 }', "minors.minimum", "are listed", "remove"),
    "a list of ages": ('minors = { age = "age", admitted = ["18"] }', "minors.admitted", "only age bands", "minimum"),
    "no day": ('minors = { birth_date = "born", on = "soon" }', "minors.on", "no date", "2026"),
    "a birthday that is none": ('minors = { birth_date = "year" }', "minors.birth_date", "no DATE", "DATE"),
    "no retention": ("retention = {}", "retention", "months or of days", "months = 12"),
    "two retentions": ("retention = { days = 1, months = 1 }", "retention", "months or of days", "months = 12"),
    "no months": ("retention = { months = 0 }", "retention.months", "no integer", "range"),
    "another table": ('table = "trips"', "table", "no private table", "primary_key"),
}  # fmt: skip


@pytest.mark.parametrize("title", BAD)
def test_invalid_rules_are_refused(tmp_path: Path, title: str) -> None:
    rules, key, why, cure = BAD[title]
    with pytest.raises(CatalogError) as caught:
        load(tmp_path, rules)
    assert caught.value.key == f"datasets.city.admission.{key}"
    assert why in caught.value.why and cure in caught.value.cure


def test_days_must_be_declared_where_they_are_counted_from(tmp_path: Path) -> None:
    for rules in ("retention = { days = 9 }", 'minors = { birth_year = "year" }'):
        with pytest.raises(CatalogError, match="first and last day"):
            load(tmp_path, rules, without=NO_RANGE)
    load(tmp_path, 'minors = { birth_year = "year", on = "2026-01-01" }', without=NO_RANGE)


def test_an_ambiguous_person_table_is_refused(tmp_path: Path) -> None:
    two = MORE.replace('consent = { column = "yes", admitted = [true] }\n', "")
    with pytest.raises(CatalogError, match="one of people, members"):
        load(tmp_path, 'minors = { age = "age" }', two)
    load(tmp_path, 'table = "people"\nminors = { age = "age" }', two)
    with pytest.raises(CatalogError, match="consent is declared in members"):
        load(tmp_path, 'table = "people"\nminors = { age = "age" }', MORE)


def test_germany_is_denied_in_the_shipped_example_until_a_basis_is_stated(tmp_path: Path) -> None:
    """The operator's own catalog, without the words that say that its people are made up."""
    shipped = (ROOT / "engine" / "catalog" / "operator" / "catalog.toml").read_text(encoding="utf-8")
    denied = shipped.partition(", legal_basis = {")[0] + " }" + shipped.partition('behind a row." } }')[2]
    for text, codes in ((shipped, ()), (denied, ("DE",))):
        (tmp_path / "catalog.toml").write_text(text, encoding="utf-8")
        law = load_catalog(tmp_path / "catalog.toml").datasets[0].eligibility.jurisdiction
        assert law is not None and (law.codes, law.is_excluded) == (codes, True)
