"""The clause is read apart from the question, with every place kept, or refused where it stands."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import pytest

from dialect.algebra.relations import ContributionLimits
from dialect.algebra.release_plan import PrivatePlan
from dialect.errors import Code, Refusal
from dialect.parser.parser import options_of, parse
from dialect.parser.privacy_clause import KeyHandling, Options, TargetError
from dialect.parser.tokens import MAX_CHARACTERS
from dialect.postprocess.question import Question

CLAUSE = "SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS({}) {}"
COUNT = "COUNT(*) FROM events"


def _with(options: str, rest: str = COUNT) -> str:
    return CLAUSE.format(options, rest)


def test_every_option_is_read_exactly() -> None:
    written = (
        "epsilon = .5, DELTA = 1e-12, max_groups_contributed = 3, max_rows_contributed=20,"
        " keys = 'Private' /* why */, confidence = 0.999999 -- so\n"
    )
    options = options_of(parse(_with(written)))
    assert options == Options(
        Fraction(1, 2), Fraction(1, 10**12), None, 3, 20, KeyHandling.PRIVATE, float(Fraction(999_999, 10**6))
    )
    start, end = options.spans["keys"].start, options.spans["keys"].end
    assert _with(written)[start:end] == "keys = 'Private'"


@pytest.mark.parametrize(
    "sql",
    [
        f"SELECT WITH DIFFERENTIAL_PRIVACY {COUNT}",
        f"select with differential_privacy options() {COUNT}",
        "WITH e AS (SELECT * FROM events) SELECT WITH\nDIFFERENTIAL_PRIVACY OPTIONS(rho = 0.01) COUNT(*) FROM e;",
        "FROM events SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(confidence = 0.9) COUNT(*)",
        f"SELECT * FROM (SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(delta = 1e-13) {COUNT}) AS t",
    ],
)
def test_the_clause_leaves_the_plan_as_it_is(sql: str, plan_of: Callable[[str], PrivatePlan]) -> None:
    assert plan_of(sql).canonical_text == plan_of(f"SELECT {COUNT}").canonical_text


@pytest.mark.parametrize(
    ("written", "amount", "relative"),
    [
        ("50", Fraction(50), False),
        ("1e-12", Fraction(1, 10**12), False),
        ("'5%'", Fraction(1, 20), True),
        ("'.5%'", Fraction(1, 200), True),
        ("'100%'", Fraction(1), True),
    ],
)
def test_a_target_is_an_amount_or_a_share(written: str, amount: Fraction, relative: bool) -> None:
    target = options_of(parse(_with(f"TARGET_ERROR = {written}"))).target_error
    assert target == TargetError(amount, relative)


def test_a_name_is_free_to_look_like_the_clause(ask: Callable[[str], Question]) -> None:
    sql = (
        "WITH differential_privacy AS (SELECT COUNT(*) AS options FROM events) SELECT options FROM differential_privacy"
    )
    assert ask(sql).options == Options()


def test_places_behind_the_clause_are_where_the_analyst_wrote_them(refused: Callable[[str], Refusal]) -> None:
    sql = _with("epsilon = 1,\n delta = 1e-12", "SUM(dwell) FROM events")
    span = refused(sql).span
    assert span is not None and sql[span.start : span.end] == "dwell"


REFUSED = [
    ("epsilon = -1", Code.PARAM, "epsilon = -1"),
    ("epsilon = 0", Code.PARAM, "epsilon = 0"),
    ("epsilon = NaN", Code.PARAM, "epsilon = NaN"),
    ("epsilon = Infinity", Code.PARAM, "epsilon = Infinity"),
    ("epsilon = true", Code.PARAM, "epsilon = true"),
    ("epsilon = '1'", Code.PARAM, "epsilon = '1'"),
    ("epsilon = 1e400", Code.PARAM, "epsilon = 1e400"),
    ("epsilon = 5e-324", Code.PARAM, "epsilon = 5e-324"),
    ("rho = 1e-99999999999999999999", Code.PARAM, "rho = 1e-99999999999999999999"),
    ("delta = 1", Code.PARAM, "delta = 1"),
    ("delta = 1e-19", Code.PARAM, "delta = 1e-19"),
    ("max_groups_contributed = 0", Code.PARAM, "max_groups_contributed = 0"),
    ("max_groups_contributed = 1.5", Code.PARAM, "max_groups_contributed = 1.5"),
    ("max_rows_contributed = 1000001", Code.PARAM, "max_rows_contributed = 1000001"),
    ("keys = 'secret'", Code.PARAM, "keys = 'secret'"),
    ("keys = private", Code.PARAM, "keys = private"),
    ("confidence = 95", Code.PARAM, "confidence = 95"),
    ("confidence = 0.4", Code.PARAM, "confidence = 0.4"),
    ("privacy_unit_column = subscriber_id", Code.PARAM, "privacy_unit_column"),
    ("epsilom = 1", Code.PARAM, "epsilom"),
    ("rho = 0.01, RHO = 0.01", Code.PARAM, "RHO"),
    ("rho = 0.01, epsilon = 1", Code.PARAM, "rho = 0.01"),
    *(
        (f"target_error = {value}", Code.PARAM, f"target_error = {value}")
        for value in (
            *("NaN", "Infinity", "true", "0", "-1", "-0.0", "1e400", "1e-400", "1e16", "'5'", "'0%'", "'101%'"),
            *("'-5%'", "'5 %'", "' 5%'", "'5%%'", "'%'", "''", "'nan%'", "'1_0%'", "'٥%'", "'5%'' or 1'"),
        )
    ),
    ("target_error = 5%", Code.PARSE, "%"),
    ("rho = 0.01, target_error = 5", Code.PARAM, "target_error = 5"),
    ("target_error = 5, epsilon = 1", Code.PARAM, "target_error = 5"),
    ("target_error = 5, Target_Error = 5", Code.PARAM, "Target_Error"),
    ("epsilon = 1 delta = 1", Code.PARSE, "d"),
    ("epsilon: 1", Code.PARSE, ":"),
    ("1 = epsilon", Code.PARSE, "1"),
    ("rho = 1 + 1", Code.PARSE, "+"),
    ("rho = (1)", Code.PARSE, "("),
]


@pytest.mark.parametrize(("options", "code", "marked"), REFUSED)
def test_a_refusal_points_at_the_option(
    options: str, code: Code, marked: str, refused: Callable[[str], Refusal]
) -> None:
    found, sql = refused(_with(options)), _with(options)
    assert found.code is code and found.hint
    assert found.span is not None and sql[found.span.start : found.span.end] == marked


def test_two_clauses_and_an_open_bracket_are_refused(refused: Callable[[str], Refusal]) -> None:
    twice = refused(f"SELECT WITH DIFFERENTIAL_PRIVACY * FROM ({_with('rho = 0.01')}) AS t")
    assert twice.code is Code.PARAM
    assert refused("SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(rho = 0.01 COUNT(*").code is Code.PARSE


def test_size_limits_are_checked_before_the_privacy_clause(refused: Callable[[str], Refusal]) -> None:
    assert refused(_with(" " * MAX_CHARACTERS)).code is Code.COMPLEX
    assert refused(_with("(" * 41)).code is Code.COMPLEX


def test_a_percentage_suggests_a_fraction(refused: Callable[[str], Refusal]) -> None:
    assert refused(_with("confidence = 95")).hint == "confidence = 0.95"


def test_limits_of_the_question_are_limits_of_its_plans(plan_of: Callable[[str], PrivatePlan]) -> None:
    plan = plan_of(_with("max_groups_contributed = 2, max_rows_contributed = 5"))
    assert plan.limits == ContributionLimits(2, 5)
    assert plan.canonical_text != plan_of(f"SELECT {COUNT}").canonical_text  # other rows are counted
    assert plan_of(_with("max_rows_contributed = 1")).has_one_row_per_person


def test_an_option_of_the_query_makes_keys_private(
    plan_of: Callable[[str], PrivatePlan], refused: Callable[[str], Refusal]
) -> None:
    listed, rest = (
        plan_of("SELECT hour(ts), COUNT(*) FROM events GROUP BY 1"),
        "hour(ts), COUNT(*) FROM events GROUP BY 1",
    )
    assert listed.key_set is not None
    wanted = plan_of(_with("keys = 'private'", rest))
    assert wanted.key_set is None and wanted.canonical_text != listed.canonical_text
    assert plan_of(_with("keys = 'public'", rest)).canonical_text == listed.canonical_text
    assert plan_of(_with("keys = 'private'")).key_set is not None  # there are no keys to be private
    found = refused(_with("keys = 'public'", "home_zone, COUNT(*) FROM subscribers GROUP BY 1"))
    assert found.code is Code.KEY and found.span is not None


def test_keys_that_a_left_join_keeps_are_public(refused: Callable[[str], Refusal]) -> None:
    rest = "h.h, COUNT(e.subscriber_id) FROM hours h LEFT JOIN events e ON hour(e.ts) = h.h GROUP BY 1"
    found = refused(_with("keys = 'private'", rest))
    assert found.code is Code.PARAM and found.span is not None


def test_a_left_join_keeps_its_keys_where_rows_are_limited(plan_of: Callable[[str], PrivatePlan]) -> None:
    rest = "h.h, COUNT(e.subscriber_id) FROM hours h LEFT JOIN events e ON hour(e.ts) = h.h GROUP BY 1"
    plan = plan_of(_with("max_rows_contributed = 2", rest))
    assert plan.key_set is not None and plan.key_set.is_listed_by_query
