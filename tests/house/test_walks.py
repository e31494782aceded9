"""The walks of CONTRIBUTING.md, walked in a copy of the tree: what is added makes the named test pass."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.tree import ROOT

COPIED = ("dialect", "tests/conftest.py", "tests/support", "tests/sql", "tests/dialect", "pyproject.toml")
COPIED += ("tests/seconds.txt", "tests/slow_tests.txt")
LINKED = ("engine", "budgets", "passersby")
Texts = dict[str, tuple[str, str]]  # file -> (a text that stands there once, the texts that replace it)


@dataclass(frozen=True)
class Walk:
    """What one walk adds to the product and to the tests, and the test that its table names."""

    product: Texts
    tests: Texts
    named: str


STRLEN, LIST = '    Function(\n        "strlen",', '        Aggregate(\n            "list", 1,'
BIT_LENGTH = """    Function(
        "bit_length", ("text",), _INT, "bit_length({0})", "CAST(bit_length({0}) AS BIGINT)", ranges.constant(0, 2**36),
        cost=Cost(per_character=0.5),
    ),
"""
MAD = """        Aggregate(
            "mad", 1, _D, "mad({0})", SAME, NoForm("Spark has none"), accepts=NUMBERS,
            range_rule=lambda ranges, _: Bounds(0.0, ranges[0].upper - ranges[0].lower), cost=_QUANTILE_COST,
            is_parsed_by_name=True,
        ),
"""
PRODUCT = '    "product": ('
WALKS = {
    "a scalar function": Walk(
        product={"dialect/functions/scalar/text.py": (STRLEN, BIT_LENGTH + STRLEN)},
        tests={"tests/sql/conformance.txt": ("strlen(s)\n", "strlen(s)\nbit_length(s)\n")},
        named="tests/dialect/test_conformance.py::test_an_expression_is_duckdbs[bit_length(s)]",
    ),
    "an aggregate": Walk(
        product={
            "dialect/functions/aggregates.py": (LIST, MAD + LIST),
            "dialect/parser/suggestions/aggregates.py": (
                PRODUCT,
                f'    "mad": ("is the value of one person", "STDDEV(x)", ("STDDEV({{0}})",)),\n{PRODUCT}',
            ),
        },
        tests={
            "tests/dialect/functions/test_aggregates.py": (
                '    "AVG(lat)": (-90, 90),\n',
                '    "AVG(lat)": (-90, 90),\n    "MAD(lat)": (0, 180),\n',
            )
        },
        named="tests/dialect/functions/test_aggregates.py::test_the_range_of_one_persons_aggregate[MAD(lat)]",
    ),
}
MOST_FILES = {"a scalar function": 1, "an aggregate": 3}


def copied_tree(folder: Path) -> Path:
    """Copy what a walk changes, and link what it doesn't."""
    for name in COPIED:
        (folder / name).parent.mkdir(exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, folder / name)
    for name in LINKED:
        (folder / name).symlink_to(ROOT / name)
    return folder


def change(tree: Path, texts: Texts) -> None:
    for name, (old, new) in texts.items():
        text = (tree / name).read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{name}: the place of the walk is not there once: {old}"
        (tree / name).write_text(text.replace(old, new), encoding="utf-8")


def passes(tree: Path, test: str) -> bool:
    """Run one test of a tree; it must be found."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", "-p", "no:cacheprovider", test]
    environment = {**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.returncode == 0


@pytest.mark.parametrize("walk", WALKS)
def test_a_walk_of_few_files_makes_its_test_pass(walk: str, tmp_path: Path) -> None:
    given, tree = WALKS[walk], copied_tree(tmp_path)
    assert len(given.product) <= MOST_FILES[walk]
    change(tree, given.tests)
    assert not passes(tree, given.named)
    change(tree, given.product)
    assert passes(tree, given.named)
