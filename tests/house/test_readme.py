"""The documents' instructions work, and every setting and code is documented."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from budgets.errors import Code as LedgerCode
from dialect import Code as DialectCode
from dialect.functions.registry import callable_names
from dialect.notes import NoteCode
from passersby.errors import ERRORS_BY_CODE
from passersby.text.numbers import RELIABILITY
from tests.bench import accuracy
from tests.conftest import NIGHTLY_ALONE
from tests.pages.__main__ import PAGES
from tests.pages.functions_page import PATH as FUNCTIONS
from tests.pages.functions_page import document
from tests.support.timeouts import MAX_SECONDS
from tests.support.tree import PACKAGES, ROOT, modules

README = (ROOT / "README.md").read_text(encoding="utf-8")
ANSWERS = (ROOT / "docs" / "answers.md").read_text(encoding="utf-8")
READING = (ROOT / "docs" / "reading.md").read_text(encoding="utf-8")
FENCED = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINES = [line for language, text in FENCED.findall(README) if language == "bash" for line in text.splitlines()]
SESSION = [
    step.partition("\n")[::2]
    for language, text in FENCED.findall(README)
    if language == "console"
    for step in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]
]
NUMBER = re.compile(r"\d+(?:\.\d+)?")
PYTHON = [text for language, text in FENCED.findall(README) if language == "python"]


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A reader's environment: passersby on the path, and no query yet."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return {**os.environ, "PATH": path, "PASSERSBY_DATA": str(tmp_path_factory.mktemp("data")), "COLUMNS": "100"}


def test_there_is_something_to_run() -> None:
    assert len(PYTHON) >= 1
    assert len([line for line in LINES if line.startswith("passersby ")]) >= 5


def run(line: str, reader: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run one command of the page in bash."""
    return subprocess.run(
        ["bash", "-ec", line], env=reader, cwd=ROOT, capture_output=True, text=True, timeout=MAX_SECONDS
    )


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= 120


def test_the_environment_is_entered_before_the_first_command() -> None:
    (made,) = re.findall(r"^VENV \?= (\S+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    commands = [SESSION[0][0], *(line for line in LINES if line.startswith("passersby "))]
    entered = README.index(f"\nsource {made}/bin/activate\n")
    assert all(README.index(line) > entered for line in commands)


def test_the_session_shows_what_the_commands_print(reader: dict[str, str], tmp_path: Path) -> None:
    """Each step runs as it stands: a refusal in the same words, explain with the same numbers, query with the same rows."""
    alone = {**reader, "PASSERSBY_DATA": str(tmp_path)}
    assert [line.split()[1] for line, _ in SESSION] == ["explain", "query", "query"]
    for line, shown in SESSION:
        ran = run(line, alone)
        printed = " ".join((ran.stdout + ran.stderr).split())
        if shown.startswith("E_"):
            assert ran.returncode == 1
            assert all(" ".join(part.split()) in printed for part in shown.splitlines())
        elif line.startswith("passersby explain"):
            assert ran.returncode == 0
            assert set(NUMBER.findall(shown)) <= set(NUMBER.findall(printed))
            (not_counted,) = re.findall(r"^Not counted: .*$", shown, re.MULTILINE)
            assert not_counted in printed
        else:
            assert ran.returncode == 0
            table, _, foot = shown.strip().partition("\n\n")
            rows = {row.split()[0] for row in table.splitlines()[2:]}
            assert len(rows) == 4
            assert rows <= {(row.split() or [""])[0] for row in ran.stdout.splitlines()}
            price, *_, clipping, not_counted, details = foot.splitlines()
            assert all(line in printed for line in (price, clipping, not_counted, details))


def command(line: str) -> str:
    """Name a test case by the command without arguments and comment, which may be reworded."""
    return next(re.finditer(r"passersby( [a-z][a-z-]*)*", line)).group()


@pytest.mark.parametrize("line", [line for line in LINES if line.startswith("passersby ")], ids=command)
def test_the_readme_s_commands_run(line: str, reader: dict[str, str]) -> None:
    ran = run(line, reader)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip()


@pytest.mark.parametrize("line", ["passersby tables", "passersby tables trip", SESSION[1][0]], ids=command)
def test_tables_and_answers_say_who_is_not_counted(line: str, reader: dict[str, str]) -> None:
    (not_counted,) = set(re.findall(r"^Not counted: .*$", README, re.MULTILINE))
    ran = run(line, reader)
    assert not_counted in " ".join((ran.stdout + ran.stderr).split())


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\bmake ([a-z]+)\b", README))))
def test_make_has_every_target_of_the_readme(target: str) -> None:
    known = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert target in known


def test_contributing_names_the_tests_that_nightly_alone_runs() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (line,) = [line for line in page.splitlines() if line.startswith("`make nightly`")]
    assert set(re.findall(r"`tests/([\w/]+/test_\w+\.py)`", line)) == set(NIGHTLY_ALONE)
    assert all((ROOT / "tests" / file).is_file() for file in NIGHTLY_ALONE)


@pytest.mark.parametrize("program", PYTHON)
def test_the_readme_s_python_runs(program: str, reader: dict[str, str]) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", program], env=reader, cwd=ROOT, capture_output=True, text=True, timeout=MAX_SECONDS
    )
    assert ran.returncode == 0, ran.stderr
    assert "±" in ran.stdout
    assert "True" in ran.stdout


