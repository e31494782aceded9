"""Notes on the numbers of an answer: missing quantiles, and columns without names."""

from __future__ import annotations

from dataclasses import replace

from dialect.algebra import NoteCode
from engine.pipeline.engine import Engine
from engine.pipeline.notes import FEW_ROWS_REASON, answer_notes
from engine.pricing.query_terms import Request
from engine.pricing.target_error import format_half_widths
from engine.server.http.sizes import NOISY_NOTES
from tests.engine.complete_town import no_noise

ANN = Request("ann")


def test_a_quantile_that_too_few_rows_leave_null_is_noted(engine: Engine) -> None:
    sql = "SELECT zone, MEDIAN(minutes) AS m FROM visit WHERE minutes > 59.9 GROUP BY zone"
    given = replace(engine, add_noise=no_noise).answer(sql, ANN)
    missing = given.answer.table.column("m").null_count
    (note,) = (note for note in answer_notes(given, rehearsal=False) if note.code is NoteCode.NULL_QUANTILE)
    assert missing and note.text == f"m: {missing} values are NULL: {FEW_ROWS_REASON}"
    assert note.code in NOISY_NOTES, "its length must not tell how many there are"


def test_a_quantile_of_many_rows_needs_no_note(engine: Engine) -> None:
    sql = "SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(rho = 0.1) MEDIAN(minutes) AS m FROM visit"
    given = replace(engine, add_noise=no_noise).answer(sql, ANN)
    assert given.answer.table.column("m").null_count == 0
    assert not any(FEW_ROWS_REASON in note.text for note in answer_notes(given, rehearsal=False))


def test_a_count_without_a_name_is_called_as_it_is_written() -> None:
    assert format_half_widths({"count_star()": 12.0, "n": 3.5}) == "COUNT(*) ± 12, n ± 3.5"
