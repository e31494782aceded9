"""Quantiles become a count per bin: which bins, which rows, which level, and which notes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dialect.algebra.formulas import QuantileOf
from dialect.catalog.model import ValueRange
from dialect.functions.aggregates import MAX_LEVEL, MIN_LEVEL
from dialect.notes import NoteCode
from dialect.postprocess.question import Question

Ask = Callable[[str], Question]

LEVELS = {
    "MEDIAN(dwell_s)": QuantileOf(0.5),
    "QUANTILE_CONT(dwell_s, 0.25)": QuantileOf(0.25),
    "QUANTILE_DISC(dwell_s, 0.25)": QuantileOf(0.25, None, True),
    "QUANTILE_DISC(age, 0.25)": QuantileOf(0.25, "near", True),
    "MIN(dwell_s)": QuantileOf(MIN_LEVEL),
    "MAX(dwell_s)": QuantileOf(MAX_LEVEL),
    "MIN(age)": QuantileOf(MIN_LEVEL, "down"),  # whole numbers are rounded away from the middle
    "MAX(age)": QuantileOf(MAX_LEVEL, "up"),
}


@pytest.mark.parametrize("shown", LEVELS)
def test_an_aggregate_is_a_level(shown: str, ask: Ask) -> None:
    question = ask(f"SELECT {shown} FROM {'subscribers' if 'age' in shown else 'events'}")
    ((output,),) = (release.outputs for release in question.releases)
    assert output.formula == LEVELS[shown]
    assert output.interval_fields is not None


def test_the_bin_is_the_last_key_of_the_boundary_and_every_bin_is_listed(ask: Ask) -> None:
    question = ask("SELECT hour(ts) AS h, MEDIAN(dwell_s) FROM events GROUP BY 1")
    (plan,), (release,) = question.plans, question.releases
    histogram = release.histogram
    assert histogram is not None
    held = plan.keys[histogram.key_index].field
    assert held.name == "bin(dwell_s)" and held.domain == ValueRange(0, histogram.bin_count - 1)
    assert plan.key_set is not None
    assert [vector.kind.name for vector in plan.vectors] == ["ROWS"]


def test_rows_that_filter_leaves_out_are_in_another_histogram(ask: Ask) -> None:
    one = ask("SELECT MEDIAN(dwell_s) FILTER (WHERE lat > 1) FROM events").plans[0].canonical_text
    assert one != ask("SELECT MEDIAN(dwell_s) FROM events").plans[0].canonical_text


@pytest.mark.parametrize(
    ("shown", "conditions"),
    [
        (
            "gender IS NULL, MEDIAN(age) FILTER (WHERE gender IS NOT NULL)",
            ("WHERE gender IS NOT NULL", "WHERE age IS NOT NULL"),
        ),
        ("age IS NULL, MEDIAN(age)", ("WHERE age IS NOT NULL", "")),  # rows without an age have no bin
    ],
)
def test_groups_without_counted_rows_are_in_another_histogram(
    shown: str, conditions: tuple[str, str], ask: Ask
) -> None:
    """The same rows are counted for both conditions, but the answers have other groups."""
    questions = (ask(f"SELECT {shown} FROM subscribers {condition} GROUP BY 1") for condition in conditions)
    one, other = (question.plans[0] for question in questions)
    rows = {plan.canonical_groups.partition(" group by ")[0] for plan in (one, other)}
    assert len(rows) == 1 and one.canonical_text != other.canonical_text


def test_min_and_max_have_a_note_that_they_are_quantiles(ask: Ask) -> None:
    notes = ask("SELECT MIN(dwell_s), MAX(dwell_s), MEDIAN(dwell_s) FROM events").notes
    assert sum(note.code is NoteCode.QUANTILE for note in notes) == 1
    assert any(note.text.startswith("min(dwell_s): ") and "1%" in note.text for note in notes)
    assert any(note.text.startswith("max(dwell_s): ") and "99%" in note.text for note in notes)
