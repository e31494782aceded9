"""Commands of owners: objections and the page about a person, as the documents say."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.engine.town import make_town
from tests.passersby.conftest import Run
from tests.support.timeouts import MAX_SECONDS
from tests.support.tree import ROOT

WORDS = (ROOT / "docs" / "admission.md").read_text(encoding="utf-8")
LINES = [line for block in re.findall(r"^```bash\n(.*?)^```$", WORDS, re.M | re.S) for line in block.splitlines()]
COUNT = "SELECT count(DISTINCT person_id) AS people FROM visit"


def test_one_or_many_persons_object_and_withdraw(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("1\n2\n3\n2\n", encoding="utf-8")
    assert "entry 1" in run("object", "7", "--reason", "a letter").stdout
    many = " ".join(run("object", "--file", str(file), "--reason", "bulk of May", "--by", "eve").stdout.split())
    assert "entry 2" in many and "names 3 different persons; 1 more line repeats one of them." in many
    assert "Withdrawn as entry 3" in run("object", "7", "--withdraw", "--reason", "a call").stdout
    listed = json.loads(run("objections", "list", "--format", "json").stdout)
    assert [(act["kind"], act["reason"]) for act in listed] == [
        ("object", "a letter"),
        ("object", "bulk of May"),
        ("withdraw", "a call"),
    ]
    assert listed[1]["recorded_by"] == "eve"
    assert "bulk of May" in run("objections", "list").stdout


def test_a_refused_objection_states_the_reason(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("1\nnobody\n", encoding="utf-8")
    refused = run("object", "--file", str(file), "--reason", "bulk")
    assert refused.exit_code == 1 and "1 of 2 lines name no person, so nothing was recorded: line 2" in refused.stderr
    assert run("object", "--reason", "nobody named").exit_code == 2
    assert run("object", "7", "--file", str(file), "--reason", "both").exit_code == 2
    assert json.loads(run("objections", "list", "--format", "json").stdout or "[]") == []


def test_the_page_about_a_person(run: Run, tmp_path: Path) -> None:
    run("query", COUNT)
    told = run("about-me")
    assert told.exit_code == 0 and "THE WORST THAT CAN HAPPEN" in told.stdout
    page = tmp_path / "about.html"
    assert run("about-me", "--html", str(page)).exit_code == 0
    assert "What is computed about you" in page.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder with the page's city.toml."""
    made = tmp_path_factory.mktemp("city")
    make_town(made)
    return (made / "catalog.toml").rename(made / "city.toml").parent


@pytest.fixture(scope="module")
def owner(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An owner's environment, with nothing recorded yet."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return {**os.environ, "PATH": path, "PASSERSBY_DATA": str(tmp_path_factory.mktemp("data"))}


@pytest.mark.parametrize("line", LINES)
def test_the_commands_of_the_document_run(line: str, owner: dict[str, str], folder: Path) -> None:
    ran = subprocess.run(
        ["bash", "-ec", line], env=owner, cwd=folder, capture_output=True, text=True, timeout=MAX_SECONDS
    )
    assert ran.returncode == 0 and ran.stdout.strip(), ran.stderr


def test_there_are_commands_to_run() -> None:
    assert len(LINES) >= 5
