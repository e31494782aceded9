"""A release is another one where what it rests on is declared otherwise, and the same one where anything else is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from dialect import Catalog, compile_query
from dialect.catalog.model import Column
from engine.catalog.file import load_catalog
from engine.catalog.version import catalog_version, release_dependency_digest
from engine.pipeline.engine import Engine
from engine.pricing.query_terms import Request
from tests.engine.town import CATALOG, make_town

BY_ZONE = "SELECT zone, COUNT(*) AS n FROM visit GROUP BY zone"
PATHS = "SELECT COUNT(*) AS n FROM purchase"
Change = Callable[[str], str]

MEANS: dict[str, Change] = {
    "source": lambda text: text.replace('table = "visit"', 'table = "purchase"'),
    "values": lambda text: text.replace('values = ["f", "m"]', 'values = ["f"]'),
    "consent": lambda text: text.replace('admitted = ["yes"]', 'admitted = ["no"]'),
    "data": lambda text: text.replace('window = "forever"', 'window = "forever"\ndata_version = 2'),
    "rows kept": lambda text: text.replace('size_class = "1e3"', 'size_class = "1e3"\nmax_rows_per_person = 7', 1),
}
MEANS_NOTHING: dict[str, Change] = {
    "budget": lambda text: text.replace("client_rho = 0.1", "client_rho = 0.05\nquery_rho = 0.02"),
    "size": lambda text: text.replace('size_class = "1e3"', 'size_class = "1e4"', 1),
    "a comment": lambda text: text + "# nothing\n",
}


def key(catalog: Catalog, engine: Engine, sql: str) -> str:
    (prepared,) = replace(engine, catalog=catalog).compile(compile_query(sql, catalog), Request("ann")).releases
    return prepared.release_key


def changed(tmp_path: Path, change: Change) -> Catalog:
    text = change(CATALOG)
    assert text != CATALOG
    (tmp_path / "catalog.toml").write_text(text)
    return load_catalog(tmp_path / "catalog.toml")


@pytest.mark.parametrize("name", MEANS)
def test_changed_inputs_of_a_release_change_its_key(name: str, engine: Engine, tmp_path: Path) -> None:
    before = make_town(tmp_path)
    assert key(before, engine, BY_ZONE) != key(changed(tmp_path, MEANS[name]), engine, BY_ZONE)


@pytest.mark.parametrize("name", MEANS_NOTHING)
def test_changes_irrelevant_to_a_release_keep_replays_free(name: str, engine: Engine, tmp_path: Path) -> None:
    before = make_town(tmp_path)
    after = changed(tmp_path, MEANS_NOTHING[name])
    assert key(before, engine, BY_ZONE) == key(after, engine, BY_ZONE)
    assert name == "a comment" or catalog_version(before) != catalog_version(after)


def test_the_tables_on_the_path_to_a_person_count_and_others_do_not(engine: Engine) -> None:
    town = engine.catalog
    wider = {
        table.name: replace(
            town,
            tables=tuple(
                replace(t, columns=(*t.columns, Column("more", t.columns[0].type, "BIGINT"))) if t is table else t
                for t in town.tables
            ),
        )
        for table in town.tables
    }
    (plan,) = compile_query(PATHS, town).plans
    other = {
        name
        for name, catalog in wider.items()
        if release_dependency_digest(plan, catalog) != release_dependency_digest(plan, town)
    }
    assert other == {"purchase", "visit", "person"}  # purchase leads to visit; person decides who is admitted
    (plan,) = compile_query(BY_ZONE, town).plans
    other = {
        name
        for name, catalog in wider.items()
        if release_dependency_digest(plan, catalog) != release_dependency_digest(plan, town)
    }
    assert {"visit", "person"} <= other and "purchase" not in other


def test_files_and_catalog_may_move_together(tmp_path: Path) -> None:
    towns = []
    for folder in ("here", "there"):
        (tmp_path / folder).mkdir()
        towns.append(make_town(tmp_path / folder))
    (plan,) = compile_query(BY_ZONE, towns[0]).plans
    assert release_dependency_digest(plan, towns[0]) == release_dependency_digest(plan, towns[1])
    assert catalog_version(towns[0]) == catalog_version(towns[1])
