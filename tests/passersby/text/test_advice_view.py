"""Reliability, predicted bias, intervals that hold together and advice, as a terminal and a notebook show them."""

from __future__ import annotations

from typing import Any

import pytest

from passersby.result.summary import intervals_text
from passersby.text.numbers import proposal_text, reliability_text
from tests.passersby.cards import LOSS, result

ADVICE: dict[str, Any] = {
    "why": ["rows: one person may count for 55; at rho 0.005, that takes noise of 550."],
    "instead": [
        {
            "change": "coarser",
            "told": "by zone_id of cell <b>",
            "sql": "SELECT cell.zone_id, count(*) AS n FROM event JOIN cell USING (cell_id) GROUP BY ALL",
            "price": LOSS,
            "expected_error": {"n": 2745.0, "m": None},
            "groups": 2544,
            "relative_width": 0.1498,
        }
    ],
}
WORDS = {"n": ["good", "poor", "noise", "good"]}
ENDS = {"n": [[90, 110], [5, 35], [-20, 30], [195, 205]]}


def given(**card: Any):
    return result({"zone": ["a", "b", "c", "d"], "n": [100, 20, 5, 200]}, ENDS, reliability=WORDS, **card)


@pytest.fixture(params=["text", "html"])
def shown(request: pytest.FixtureRequest) -> Any:
    return (lambda found: found.details) if request.param == "text" else lambda found: found._repr_html_()


def test_numbers_are_counted_by_their_word(shown: Any) -> None:
    told = " ".join(shown(given(predicted_bias={"n": -0.051})).split())  # a narrow screen breaks lines
    assert "reliability of n: 2 good, 1 poor, 1 may be 0; expected bias -5.1%" in told
    assert "expected bias" not in shown(given(predicted_bias={"n": None}))


def test_weak_numbers_look_weak_in_a_notebook() -> None:
    page = given()._repr_html_()
    assert page.count("<td class='noise'>may be 0</td>") == 1
    assert page.count("<td class='poor'>poor</td>") == 1


def test_simultaneous_intervals_are_described_as_such(shown: Any) -> None:
    assert "95% intervals, all 200 together" in shown(given(simultaneous={"confidence": 0.95, "numbers": 200}))
    assert intervals_text(given(confidence=0.9)) == "90% intervals"


def test_advice_gives_a_whole_question_its_width_and_its_price(shown: Any) -> None:
    told = shown(given(advice=ADVICE)).replace("\n", " ")
    assert "why so wide: rows: one person may count for 55; at rho 0.005, that takes noise of 550." in told
    assert "15% as wide, relative to the numbers; 2,544 groups; rho 0.005" in told
    assert "SELECT cell.zone_id, count(*) AS n" in told
    assert "why so wide" not in shown(given())


def test_the_text_of_a_proposal_is_escaped() -> None:
    assert "cell <b>" not in given(advice=ADVICE)._repr_html_()
    assert "cell <b>" in given(advice=ADVICE).details


def test_older_answers_have_no_such_keys() -> None:
    assert reliability_text({}) == [] and result({"n": [1]}).advice == {} and result({"n": [1]}).reliability == {}
    assert "m" not in proposal_text({**ADVICE["instead"][0], "told": "x"}).split(";")[1]


def test_one_group_is_one() -> None:
    (instead,) = ADVICE["instead"]
    assert "1 group;" in proposal_text({**instead, "groups": 1}) and "2,544 groups;" in proposal_text(instead)
