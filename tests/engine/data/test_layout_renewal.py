"""A layout that is brought up to new files holds what one holds that is made at once, and gives the same integers."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from engine import ingest_files
from engine.backends.duckdb import DuckDBBackend
from engine.catalog.file import load_catalog
from engine.data import layout
from engine.data.layout import LayoutReport, build_layout, open_layout_or_snapshot
from engine.data.snapshot import open_snapshot
from tests.engine.data.test_layout import BY_ROWS, BY_ZONE, ROLLED, Both
from tests.engine.data.test_layout import DECLARED as ROLLUPS
from tests.engine.ingest_town import DECLARED, GOOD, make, new_file

BUYS = "SELECT price > 10 AS dear, sum(price) AS s, count(*) AS n FROM purchase GROUP BY 1"
WITH_PERSON = "SELECT zone, count(*) AS n FROM visit JOIN person USING (person_id) WHERE gender = 'f' GROUP BY zone"
ONE_DAY = "SELECT zone, count(*) AS n FROM visit WHERE day = DATE '2026-10-04' GROUP BY zone"
ALL = ROLLUPS.replace("]", f", '''{WITH_PERSON}''', '''{ONE_DAY}''', '''{BUYS}''']")
APART = 3  # of them keep windows apart that are those of visits, by day
NEW = (*GOOD, "5010,12,z3,4,3,a,2026-10-04", "5011,12,z3,4,3,a,2026-10-04")
LATE = ("5020,12,z3,5.5,4,a,2026-10-01", "5021,14,z0,9,1,a,2026-10-02", "5022,1,z3,5,4,a,2026-10-01")
FOREVER = DECLARED.replace(
    'window = "day"\nfirst_window = "2026-10-01"\nlast_window = "2026-10-04"', 'window = "forever"'
).replace('time_column = "day"', "")


class Town:
    """A town whose visits lie in files, with a layout."""

    def __init__(self, folder: Path, declared: str, prepare: Callable[[], object] = lambda: None) -> None:
        self.where, self.cache = make(folder), folder / "cache"
        prepare()
        text = declared.replace("[datasets.town.budget]", f"{ALL}\n[datasets.town.budget]")
        self.where.write_text(text, encoding="utf-8")
        with duckdb.connect(str(folder / "town.duckdb")) as connection:
            connection.execute("INSERT INTO purchase VALUES (9001, 5010, 15)")  # its visit is yet to come
        self.optimize()

    def optimize(self, **options: bool) -> LayoutReport:
        return build_layout(load_catalog(self.where), self.cache, lambda *_: None, **options)

    def add(self, name: str, *rows: str) -> LayoutReport:
        """Add rows, and bring the layout up to them."""
        done = ingest_files(
            str(self.where), "visit", [new_file(self.where.parent / "new" / f"{name}.csv", *rows)], late=True
        )
        assert done["rows"] == len(rows)
        return self.optimize(rebuild=False)

    @contextmanager
    def both(self) -> Iterator[Both]:
        """Open the data and their layout."""
        catalog = load_catalog(self.where)
        made = open_snapshot(catalog, self.where.parent / "other", lambda *_: None)
        found, rollups = open_layout_or_snapshot(catalog, self.cache, lambda *_: None)
        assert len(rollups) == 5 and "layout" in found.files
        raw = DuckDBBackend.open(made.files, made.addresses, self.cache)
        opened = Both(catalog, raw, DuckDBBackend.open(found.files, found.addresses, self.cache, rollups=rollups))
        yield opened
        opened.close()

    def differs(self) -> bool:
        """Does the layout have other rows than one made at once, and do answers show it?"""
        with self.both() as opened:
            other = any(opened.differ(sql) for sql in (*ROLLED, *BY_ROWS, WITH_PERSON, BUYS))
        shutil.copy(self.optimize(rebuild=False).file, kept := self.where.parent / "kept.duckdb")
        fresh = self.optimize()
        assert not fresh.renewed
        with duckdb.connect() as connection:
            connection.execute(f"ATTACH '{kept}' AS one (READ_ONLY); ATTACH '{fresh.file}' AS two (READ_ONLY)")
            of = "SELECT table_name FROM duckdb_tables() WHERE database_name = '{}' ORDER BY 1"
            names = [connection.execute(of.format(each)).fetchall() for each in ("one", "two")]
            assert names[0] == names[1] and len(names[0]) == 9
            held = any(_differ(connection, f'main."{table}"') for (table,) in names[0])
        assert held or not other, "answers differ, and no stored row does"
        return other


def _differ(connection: duckdb.DuckDBPyConnection, table: str) -> bool:
    one, two = f"FROM one.{table}", f"FROM two.{table}"
    rest = f"({one} EXCEPT ALL {two}) UNION ALL ({two} EXCEPT ALL {one})"
    return bool(connection.execute(f"SELECT 1 FROM ({rest}) LIMIT 1").fetchall())


@pytest.fixture(params=[DECLARED, FOREVER], ids=["by day", "forever"])
def town(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Town:
    monkeypatch.setenv("PASSERSBY_DATA", str(tmp_path / "data"))
    return Town(tmp_path, request.param)


@pytest.fixture
def by_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Town:
    monkeypatch.setenv("PASSERSBY_DATA", str(tmp_path / "data"))
    return Town(tmp_path, DECLARED)


def spied(monkeypatch: pytest.MonkeyPatch, where: Any, name: str) -> list[object]:
    """Note the calls of a function, and let them through."""
    calls, kept = [], getattr(where, name)

    def noting(*given: Any) -> Any:
        calls.append(given)
        return kept(*given)

    monkeypatch.setattr(where, name, noting)
    return calls


def test_new_rows_and_late_ones_give_the_same_integers(town: Town) -> None:
    assert town.add("new", *NEW).renewed and not town.differs()
    assert town.add("late", *LATE).renewed
    assert town.add("more", "5030,2,z1,1,1,a,2026-10-03").renewed and not town.differs()


def test_only_partitions_changed_by_new_rows_are_rebuilt(by_day: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, parts = spied(monkeypatch, layout, "build_rollup"), spied(monkeypatch, layout, "_rows_in_windows")
    by_day.add("new", *NEW)
    assert [[str(begin) for begin in begins] for _, _, begins in parts] == [["2026-10-03", "2026-10-04"]] * APART
    assert len(whole) == 2, "of one day, without windows; and of rows that find their person by a visit of any day"


@pytest.mark.parametrize(
    "bug",
    [
        lambda begins: begins[-1:],  # the rows of an earlier window are late, and nobody looks
        lambda begins: (),
    ],
)
def test_a_partition_that_is_not_rebuilt_is_found(
    by_day: Town, monkeypatch: pytest.MonkeyPatch, bug: Callable[[Any], Any]
) -> None:
    kept = layout._append_files
    monkeypatch.setattr(layout, "_append_files", lambda *given: bug(kept(*given)))
    by_day.add("late", *LATE)
    assert by_day.differs()


def replace_a_file(town: Town) -> None:
    """Replace rows of a file that is there, under its name."""
    file = town.where.parent / "visits" / "visits-0.parquet"
    with duckdb.connect() as connection:
        rows = f"SELECT * REPLACE (coins + 1 AS coins) FROM '{file}' WHERE person_id <> 12"
        connection.execute(f"COPY ({rows}) TO '{file}.new' (FORMAT parquet)")
    Path(f"{file}.new").replace(file)


def test_replaced_files_force_a_full_rebuild(by_day: Town) -> None:
    replace_a_file(by_day)
    assert not by_day.add("new", *NEW).renewed and not by_day.differs()
    by_day.add("more", "5030,2,z1,1,1,a,2026-10-03")
    next((by_day.where.parent / "visits").glob("ingested-*")).unlink()
    assert not by_day.optimize(rebuild=False).renewed and not by_day.differs()
    shutil.copy(by_day.where.parent / "visits" / "visits-0.parquet", by_day.where.parent / "visits" / "by_hand.parquet")
    assert not by_day.optimize(rebuild=False).renewed, "what came by hand may be stored in another way"


def by_name_alone(made: dict[str, Any]) -> dict[str, Any]:
    """A planted bug: sizes and times of files are not looked at."""
    return {table: told | {"files": [file[:1] for file in told.get("files", ())]} for table, told in made.items()}


def test_a_layout_that_goes_on_from_replaced_rows_is_found(by_day: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    replace_a_file(by_day)
    kept = layout._ingested_since
    monkeypatch.setattr(layout, "_ingested_since", lambda table, *made: kept(table, *map(by_name_alone, made)))
    assert by_day.add("new", *NEW).renewed
    with by_day.both() as opened:
        assert any(opened.differ(sql) for sql in ROLLED)


PERSONS = 'source = { duckdb = "town.duckdb", table = "person" }'


def with_persons_in_files(declared: str) -> str:
    """Declare persons as files, behind their visits."""
    at = declared.index("[tables.person]")
    end = declared.index("[tables.", at + 1)
    persons = declared[at:end].replace(PERSONS, 'source = { parquet = "persons/*.parquet" }')
    return f"{declared[:at]}{declared[end:]}\n{persons}"


def write_persons(folder: Path, where: str) -> str:
    folder.mkdir(exist_ok=True)
    with duckdb.connect(str(folder.parent / "town.duckdb")) as connection:
        connection.execute(
            f"COPY (SELECT * FROM person WHERE {where}) TO '{folder}/{len(where)}.parquet' (FORMAT parquet)"
        )
    return f"{folder}/{len(where)}.parquet"


@pytest.fixture
def growing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Town:
    """A town that gets visits, and persons with earlier visits, and has a layout without both."""
    monkeypatch.setenv("PASSERSBY_DATA", str(tmp_path / "data"))
    town = Town(
        tmp_path, with_persons_in_files(DECLARED), lambda: write_persons(tmp_path / "persons", "person_id > 50")
    )
    late = write_persons(tmp_path / "new", "person_id <= 50")
    assert ingest_files(str(town.where), "person", [late], late=True)["rows"] == 50
    return town


def test_new_rows_of_two_tables_make_a_rollup_of_both_anew(growing: Town) -> None:
    assert growing.add("new", *NEW).renewed and not growing.differs()


def test_a_rollup_that_ignores_one_of_two_tables_is_found(growing: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted bug: persons who came too are left out of the windows in which no visit came."""
    kept = layout._LayoutUpdate

    def forgetting(*given: Any) -> Any:
        made = kept(*given)
        return replace(
            made,
            windows_with_new_rows={name: days for name, days in made.windows_with_new_rows.items() if name == "visit"},
        )

    monkeypatch.setattr(layout, "_LayoutUpdate", forgetting)
    assert growing.add("new", *NEW).renewed and growing.differs()


def test_declared_rollups_come_and_go(by_day: Town) -> None:
    text = by_day.where.read_text(encoding="utf-8")
    by_day.where.write_text(text.replace(f", '''{WITH_PERSON}'''", ""), encoding="utf-8")
    catalog = load_catalog(by_day.where)
    assert by_day.optimize(rebuild=False).renewed
    assert len(open_layout_or_snapshot(catalog, by_day.cache, lambda *_: None)[1]) == 4
    with duckdb.connect(str(by_day.optimize(rebuild=False).file), read_only=True) as connection:
        stored = connection.execute("SELECT count(*) FROM duckdb_tables() WHERE table_name LIKE 'rollup %'").fetchall()
        assert stored == [(4,)], "one that is declared no more stays"
    by_day.where.write_text(text, encoding="utf-8")
    assert by_day.optimize(rebuild=False).renewed and not by_day.differs()


def test_a_layout_that_is_being_read_is_not_touched(by_day: Town) -> None:
    with by_day.both() as opened:
        by_day.add("new", *NEW)
        assert not opened.differ(BY_ZONE)
