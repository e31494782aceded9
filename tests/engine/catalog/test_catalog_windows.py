"""Declared windows are read strictly: every mistake is named, with its place and its cure."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from dialect.catalog.model import Catalog
from dialect.catalog.privacy_windows import PrivacyWindow, WindowRange
from engine.catalog.file import load_catalog
from engine.errors import CatalogError
from tests.engine.town import CATALOG
from tests.engine.windowed_town import WINDOWED

GENDER = 'gender = { type = "VARCHAR", values = ["f", "m"]'
WRONG = {
    "an undeclared window": (WINDOWED, GENDER, f'{GENDER}, from_windows = ["2026-11-01"]', "columns.gender.from_windows", "no declared window"),
    "a window by another name": (WINDOWED, GENDER, f'{GENDER}, from_windows = ["2026-10"]', "columns.gender.from_windows", "no declared window"),
    "no windows to come from": (CATALOG, GENDER, f'{GENDER}, from_windows = ["forever"]', "columns.gender.from_windows", "dataset with windows"),
    "a public column": (WINDOWED, 'name = { type = "VARCHAR"', 'name = { from_windows = ["2026-10-01"], type = "VARCHAR"', "columns.name.from_windows", "only private rows"),
    "a date without a time": (WINDOWED, 'primary_key = ["person_id"]', 'primary_key = ["person_id"]\ndate_column = "gender"', "date_column", "there is none"),
    "a date that is the time": (WINDOWED, 'time_column = "day"', 'time_column = "day"\ndate_column = "day"', "date_column", "no date beside"),
    "a date of another type": (WINDOWED, 'time_column = "day"', 'time_column = "day"\ndate_column = "zone"', "date_column", "no date beside"),
    "consent in one window": (WINDOWED.replace('gender = {', 'since = { type = "DATE" }\ngender = {', 1), 'primary_key = ["person_id"]', 'primary_key = ["person_id"]\ntime_column = "since"', "consent", "decides of all windows"),
    "a law in one window": (WINDOWED.replace('gender = {', 'since = { type = "DATE" }\nlaw = { type = "VARCHAR" }\ngender = {', 1).replace('consent = { column = "consent", admitted = ["yes"] }', "").replace("[datasets.town.budget]", '[datasets.town.admission]\njurisdiction = { column = "law", denied = ["DE"] }\n[datasets.town.budget]'), 'primary_key = ["person_id"]', 'primary_key = ["person_id"]\ntime_column = "since"', "admission.table", "decide of all windows"),
    "a time from windows": (WINDOWED, 'day = {', 'day = { from_windows = ["2026-10-01"], ', "time_column", "whose a row is and when"),
    "a date from windows": (WINDOWED.replace('time_column = "day"', 'time_column = "at"\ndate_column = "day"').replace("day = {", 'at = { type = "TIMESTAMP" }\nday = {', 1), 'day = {', 'day = { from_windows = ["2026-10-01"], ', "date_column", "whose a row is and when"),
    "consent from windows": (WINDOWED, 'consent = { type', 'consent = { from_windows = ["2026-10-01"], type', "consent", "was computed from some"),
    "persons from windows": (WINDOWED, 'primary_key = ["person_id"]', 'primary_key = ["person_id"]\nfrom_windows = ["2026-10-01"]', "consent", "was computed from some"),
    "a person from windows": (WINDOWED, 'person_id = {', 'person_id = { from_windows = ["2026-10-01"], ', "person", "whose a row is and when"),
    "a law from windows": (WINDOWED.replace('gender = {', 'law = { type = "VARCHAR", from_windows = ["2026-10-01"] }\ngender = {', 1).replace('consent = { column = "consent", admitted = ["yes"] }', ""), "[datasets.town.budget]", '[datasets.town.admission]\njurisdiction = { column = "law", denied = ["DE"] }\n[datasets.town.budget]', "admission.table", "were computed from some"),
}  # fmt: skip


def loaded(folder: Path, text: str) -> Catalog:
    (folder / "catalog.toml").write_text(text)
    return load_catalog(folder / "catalog.toml")


def test_windows_are_read(tmp_path: Path) -> None:
    text = WINDOWED.replace(GENDER, f'{GENDER}, from_windows = ["2026-10-02"]')
    catalog = loaded(tmp_path, text)
    (dataset,) = catalog.datasets
    assert dataset.window_range == WindowRange(PrivacyWindow.DAY, date(2026, 10, 1), date(2026, 10, 4))
    assert dataset.window_names == ("2026-10-01", "2026-10-02", "2026-10-03", "2026-10-04")
    column = catalog.column("person", "gender")
    assert column is not None and column.source_windows == ("2026-10-02",)


@pytest.mark.parametrize("mistake", WRONG)
def test_a_mistake_is_named(tmp_path: Path, mistake: str) -> None:
    text, old, new, key, why = WRONG[mistake]
    assert old in text
    with pytest.raises(CatalogError) as caught:
        loaded(tmp_path, text.replace(old, new, 1))
    assert caught.value.key.endswith(key) and why in caught.value.why
