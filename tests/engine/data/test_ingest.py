"""New rows go in once and as a whole, or not at all; what is refused is counted, kept apart, and shown to nobody."""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest
from typer.testing import CliRunner

import engine
from dialect.catalog.model import Dataset
from engine import Refused, Session, ingest_files, open_session
from engine.catalog.file import load_catalog
from engine.data.open_data import open_data
from engine.data.snapshot import open_snapshot
from passersby.cli.app import app
from tests.engine.ingest_town import BAD, DECLARED, GOOD, HEADER, SECRET, VISITS, make, new_file, state
from tests.support.ledger.dying_ingest import BUG, DONE, STEPS
from tests.support.timeouts import MAX_SECONDS, killed_after_timeout
from tests.support.tree import ROOT

ADMITTED = 2  # of the good rows: the first one's person has not consented
QUESTION = "SELECT count(*) AS n FROM visit WHERE day = DATE '2026-10-01'"


@dataclass
class Town:
    """A town of a test's own."""

    folder: Path
    where: Path
    before: tuple[int, str]

    def ingest(self, *files: str, **options: Any) -> dict[str, Any]:
        return ingest_files(str(self.where), "visit", files, **options)

    def state(self) -> tuple[int, str]:
        return state(self.where, self.folder / "cache")

    def visits(self) -> list[str]:
        return sorted(path.name for path in (self.folder / "visits").glob("*.parquet"))

    def left(self) -> list[str]:
        """List what is in the folder that is worked in."""
        staging = self.folder / "visits" / ".ingest"
        return sorted(path.name for path in staging.iterdir() if path.name not in ("lock", "deliveries.json"))


