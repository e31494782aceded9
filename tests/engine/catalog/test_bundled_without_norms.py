"""The bundled catalogs have no norms: what is answered and what is refused is the same as with them."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from dialect import Refusal
from dialect.catalog.model import Catalog
from engine.catalog.bundled import MIBICI_CATALOG, find_catalog, mibici_folder
from engine.catalog.file import load_catalog
from engine.catalog.operator import make
from engine.pricing.query_terms import Request
from tests.engine.town import opened
from tests.support.sql.analysts import questions
from tests.support.sql.sql_cases import sql_cases
from tests.support.statistics.mibici import needs_mibici
from tests.support.without_norms import CLIP_BOUND_KEYS, without_norms
from tests.support.worlds import make_world

WITH_NORMS = Path("tests/support/catalogs_with_norms")
OPERATOR = Path(make.__file__).with_name("catalog.toml")
# of refused questions: rows, a person's key, too much work for one person, a budget
REFUSED = (
    "SELECT {person}, COUNT(*) FROM {rows} GROUP BY {person}",
    "SELECT * FROM {rows}",
    "SELECT COUNT(*) FROM {rows} a JOIN {rows} b USING ({person}) JOIN {rows} c USING ({person})",
    "SELECT SUM({person}) FROM {rows}",
    "SELECT COUNT(*) FROM {rows} WHERE nothing = 1",
)


def outcomes(catalog: Catalog, folder: Path, asked: Iterable[str]) -> dict[str, str]:
    """Code of each refusal; empty where a question is priced."""
    found: dict[str, str] = {}
    with opened(catalog, folder) as engine:
        for sql in asked:
            try:
                engine.compile(engine.read(sql, "ann"), Request("ann"))
                found[sql] = ""
            except Refusal as refusal:
                found[sql] = f"{refusal.code}: {refusal.why}"
    return found


def with_norms(name: str, folder: Path, data_folder: Path) -> Catalog:
    """The same catalog with the norms that it once had, over the same files."""
    text = (WITH_NORMS / f"{name}.toml").read_text(encoding="utf-8")
    (folder / "with.toml").write_text(text, encoding="utf-8")
    return load_catalog(folder / "with.toml", data_folder=data_folder)


def written(text: str) -> Any:
    """Parse a catalog file; sections that are empty without norms count as absent."""

    def pruned(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {key: kept for key, each in value.items() if (kept := pruned(each)) != {}}

    return pruned(tomllib.loads(text))


@pytest.mark.parametrize(("name", "path"), [("operator", OPERATOR), ("mibici", MIBICI_CATALOG)])
def test_a_bundled_catalog_declares_no_norms_and_is_otherwise_as_it_was(name: str, path: Path) -> None:
    text, copy = path.read_text(encoding="utf-8"), (WITH_NORMS / f"{name}.toml").read_text(encoding="utf-8")
    assert not any(key in text for key in CLIP_BOUND_KEYS) and any(key in copy for key in CLIP_BOUND_KEYS)
    assert written(text) == written(without_norms(copy))


def test_the_operator_answers_and_refuses_the_same_questions_with_norms(tmp_path: Path) -> None:
    asked = [
        *questions().values(),
        *(case.sql for file in ("exact_operator", "exact_movement", "exact_analysts") for case in sql_cases(file)),
    ][::8]
    asked += [sql.format(person="subscriber_id", rows=rows) for sql in REFUSED for rows in ("event", "visit")]
    (tmp_path / "data").mkdir()
    shipped = outcomes(make_world("operator", tmp_path / "data"), tmp_path, asked)
    assert outcomes(with_norms("operator", tmp_path, tmp_path / "data"), tmp_path, asked) == shipped
    assert sum(not code for code in shipped.values()) > 30 and sum(map(bool, shipped.values())) >= len(REFUSED)


@needs_mibici
def test_mibici_answers_and_refuses_the_same_questions_with_norms(tmp_path: Path) -> None:
    asked = [case.sql for case in sql_cases("exact_mibici")]
    asked += [sql.format(person="person_id", rows="trips") for sql in REFUSED]
    shipped = outcomes(find_catalog("mibici"), tmp_path, asked)
    assert outcomes(with_norms("mibici", tmp_path, mibici_folder()), tmp_path, asked) == shipped
    assert sum(not code for code in shipped.values()) > 20
