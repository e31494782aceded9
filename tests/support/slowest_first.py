"""The files that take longest begin first: else one worker ends alone with them while the other has nothing left.

tests/seconds.txt has, of each file, the seconds of all its tests and those of its part of the quick suite.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import pytest

from tests.support.one_worker import part
from tests.support.quick import PROPERTY, file_of
from tests.support.tree import ROOT

FILE = ROOT / "tests" / "seconds.txt"
HEAD = (
    "# Seconds a file of tests takes: all of it, and its part of the quick suite. Written by make test-all ARGS=--measure;",
    '# of single files by make test-all ARGS="--measure tests/x/test_y.py".',
)


class Seconds(NamedTuple):
    """How long a file takes, by the workers' clocks."""

    whole: float
    quick: float


def measured() -> dict[str, Seconds]:
    """Read how long each file takes."""
    lines = (line.split() for line in FILE.read_text(encoding="utf-8").splitlines() if not line.startswith("#"))
    return {file: Seconds(float(whole), float(quick)) for whole, quick, file in lines}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the measured seconds be written anew."""
    parser.addoption("--measure", action="store_true", help="write tests/seconds.txt anew, from the files that ran")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put whole files in order, those that belong together beside each other; within a file tests stay as they are."""
    seconds = Counter[str]()
    for file, taken in measured().items():
        seconds[part(file)] += taken.quick if config.getoption("--quick") else taken.whole
    items.sort(key=lambda item: -seconds[part(file_of(item.nodeid))])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Write what this run took."""
    if config.getoption("--measure"):
        kept = (report for reports in terminalreporter.stats.values() for report in reports)
        reports = [report for report in kept if isinstance(report, pytest.TestReport)]
        FILE.write_text(written(measured(), reports, quick=config.getoption("--quick")), encoding="utf-8")


def written(before: Mapping[str, Seconds], reports: Iterable[pytest.TestReport], *, quick: bool = False) -> str:
    """Write each file's seconds, the slowest first; a file that did not run keeps its own while it is there.

    A quick run says of the whole of a file only that it takes no less.
    """
    whole, part_of_quick = Counter[str](), Counter[str]()
    for report in reports:
        file = file_of(report.nodeid)
        whole[file] += report.duration
        part_of_quick[file] += report.duration if PROPERTY in dict(report.user_properties) else 0.0
    taken = {file: seconds for file, seconds in before.items() if file in whole or (ROOT / file).is_file()}
    for file, seconds in whole.items():
        known = taken[file].whole if quick and file in taken else 0.0
        taken[file] = Seconds(max(known, seconds), part_of_quick[file])
    slowest = sorted(taken, key=lambda file: (-taken[file].whole, file))
    return "\n".join([*HEAD, *(f"{taken[file].whole:.1f} {taken[file].quick:.1f} {file}" for file in slowest), ""])
