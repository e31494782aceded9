"""What tests found out and people should read: numbers recorded as properties, summed up at the end of the run."""

from __future__ import annotations

from collections import Counter

import pytest

QUESTIONS = "generated questions"  # a property with a mapping of counts


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell how many generated questions were asked, accepted and listed apart."""
    total: Counter[str] = Counter()
    for report in (*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")):
        for name, counts in report.user_properties:
            if name == QUESTIONS:
                total.update(counts)
    if total["asked"]:
        share = total["accepted"] / total["asked"]
        terminalreporter.write_line(
            f"{QUESTIONS}: {total['asked']:,} asked, {total['accepted']:,} accepted ({share:.1%}),"
            f" {total['apart']:,} of them listed apart"
        )
