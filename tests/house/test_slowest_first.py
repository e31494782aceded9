"""Slow files begin first, and the list of them is of files that are there."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.plugins.one_worker import TOGETHER
from tests.support.plugins.quick import CORE, PROPERTY, TEST_SECONDS
from tests.support.plugins.slowest_first import Seconds, measured, pytest_collection_modifyitems, written, written_tests
from tests.support.tree import ROOT

WHOLE, QUICK = (SimpleNamespace(getoption=lambda name, asked=asked: asked) for asked in (False, True))
KEPT, ALSO_KEPT = "tests/conftest.py", "tests/seconds.txt"  # files that are there


def _report(node: str, duration: float, *, quick: bool = False) -> pytest.TestReport:
    properties = [(PROPERTY, True)] if quick else []
    return pytest.TestReport(
        node, ("", 0, ""), {}, "passed", None, "call", duration=duration, user_properties=properties
    )


def _ordered(nodes: list[str], config: Any = WHOLE) -> list[str]:
    items: list[Any] = [SimpleNamespace(nodeid=node) for node in nodes]
    pytest_collection_modifyitems(config, items)
    return [item.nodeid for item in items]


def test_each_file_of_the_list_is_there() -> None:
    assert not [file for file in measured() if not (ROOT / file).is_file()]


def test_slow_files_begin_and_tests_of_a_file_stay_together() -> None:
    whole = {file: seconds.whole for file, seconds in measured().items() if file not in TOGETHER}
    slow, slower = sorted(whole, key=whole.__getitem__)[-2:]
    nodes = ["tests/a.py::b", f"{slow}::z", f"{slow}::a", "tests/a.py::a", f"{slower}::x[1::2]"]
    assert _ordered(nodes) == [nodes[4], nodes[1], nodes[2], nodes[0], nodes[3]]


def test_the_quick_suite_begins_with_what_takes_longest_in_it() -> None:
    files = {file: seconds for file, seconds in measured().items() if seconds.quick and file not in TOGETHER}
    quick = max(files, key=lambda file: files[file].quick)
    whole = max(files, key=lambda file: files[file].whole - files[file].quick)
    assert _ordered([f"{whole}::x", f"{quick}::x"], QUICK) == [f"{quick}::x", f"{whole}::x"]


def test_files_that_belong_together_follow_each_other() -> None:
    whole = {file: seconds.whole for file, seconds in measured().items()}
    one, *_, other = sorted(TOGETHER, key=lambda file: -whole[file])
    slow = next(file for file, seconds in whole.items() if whole[other] < seconds < whole[one])
    assert _ordered([f"{file}::x" for file in (one, slow, other)]) == [f"{file}::x" for file in (one, other, slow)]


def test_measured_seconds_are_written_and_others_remain_while_their_file_exists() -> None:
    ran = [_report("t/a.py::x", 0.5, quick=True), _report("t/a.py::y", 2.5), _report(f"{KEPT}::x", 0.1, quick=True)]
    before = {KEPT: Seconds(70.0, 7.0), ALSO_KEPT: Seconds(5.0, 1.0), "t/gone.py": Seconds(6.0, 1.0)}
    lines = [line for line in written(before, ran).splitlines() if not line.startswith("#")]
    assert lines == [f"5.0 1.0 {ALSO_KEPT}", "3.0 0.5 t/a.py", f"0.1 0.1 {KEPT}"]


def test_a_quick_run_leaves_the_seconds_of_the_whole() -> None:
    ran = [_report("t/a.py::x", 0.5, quick=True), _report(f"{KEPT}::x", 0.4, quick=True)]
    lines = written({KEPT: Seconds(70.0, 7.0)}, ran, quick=True).splitlines()
    assert lines[-2:] == [f"70.0 0.4 {KEPT}", "0.5 0.5 t/a.py"]


def test_a_slow_test_is_written_and_no_part_of_the_quick_suite_unless_it_is_of_the_core() -> None:
    core, long = next(iter(CORE.values())), 2 * TEST_SECONDS
    ran = [_report(f"{KEPT}::{test}", TEST_SECONDS / 2, quick=True) for test in ("x", "was_slow")]
    ran += [_report(f"{KEPT}::y[a b]", long, quick=True), _report(core, long, quick=True)]
    before = {f"{KEPT}::was_slow": 9.0, f"{ALSO_KEPT}::z": 8.0, "t/gone.py::x": 7.0}
    lines = [line for line in written_tests(before, ran).splitlines() if not line.startswith("#")]
    assert lines == [f"8.0 {ALSO_KEPT}::z", *sorted((f"{long} {core}", f"{long} {KEPT}::y[a b]"))]
    files = written({}, ran).splitlines()
    assert f"{3 * TEST_SECONDS:.1f} {TEST_SECONDS:.1f} {KEPT}" in files
    assert f"{long:.1f} {long:.1f} {core.partition('::')[0]}" in files
