"""Questions from the whole dialect without end: relations in relations, any function, columns of every stored type.

An example is one question on one database, with the victim and without; under privacy windows, without each window of it.
"""

from __future__ import annotations

from collections import Counter
from random import Random

from dialect import Refusal
from dialect.catalog.privacy_windows import PrivacyWindow
from tests.nightly.greybox import opened
from tests.nightly.search import EXAMPLES
from tests.support.greybox.greybox import GreyBox, connect
from tests.support.greybox.greybox_data import Declared, declared_as
from tests.support.greybox.greybox_grammar import Drawn, declare, make_worlds
from tests.support.neighbours.window_grammar import WindowedDrawn, drawn_data
from tests.support.neighbours.window_worlds import Worlds

DATABASES, QUESTIONS = 6, 8  # of a chunk, and of a database
LENGTHS = (PrivacyWindow.MONTH, PrivacyWindow.WEEK, PrivacyWindow.DAY)


def chunk(number: int, databases: int = DATABASES) -> Counter[str]:
    """Check questions over columns of every type against the declared sensitivities."""
    counted: Counter[str] = Counter()
    connection, _ = opened()
    for random in _randoms(number, databases):
        make_worlds(connection, random)
        declared = Declared(max_groups=random.choice((1, 2, 4)), max_rows=random.choice((1, 3, 8)))
        box = GreyBox(connection, declared_as(declare(), declared))
        for _ in range(QUESTIONS):
            try:
                moved = box.check(Drawn(random).question())
            except Refusal:
                counted["refused"] += 1
            else:
                counted[EXAMPLES] += 1
                counted["that moved"] += moved > 0
    return counted


def windows(number: int, databases: int = DATABASES) -> Counter[str]:
    """Check questions over privacy windows against the charged windows and the declared sensitivities."""
    counted: Counter[str] = Counter()
    with connect() as connection:
        for random in _randoms(number, databases):
            window = random.choice(LENGTHS)
            worlds = Worlds(connection, window, drawn_data(random))
            for _ in range(QUESTIONS):
                try:
                    question = worlds.check(WindowedDrawn(random, window).question())
                except Refusal:
                    counted["refused"] += 1
                else:
                    counted[EXAMPLES] += 1
                    counted["that cross windows"] += any(plan.charged_windows.is_crossing for plan in question.plans)
    return counted


def _randoms(number: int, databases: int) -> list[Random]:
    """Return a source of draws for each database, so that one is found again by its number."""
    return [Random(f"{number} {place}") for place in range(databases)]
