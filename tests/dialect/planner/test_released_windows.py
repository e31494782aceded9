"""The noise of a window over released rows is that of the rows it looks at, and of another row's number that row's."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dialect.algebra.expressions import Literal
from dialect.algebra.relations import Window
from dialect.postprocess.noise_propagation import LinearCombination, all_variances
from dialect.postprocess.question import Question

R = "(SELECT cell_id AS k, COUNT(*) AS n FROM events GROUP BY 1) r"
Ask = Callable[[str], Question]


def numerator(question: Question) -> LinearCombination:
    (shown,) = question.columns
    assert shown.form is not None
    return shown.form.numerator


def variance(question: Question) -> object:
    """Variance of numbers of variance 1 if constants decide it; else None."""
    ones = {raw.id: 1.0 for release in question.releases for raw in release.raw_fields}
    written = numerator(question).variance(all_variances(question, ones))
    parts, total = [written], 0.0
    while parts:
        part = parts.pop()
        if isinstance(part, Literal):
            total += float(part.value or 0)
        elif getattr(part, "name", "") == "+":
            parts += part.arguments
        else:
            return None
    return total


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        ("LAG(n) OVER (ORDER BY k)", 1),
        ("n - LAG(n) OVER (ORDER BY k)", 2),
        ("n + LAG(n) OVER (ORDER BY k)", 2),  # of two rows
        ("n + LEAD(n, 3) OVER (ORDER BY k)", 2),
        ("LAG(n) OVER (ORDER BY k) + LAG(n, 2) OVER (ORDER BY k)", 2),
        ("LAG(n) OVER (ORDER BY k) + LEAD(n) OVER (ORDER BY k)", 2),
        ("LAG(n) OVER (ORDER BY k) + LEAD(n, -1) OVER (ORDER BY k)", 4),  # of one and the same
        ("LAG(n) OVER (ORDER BY k) + LAG(n) OVER (ORDER BY k DESC)", 4),  # perhaps of one
        ("n + LAG(n, 0) OVER (ORDER BY k)", 4),  # the row itself
        ("n + FIRST_VALUE(n) OVER (ORDER BY k)", 4),  # in the first row the row itself
        ("LAG(3 * n + k) OVER (ORDER BY k)", 9),
        ("SUM(n) OVER (ORDER BY k)", None),  # as many as rows in the frame
        ("LAG(n * k) OVER (ORDER BY k)", None),
    ],
)
def test_variances_add_up_over_rows(shown: str, expected: float | None, ask: Ask) -> None:
    assert variance(ask(f"SELECT {shown} AS x FROM {R}")) == expected


def test_variance_does_not_distinguish_rows_of_two_scans(ask: Ask) -> None:
    rows = f"(SELECT k, n, LAG(n) OVER (ORDER BY k) AS l FROM {R})"
    assert variance(ask(f"SELECT a.n + a.l AS x FROM {rows} a JOIN {rows} b USING (k)")) == 2
    assert variance(ask(f"SELECT a.n + b.l AS x FROM {rows} a JOIN {rows} b ON a.k = b.k + 1")) == 4


def test_noise_terms_use_the_frame_of_their_value(ask: Ask) -> None:
    frame = "ROWS BETWEEN 6 PRECEDING AND CURRENT ROW"
    question = ask(f"SELECT AVG(2 * n) FILTER (WHERE k > 3) OVER (PARTITION BY k % 2 ORDER BY k {frame}) AS x FROM {R}")
    relation = question.outer
    assert isinstance(relation.operator, Window)
    shown, *beside = relation.operator.calls
    assert [call.function for call in beside] == ["sum", "avg", "sum"]
    assert {(call.partition, call.order, call.frame) for call in beside} == {
        (shown.partition, shown.order, shown.frame)
    }
    assert all(call.condition is not None and call.condition != shown.condition for call in beside)


def test_a_default_of_lag_contributes_no_noise(ask: Ask) -> None:
    (made,) = ask(f"SELECT LAG(n, 1, 7) OVER (ORDER BY k) AS x FROM {R}").released_sums
    assert made.exact_part is not None
    assert not isinstance(made.noise_terms[0][1], Literal)  # 0 in the first row, 1 in the others
    (plain,) = ask(f"SELECT LAG(n) OVER (ORDER BY k) AS x FROM {R}").released_sums
    assert plain.exact_part is None and plain.noise_terms[0][1] == Literal(1.0, plain.noise_terms[0][1].type)