def test_the_table_of_accuracy_has_the_columns_and_questions_that_are_printed() -> None:
    page = (ROOT / "docs" / "accuracy.md").read_text(encoding="utf-8")
    section = page.partition("## One month of MiBici")[2].partition("\n## ")[0]
    head, _, *rows = [line for line in section.splitlines() if line.startswith("|")]
    assert tuple(cell.strip() for cell in head.strip("|").split("|")) == accuracy.COLUMNS
    assert [row.split("|")[1].strip() for row in rows] == list(accuracy.QUESTIONS)


def test_the_index_has_every_page() -> None:
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    pages = {page.name for page in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert set(re.findall(r"\]\((\w+\.md)\)", index)) == pages


def test_the_number_that_reading_explains_is_in_the_readme() -> None:
    (question,) = re.findall(r"^\$ (passersby query \"SELECT mode.*)$", READING, re.MULTILINE)
    shown = dict(SESSION)[question]
    text, low, high = re.findall(r"`([\d.]+ ± [\d.]+)` is.*?from ([\d.]+) to ([\d.]+) holds", READING)[0]
    (both_ends,) = re.findall(r"both ends: `(.*?)`", READING)
    assert text in shown and both_ends in shown
    number, width = map(Decimal, text.split(" ± "))
    assert (Decimal(low), Decimal(high)) == (number - width, number + width)


def test_the_reading_guide_lists_each_reliability_word_as_displayed() -> None:
    for word, shown in RELIABILITY.items():
        assert f"| `{word}`{'' if shown == word else f', shown as *{shown}*'} |" in READING


def test_every_code_is_documented() -> None:
    codes = {*map(str, DialectCode), *map(str, LedgerCode), *ERRORS_BY_CODE, *map(str, NoteCode)}
    assert not {code for code in codes if f"`{code}`" not in ANSWERS}


def test_every_setting_is_documented() -> None:
    settings = {
        name
        for package in PACKAGES
        for module in modules(package)
        for name in re.findall(r'"(PASSERSBY_[A-Z_]+)"', module.text)
    }
    assert settings
    assert not {name for name in settings if f"`{name}`" not in ANSWERS}


def test_make_docs_writes_every_page_that_a_module_makes() -> None:
    made = {f"tests.pages.{path.stem}" for path in (ROOT / "tests" / "pages").glob("*_page.py")}
    assert made == {page.__name__ for page in PAGES}


def test_the_function_page_is_generated_from_the_allow_list() -> None:
    assert FUNCTIONS.read_text(encoding="utf-8") == document(), "run make docs"


def test_every_name_that_may_be_written_is_in_the_list_of_functions() -> None:
    listed = FUNCTIONS.read_text(encoding="utf-8")
    assert not [name for name in callable_names() if name[0].isalpha() and f"`{name}(" not in listed]
