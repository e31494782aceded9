"""Files as they come are converted to Parquet with plain names and real types; what has two meanings stays text."""

from __future__ import annotations

import re
from datetime import UTC
from pathlib import Path

import duckdb
import pytest

from engine.catalog.file import load_catalog
from engine.data.checks.catalog import check_catalog
from engine.data.convert_files import ConvertedTable, convert_folder
from engine.data.draft_catalog import draft_catalog
from engine.data.files.text_types import TIME_LIKE
from engine.errors import CatalogError

GYM = """Mitglieds-Nr.;Check in time; Gerät / Straße ;Preis in €;PLZ;KW;Dauer;leer;
1;17.03.2026 17:06;Yoga;1.017,5;01099;2026-W12;;;
2;01.02.2026 09:00;Rad;3,25;80331;2026-W05;45;;
"""
NESTED = """
COPY (SELECT 1::BIGINT AS "User ID", {'lat': 48.1::DOUBLE, 'at': {'floor': 2}} AS place, ['a'] AS tags, 'x'::BLOB AS raw,
    'b'::ENUM('b') AS mode, uuid() AS session, INTERVAL 90 SECOND AS wait, TIMESTAMP_S '2026-03-01 10:00:00' AS seen,
    '17.03.2026' AS day, '0042' AS code, NULL::VARCHAR AS note) TO '{folder}/rides.parquet'
"""


def _converted(folder: Path, target: Path) -> dict[str, ConvertedTable]:
    """Convert a folder; the tables by their files."""
    return {table.files: table for table in convert_folder(folder, target)}


def _rows(path: str | None) -> tuple[dict[str, str], list[tuple[object, ...]]]:
    """Read a converted table: its types by column, and its rows."""
    with duckdb.connect() as connection:
        found = connection.execute("SELECT * FROM read_parquet(?)", [path])
        return {name: str(kind) for name, kind, *_ in found.description}, found.fetchall()


def _texts(folder: Path, name: str, *texts: str) -> str:
    """Convert one column of texts, and return its type."""
    folder.mkdir(exist_ok=True)
    (folder / "one.csv").write_text(f"person_id;{name}\n" + "".join(f"1;{text}\n" for text in texts))
    target = folder.with_name(f"{folder.name}_{len(list(folder.parent.iterdir()))}")
    return next(reversed(_rows(convert_folder(folder, target)[0].path)[0].values()))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_names_become_identifiers_and_texts_numbers_and_times(tmp_path: Path, encoding: str) -> None:
    """Umlauts, spaces, decimal commas and times with the day first; a leading zero is no number."""
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/Check-Ins (Export).csv").write_text(GYM, encoding=encoding)
    (table,) = _converted(tmp_path / "raw", tmp_path / "gym").values()
    assert table.path == str(tmp_path / "gym/check_ins_export/check_ins_export.parquet")
    types, rows = _rows(table.path)
    assert types == {
        "mitglieds_nr": "BIGINT", "check_in_time": "TIMESTAMP", "gerat_strasse": "VARCHAR", "preis_in": "DOUBLE",
        "plz": "VARCHAR", "kw": "VARCHAR", "dauer": "BIGINT", "leer": "VARCHAR",
    }  # fmt: skip
    assert [(str(row[1]), row[3], row[4], row[6]) for row in rows] == [
        ("2026-03-17 17:06:00", 1017.5, "01099", None),
        ("2026-02-01 09:00:00", 3.25, "80331", 45),
    ]
    assert table.changes == (
        "Mitglieds-Nr. -> mitglieds_nr",
        "Check in time -> check_in_time: TIMESTAMP, day first",
        "Gerät / Straße -> gerat_strasse",
        "Preis in € -> preis_in: DOUBLE, decimal comma",
    )
    assert sorted(path.name for path in (tmp_path / "gym").iterdir()) == ["check_ins_export"]  # no copy is left


