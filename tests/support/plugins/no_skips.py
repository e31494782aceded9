"""With CI set, a skipped test fails: a green run means that everything ran."""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest

MAY_SKIP: frozenset[str] = frozenset()  # exact reasons that CI accepts


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a skipped test; expected failures are allowed."""
    report = yield
    if not hasattr(report, "wasxfail"):
        _forbid(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Fail a module that is skipped as a whole, as importorskip does."""
    report = yield
    _forbid(report)
    return report


def _forbid(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a skip into a failure with its reason."""
    if not (os.environ.get("CI") and report.skipped):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    if reason.removeprefix("Skipped: ") not in MAY_SKIP:
        report.outcome = "failed"
        report.longrepr = f"a skip is a failure in CI: {reason}"
