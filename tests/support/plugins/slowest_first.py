"""Run the slowest test files first, so that no worker is left alone with one at the end.

tests/seconds.txt has the seconds of each file, for all tests and for the quick suite; tests/slow_tests.txt has the
tests that are too slow for the latter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import pytest

from tests.support.plugins.one_worker import part
from tests.support.plugins.quick import PROPERTY, SLOW_TESTS, TEST_SECONDS, file_of, is_always_run, slow_tests
from tests.support.tree import ROOT

FILE = ROOT / "tests" / "seconds.txt"
HEAD = (
    "# Seconds a file of tests takes: all of it, and its part of the quick suite. Written by make test-all ARGS=--measure;",
    '# of single files by make test-all ARGS="--measure tests/x/test_y.py".',
)

HEAD_OF_TESTS = (
    f"# Seconds of each test that took longer than {TEST_SECONDS} without its fixtures: the quick suite leaves it out.",
    "# Written with tests/seconds.txt.",
)


class Seconds(NamedTuple):
    """Duration of a file, by the workers' clocks."""

    whole: float
    quick: float


def measured() -> dict[str, Seconds]:
    """Read the recorded seconds of each file."""
    lines = (line.split() for line in FILE.read_text(encoding="utf-8").splitlines() if not line.startswith("#"))
    return {file: Seconds(float(whole), float(quick)) for whole, quick, file in lines}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option to record durations."""
    parser.addoption("--measure", action="store_true", help="write the recorded seconds anew, of what ran")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Sort files by duration, keeping groups together and the order of tests within a file."""
    seconds = Counter[str]()
    for file, taken in measured().items():
        seconds[part(file)] += taken.quick if config.getoption("--quick") else taken.whole
    items.sort(key=lambda item: -seconds[part(file_of(item.nodeid))])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Record the durations of this run."""
    if config.getoption("--measure"):
        recorded = (report for reports in terminalreporter.stats.values() for report in reports)
        reports = [report for report in recorded if isinstance(report, pytest.TestReport)]
        SLOW_TESTS.write_text(written_tests(slow_tests(), reports), encoding="utf-8")
        FILE.write_text(written(measured(), reports, quick=config.getoption("--quick")), encoding="utf-8")


def written(before: Mapping[str, Seconds], reports: Iterable[pytest.TestReport], *, quick: bool = False) -> str:
    """Format each file's seconds, slowest first; files that did not run keep theirs while they exist.

    A quick run only gives a lower bound for a whole file.
    """
    whole, part_of_quick = Counter[str](), Counter[str]()
    reports = list(reports)
    long = {test for test in _long(reports) if not is_always_run(test)}
    for report in reports:
        file = file_of(report.nodeid)
        whole[file] += report.duration
        in_quick = PROPERTY in dict(report.user_properties) and report.nodeid not in long
        part_of_quick[file] += report.duration if in_quick else 0.0
    taken = {file: seconds for file, seconds in before.items() if file in whole or (ROOT / file).is_file()}
    for file, seconds in whole.items():
        known = taken[file].whole if quick and file in taken else 0.0
        taken[file] = Seconds(max(known, seconds), part_of_quick[file])
    slowest = sorted(taken, key=lambda file: (-taken[file].whole, file))
    return "\n".join([*HEAD, *(f"{taken[file].whole:.1f} {taken[file].quick:.1f} {file}" for file in slowest), ""])


def written_tests(before: Mapping[str, float], reports: Iterable[pytest.TestReport]) -> str:
    """Format the slow tests, slowest first; those that did not run are kept while their file exists."""
    reports = list(reports)
    ran = {report.nodeid for report in reports}
    taken = {test: seconds for test, seconds in before.items() if test not in ran and (ROOT / file_of(test)).is_file()}
    taken |= _long(reports)
    return "\n".join(
        [*HEAD_OF_TESTS, *(f"{taken[test]:.1f} {test}" for test in sorted(taken, key=_by_time(taken))), ""]
    )


def _long(reports: Iterable[pytest.TestReport]) -> dict[str, float]:
    calls = ((report.nodeid, report.duration) for report in reports if report.when == "call")
    return {test: seconds for test, seconds in calls if seconds > TEST_SECONDS}


def _by_time(taken: Mapping[str, float]) -> Callable[[str], tuple[float, str]]:
    return lambda test: (-round(taken[test], 1), test)
