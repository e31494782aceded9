"""A query is split at its release points: what is released once, what is computed above, what is shown."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dialect.algebra.formulas import CountOf, MeanOf, SumOf
from dialect.algebra.relations import Public, Released, ReleaseScan
from dialect.algebra.release_plan import PrivatePlan, VectorKind
from dialect.errors import Refusal
from dialect.postprocess.question import Question
from tests.support.sql.refused import sql_of

ZONES = "SELECT c.zone, COUNT(*) AS n FROM events e JOIN cells c USING (cell_id) GROUP BY c.zone"
VECTORS = {
    "COUNT(*)": ["rows"],
    "COUNT(*), COUNT(*) * 2, SUM(1)": ["rows", "sum(1)"],
    "COUNT(lat), COUNT(*)": ["rows", "valid(lat)"],
    "COUNT(subscriber_id)": ["rows"],
    "COUNT(DISTINCT subscriber_id)": ["persons"],
    "COUNT(DISTINCT subscriber_id) FILTER (WHERE lat > 1)": ["persons"],
    "COUNT(DISTINCT CASE WHEN lat > 1 THEN subscriber_id END), COUNT(DISTINCT subscriber_id)": ["persons", "persons"],
    "COUNT_IF(lat > 1)": ["rows"],
    "SUM(dwell_s), AVG(dwell_s), COUNT(dwell_s)": ["centred(dwell_s)", "sum(dwell_s)", "valid(dwell_s)"],
    "AVG(dwell_s), AVG(dwell_s + 0), COUNT(dwell_s)": ["centred((dwell_s + 0))", "centred(dwell_s)", "valid((dwell_s + 0))", "valid(dwell_s)"],
    "AVG(hour(ts)), COUNT(hour(ts))": ["centred(hour(ts))", "valid(hour(ts))"],
    "AVG(CASE WHEN lat > 1 THEN 1 ELSE 0 END), COUNT(*)": ["centred(case ... end)", "rows"],
    "COUNT(lon)": ["valid(lon)"],
}  # fmt: skip


@pytest.mark.parametrize("aggregates", VECTORS)
def test_query_vectors_are_unique_and_in_canonical_order(
    aggregates: str, plan_of: Callable[[str], PrivatePlan]
) -> None:
    assert [vector.canonical_text for vector in plan_of(f"SELECT {aggregates} FROM events").vectors] == VECTORS[
        aggregates
    ]


def test_formulas_refer_to_their_query_vectors(ask: Callable[[str], Question]) -> None:
    question = ask("SELECT COUNT(*) AS a, AVG(dwell_s) AS b, SUM(dwell_s) AS c, COUNT(dwell_s) AS d FROM events")
    (plan,), (release,) = question.plans, question.releases
    texts = [vector.canonical_text for vector in plan.vectors]
    formulas = {output.field.id: output.formula for output in release.outputs}
    a, b, c, d = (formulas[shown.field.id] for shown in question.columns)
    assert a == CountOf(texts.index("rows"))
    assert b == MeanOf(texts.index("centred(dwell_s)"), texts.index("valid(dwell_s)"), 600.0)
    assert c == SumOf(texts.index("sum(dwell_s)"))
    assert d == CountOf(texts.index("valid(dwell_s)"))
    assert len(release.raw_fields) == len(plan.vectors)


@pytest.mark.parametrize(
    ("sql", "plans", "releases"),
    [
        ("SELECT 1", 0, 0),
        ("SELECT zone, COUNT(*) FROM cells GROUP BY 1", 0, 0),
        (ZONES, 1, 1),
        (f"SELECT a.n + b.n FROM ({ZONES}) a JOIN ({ZONES}) b USING (zone)", 1, 2),
        (f"WITH z AS ({ZONES}) SELECT a.n + b.n FROM z a JOIN z b ON a.zone < b.zone", 1, 2),
        (f"SELECT a.n / b.n FROM ({ZONES}) a CROSS JOIN (SELECT COUNT(*) AS n FROM events) b", 2, 2),
        (f"WITH unused AS ({ZONES}) SELECT COUNT(*) FROM events", 1, 1),
        ("SELECT AVG(n) FROM (SELECT subscriber_id, COUNT(*) AS n FROM events GROUP BY 1)", 1, 1),
    ],
)
def test_releases_are_counted_once(sql: str, plans: int, releases: int, ask: Callable[[str], Question]) -> None:
    question = ask(sql)
    assert (len(question.plans), len(question.releases)) == (plans, releases)
    assert isinstance(question.outer, Released if plans else Public)


def test_a_release_is_seen_as_keys_numbers_and_raw_numbers(ask: Callable[[str], Question]) -> None:
    question = ask("SELECT zone, hour(ts), COUNT(*), AVG(dwell_s) FROM events JOIN cells USING (cell_id) GROUP BY ALL")
    (plan,), (release,) = question.plans, question.releases
    assert [key.canonical_text for key in plan.keys] == ["zone", "hour(ts)"]
    assert [f.id for f in release.keys] == [key.field.id for key in plan.keys]
    relation = question.outer
    while not isinstance(relation.operator, ReleaseScan):
        relation = relation.operator.source  # type: ignore[union-attr, assignment]
    assert relation.operator.fields == (
        *release.keys,
        *(output.field for output in release.outputs),
        *release.raw_fields,
    )


def test_public_keys_have_a_reason(plan_of: Callable[[str], PrivatePlan]) -> None:
    public = plan_of("SELECT zone, hour(ts), COUNT(*) FROM events JOIN cells USING (cell_id) GROUP BY ALL")
    assert {key.reason for key in public.keys} == {"public: cells, the values of hour"}
    private = plan_of("SELECT home_zone, COUNT(*) FROM subscribers GROUP BY 1")
    assert "threshold" in private.keys[0].reason


def test_private_tables_are_named_and_public_ones_are_not(plan_of: Callable[[str], PrivatePlan]) -> None:
    sql = "SELECT COUNT(*) FROM events JOIN subscribers USING (subscriber_id) JOIN cells USING (cell_id)"
    assert plan_of(sql).tables == ("events", "subscribers")


def test_rows_of_people_have_a_caret(refused: Callable[[str], Refusal]) -> None:
    refusal = refused("SELECT lat FROM events")
    assert refusal.span is not None and refusal.code == "E_ROWS"


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT DISTINCT zone FROM cells",
        "SELECT DISTINCT zone FROM cells WHERE 1 = 0",
        "SELECT zone, COUNT(*) FROM cells GROUP BY zone HAVING COUNT(*) > 1",
        "SELECT 1 + 1",
    ],
)
def test_public_tables_alone_need_no_release(sql: str, ask: Callable[[str], Question]) -> None:
    assert ask(sql).plans == ()


def test_a_condition_that_is_never_true_still_needs_a_release(plan_of: Callable[[str], PrivatePlan]) -> None:
    assert plan_of("SELECT COUNT(*) FROM events WHERE 1 = 0").vectors


PEOPLE = {
    "SELECT DISTINCT subscriber_id FROM events WHERE lat > 1": (
        "SELECT COUNT(DISTINCT subscriber_id) FROM events WHERE lat > 1"
    ),
    "SELECT DISTINCT e.subscriber_id FROM events e ORDER BY 1": "SELECT COUNT(DISTINCT e.subscriber_id) FROM events e",
    "SELECT DISTINCT cell_id, subscriber_id FROM events": (
        "SELECT cell_id, COUNT(DISTINCT subscriber_id) FROM events GROUP BY cell_id"
    ),
    "SELECT DISTINCT subscriber_id, ts FROM events": "SELECT COUNT(DISTINCT subscriber_id) FROM events",
    "SELECT subscriber_id FROM events": "SELECT COUNT(*) FROM events",
}


@pytest.mark.parametrize("sql", PEOPLE)
def test_a_refused_list_of_people_suggests_a_count(sql: str, ask: Callable[[str], Question]) -> None:
    with pytest.raises(Refusal) as refused:
        ask(sql)
    assert (refused.value.code, sql_of(refused.value.hint)) == ("E_ROWS", PEOPLE[sql])


def test_a_distinct_list_of_people_with_limit_suggests_a_count_by_key(ask: Callable[[str], Question]) -> None:
    with pytest.raises(Refusal) as refused:
        ask("SELECT DISTINCT cell_id, subscriber_id FROM events WHERE lat > 1 LIMIT 10")
    by_cell = "SELECT cell_id, COUNT(DISTINCT subscriber_id) FROM events WHERE lat > 1 GROUP BY cell_id"
    assert sql_of(refused.value.hint) == by_cell


def test_shares_are_taken_about_one_half(plan_of: Callable[[str], PrivatePlan]) -> None:
    """About 0 or 1 the noise of a share would be twice as large; averages of wider whole numbers keep whole centres."""
    share = "CASE WHEN lat > 1 THEN 1 ELSE 0 END"
    plan = plan_of(f"SELECT AVG({share}), STDDEV_POP({share}), AVG(hour(ts)) FROM events")
    about = {(v.kind, v.lower, v.upper): (v.centre, v.is_integer, v.magnitude) for v in plan.vectors if v.is_sum}
    assert about[VectorKind.CENTRED, 0, 1] == (0.5, False, 0.5)
    assert about[VectorKind.PRODUCT, 0, 1] == (0.5, False, 0.25)
    assert about[VectorKind.CENTRED, 0, 23] == (12.0, True, 12.0)
