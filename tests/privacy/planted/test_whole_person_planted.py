"""The note on the loss over a person's whole history covers what all rows of one person move, in exact integers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from importlib import import_module
from typing import Any

import pytest

from dialect.catalog.privacy_windows import STATIC, PrivacyWindow
from dialect.notes import NoteCode
from engine.pipeline.notes import window_notes
from tests.support.greybox.greybox import RHO, connect, differences
from tests.support.neighbours.window_questions import fill_dates
from tests.support.neighbours.window_worlds import VICTIM, WINDOW_COUNT, Data, Row, Worlds
from tests.support.planted import Plant, instead

notes, charging = import_module("engine.pipeline.notes"), import_module("dialect.planner.window_charging")
K = WINDOW_COUNT
VISITS = tuple(Row(VICTIM, window, minutes=m, place=1 + m % 2) for window in range(K) for m in range(30))
DATA = Data((*VISITS, *(Row(person, window) for person in (1, 2) for window in range(K))))
TOTAL, BY_PLACE, BY_DAY = (
    "COUNT(*) FROM visit",
    "place, COUNT(*) FROM visit GROUP BY 1",
    "day, COUNT(*) FROM visit GROUP BY 1",
)
OF_ALL_WINDOWS = (
    "v.place, COUNT(*) FROM (SELECT person_id, max(place) AS place FROM visit GROUP BY person_id) AS v GROUP BY 1"
)
QUESTIONS = {
    TOTAL: K**2,
    BY_PLACE: K**2,
    f"{TOTAL} WHERE day >= DATE '{{second}}'": (K - 1) ** 2,
    "COUNT(DISTINCT person_id) FROM visit": K**2,
    "SUM(dwell) FROM visit": K**2,
    BY_DAY: K,
    "date_trunc('{unit}', began), SUM(steps) FROM visit GROUP BY 1": K,
    "place, day, COUNT(*) FROM visit GROUP BY 1, 2": K,
    OF_ALL_WINDOWS: 1,
}  # fmt: skip
REACHED = (TOTAL, BY_PLACE, BY_DAY)  # the victim's rows reach the stated loss, but for rounding


@pytest.fixture(scope="module")
def worlds() -> Iterator[Worlds]:
    with connect() as opened:
        yield Worlds(opened, PrivacyWindow.MONTH, DATA)


class LossExceeded(AssertionError):
    """All rows of one person together cost more than the note states."""


def stated_and_moved(worlds: Worlds, select: str) -> tuple[Fraction, Fraction]:
    """Return the rho that the note states, and the largest that all rows of the victim cost, both by price."""
    question = worlds.check(fill_dates(f"SELECT {select}", worlds.window))
    everybody, timeless = worlds.run(question, "everybody"), worlds.run(question, "timeless")
    prepared = everybody[0].prepared
    assert STATIC not in prepared.plan.charged_windows.windows
    (note,) = (each.text for each in window_notes([prepared]) if each.code is NoteCode.WHOLE_PERSON)
    found = re.fullmatch(
        r"Over one person's (\d) privacy windows together this release is at most rho ([\d.]+)\.", note
    )
    assert found is not None and int(found[1]) == len(prepared.plan.charged_windows.windows)
    costs = [
        Fraction(sum(move * move for move in moved), vector.sensitivity**2)
        for more, less in zip(everybody, timeless, strict=True)
        for vector, moved in zip(more.prepared.bounds.vectors, differences(more, less), strict=True)
    ]
    stated, moved = Fraction(found[2]) / RHO, max(costs)
    if moved > stated:
        raise LossExceeded(f"{moved} > {stated}: {select}")
    return stated, moved


@pytest.mark.parametrize("select", QUESTIONS)
def test_the_stated_loss_over_a_whole_history_covers_all_rows_of_a_person(worlds: Worlds, select: str) -> None:
    stated, moved = stated_and_moved(worlds, select)
    assert stated == QUESTIONS[select]
    assert moved > stated * Fraction(999, 1000) or select not in REACHED


charged_windows = charging._charged_windows


def bounded_together(*given: Any) -> Any:
    return replace(charged_windows(*given), is_crossing=True)


PLANTED: dict[str, tuple[Plant, str]] = {
    "the number of windows for its square": (
        instead(notes, "_whole_person_note", lambda charged, rho: _note(len(charged.windows), len(charged.windows) * rho)), TOTAL,
    ),
    "one window for all": (instead(notes, "_whole_person_note", lambda charged, rho: _note(len(charged.windows), rho)), BY_DAY),
    "every key taken for one that determines the window": (instead(charging, "determines_window", lambda *_: True), BY_PLACE),
    "windows kept apart taken for bounded together": (
        instead(charging, "_charged_windows", bounded_together), BY_PLACE,
    ),
}  # fmt: skip


def _note(windows: int, rho: float) -> str:
    return f"Over one person's {windows} privacy windows together this release is at most rho {rho:.4g}."


@pytest.mark.parametrize("bug", PLANTED)
def test_a_planted_note_of_too_little_loss_is_found(worlds: Worlds, monkeypatch: pytest.MonkeyPatch, bug: str) -> None:
    plant, select = PLANTED[bug]
    plant(monkeypatch)
    with pytest.raises(LossExceeded):
        stated_and_moved(worlds, select)