def test_structures_and_foreign_types_become_columns(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    with duckdb.connect() as connection:
        connection.execute(NESTED.replace("{folder}", str(tmp_path / "raw")))
        connection.execute(
            f"ATTACH '{tmp_path}/raw/town.duckdb' AS town; CREATE TABLE town.legs AS SELECT uuid() AS u, 1::HUGEINT AS n"
        )
    (tmp_path / "raw/log.json").write_text('[{"id": 7, "place": {"floor": 1}}]')
    tables = _converted(tmp_path / "raw", tmp_path / "new")
    types, ((user, *_, wait, seen, day, code, _),) = _rows(tables["rides.parquet"].path)
    assert types == {
        "user_id": "BIGINT", "place_lat": "DOUBLE", "place_at_floor": "INTEGER", "tags": "VARCHAR[]", "mode": "VARCHAR",
        "session": "VARCHAR", "wait": "DOUBLE", "seen": "TIMESTAMP", "day": "DATE", "code": "VARCHAR", "note": "VARCHAR",
    }  # fmt: skip
    assert (user, wait, str(seen), str(day), code) == (1, 90, "2026-03-01 10:00:00", "2026-03-17", "0042")
    assert "raw is left out: BLOB" in tables["rides.parquet"].changes
    assert "wait: DOUBLE, seconds" in tables["rides.parquet"].changes
    assert _rows(tables["log.json"].path) == ({"id": "BIGINT", "place_floor": "BIGINT"}, [(7, 1)])
    assert _rows(tables["town.duckdb"].path)[0] == {"u": "VARCHAR", "n": "BIGINT"}


@pytest.mark.parametrize(
    ("name", "texts", "kind"),
    [
        ("x", ["1", "-20", "NA"], "BIGINT"),
        ("x", ["1", "2.5", "-"], "DOUBLE"),
        ("x", ["1", "x"], "VARCHAR"),
        ("x", ["89410100000000000017", "89410100000000000018"], "VARCHAR"),  # two people, and one DOUBLE
        ("x", ["8941010000000001", "0.5"], "VARCHAR"),
        ("x", ["1E5", "10E4"], "VARCHAR"),  # codes
        ("x", ["1.5E+3", "2e-301", "1e+20"], "DOUBLE"),
        ("x", ["1e+400", "2"], "VARCHAR"),  # infinite
        ("x", ["true", "False"], "BOOLEAN"),
        ("x", ["1,234", "12,500"], "VARCHAR"),  # 1.234, or 1234
        ("x", ["1,234", "1,200,000"], "DOUBLE"),
        ("x", ["2026-03-01", "2026-02-30"], "VARCHAR"),  # no such day
        ("x", ["2026-03-01T10:00:00+01:00", "2026-03-01 10:00:00Z"], "TIMESTAMP WITH TIME ZONE"),
        ("x", ["03/04/2026", "05/06/2026"], "VARCHAR"),  # April or March
        ("x", ["03/04/2026 10:00", "13/06/2026 10:00"], "TIMESTAMP"),
        ("x", ["3/14/2026 1:05 PM", "12/1/2026 2:00 AM"], "TIMESTAMP"),
        ("x", ["08:15", "23:59"], "TIME"),
        ("seen_at", ["1780272000000", "1780272000001"], "TIMESTAMP WITH TIME ZONE"),
        ("x", ["1780272000000"], "BIGINT"),
        ("x", ["", ""], "VARCHAR"),
        ("x", ["1"] * 1500 + ["x"], "VARCHAR"),  # beyond the first rows
        ("x", [""] * 1500 + ["7"], "BIGINT"),
    ],
)
def test_a_column_has_the_type_of_all_its_texts(tmp_path: Path, name: str, texts: list[str], kind: str) -> None:
    assert _texts(tmp_path / "raw", name, *texts) == kind


def test_what_has_two_meanings_is_stated(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/a.csv").write_text("day;n\n03/04/2026;1,234\n")
    (table,) = convert_folder(tmp_path / "raw", tmp_path / "new")
    assert table.changes == (
        "day: VARCHAR, as it may be day first or month first",
        "n: VARCHAR, as it may be decimal comma or commas in thousands",
    )
    assert TIME_LIKE.search("day")


def test_no_value_is_lost(tmp_path: Path) -> None:
    """A type that one text lacks is not chosen: NULL stands for nothing but a missing value."""
    (tmp_path / "raw").mkdir()
    values = ["1", "2.5", "01", "1e3", "1,5", "x", "NA", "", "2026-01-01", "12.01.2026", "nan"]
    lines = "".join(f"{a};{b}\n" for a in values for b in values)
    (tmp_path / "raw/a.csv").write_text(f"a;b\n{lines}")
    _, rows = _rows(convert_folder(tmp_path / "raw", tmp_path / "new")[0].path)
    assert rows == [(a or None, b or None) for a in values for b in values]


def test_files_that_cannot_be_converted_are_named(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "ragged.csv").write_text("a,b\n1,2\n1\n")
    (raw / "values.csv").write_text("17,2026-01-01\n18,2026-01-02\n")
    with pytest.raises(CatalogError, match=r"can be converted\. ragged\.csv: line 3: 1 field instead of 2\."):
        convert_folder(raw, tmp_path / "new")
    assert not (tmp_path / "new").exists()
    (raw / "good.tsv").write_text("a\tb\n1\t2\n")
    tables = _converted(raw, tmp_path / "new")
    assert tables["values.csv"].path is None and "may be values" in tables["values.csv"].changes[0]
    (raw / "old").mkdir()
    (raw / "old/people.csv.gz").write_bytes(b"")
    (raw / "old/a.json").write_text('{"records": [{"a": 1}]}')
    (raw / "titled.csv").write_text("Report of May\n\nperson,zone\n1,a\n")
    (raw / "odd.csv").write_bytes(b"id,n\n1,\x81\x8d\n")
    (raw / "b[x].csv").write_text("id,n\n1,2\n")
    (raw / "b_x_.csv").write_text("id,n\n1,3\n")
    told = {files: table.changes[0] for files, table in _converted(raw, tmp_path / "other").items() if not table.path}
    assert told["old/people.csv.gz"] == "unpack it." and told["old/*.json"] == "no column is left."
    assert "line 3: 2 fields instead of 1; the first line has to name the columns" in told["titled.csv"]
    assert told["odd.csv"] == "line 2: bytes that are not UTF-8."
    of_signs = [_rows(f"{tmp_path}/other/{name}/{name}.parquet")[1] for name in ("b_x", "b_x_2")]
    assert sorted(of_signs) == [[(1, 2)], [(1, 3)]]
    assert tables["good.tsv"].path and not tables["good.tsv"].changes
    with pytest.raises(CatalogError, match="has one of the signs"):
        convert_folder(raw, tmp_path / "new[1]")
    with pytest.raises(CatalogError, match="is not overwritten"):
        convert_folder(raw, tmp_path / "new")
    with pytest.raises(CatalogError, match="there is no such folder"):
        convert_folder(tmp_path / "none", tmp_path / "new")


def test_folders_within_a_folder_are_one_table(tmp_path: Path) -> None:
    """Exports by year and month; their names are columns where they are key=value."""
    for place, (folder, values) in enumerate({"2026/03": "1,a", "2026/04": "2,b", ".old": "3,c"}.items()):
        (tmp_path / "raw/rides" / folder).mkdir(parents=True)
        (tmp_path / "raw/rides" / folder / f"{place}.csv").write_text(f"id,zone\n{values}\n")
        (tmp_path / f"raw/scans/month={place}").mkdir(parents=True)
        (tmp_path / f"raw/scans/month={place}/new.json").write_text(f'{{"id": {place}}}')
    assert 'source = { csv = "rides/**/*.csv" }' in draft_catalog(tmp_path / "raw")
    tables = _converted(tmp_path / "raw", tmp_path / "new")
    assert sorted(_rows(tables["rides/**/*.csv"].path)[1]) == [(1, "a"), (2, "b")]
    assert sorted(_rows(tables["scans/**/*.json"].path)[1]) == [(place, place) for place in range(3)]


def test_whole_numbers_named_like_times_are_times(tmp_path: Path) -> None:
    """As programs write them in JSON: milliseconds in one column; another has no such name, or other numbers."""
    (tmp_path / "raw").mkdir()
    lines = [f'{{"ts": {ts}, "n": {ts}, "day": {day}}}' for ts, day in [(1788443460000, 1), (1788450758000, 12)]]
    (tmp_path / "raw/scans.json").write_text("\n".join(lines))
    (table,) = _converted(tmp_path / "raw", tmp_path / "new").values()
    types, rows = _rows(table.path)
    assert types == {"ts": "TIMESTAMP WITH TIME ZONE", "n": "BIGINT", "day": "BIGINT"}
    assert str(rows[0][0].astimezone(UTC)) == "2026-09-03 13:51:00+00:00"  # type: ignore[attr-defined]
    assert table.changes == ("ts: TIMESTAMPTZ, milliseconds since 1970",)


def test_a_converted_folder_is_drafted_and_fits_its_catalog(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/Check-Ins (Export).csv").write_text(GYM, encoding="cp1252")
    convert_folder(tmp_path / "raw", tmp_path / "gym")
    text = draft_catalog(tmp_path / "gym")
    assert "perhaps mitglieds_nr" in text and "left out" not in text
    blanks = {"kind": "private", "person": "mitglieds_nr", "size_class": "1e4"}
    for key, value in blanks.items():
        text = text.replace(f'{key} = ""', f'{key} = "{value}"')
    path = tmp_path / "gym/catalog.toml"
    path.write_text(re.sub(r"^# ", "", text, flags=re.MULTILINE), encoding="utf-8")
    catalog = load_catalog(path)
    assert catalog.tables[0].time_column == "check_in_time" and check_catalog(catalog) == ()


def test_each_table_is_reported_and_a_run_that_is_cut_off_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    for name in ("a", "b"):
        (tmp_path / f"raw/{name}.csv").write_text("day,n\n2026-10-01,1\n")
    told = list[tuple[str, float]]()
    convert_folder(tmp_path / "raw", tmp_path / "new", lambda stage, done: told.append((stage, done)))
    assert told == [("reading", 0.0), ("a.csv", 0.0), ("b.csv", 0.5)]

    def interrupted(stage: str, done: float) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert_folder(tmp_path / "raw", tmp_path / "other", interrupted)
    assert not (tmp_path / "other").exists()


def test_integers_beyond_bigint_are_named(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    for name, number in (("large", "170141183460469231731687303715884105727"), ("small", "7")):
        duckdb.sql(f"COPY (SELECT {number}::HUGEINT AS n) TO '{tmp_path}/raw/{name}.parquet'")
        file = str(tmp_path / f"raw/{name}.duckdb")
        with duckdb.connect(file) as connection:
            connection.execute(f"CREATE TABLE {name} AS SELECT {number}::HUGEINT AS n")
    tables = {Path(table.files).name: table for table in convert_folder(tmp_path / "raw", tmp_path / "new")}
    assert tables["small.duckdb"].path and tables["small.parquet"].path
    assert tables["large.duckdb"].changes == ("a number is too large for BIGINT: store its column as text.",)