@pytest.fixture
def town(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Town:
    monkeypatch.setenv("PASSERSBY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PASSERSBY_DATA", str(tmp_path / "data"))
    where = make(tmp_path)
    return Town(tmp_path, where, state(where, tmp_path / "cache"))


@contextmanager
def session_of_town(town: Town) -> Iterator[Session]:
    session = open_session(str(town.where))
    try:
        yield session
    finally:
        session.close()


def test_new_rows_are_counted_and_the_version_is_another(town: Town) -> None:
    done = town.ingest(new_file(town.folder / "new" / "a.csv", *GOOD))
    after = town.state()
    assert (done["rows"], done["files"], done["already"], done["refused"]) == (3, 1, 0, {})
    assert after == (town.before[0] + ADMITTED, done["version"]) and after[1].startswith("1+")
    assert town.left() == []
    town.ingest(new_file(town.folder / "new" / "b.csv", "5004,2,z1,1,1,a,2026-10-04"))
    assert town.state()[0] == after[0] + 1 and town.state()[1] not in (after[1], town.before[1])


def test_files_are_named_each_or_by_a_folder_or_a_pattern(town: Town) -> None:
    new = town.folder / "new"
    files = [new_file(new / f"{at}.csv", row) for at, row in enumerate(GOOD)]
    with duckdb.connect() as connection:
        last = "SELECT 5009 AS visit_id, 2 AS person_id, 'z1' AS zone, '2026-10-04' AS day, 'a' AS shop, 1 AS coins, 1.5::DOUBLE AS minutes"
        connection.execute(f"COPY ({last}) TO '{new}/last.parquet' (FORMAT parquet)")
    assert town.ingest(files[0])["rows"] == 1
    by_pattern = town.ingest(f"{new}/*.csv")
    assert (by_pattern["rows"], by_pattern["files"], by_pattern["already"]) == (2, 2, 1)
    by_folder = town.ingest(str(new))
    assert (by_folder["rows"], by_folder["files"], by_folder["already"]) == (1, 1, 3)
    assert town.state()[0] == town.before[0] + ADMITTED + 1


def test_the_same_files_are_added_once(town: Town) -> None:
    file = new_file(town.folder / "new" / "a.csv", *GOOD)
    copy = new_file(town.folder / "new" / "copy.csv", *GOOD)
    assert town.ingest(file, copy)["already"] == 1
    after, files = town.state(), town.visits()
    done = town.ingest(copy)
    assert (done["rows"], done["files"], done["already"], done["version"]) == (0, 0, 1, after[1])
    assert (town.state(), town.visits()) == (after, files)


def test_bad_rows_are_refused_counted_and_stored_privately(town: Town, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    file = new_file(town.folder / "new" / "a.csv", *GOOD, *BAD.values())
    shown = CliRunner().invoke(app, ["ingest", "visit", file, "-c", str(town.where)])
    assert shown.exit_code == 0, shown.output
    (kept,) = (town.folder / "visits" / ".ingest").glob("refused-*.parquet")
    assert kept.stat().st_mode & 0o777 == 0o600 and kept.parent.stat().st_mode & 0o777 == 0o700
    with duckdb.connect() as connection:
        found = connection.execute(f"SELECT \"why refused\", count(*) FROM '{kept}' GROUP BY 1").fetchall()
        assert dict(found) == {reason: text.count("\n") + 1 for reason, text in BAD.items()}
        assert connection.execute(
            f"SELECT count(*) FROM '{kept}' AS k WHERE k::VARCHAR LIKE '%{SECRET}%'"
        ).fetchall() == [(len(BAD),)]
    assert all(f"{text.count(chr(10)) + 1}: {reason}" in shown.output for reason, text in BAD.items())
    told = " ".join(shown.output.split())
    assert str(kept.name) in told.replace(" ", "") and "10 rows were refused" in told
    assert SECRET not in shown.output + caplog.text
    assert town.state()[0] == town.before[0] + ADMITTED
    assert not [path for path in town.visits() if SECRET.encode() in (town.folder / "visits" / path).read_bytes()]


def test_nothing_but_bad_rows_changes_nothing(town: Town) -> None:
    done = town.ingest(new_file(town.folder / "new" / "a.csv", *BAD.values()))
    assert done["rows"] == 0 and sum(done["refused"].values()) == len(BAD) + 1
    assert (town.state(), town.left()) == (town.before, [Path(str(done["quarantine"])).name])


@pytest.mark.parametrize(
    ("named", "text", "why"),
    [
        ("b.csv", "visit_id,person_id\n1,1\n", "has no column zone"),
        ("b.csv", f"# of {SECRET}\n{HEADER}\n{GOOD[0]}\n", "has no column"),
        (
            "b.csv",
            f"{HEADER}\n{GOOD[0]}\n{SECRET},1\n",
            "b.csv can't be read to its end: line 3: 2 fields instead of 7.",
        ),
        (
            "b.csv",
            f"{HEADER}\n{GOOD[0]}\n{GOOD[1]}\r\n{SECRET}",
            "b.csv can't be read to its end: line 3: line ends are mixed",
        ),
        ("b.parquet", f"PAR1{SECRET}PAR1", "b.parquet can't be read to its end."),
    ],
)
def test_a_file_that_is_none_is_refused_as_a_whole(town: Town, named: str, text: str, why: str) -> None:
    good = new_file(town.folder / "new" / "a.csv", *GOOD)
    bad = town.folder / "new" / named
    bad.write_text(text, encoding="utf-8")
    with pytest.raises(Refused) as refused:
        town.ingest(good, str(bad))
    told = json.dumps(refused.value.problem)
    assert why in told and SECRET not in told
    assert (town.state(), town.left()) == (town.before, [])


def test_no_line_is_skipped(town: Town) -> None:
    rows = [f"{6000 + at},2,z1,1,1,a,2026-10-04" for at in range(30)] + ["#6100,2,z1,1,1,a,2026-10-04"]
    done = town.ingest(new_file(town.folder / "new" / "a.csv", *rows))
    assert (done["rows"], done["refused"]) == (30, {"visit_id is no BIGINT": 1})


def test_a_parquet_column_of_another_type_is_refused(town: Town) -> None:
    with duckdb.connect() as connection:
        row = "SELECT 1.5::DOUBLE AS visit_id, 2 AS person_id, 'z1' AS zone, '2026-10-04' AS day, 'a' AS shop, 1 AS coins, 1 AS minutes"
        connection.execute(f"COPY ({row}) TO '{town.folder}/new.parquet' (FORMAT parquet)")
    with pytest.raises(Refused) as refused:
        town.ingest(str(town.folder / "new.parquet"))
    assert "stores visit_id as DOUBLE, declared is BIGINT" in json.dumps(refused.value.problem)


def test_a_uuid_is_added_as_its_text_and_where_files_store_it_a_cure_is_shown(town: Town) -> None:
    shop = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"
    with duckdb.connect() as connection:
        row = f"SELECT 5009 AS visit_id, 2 AS person_id, 'z1' AS zone, '2026-10-04' AS day, '{shop}'::UUID AS shop, 1 AS coins, 1.5::DOUBLE AS minutes"
        connection.execute(f"COPY ({row}) TO '{town.folder}/new.parquet' (FORMAT parquet)")
        before = town.visits()
        assert town.ingest(str(town.folder / "new.parquet"))["rows"] == 1
        (added,) = set(town.visits()) - set(before)
        stored = f"'{town.folder}/visits/{added}'"
        assert connection.execute(f"SELECT shop, typeof(shop) FROM {stored}").fetchall() == [(shop, "VARCHAR")]
        for path in (town.folder / "visits").glob("*.parquet"):
            connection.execute(f"CREATE OR REPLACE TABLE rows AS SELECT * REPLACE (uuid() AS shop) FROM '{path}'")
            connection.execute(f"COPY rows TO '{path}' (FORMAT parquet)")
    with pytest.raises(Refused) as refused:
        town.ingest(new_file(town.folder / "new" / "a.csv", *GOOD))
    assert "CAST(shop AS VARCHAR)" in json.dumps(refused.value.problem)


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ("zone", "it is public"),
        ("nothing", "no such table"),
        ("vist", "write visit"),
        ("person", "a folder of Parquet files"),
    ],
)
def test_other_tables_are_refused(town: Town, table: str, why: str) -> None:
    with pytest.raises(Refused) as refused:
        ingest_files(str(town.where), table, [new_file(town.folder / "new" / "a.csv", *GOOD)])
    assert why in json.dumps(refused.value.problem)


