"""Each contract about imports catches a planted violation, and exact numbers are of no type that is released.

That the contracts hold is for `make check`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.support.timeouts import MAX_SECONDS
from tests.support.tree import PACKAGES, ROOT

TOOLS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
CONTRACTS = TOOLS["importlinter"]["contracts"]

# contract -> (file that breaks it, what it says)
PLANTED = {
    "layers": ("dialect/errors.py", "import budgets"),
    "door": ("passersby/__init__.py", "import dialect"),
    "face": ("passersby/client/connect.py", "from engine.catalog.operator import operator_path"),
    "opendp": ("engine/pipeline/engine.py", "import opendp.prelude"),
    "sql": ("engine/pipeline/engine.py", "import sqlglot"),
    "duckdb": ("engine/pipeline/engine.py", "import duckdb"),
    "spark": ("engine/pipeline/engine.py", "import pyspark.sql"),
    "inside-budgets": ("budgets/accounting/privacy_loss.py", "import budgets.stores.journal"),
    "inside-dialect": ("dialect/catalog/model.py", "import dialect.planner.compilation"),
    "inside-engine": ("engine/mechanism/gaussian.py", "import engine.pipeline.engine"),
    "inside-server": ("engine/server/auth/keys.py", "import engine.server.service"),
    "inside-passersby": ("passersby/errors.py", "import passersby.client.connection"),
    "ledger": ("engine/pipeline/engine.py", "import sqlalchemy"),
}


def _lint(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run import-linter over the packages in a folder."""
    program = "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())"
    command = [sys.executable, "-c", program, "--no-cache", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=MAX_SECONDS)


@pytest.fixture
def copied_tree(tmp_path: Path) -> Path:
    """Copy the packages, so that a violation can be planted."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


@pytest.mark.parametrize("contract", [contract["id"] for contract in CONTRACTS])
def test_a_planted_violation_is_caught(copied_tree: Path, contract: str) -> None:
    file, line = PLANTED[contract]
    with (copied_tree / file).open("a", encoding="utf-8") as planted:
        planted.write(f"\n\n{line}\n")
    linted = _lint(copied_tree, "--contract", contract)
    assert linted.returncode == 1, linted.stdout + linted.stderr
    assert "BROKEN" in linted.stdout


HANDED_OUT = """
from engine.backends.exact import Exact
from engine.mechanism.gaussian import NoisyVector
from engine.mechanism.release import Release

def release(exact: Exact, noisy: tuple[NoisyVector, ...]) -> tuple[Release, Release]:
    return (
        Release(exact.keys, noisy, (1.0,), (1.0,)),
        Release(exact.keys, exact.vectors, (1.0,), (1.0,)),
    )
"""
# What types these three are made of is all that counts: to read every package without a cache takes five times as long.
READ_ALONE = """
[mypy]
python_version = 3.11
explicit_package_bases = True
follow_imports = skip
[mypy-numpy.*]
follow_imports = silent
[mypy-engine.backends.exact,engine.mechanism.gaussian,engine.mechanism.release]
follow_imports = normal
"""


def test_exact_numbers_are_not_of_the_type_that_a_release_holds(tmp_path: Path) -> None:
    (tmp_path / "handed_out.py").write_text(HANDED_OUT, encoding="utf-8")
    (tmp_path / "mypy.ini").write_text(READ_ALONE, encoding="utf-8")
    settings = ["--config-file", str(tmp_path / "mypy.ini"), "--cache-dir", str(tmp_path / "cache")]
    command = [sys.executable, "-m", "mypy", *settings, str(tmp_path / "handed_out.py")]
    checked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=MAX_SECONDS)
    errors = [line for line in checked.stdout.splitlines() if ": error: " in line]
    assert len(errors) == 1, checked.stdout + checked.stderr
    assert 'expected "tuple[NoisyVector, ...]"' in errors[0]
