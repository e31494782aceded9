"""One word for each number, by a public rule; biases are predicted from the plan, and the run measures nothing for them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from dialect import ContributionBounds, compile_query
from dialect.algebra import NoteCode
from engine.api.session import Session
from engine.mechanism.answer import Answer
from engine.pipeline.bias import column_biases, unmeasured_pair_columns
from engine.pipeline.engine import Engine
from engine.pipeline.explain import explain
from engine.pipeline.notes import question_notes
from engine.pipeline.reliability import (
    Reliability,
    expected_loss,
    is_mostly_weak,
    non_negative_columns,
    rate_reliability,
)
from engine.pricing.query_terms import Request
from tests.engine.town import CATALOG, make_town, opened

GOOD, FAIR, POOR, NOISE = Reliability
ANN = Request("ann")
ROWS = "SELECT zone, COUNT(*) AS n FROM visit GROUP BY 1"


def words(value: float | None, half: float, bias: float | None = 0.0, upper: float | None = None) -> Reliability | None:
    low = np.array([np.nan if value is None else value - half])
    high = np.array([np.nan if value is None else value + (half if upper is None else upper)])
    answer = Answer(pa.table({"n": pa.array([value], pa.float64())}), {"n": (low, high)}, {})
    return rate_reliability(answer, {"n": bias})["n"][0]


def test_a_negative_count_may_be_zero(engine: Engine) -> None:
    asked = "SELECT zone, COUNT(*) AS n, SUM(coins) AS c, COUNT(*) - COUNT(DISTINCT person_id) AS d, AVG(minutes) AS m"
    assert non_negative_columns(compile_query(f"{asked} FROM visit GROUP BY 1", engine.catalog)) == {"n", "c"}
    ends = np.array([-134.0]), np.array([-14.0])
    answer = Answer(pa.table({"n": [-74.0], "d": [-74.0]}), {"n": ends, "d": ends}, {})
    assert rate_reliability(answer, {"n": 0.0, "d": 0.0}, not_negative={"n"}) == {"n": [NOISE], "d": [POOR]}


def test_reliability_lists_columns_in_their_displayed_order() -> None:
    ends = np.array([90.0]), np.array([110.0])
    shown = pa.table({"b": [100.0], "key": ["x"], "a": [100.0]})
    assert list(rate_reliability(Answer(shown, {"a": ends, "b": ends}, {}), {})) == ["b", "a"]


@pytest.mark.parametrize(
    ("value", "half", "bias", "word"),
    [
        (100, 10, 0.0, GOOD),
        (100, 10.1, 0.0, FAIR),
        (100, 25, 0.0, FAIR),
        (100, 25.1, 0.0, POOR),
        (100, 99, 0.0, POOR),
        (100, 100, 0.0, NOISE),
        (-100, 5, 0.0, GOOD),
        (0, 5, 0.0, NOISE),
        (90, 0, -0.1, FAIR),  # a tenth of the truth is a ninth of what is left
        (91, 0, -0.09, GOOD),
        (100, 1, None, FAIR),  # nobody knows what was cut away
        (100, 50, None, POOR),
        (100, 1, -1.0, POOR),  # all may be gone
        (None, 1, 0.0, None),
    ],
)
def test_the_rule_is_the_documented_one(value: float | None, half: float, bias: float | None, word: object) -> None:
    assert words(value, half, bias) is word


def test_a_number_whose_bias_is_a_guess_is_fair_at_best() -> None:
    """Where people contribute far more than declared, a number of 8% expected bias may miss half."""
    ends = np.array([99.0, 70.0]), np.array([101.0, 130.0])
    answer = Answer(pa.table({"n": [100.0, 100.0]}), {"n": ends}, {})
    assert rate_reliability(answer, {"n": -0.08})["n"] == [GOOD, POOR]
    assert rate_reliability(answer, {"n": -0.08}, guessed_columns={"n"})["n"] == [FAIR, POOR]


def test_a_lopsided_interval_counts_with_its_longer_side() -> None:
    assert words(100, 5, upper=30) is POOR


def test_clipping_bias_is_a_share_of_the_true_number() -> None:
    truth = np.array([1000.0, 0.0, 250.0])
    np.testing.assert_allclose(expected_loss(truth * 0.8, -0.2), truth * 0.2)
    assert expected_loss(np.array([-5.0]), -0.2) == 0  # noise alone makes it negative


def test_an_answer_is_weak_when_most_numbers_of_a_column_are() -> None:
    assert (
        is_mostly_weak({"n": [GOOD, POOR, NOISE]})
        and not is_mostly_weak({"n": [GOOD, NOISE]})
        and not is_mostly_weak({"n": [None]})
    )


BIASES = {
    ROWS: {"n"},
    "SELECT zone, COUNT(*) AS n, 2 * COUNT(*) AS m FROM visit GROUP BY 1": {"n", "m"},
}


@pytest.mark.parametrize("sql", BIASES)
def test_a_multiple_has_the_clipping_bias_of_its_number(engine: Engine, sql: str) -> None:
    question = compile_query(sql, engine.catalog)
    prepared = engine.compile(question, ANN).releases
    bias = prepared[0].bounds.vectors[0].predicted_bias
    assert bias is not None and bias < 0
    assert column_biases(question, prepared) == dict.fromkeys(BIASES[sql], bias)


def test_added_constants_averages_and_medians_have_an_unknown_bias(engine: Engine) -> None:
    sql = "SELECT zone, COUNT(*) + 7 AS n, AVG(minutes) AS m, MEDIAN(minutes) AS q FROM visit GROUP BY 1"
    question = compile_query(sql, engine.catalog)
    assert column_biases(question, engine.compile(question, ANN).releases) == {"n": None, "m": None, "q": None}


def test_a_ratio_has_the_difference_of_both_clipping_biases(engine: Engine) -> None:
    question = compile_query(
        "SELECT zone, COUNT(*) / COUNT(DISTINCT person_id) AS r FROM visit GROUP BY 1", engine.catalog
    )
    prepared = engine.compile(question, ANN).releases
    rows, people = (
        next(
            bound.predicted_bias
            for vector, bound in zip(prepared[0].plan.vectors, prepared[0].bounds.vectors, strict=True)
            if vector.kind == kind
        )
        for kind in ("rows", "persons")
    )
    assert column_biases(question, prepared)["r"] == pytest.approx((1 + (rows or 0)) / (1 + (people or 0)) - 1)


def test_no_bias_is_predicted_if_no_clip_bound_binds(engine: Engine) -> None:
    question = compile_query("SELECT gender, COUNT(*) AS n, COUNT(*) + 7 AS m FROM person GROUP BY 1", engine.catalog)
    assert column_biases(question, engine.compile(question, ANN).releases) == {"n": 0.0, "m": 0.0}


def test_card_and_explanation_have_the_same_predicted_bias(engine: Engine) -> None:
    session = Session(engine)
    card = json.loads(session.query(ROWS, client="ann").schema.metadata[b"passersby"])
    assert card["predicted_bias"] == session.explain(ROWS, client="ann")["predicted_bias"]
    assert "good" not in card["reliability"]["n"]
    assert any("by limits that nobody measured" in note for note in card["notes"])
    assert len(card["reliability"]["n"]) == 7 and set(card["reliability"]["n"]) <= {str(word) for word in Reliability}


def test_the_bias_for_more_keys_than_declared_is_unknown(tmp_path: Path) -> None:
    declared = CATALOG.replace("persons = 3 }", 'persons = 3, by_keys = [{ keys = ["zone"], persons = 2 }] }', 1)
    sql = "SELECT zone, day, COUNT(DISTINCT person_id) AS n FROM visit GROUP BY 1, 2"
    with opened(make_town(tmp_path, declared=declared), tmp_path / "cache") as engine:
        session = Session(engine)
        explained, answered = session.explain(sql, client="ann"), session.query(sql, client="ann")
    card = json.loads(answered.schema.metadata[b"passersby"])
    assert explained["predicted_bias"] == card["predicted_bias"] == {"n": None}
    for notes in (explained["notes"], card["notes"]):
        assert any("Bias unknown" in note for note in notes)
    assert "good" not in card["reliability"]["n"]


PAIRED = "FROM visit AS a JOIN visit AS b ON a.person_id = b.person_id AND a.visit_id < b.visit_id"
OTHER = "SELECT 1 FROM visit AS b WHERE a.person_id = b.person_id AND b.shop = 'shop 1'"
JOINED = "SELECT a.zone, COUNT(*) AS n, AVG(a.minutes) AS m, COUNT(*) + 7 AS o {} GROUP BY 1"


@pytest.fixture(scope="module")
def few_rows(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Open the town where so few rows of a person are kept that they may meet each other."""
    declared = CATALOG.replace("\nperson = { t", "\nmax_rows_per_person = 60\nperson = { t")
    declared = declared.replace("\nmax_groups_per_person", "\nmax_rows_per_person = 60\nmax_groups_per_person")
    with opened(make_town(tmp_path_factory.mktemp("few"), declared=declared), tmp_path_factory.mktemp("cache")) as made:
        yield made


