"""How many intervals hold together is counted from the question and its public keys, and each is made so much wider."""

from __future__ import annotations

import json
import math

import pytest

from dialect import Code, Refusal, compile_query
from engine.api.session import Session
from engine.pipeline.engine import Engine
from engine.pricing.query_terms import Request
from engine.pricing.simultaneous import JointConfidence, bonferroni_level, max_intervals

CLAUSE = "SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(intervals = 'simultaneous') "
HOURS = "zone AS h, COUNT(*) AS n FROM visit GROUP BY 1"
ANN = Request("ann")
COUNTED = {
    "zone AS h, COUNT(*) AS n FROM visit GROUP BY 1": 7,
    "zone AS h, COUNT(*) AS n, COUNT(DISTINCT person_id) AS p FROM visit GROUP BY 1": 14,
    "zone AS h, COUNT(*) AS n FROM visit GROUP BY 1 HAVING COUNT(*) > 3 ORDER BY 2 DESC LIMIT 2": 7,  # chosen from all
    "COUNT(*) AS n FROM visit": 1,
    "a.h, a.n / b.n AS share FROM (SELECT zone AS h, COUNT(*) AS n FROM visit GROUP BY 1) AS a"
    " CROSS JOIN (SELECT COUNT(*) AS n FROM visit) AS b": 7 * 1 * 1,
}


@pytest.mark.parametrize("sql", COUNTED)
def test_every_group_and_noisy_column_counts(engine: Engine, sql: str) -> None:
    question = compile_query(CLAUSE + sql, engine.catalog)
    query = engine.compile(question, ANN)
    assert max_intervals(question, [each.key_count for each in query.releases]) == COUNTED[sql]
    level = query.terms.confidence
    assert level == bonferroni_level(JointConfidence(0.95, COUNTED[sql]))


@pytest.mark.parametrize("numbers", [1, 2, 200, 10**6])
@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999999])
def test_simultaneous_misses_sum_to_at_most_the_level(numbers: int, confidence: float) -> None:
    left = (1 - bonferroni_level(JointConfidence(confidence, numbers))) * numbers
    assert left <= 1 - confidence and math.isclose(left, 1 - confidence, rel_tol=1e-3)


def test_private_keys_are_refused_before_anything_is_charged(engine: Engine) -> None:
    sql = "SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(intervals = 'simultaneous', keys = 'private') " + HOURS
    with pytest.raises(Refusal) as refused:
        engine.answer(sql, ANN)
    assert refused.value.code is Code.PARAM and "list of groups" in refused.value.why
    assert not engine.ledger.paid_releases("ann")


def test_it_is_the_same_release_with_wider_intervals(engine: Engine) -> None:
    each = engine.answer(f"SELECT {HOURS}", ANN)
    held = engine.answer(CLAUSE + HOURS, ANN)
    assert held.charged_loss.pico_rho == 0 and held.answer.table.equals(each.answer.table)
    lower, upper = each.answer.intervals["n"]
    wider = held.answer.intervals["n"]
    assert (wider[0] < lower).all() and (wider[1] > upper).all()


def test_the_card_states_the_simultaneous_confidence(engine: Engine) -> None:
    session = Session(engine)
    card = json.loads(session.query(CLAUSE + HOURS, client="ann").schema.metadata[b"passersby"])
    assert card["simultaneous"] == {"confidence": 0.95, "numbers": 7}
    assert card["confidence"] == pytest.approx(1 - 0.05 / 7)
    assert session.explain(CLAUSE + HOURS, client="ann")["simultaneous"] == {"confidence": 0.95, "numbers": 7}
    assert session.explain(f"SELECT {HOURS}", client="ann")["simultaneous"] is None
