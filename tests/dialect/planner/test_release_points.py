"""A release point becomes one release of its query vectors and one per histogram; duplicates are made once."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dialect.algebra.relations import Join
from dialect.errors import Code, Refusal
from dialect.postprocess.question import Question

Ask = Callable[[str], Question]


def plans(question: Question) -> list[int]:
    """The plan of each release in turn."""
    return [release.plan_index for release in question.releases]


def test_a_release_that_a_question_reads_twice_is_made_once(ask: Ask) -> None:
    once = "(SELECT COUNT(*) AS n FROM events)"
    assert plans(ask(f"SELECT a.n, b.n FROM {once} a CROSS JOIN {once} b")) == [0, 0]
    assert plans(ask(f"SELECT a.n, b.n FROM {once} a CROSS JOIN (SELECT COUNT(*) AS n FROM subscribers) b")) == [0, 1]


def test_two_scans_of_a_release_share_its_noise(ask: Ask) -> None:
    once = "(SELECT COUNT(*) AS n FROM events)"
    first, second = (release.raw_fields[0] for release in ask(f"SELECT a.n FROM {once} a, {once} b").releases)
    assert first != second and first.origin == second.origin


@pytest.mark.parametrize(
    ("shown", "histograms"),
    [
        ("COUNT(*), SUM(dwell_s)", [False]),
        ("COUNT(*), MEDIAN(dwell_s)", [False, True]),
        ("MEDIAN(dwell_s)", [True]),
        ("MEDIAN(dwell_s), QUANTILE_CONT(dwell_s, 0.9)", [True]),  # two levels of one value
        ("MEDIAN(dwell_s), MEDIAN(lat)", [True, True]),
        ("MEDIAN(dwell_s), MEDIAN(dwell_s) FILTER (WHERE lat > 1)", [True, True]),
    ],
)
def test_each_histogram_is_a_release_of_its_own(shown: str, histograms: list[bool], ask: Ask) -> None:
    question = ask(f"SELECT {shown} FROM events")
    assert [release.histogram is not None for release in question.releases] == histograms


def test_releases_of_one_release_point_are_joined_by_their_keys(ask: Ask) -> None:
    question = ask(
        "SELECT cell_id % 2 AS k, COUNT(*), MEDIAN(dwell_s) FROM events WHERE cell_id IN (1, 2, 3) GROUP BY 1"
    )
    relation = question.outer
    while not isinstance(relation.operator, Join):
        relation = relation.operator.source  # type: ignore[union-attr]  # above the join there are only such
    assert relation.operator.kind == "left"
    first, second = question.releases
    assert [len(release.keys) for release in (first, second)] == [1, 1]
    assert first.keys != second.keys


def test_groups_of_quantiles_are_known_without_the_data(ask: Ask) -> None:
    with pytest.raises(Refusal, match="must reach a threshold") as refused:
        ask("SELECT home_zone, MEDIAN(age) FROM subscribers GROUP BY home_zone")
    assert refused.value.code is Code.KEY
