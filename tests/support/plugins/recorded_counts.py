"""Summarize numbers that tests record as properties at the end of a run."""

from __future__ import annotations

from collections import Counter

import pytest

QUESTIONS = "generated questions"  # a property with a mapping of counts


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Report how many generated queries were run, accepted and excluded from comparison."""
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
