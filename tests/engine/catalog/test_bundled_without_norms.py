"""The bundled catalogs without norms: what is answered and what is refused is the same as with them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from dialect import Refusal
from dialect.catalog.model import Catalog
from engine.catalog.bundled import MIBICI_CATALOG, find_catalog, mibici_folder
from engine.catalog.file import load_catalog
from engine.pricing.query_terms import Request
from tests.engine.town import opened
from tests.support.sql.analysts import questions
from tests.support.sql.sql_cases import sql_cases
from tests.support.statistics.mibici import needs_mibici
from tests.support.without_norms import without_norms
from tests.support.worlds import make_world

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


def stripped(catalog: Catalog, folder: Path, data_folder: Path) -> Catalog:
    """The same catalog without norms, over the same files."""
    text = Path(catalog.path).read_text(encoding="utf-8")
    (folder / "without.toml").write_text(without_norms(text), encoding="utf-8")
    return load_catalog(folder / "without.toml", data_folder=data_folder)


def test_the_operator_without_norms_answers_and_refuses_the_same_questions(tmp_path: Path) -> None:
    asked = [
        *questions().values(),
        *(case.sql for file in ("exact_operator", "exact_movement", "exact_analysts") for case in sql_cases(file)),
    ][::8]
    asked += [sql.format(person="subscriber_id", rows=rows) for sql in REFUSED for rows in ("event", "visit")]
    (tmp_path / "data").mkdir()
    catalog = make_world("operator", tmp_path / "data")
    declared = outcomes(catalog, tmp_path, asked)
    assert outcomes(stripped(catalog, tmp_path, tmp_path / "data"), tmp_path, asked) == declared
    assert sum(not code for code in declared.values()) > 30 and sum(map(bool, declared.values())) >= len(REFUSED)


@needs_mibici
def test_mibici_without_norms_answers_and_refuses_the_same_questions(tmp_path: Path) -> None:
    asked = [case.sql for case in sql_cases("exact_mibici")]
    asked += [sql.format(person="person_id", rows="trips") for sql in REFUSED]
    declared = outcomes(find_catalog("mibici"), tmp_path, asked)
    without = stripped(load_catalog(MIBICI_CATALOG, data_folder=mibici_folder()), tmp_path, mibici_folder())
    assert outcomes(without, tmp_path, asked) == declared
    assert sum(not code for code in declared.values()) > 20
