"""In CI a skip is a failure, for a test and for a module."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.timeouts import MAX_SECONDS
from tests.support.tree import ROOT

SKIPPING = {
    "a test": "import pytest\n\ndef test_absent():\n    pytest.skip('no data')\n",
    "a module": "import pytest\n\npytest.importorskip('a_package_that_nobody_has')\n\ndef test_absent():\n    pass\n",
    "a mark": "import pytest\n\n@pytest.mark.skip(reason='no data')\ndef test_absent():\n    pass\n",
}
EXPECTED_FAILURE = "import pytest\n\n@pytest.mark.xfail\ndef test_known():\n    assert False\n"


def _run(tmp_path: Path, text: str, ci: str) -> int:
    """Run one file of tests with the rule of CI at hand, and give pytest's exit code."""
    (tmp_path / "test_one.py").write_text(text, encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "tests.support.plugins.no_skips",
        "--rootdir",
        str(tmp_path),
        "-p",
        "no:cacheprovider",
        str(tmp_path),
    ]
    environment = {**os.environ, "CI": ci, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, timeout=MAX_SECONDS).returncode


@pytest.mark.parametrize("what", SKIPPING)
def test_a_skip_fails_in_ci(tmp_path: Path, what: str) -> None:
    assert _run(tmp_path, SKIPPING[what], ci="true") in {pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED}


def test_a_skip_is_allowed_elsewhere(tmp_path: Path) -> None:
    assert _run(tmp_path, SKIPPING["a test"], ci="") == pytest.ExitCode.OK


def test_an_expected_failure_is_no_skip(tmp_path: Path) -> None:
    assert _run(tmp_path, EXPECTED_FAILURE, ci="true") == pytest.ExitCode.OK
