"""Eligibility without end: people, rules, objections and queries; ineligible people are as good as deleted."""

from __future__ import annotations

from collections import Counter

from hypothesis import strategies as st

from dialect import Refusal
from dialect.catalog.privacy_windows import PrivacyWindow
from tests.nightly.greybox import opened
from tests.nightly.search import EXAMPLES, drawn
from tests.privacy.greybox.test_greybox_eligibility import KINDS
from tests.privacy.greybox.test_greybox_window_eligibility import LENGTHS, hold
from tests.support.greybox.greybox import connect
from tests.support.greybox.greybox_admission import (
    EligibilityCase,
    check_eligibility,
    eligibility_cases,
    make_eligibility_worlds,
)
from tests.support.greybox.greybox_data import make_worlds
from tests.support.neighbours.window_admission import RuledDatabase, ruled
from tests.support.neighbours.window_questions import questions

IN_WINDOWS = 8  # databases of a chunk under windows of time
DATABASES = 12  # of a chunk, each with one question


def chunk(number: int, examples: int = DATABASES, *, smaller: bool = True) -> Counter[str]:
    """Compare some databases in all worlds with those without the ineligible rows."""
    counted: Counter[str] = Counter()

    def look(one: tuple[EligibilityCase, str]) -> None:
        database, sql = one
        connection, _ = opened()
        make_worlds(connection, database.database)
        make_eligibility_worlds(connection, database)
        try:
            counted["worlds with numbers"] += check_eligibility(connection, database, sql)
        except Refusal:
            counted["refused"] += 1
        else:
            counted[EXAMPLES] += 1

    drawn(st.tuples(eligibility_cases(), st.one_of(*KINDS.values())), number, examples, look, smaller=smaller)
    return counted


def windows(number: int, examples: int = IN_WINDOWS, *, smaller: bool = True) -> Counter[str]:
    """Compare databases with privacy windows with those without ineligible rows, or without one person's window."""
    counted: Counter[str] = Counter()

    with connect() as connection:

        def look(one: tuple[PrivacyWindow, RuledDatabase, str]) -> None:
            met = hold(connection, *one)
            counted.update(met)
            counted[EXAMPLES] += not met["refused"]

        drawn(st.tuples(st.sampled_from(LENGTHS), ruled(), questions()), number, examples, look, smaller=smaller)
    return counted
