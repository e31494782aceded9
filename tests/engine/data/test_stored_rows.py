"""Tables computed at read time are refused at opening: no bound on one person's rows covers them."""

from __future__ import annotations

from contextlib import closing
from fractions import Fraction
from pathlib import Path

import pytest

from dialect import compile_query
from engine.backends.exact import NO_OBJECTIONS
from engine.data.checks import snapshot as snapshot_checks
from engine.data.layout import build_layout
from engine.errors import DataError
from engine.pricing.compile_release import compile_release
from tests.engine.town import CATALOG, ROWS, backend_over, make_town

STORED = "ALTER TABLE visit RENAME TO stored"
# everybody's rows are there only where all people are
OF_ALL = f"""{STORED}; CREATE VIEW visit AS
    SELECT s.* FROM stored AS s WHERE (SELECT count(DISTINCT person_id) FROM stored) >= 220"""
ROLLED = """ALTER TABLE visit DROP COLUMN coins;
    CREATE TABLE v (person_id BIGINT, visit_id BIGINT, zone VARCHAR, minutes DOUBLE, shop VARCHAR, day DATE,
                    coins INTEGER AS (CAST(random() * 9 AS INTEGER)));
    INSERT INTO v BY NAME FROM visit; DROP TABLE visit; ALTER TABLE v RENAME TO visit"""
SIZES = 'size_class = "1e3"\nmax_groups_per_person = 4'
# a column that is looked up: the table is copied into the cache
LOOKED_UP = CATALOG.replace(
    SIZES, f'{SIZES}\njoins = [{{ column = "zone_name", on = "zone", table = "zone", take = "name" }}]'
).replace("coins = {", 'zone_name = { type = "VARCHAR" }\ncoins = {')
LEFT = "DELETE FROM {} WHERE person_id = 7"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (OF_ALL, "is a view"),
        (f"{STORED}; CREATE VIEW VISIT AS FROM stored", "is a view"),
        ("ALTER TABLE zone RENAME TO z; CREATE VIEW zone AS SELECT DISTINCT v.zone, name, inhabitants FROM visit AS v JOIN z USING (zone)", "is a view"),
        (ROLLED, "is generated"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("copied", [False, True])
def test_a_view_or_generated_table_is_refused(tmp_path: Path, change: str, why: str, copied: bool) -> None:
    declared = LOOKED_UP if copied else CATALOG
    with pytest.raises(DataError, match=why):
        backend_over(make_town(tmp_path, f"{ROWS}; {change}", declared), tmp_path / "cache")


def test_a_column_with_a_default_and_such_names_is_read(tmp_path: Path) -> None:
    named = "ALTER TABLE visit ADD COLUMN \"generated always as\" VARCHAR DEFAULT 'GENERATED ALWAYS AS'"
    backend_over(make_town(tmp_path, f"{ROWS}; {named}"), tmp_path / "cache").close()


def test_a_copy_that_was_made_of_a_view_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    catalog = make_town(tmp_path, f"{ROWS}; {OF_ALL}", LOOKED_UP)
    with monkeypatch.context() as patched:  # as older versions did
        patched.setattr(snapshot_checks, "_check_source", lambda *_: None)
        backend_over(catalog, tmp_path / "cache").close()
    with pytest.raises(DataError, match="is a view"):
        backend_over(catalog, tmp_path / "cache")


def test_no_layout_is_made_of_a_view(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is a view"):
        build_layout(make_town(tmp_path, f"{ROWS}; {OF_ALL}"), tmp_path / "cache", lambda *_: None)
    assert not (tmp_path / "cache").exists()


def total(folder: Path, change: str) -> tuple[int, float]:
    """Exact number of a count of rows over changed data, and how far one person may move it."""
    folder.mkdir()
    catalog = make_town(folder, f"{ROWS}; {change}")
    with closing(backend_over(catalog, folder / "cache")) as backend:
        (plan,) = compile_query("SELECT count(*) AS n FROM visit", catalog).plans
        made = compile_release(plan, catalog, backend, Fraction(1, 10))
        (vector,) = made.bounds.vectors
        exact = backend.run(made.sql, NO_OBJECTIONS)
        return int(exact.vectors[0][0]), float(vector.sensitivity)


def test_planted_opening_of_a_view_lets_one_person_move_everybody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored, least = total(tmp_path / "with", ""), total(tmp_path / "without", LEFT.format("visit"))
    assert 0 < stored[0] - least[0] <= stored[1]
    monkeypatch.setattr(snapshot_checks, "_check_source", lambda *_: None)
    viewed = total(tmp_path / "view", OF_ALL)
    moved = total(tmp_path / "view without", f"{OF_ALL}; {LEFT.format('stored')}")
    assert viewed[0] - moved[0] > 10 * viewed[1]
