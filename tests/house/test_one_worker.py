"""Files that share a cluster share the worker that starts it, and are there."""

from __future__ import annotations

import re

from tests.support.plugins.one_worker import TOGETHER, Together
from tests.support.tree import ROOT

SHARED = re.compile(r"^def .*\bcluster: Cluster\b|^    .*\bcluster: Cluster\b", re.MULTILINE)


def test_files_that_belong_together_are_one_part_and_any_other_its_own() -> None:
    scope = object.__new__(Together)._split_scope
    assert {scope(f"{file}::test[a::b]") for file in TOGETHER} == {"spark"}
    assert scope("tests/engine/backends/test_duckdb.py::test") == "tests/engine/backends/test_duckdb.py"


def test_the_grouped_files_are_those_using_the_shared_cluster() -> None:
    files = (ROOT / "tests" / "engine" / "backends").glob("test_*.py")
    asking = {str(file.relative_to(ROOT)) for file in files if SHARED.search(file.read_text(encoding="utf-8"))}
    assert asking == set(TOGETHER)
