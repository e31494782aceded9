"""Noise is propagated through a query, or through the part of it that is planned so far, by the same rules."""

from __future__ import annotations

from collections.abc import Callable

from dialect.algebra.release_plan import Question, SoFar
from dialect.postprocess.noise_propagation import forms_by_field, never_negative


def test_what_is_planned_so_far_is_read_as_the_question_is(ask: Callable[[str], Question]) -> None:
    question = ask(
        "SELECT SUM(n) AS s, AVG(m) AS m FROM (SELECT cell_id, COUNT(*) AS n, AVG(dwell_s) AS m FROM events GROUP BY 1)"
        " UNION ALL SELECT COUNT(*), 3 FROM subscribers"
    )
    assert question.sums and question.gathered
    so_far = SoFar(question.plans, question.releases, question.outer, question.sums, question.gathered)
    assert forms_by_field(so_far) == forms_by_field(question)
    assert never_negative(so_far) == never_negative(question)
    fewer = SoFar(question.plans, question.releases, question.outer)
    assert forms_by_field(fewer).keys() < forms_by_field(question).keys()
