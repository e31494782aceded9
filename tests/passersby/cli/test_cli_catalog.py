"""catalog new and catalog check: from a folder of files to a catalog that is accepted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.passersby.conftest import Run

DECLARED = """
format = 1
name = "own"
[datasets.own]
window = "forever"
[datasets.own.budget]
rho = 0.2
[tables.stays]
dataset = "own"
kind = "private"
source = { csv = "stays.csv" }
person = "person"
size_class = "1e1"
max_rows_per_person = 10
max_groups_per_person = 2
norms = { rows = 3, persons = 2 }
[tables.stays.columns]
person = { type = "BIGINT", nullable = false }
zone = { type = "VARCHAR", values = ["a", "b"] }
minutes = { type = "DOUBLE", bounds = [0, 60] }
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of foreign files."""
    own = tmp_path / "own"
    own.mkdir()
    (own / "stays.csv").write_text("person,zone,minutes\n1,a,3\n2,b,4\n", encoding="utf-8")
    return own


def test_new_writes_a_catalog_in_which_nothing_can_be_asked(run: Run, folder: Path) -> None:
    made = run("catalog", "new", str(folder))
    assert made.exit_code == 0
    text = (folder / "catalog.toml").read_text(encoding="utf-8")
    assert "stays" in text
    assert not [line for line in text.splitlines() if line.startswith("[tables.")]
    assert "catalog check" in made.stdout and "catalog keys" in made.stdout
    explained = run("catalog", "keys")
    assert explained.exit_code == 0 and "max_groups_per_person" in explained.stdout


def test_new_overwrites_nothing(run: Run, folder: Path) -> None:
    target = folder / "catalog.toml"
    target.write_text("mine", encoding="utf-8")
    refused = run("catalog", "new", str(folder))
    assert refused.exit_code == 2
    assert "Invalid value for" not in refused.stderr  # of an option that nobody gave
    assert "another file with --to" in " ".join(refused.stderr.replace("│", "").split())
    assert target.read_text(encoding="utf-8") == "mine"
    assert run("catalog", "new", str(folder), "--to", str(folder / "other.toml")).exit_code == 0


def test_convert_lists_what_it_changed_and_what_it_left_out(run: Run, folder: Path, tmp_path: Path) -> None:
    (folder / "Gym (old).csv").write_text("Mitglieds-Nr.;Preis\n7;1,5\n", encoding="utf-8")
    (folder / "ragged.csv").write_text("a,b\n1\n", encoding="utf-8")
    done = run("catalog", "convert", str(folder), "--to", str(tmp_path / "new"))
    assert done.exit_code == 0
    shown = "".join(done.stdout.split())  # wherever lines are broken, which the length of the folder's name decides
    assert "gym_old.parquet:Gym(old).csvMitglieds-Nr.->mitglieds_nrpreis:DOUBLE,decimalcomma" in shown
    assert "Notconverted:ragged.csvline2:1fieldinsteadof2." in shown
    assert f"Next:passersbycatalognew{tmp_path}/new" in shown
    assert run("catalog", "new", str(tmp_path / "new")).exit_code == 0
    again = run("catalog", "convert", str(folder), "--to", str(tmp_path / "new"))
    assert again.exit_code == 1 and "name a new folder" in again.stderr


def test_commands_to_copy_are_quoted(run: Run, tmp_path: Path) -> None:
    """A path with blanks stays one argument of the shell."""
    (tmp_path / "my data").mkdir()
    (tmp_path / "my data/stays.csv").write_text("person_id,minutes\n1,5\n")
    written = run("catalog", "new", str(tmp_path / "my data"))
    assert f"passersby catalog check '{tmp_path}/my data/catalog.toml'" in "".join(written.stdout.split("\n"))


def test_new_refuses_a_folder_without_files(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    refused = run("catalog", "new", str(tmp_path / "empty"))
    assert refused.exit_code == 1
    assert "E_CATALOG" in refused.stderr


def test_check_accepts_files_as_declared(run: Run, folder: Path) -> None:
    (folder / "catalog.toml").write_text(DECLARED, encoding="utf-8")
    for arguments in ([str(folder / "catalog.toml")], ["--catalog", str(folder / "catalog.toml")]):
        checked = run("catalog", "check", *arguments)
        assert checked.exit_code == 0, checked.stdout
        assert "accepted" in checked.stdout and "passersby tables --catalog" in checked.stdout
    assert json.loads(run("catalog", "check", str(folder / "catalog.toml"), "-f", "json").stdout) == []


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ('kind = "private"', 'kind = "open"', "tables.stays.kind"),
        ("stays.csv", "gone.csv", "tables.stays.source"),
        ("minutes = {", "hours = {", "tables.stays.columns.hours"),
    ],
)
def test_check_names_file_key_and_cure(run: Run, folder: Path, old: str, new: str, key: str) -> None:
    file = folder / "catalog.toml"
    file.write_text(DECLARED.replace(old, new), encoding="utf-8")
    checked = run("catalog", "check", str(file))
    assert checked.exit_code == 1
    assert key in checked.stdout
    assert "Cure: " in checked.stdout
    (found,) = json.loads(run("catalog", "check", str(file), "-f", "json").stdout)
    assert (found["file"], found["key"]) == (str(file), key)
    assert set(found) == {"file", "key", "why", "cure"}