@pytest.mark.parametrize(
    ("sql", "columns"),
    [
        (JOINED.format(PAIRED), {"n", "m", "o"}),
        ("SELECT a.zone, COUNT(*) AS n FROM visit AS a JOIN visit AS b USING (person_id) GROUP BY 1", {"n"}),
        ("SELECT shop, COUNT(*) AS n FROM purchase JOIN visit USING (person_id, visit_id) GROUP BY 1", set()),
        (ROWS, set()),
        ("SELECT gender, COUNT(*) AS n FROM visit JOIN person USING (person_id) GROUP BY 1", set()),
        (f"SELECT zone, COUNT(*) AS n FROM visit AS a WHERE EXISTS ({OTHER}) GROUP BY 1", set()),
        ("SELECT COUNT(*) AS n, COUNT(DISTINCT person_id) AS p FROM visit CROSS JOIN zone", {"n"}),
        ("SELECT zone, COUNT(*) AS n FROM visit JOIN zone USING (zone) GROUP BY 1", set()),
        (f"SELECT n, m FROM (SELECT COUNT(*) AS n {PAIRED}), (SELECT COUNT(*) AS m FROM visit)", {"n"}),
        ("SELECT MEDIAN(v.minutes) AS m FROM visit AS v CROSS JOIN zone", {"m"}),  # with vectors of its own
    ],
)
def test_the_bias_of_pairs_of_a_person_s_rows_is_known(few_rows: Engine, sql: str, columns: set[str]) -> None:
    question = compile_query(sql, few_rows.catalog)
    assert unmeasured_pair_columns(question, few_rows.compile(question, ANN).releases) == columns