def test_a_csv_table_takes_no_new_files(town: Town) -> None:
    town.where.write_text(town.where.read_text("utf-8").replace('parquet = "visits/*.parquet"', 'csv = "visits.csv"'))
    with pytest.raises(Refused, match="its source is CSV") as refused:
        town.ingest(new_file(town.folder / "new" / "a.csv", *GOOD))
    assert "passersby catalog convert" in json.dumps(refused.value.problem)


def test_no_file_is_refused(town: Town) -> None:
    with pytest.raises(Refused, match=r"at .*nothing"):
        town.ingest(str(town.folder / "nothing"))


def test_one_ingest_at_a_time(town: Town) -> None:
    staging = town.folder / "visits" / ".ingest"
    staging.mkdir()
    holding = f"import duckdb; held = duckdb.connect({str(staging / 'lock')!r}); print('held', flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", holding], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        with killed_after_timeout(other):
            assert other.stdout is not None and other.stdout.readline() == b"held\n"
        with pytest.raises(Refused, match="another ingest"):
            town.ingest(new_file(town.folder / "new" / "a.csv", *GOOD))
        other.kill()
    assert town.ingest(str(town.folder / "new"))["rows"] == len(GOOD)


# ---------------------------------------------------------------- killed


@pytest.fixture
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of towns that got the same rows from a process killed at a different step each."""
    folder = tmp_path_factory.mktemp("killed")
    (folder / "made").mkdir()
    make(folder / "made")
    file = new_file(folder / "new" / "a.csv", *GOOD, *BAD.values())
    command = [sys.executable, "-m", "tests.support.ledger.dying_ingest", *map(str, (folder / "made", folder, file))]
    own = {**os.environ, "PASSERSBY_DATA": str(folder / "data"), "PASSERSBY_CACHE": str(folder / "cache")}
    done = subprocess.run(command, cwd=ROOT, env=own, capture_output=True, text=True, timeout=MAX_SECONDS)
    assert done.returncode == 0, done.stderr
    ends = {step: 0 if step == "never" else -signal.SIGKILL for step in (*STEPS, *DONE, BUG)}
    assert done.stdout.splitlines() == [f"{step}: {end}" for step, end in ends.items()]
    assert SECRET not in done.stdout + done.stderr
    return folder


def stored(town: Path) -> tuple[int, bool]:
    """Row count, and whether the version changed."""
    with duckdb.connect() as connection:
        (rows,) = connection.execute(f"SELECT count(*) FROM '{town}/visits/*.parquet'").fetchall()[0]
    return rows, load_catalog(town / "catalog.toml").datasets_by_name["town"].ingest_version != ""


BEFORE, AFTER = (VISITS, False), (VISITS + len(GOOD), True)


def test_a_killed_ingest_is_before_or_after_and_running_again_finishes(
    killed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PASSERSBY_DATA", str(tmp_path))
    for step in (*STEPS, *DONE):
        assert stored(killed / step) == (AFTER if step in DONE else BEFORE), step
        for again in (0, 1):
            done = ingest_files(str(killed / step / "catalog.toml"), "visit", [str(killed / "new")])
            assert done["already"] == (1 if again or step in DONE else 0), step
            assert stored(killed / step) == AFTER, step
        left = [path.name for path in (killed / step / "visits" / ".ingest").iterdir()]
        assert len(left) == 3, step  # the lock, the note of deliveries, and what is refused, once
        assert not any(name.startswith("work-") for name in left), step
    assert stored(killed / BUG) not in (BEFORE, AFTER), "rows that go in before the version are not caught"


# ---------------------------------------------------------------- versions


def ask(town: Town) -> float:
    """Run one query and return its cost."""
    with session_of_town(town) as session:
        session.query(QUESTION, client="ana", rho="0.01")
        (account,) = [
            each
            for each in session.engine.ledger.accounts("town")
            if each.name.holder == "ana" and each.name.window == "2026-10-01"
        ]
        return float(account.spent.rho)


def is_served_again(town: Town) -> bool:
    """Is an earlier answer served after new rows are in?"""
    first = ask(town)
    assert ask(town) == first == 0.01
    town.ingest(new_file(town.folder / "new" / "a.csv", *GOOD))
    again = ask(town)
    assert again in (first, 2 * first)
    return again == first


def test_an_answer_from_before_the_ingest_is_not_replayed(town: Town) -> None:
    assert not is_served_again(town)


def test_a_data_version_that_ignores_added_files_is_caught(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Dataset, "full_data_version", property(lambda dataset: str(dataset.data_version)))
    assert is_served_again(town)


def test_late_rows_are_refused_unless_they_may_be_late(town: Town) -> None:
    ask(town)
    new = new_file(town.folder / "new" / "a.csv", GOOD[0])
    late = new_file(town.folder / "new" / "b.csv", "5004,2,z1,1,1,a,2026-10-01", "5005,2,z1,1,1,a,2026-10-04")
    assert town.ingest(new)["rows"] == 1
    before = town.state()
    with pytest.raises(Refused, match=r"charged already \(2026-10-01\)"):
        town.ingest(late)
    assert (town.state(), town.left()) == (before, [])
    assert town.ingest(late, late=True)["rows"] == 2
    assert town.state()[0] == before[0] + 2


def test_a_file_that_is_taken_away_and_added_again_has_another_version(town: Town) -> None:
    file = new_file(town.folder / "new" / "a.csv", *GOOD)
    first = town.ingest(file)["version"]
    (added,) = (town.folder / "visits").glob("ingested-*")
    added.rename(added.with_name(added.name.replace("ingested-20", "ingested-19")))
    assert town.state()[1] != first


def test_an_erased_person_does_not_return_with_the_same_file(town: Town) -> None:
    """Its owner rewrites the added file, as docs/admission.md describes; the note in the file is gone."""
    file = new_file(town.folder / "new" / "a.csv", *GOOD)
    town.ingest(file)
    (added,) = (town.folder / "visits").glob("ingested-*")
    with duckdb.connect() as connection:
        connection.execute(f"COPY (SELECT * FROM '{added}' WHERE person_id <> 1) TO '{added}.new' (FORMAT parquet)")
    Path(f"{added}.new").replace(added)
    again = town.ingest(file)
    assert (again["rows"], again["already"]) == (0, 1)
    added.unlink()
    assert town.ingest(file)["rows"] == 3, "what was taken away whole is in no more"


def test_rows_that_come_while_the_data_are_opened_are_no_rows_of_the_old_version(town: Town) -> None:
    catalog = load_catalog(town.where)
    town.ingest(new_file(town.folder / "new" / "a.csv", *GOOD))
    with pytest.raises(engine.errors.DataError, match="while it was opened"):
        open_data(catalog, town.folder / "cache", lambda *_: None)


def test_rows_that_come_while_the_data_are_copied_make_no_copy(town: Town) -> None:
    catalog = load_catalog(town.where)

    def add(stage: str, fraction: float) -> None:
        del fraction
        if stage == "copying visit":
            town.ingest(new_file(town.folder / "new" / "a.csv", *GOOD))

    with pytest.raises(engine.errors.DataError, match="changed while they were read"):
        open_snapshot(catalog, town.folder / "other cache", add)
    assert not list((town.folder / "other cache").iterdir())


# ---------------------------------------------------------------- layouts


def test_a_layout_is_made_when_asked_and_kept_up_to_date(town: Town) -> None:
    run, where = CliRunner().invoke, ["-c", str(town.where)]
    files = [new_file(town.folder / "new" / f"{at}.csv", row) for at, row in enumerate(GOOD)]
    assert "layout" not in run(app, ["ingest", "visit", files[0], *where]).stdout
    made = run(app, ["ingest", "visit", files[1], *where, "--optimize"])
    assert made.exit_code == 0 and "as they are now, made anew" in made.stdout
    told = run(app, ["ingest", "visit", files[2], *where])
    assert told.exit_code == 0 and "as they are now, brought up to date" in told.stdout
    again = json.loads(run(app, ["ingest", "visit", files[2], *where, "--optimize", "-f", "json"]).stdout)
    assert Path(again["optimized"]).exists() and again["renewed"]


def test_ingest_reports_added_rows_even_if_the_layout_update_fails(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    run, where = CliRunner().invoke, ["-c", str(town.where)]
    files = [new_file(town.folder / "new" / f"{at}.csv", row) for at, row in enumerate(GOOD)]
    assert run(app, ["catalog", "optimize", str(town.where)]).exit_code == 0
    monkeypatch.setattr("engine.data.layout.publish", lambda *_: _no_room())
    told = run(app, ["ingest", "visit", files[0], *where])
    assert told.exit_code == 0 and "1 row of 1 file is in" in told.stdout
    assert "Questions of this version are new ones: who asks again" in " ".join(told.stdout.split())
    assert "as they were: run passersby catalog optimize" in told.stdout
    assert run(app, ["ingest", "visit", files[1], *where, "--optimize"]).exit_code != 0


def _no_room() -> None:
    raise engine.errors.DataError("layout", "there is no room.", "make room")


# ---------------------------------------------------------------- times


@pytest.mark.parametrize(
    ("declared", "inside", "outside"),
    [
        ('type = "TIMESTAMPTZ", time_zone = "Europe/Berlin"', "2026-09-30 22:00:00+00", "2026-10-04 22:00:00+00"),
        (
            'type = "TIMESTAMP", time_zone = "Europe/Berlin", stored = "utc"',
            "2026-09-30 22:00:00",
            "2026-10-04 22:00:00",
        ),
        (
            'type = "TIMESTAMP", time_zone = "Europe/Berlin", stored = "local"',
            "2026-10-04 23:59:59",
            "2026-09-30 22:00:00",
        ),
    ],
)
def test_windows_are_those_of_the_column_s_own_zone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, declared: str, inside: str, outside: str
) -> None:
    monkeypatch.setenv("PASSERSBY_DATA", str(tmp_path / "data"))
    text = DECLARED.replace(
        'day = { type = "DATE", range = ["2026-10-01", "2026-10-04"], nullable = false }', f"day = {{ {declared} }}"
    )
    where = make(tmp_path)
    where.write_text(text, encoding="utf-8")
    for file in (tmp_path / "visits").iterdir():
        file.unlink()  # the first files of a table come by ingest, too
    new = new_file(tmp_path / "new" / "a.csv", f"1,2,z1,1,1,a,{inside}", f"2,2,z1,1,1,a,{outside}", "3,2,z1,1,1,a,")
    done = ingest_files(str(where), "visit", [new])
    assert (done["rows"], done["refused"]) == (2, {"day is out of range": 1})


# ---------------------------------------------------------------- exact duplicates


REPEATED = "it repeats another new row in every column"
TWICE = "the primary key names several new rows"


def test_exact_duplicate_rows_are_added_once(town: Town) -> None:
    new = town.folder / "new"
    files = [new_file(new / "a.csv", *GOOD, GOOD[0]), new_file(new / "b.csv", GOOD[1], "5009,2,z1,1,1,a,2026-10-04")]
    done = town.ingest(*files)
    assert (done["rows"], done["refused"]) == (4, {REPEATED: 2})
    again = town.ingest(new_file(new / "c.csv", GOOD[0], GOOD[0]))
    assert (again["rows"], again["refused"]) == (0, {"the primary key is there already": 2})


@pytest.mark.parametrize(
    ("other", "reasons"),
    [
        ("5001,1,z1,10.5,2,shop 2,2026-10-04", {TWICE: 2}),
        ("5001,1,z1,10.5,,shop 1,2026-10-04", {TWICE: 2}),
        ("5001,1,z1,10.50,2,shop 1,2026-10-04", {REPEATED: 1}),  # as read, it is the same
        ("5001,1,z1,much,2,shop 1,2026-10-04", {TWICE: 1, "minutes is no DOUBLE": 1}),
    ],
)
def test_rows_of_one_key_that_differ_are_refused_all(town: Town, other: str, reasons: dict[str, int]) -> None:
    done = town.ingest(new_file(town.folder / "new" / "a.csv", GOOD[0], other))
    assert (done["rows"], done["refused"]) == (2 - sum(reasons.values()), reasons)


def test_without_a_primary_key_equal_rows_are_several(town: Town) -> None:
    declared = town.where.read_text("utf-8").replace('primary_key = ["visit_id"]\n', "")
    declared = re.sub(r"\[tables\.purchase\].*?(?=\[tables\.zone\])", "", declared, flags=re.DOTALL)
    town.where.write_text(declared, encoding="utf-8")
    assert town.ingest(new_file(town.folder / "new" / "a.csv", GOOD[0], GOOD[0]))["rows"] == 2


# ---------------------------------------------------------------- declared windows


def test_a_charged_window_is_refused_before_the_files_are_read(town: Town) -> None:
    ask(town)
    unreadable = town.folder / "new" / "b.csv"
    new_file(unreadable, "no row")
    unreadable.write_bytes(b"\xff\xfe")
    with pytest.raises(Refused, match=r"charged already \(2026-10-01\)"):
        town.ingest(str(unreadable), windows=["2026-10-01..2026-10-02"])
    with pytest.raises(Refused, match="can't be read"):
        town.ingest(str(unreadable), windows=["2026-10-02"])


def test_without_declared_windows_the_times_alone_are_read_first(town: Town) -> None:
    ask(town)
    stages: list[str] = []
    late = new_file(town.folder / "new" / "b.csv", "5004,2,z1,1,1,a,2026-10-01", "5005,2,z1,1,1,a,2024-01-01")
    with pytest.raises(Refused, match=r"charged already \(2026-10-01\)"):
        town.ingest(late, progress=lambda stage, _: stages.append(stage))
    assert "judging rows" not in stages and "writing rows" not in stages
    town.ingest(late, late=True, progress=lambda stage, _: stages.append(stage))
    assert "judging rows" in stages


def test_rows_outside_the_declared_windows_are_refused_one_by_one(town: Town) -> None:
    ask(town)
    file = new_file(town.folder / "new" / "b.csv", "5004,2,z1,1,1,a,2026-10-01", "5005,2,z1,1,1,a,2026-10-04")
    done = town.ingest(file, windows=["2026-10-04"])
    assert (done["rows"], done["windows"]) == (1, ("2026-10-04",))
    assert done["refused"] == {"day is in none of the delivery's windows": 1}


@pytest.mark.parametrize("given", ["2026-11-01", "2026-10-03..2026-10-02", "..", "..2026-10-03", "october"])
def test_declared_windows_are_those_of_the_catalog(town: Town, given: str) -> None:
    file = new_file(town.folder / "new" / "b.csv", GOOD[0])
    with pytest.raises(Refused, match="names no declared window"):
        town.ingest(file, windows=[given])
    assert town.ingest(file, windows=["2026-10-04", "2026-10-03.."])["windows"] == ("2026-10-03", "2026-10-04")


# ---------------------------------------------------------------- exit codes


def test_the_command_fails_where_no_row_was_taken(town: Town) -> None:
    def run(*lines: str) -> int:
        file = new_file(town.folder / "new" / "a.csv", *lines)
        return CliRunner().invoke(app, ["ingest", "visit", file, "-c", str(town.where), "-f", "json"]).exit_code

    assert run(*BAD.values()) == 1
    assert run(*GOOD, *BAD.values()) == 0
    assert run(*GOOD, *BAD.values()) == 1  # in already


def test_the_command_declares_windows(town: Town) -> None:
    run, where = CliRunner().invoke, ["-c", str(town.where)]
    file = new_file(town.folder / "new" / "a.csv", *GOOD)
    told = run(app, ["ingest", "visit", file, *where, "--window", "2026-10-03..2026-10-04"])
    assert told.exit_code == 0 and "was not declared" not in told.stdout
    told = run(app, ["ingest", "visit", new_file(town.folder / "new" / "b.csv", "5009,2,z1,1,1,a,2026-10-04"), *where])
    assert told.exit_code == 0 and "was not declared (--window)" in " ".join(told.stdout.split())
