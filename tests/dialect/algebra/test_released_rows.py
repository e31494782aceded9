"""Noise is propagated through a query, or through the part of it that is planned so far, by the same rules."""

from __future__ import annotations

from collections.abc import Callable

from dialect.algebra.release_plan import QueryOverReleases
from dialect.postprocess.noise_propagation import forms_by_field, non_negative_fields
from dialect.postprocess.question import Question


def test_released_rows_are_bound_like_a_query(ask: Callable[[str], Question]) -> None:
    question = ask(
        "SELECT SUM(n) AS s, AVG(m) AS m FROM (SELECT cell_id, COUNT(*) AS n, AVG(dwell_s) AS m FROM events GROUP BY 1)"
        " UNION ALL SELECT COUNT(*), 3 FROM subscribers"
    )
    assert question.released_sums and question.union_columns
    so_far = QueryOverReleases(
        question.plans, question.releases, question.outer, question.released_sums, question.union_columns
    )
    assert forms_by_field(so_far) == forms_by_field(question)
    assert non_negative_fields(so_far) == non_negative_fields(question)
    fewer = QueryOverReleases(question.plans, question.releases, question.outer)
    assert forms_by_field(fewer).keys() < forms_by_field(question).keys()