def test_rows_that_a_join_leaves_out_are_in_no_rating(few_rows: Engine) -> None:
    """Where the catalog keeps any number of rows, a join keeps fewer: people's counts are no worse, those of pairs are."""
    sql = f"SELECT COUNT(*) AS n, COUNT(DISTINCT a.person_id) AS p, AVG(a.minutes) AS m {PAIRED}"
    tables = tuple(replace(each, max_rows_per_person=10_000) for each in few_rows.catalog.tables)
    unlimited = replace(few_rows, catalog=replace(few_rows.catalog, tables=tables))
    question = compile_query(sql, unlimited.catalog)
    compiled = unlimited.compile(question, ANN).releases
    assert unmeasured_pair_columns(question, compiled) == {"n", "m"}
    declared = [replace(each, bounds=measured(each.bounds)) for each in compiled]
    assert unmeasured_pair_columns(question, declared) == {"n", "m"}, "whatever a profile or calibration measured"


def measured(bounds: ContributionBounds) -> ContributionBounds:
    """The same bounds with a known clipping bias."""
    return replace(bounds, vectors=tuple(replace(each, predicted_bias=0.0) for each in bounds.vectors))


def test_a_fan_out_over_public_rows_is_noted_and_rated_poor(few_rows: Engine) -> None:
    sql = "SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(rho = 0.09) COUNT(*) AS n FROM visit CROSS JOIN zone"
    card = json.loads(Session(few_rows).query(sql, client="ben").schema.metadata[b"passersby"])
    assert card["predicted_bias"] == {"n": None} and card["reliability"] == {"n": ["poor"]}
    assert "fan_out" in card["note_codes"]


def test_pairs_of_a_persons_rows_are_poor_however_narrow_their_interval(few_rows: Engine) -> None:
    sql = f"SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(rho = 0.09) COUNT(*) AS n {PAIRED}"
    answered = Session(few_rows).query(sql, client="ann")
    card = json.loads(answered.schema.metadata[b"passersby"])
    ((low, high),) = card["intervals"]["n"]
    n = answered.column("n")[0].as_py()
    assert (high - low) / 2 < 0.25 * n, "by its interval alone it would be fair"
    assert card["reliability"]["n"] == ["poor"]
    note = next(note for note in card["notes"] if "joined with each other" in note)
    assert "EXISTS" in note and note in Session(few_rows).explain(sql, client="ann")["notes"]


@pytest.mark.parametrize(
    ("counted", "noted"),
    [("COUNT(*)", True), ("COUNT(DISTINCT a.person_id)", False), ("COUNT(DISTINCT a.person_id), COUNT(*)", True)],
)
def test_pairs_are_noted_where_they_are_counted(few_rows: Engine, counted: str, noted: bool) -> None:
    """A person counts once, however many of the rows meet."""

    def codes(text: str) -> list[NoteCode]:
        return [note.code for note in question_notes(explain(few_rows, text, ANN))]

    sql = f"SELECT {counted} FROM visit a JOIN visit b ON a.person_id = b.person_id AND b.minutes > a.minutes"
    assert (NoteCode.PAIRS in codes(sql)) is noted
    by_zone = sql.replace("SELECT ", "SELECT a.zone, ") + " GROUP BY 1"
    assert (NoteCode.PAIRS in codes(by_zone)) is noted
