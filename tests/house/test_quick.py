"""The quick suite is quick by the recorded seconds, its tables name what is there, and its core has a bug a mechanism."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Collection, Mapping
from fnmatch import fnmatch
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.conftest import NIGHTLY_ALONE
from tests.support.plugins.quick import (
    CORE,
    EVERY,
    FILE_SECONDS,
    KEPT,
    QUICK_SECONDS,
    SLOW,
    file_of,
    is_always_run,
    is_slow,
    listed,
    pytest_collection_modifyitems,
    selected,
    slow_tests,
)
from tests.support.plugins.slowest_first import Seconds, measured
from tests.support.timeouts import MAX_SECONDS
from tests.support.tree import ROOT

MECHANISMS = {
    "clip",
    "truncation",
    "threshold",
    "noise law",
    "charge before read",
    "chain",
    "windows",
    "partition selection",
    "quantiles",
    "distinct",
    "semi-join",
    "eligibility",
    "correlated noise",
}
FILES = {str(file.relative_to(ROOT)) for file in (ROOT / "tests").rglob("test_*.py")}
FILES -= {f"tests/{file}" for file in NIGHTLY_ALONE}


def too_slow(recorded: Mapping[str, Seconds], files: Collection[str]) -> list[str]:
    """Why the quick suite is not known to be within its time."""
    unknown = [f'{file}: make test-all ARGS="--measure {file}"' for file in sorted(files - recorded.keys())]
    quick = {file: recorded[file].quick for file in recorded.keys() & files}
    long = [f"{file}: {taken:.0f} s of {FILE_SECONDS:.0f}" for file, taken in quick.items() if taken > FILE_SECONDS]
    together = sum(quick.values())
    return unknown + long + ([f"{together:.0f} s of {QUICK_SECONDS:.0f}"] if together > QUICK_SECONDS else [])


def test_the_quick_suite_takes_its_time_at_most() -> None:
    assert not too_slow(measured(), FILES)


def test_a_slow_file_more_is_found_whether_it_was_measured_or_not() -> None:
    slow = "tests/test_slow.py"
    assert too_slow({**measured(), slow: Seconds(100.0, 100.0)}, {*FILES, slow})
    assert too_slow(measured(), {*FILES, slow})
    many = {f"tests/test_{number}.py": Seconds(FILE_SECONDS, FILE_SECONDS) for number in range(30)}
    assert too_slow(many, many.keys())


def _names(entry: str) -> bool:
    """Does the file exist, or the test in the file?"""
    path, _, test = entry.partition("::")
    found = [ROOT / file for file in FILES if fnmatch(file, path)]
    return bool(found) and (not test or test in _tests(found[0]))


def _tests(file: Path) -> set[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("entry", [*listed(SLOW.values()), *EVERY, *KEPT])
def test_files_named_by_the_tables_exist(entry: str) -> None:
    assert _names(entry)


def collected(*arguments: str) -> set[str]:
    """Ids of the tests that a run would have, in their short form."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-p", "no:xdist", *arguments]
    environment = {name: value for name, value in os.environ.items() if name != "PASSERSBY_NIGHTLY"}
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=MAX_SECONDS)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return {line for line in ran.stdout.splitlines() if "::" in line}


CASES_FROM_OUTSIDE = "tests/privacy/exactness/test_questions.py"  # its cases are in a file outside the project


def lost(recorded: Collection[str], there: Collection[str]) -> set[str]:
    """Return the recorded tests that are gone; those whose cases are not of the project may be absent."""
    return {test for test in set(recorded) - set(there) if file_of(test) != CASES_FROM_OUTSIDE}


def test_every_recorded_slow_test_and_file_is_there() -> None:
    there = collected("tests")
    assert not lost(slow_tests(), there), "renamed or removed: change tests/slow_tests.txt"
    assert not measured().keys() - {file_of(test) for test in there}, "renamed or removed: change tests/seconds.txt"


def test_a_renamed_test_is_lost_and_a_question_that_is_not_there_is_none() -> None:
    recorded = ["tests/a/test_b.py::test_c", f"{CASES_FROM_OUTSIDE}::test_an_exact_answer_is_duckdbs[Q99]"]
    assert lost(recorded, {"tests/a/test_b.py::test_d"}) == {"tests/a/test_b.py::test_c"}


def test_partially_run_files_are_not_also_left_out() -> None:
    assert not [entry for entry in EVERY if is_slow(entry) or is_slow(file_of(entry))]


def test_each_mechanism_of_privacy_has_a_planted_bug_that_is_there() -> None:
    assert CORE.keys() == MECHANISMS
    assert set(CORE.values()) <= collected("--quick", *CORE.values())


def test_the_first_case_runs_and_then_every_so_many_th() -> None:
    (file, step), *_ = EVERY.items()
    nodes = [f"{file}::test_a[{i}]" for i in range(2 * step + 1)] + [f"{file}::test_b"]
    assert list(selected(nodes)) == [nodes[0], nodes[step], nodes[2 * step], f"{file}::test_b"]


def test_a_ledger_is_tried_on_sqlite_alone() -> None:
    nodes = [
        f"tests/budgets/test_new.py::test_a[{store}{case}]" for case in ("", "-1") for store in ("sqlite", "postgres")
    ]
    assert list(selected(nodes)) == nodes[::2]


def test_slow_tests_are_left_out_except_the_core() -> None:
    core = next(node for node in CORE.values() if is_slow(file_of(node)))
    nodes = [f"{file_of(core)}::test_other", core, "tests/new/test_new.py::test_new"]
    assert list(selected(nodes)) == nodes[1:]


def test_a_test_that_took_too_long_is_left_out_unless_privacy_rests_on_it() -> None:
    slow = next(test for test in selected([*slow_tests()]) if not is_always_run(test))
    kept = next(iter(CORE.values()))
    items: list[Any] = [SimpleNamespace(nodeid=node, user_properties=[]) for node in (slow, kept, "tests/new.py::test")]
    left_out: list[Any] = []

    def pytest_deselected(items: list[Any]) -> None:
        left_out.extend(items)

    hook = SimpleNamespace(pytest_deselected=pytest_deselected)
    pytest_collection_modifyitems(cast("pytest.Config", SimpleNamespace(getoption=bool, hook=hook)), items)
    assert [item.nodeid for item in left_out] == [slow]
    assert [item.nodeid for item in items] == [kept, "tests/new.py::test"]
