"""The files that take longest begin first: else one worker ends alone with them while the other has nothing left."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.support.one_worker import part
from tests.support.tree import ROOT

FILE = ROOT / "tests" / "seconds.txt"
LEAST = 2.0  # seconds: what is shorter fills the gaps at the end


def measured() -> dict[str, float]:
    """Read how long each slow file takes."""
    lines = (line.split() for line in FILE.read_text(encoding="utf-8").splitlines() if not line.startswith("#"))
    return {file: float(seconds) for seconds, file in lines}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the measured seconds be written anew."""
    parser.addoption("--measure", action="store_true", help="write tests/seconds.txt anew, from the files that ran")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put whole files in order, those that belong together beside each other; within a file tests stay as they are."""
    seconds = Counter[str]()
    for file, taken in measured().items():
        seconds[part(file)] += taken
    items.sort(key=lambda item: -seconds[part(_file(item.nodeid))])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Write what this run took."""
    if config.getoption("--measure"):
        reports = [report for kept in terminalreporter.stats.values() for report in kept]
        FILE.write_text(written(measured(), [r for r in reports if isinstance(r, pytest.TestReport)]), encoding="utf-8")


def written(before: dict[str, float], reports: list[pytest.TestReport]) -> str:
    """Write each file's seconds, the slowest first; files that did not run keep theirs."""
    spent: Counter[str] = Counter()
    for report in reports:
        spent[_file(report.nodeid)] += report.duration
    slow = {file: seconds for file, seconds in {**before, **spent}.items() if seconds >= LEAST}
    lines = [f"{slow[file]:.1f} {file}" for file in sorted(slow, key=lambda file: (-slow[file], file))]
    return "\n".join(["# seconds a file of tests takes, written by: make test ARGS=--measure", *lines, ""])


def _file(node: str) -> str:
    return node.partition("::")[0]
