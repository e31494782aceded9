"""Slow files begin first, and the list of them is of files that are there."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tests.support.one_worker import TOGETHER
from tests.support.slowest_first import measured, pytest_collection_modifyitems, written
from tests.support.tree import ROOT


def _report(node: str, duration: float) -> pytest.TestReport:
    return pytest.TestReport(node, ("", 0, ""), {}, "passed", None, "call", duration=duration)


def test_each_file_of_the_list_is_there() -> None:
    assert all((ROOT / file).is_file() for file in measured())


def test_slow_files_begin_and_tests_of_a_file_stay_together() -> None:
    slow, slower = sorted(measured().keys() - TOGETHER, key=measured().__getitem__)[-2:]
    nodes = ["tests/a.py::b", f"{slow}::z", f"{slow}::a", "tests/a.py::a", f"{slower}::x[1::2]"]
    items = [SimpleNamespace(nodeid=node) for node in nodes]
    pytest_collection_modifyitems(items)  # type: ignore[arg-type]
    assert [item.nodeid for item in items] == [nodes[4], nodes[1], nodes[2], nodes[0], nodes[3]]


def test_files_that_belong_together_follow_each_other() -> None:
    one, *_, other = sorted(TOGETHER, key=lambda file: -measured()[file])
    slow = next(file for file, seconds in measured().items() if measured()[other] < seconds < measured()[one])
    items = [SimpleNamespace(nodeid=f"{file}::x") for file in (one, slow, other)]
    pytest_collection_modifyitems(items)  # type: ignore[arg-type]
    assert [item.nodeid for item in items] == [f"{file}::x" for file in (one, other, slow)]


def test_what_ran_is_written_and_the_rest_is_kept() -> None:
    ran = [_report("t/a.py::x", 1.5), _report("t/a.py::y", 2.5), _report("t/b.py::x", 0.1), _report("t/c.py::x", 9)]
    lines = written({"t/b.py": 70.0, "t/d.py": 5.0}, ran).splitlines()
    assert lines[1:] == ["9.0 t/c.py", "5.0 t/d.py", "4.0 t/a.py"]
