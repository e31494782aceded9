"""docs/budget.md is true: each of its queries is run in turn, and every line below it is output."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest

from budgets import ATTO, PICO, EpsilonDelta, Loss, chargeable, conversion_delta, epsilon_from_rho
from engine import Refused, Session, open_session
from engine.api.reports.person import chance_text, odds_text
from passersby.text.numbers import epsilon_rounded_up
from tests.engine.town import make_town
from tests.engine.windowed_town import WINDOWED
from tests.support.tree import ROOT

PAGE = (ROOT / "docs" / "budget.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```sql\n-- (explain|ask|refused) at rho (\S+)\n(.*?)```", PAGE, flags=re.DOTALL)

MEANT = re.findall(r"^\| ([\d.]+) \| ([\d.]+) \| (.*? to 1) \| ([\d.]+%) \| ([\d.]+%) \|$", PAGE, flags=re.MULTILINE)


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    monkeypatch.setenv("PASSERSBY_CACHE", str(tmp_path / "cache"))
    with open_session(make_town(tmp_path, declared=WINDOWED).path, ledger=":memory:") as opened:
        yield opened


def response_text(session: Session, how: str, rho: str, sql: str) -> str:
    if how == "refused":
        with pytest.raises(Refused) as caught:
            session.query(sql, client="ann", rho=rho)
        return f"{caught.value.problem['message']} {caught.value.problem['hint']}"
    if how == "explain":
        return "\n".join(session.explain(sql, client="ann", rho=rho)["outlook"]["told"])
    card = json.loads(session.query(sql, client="ann", rho=rho).schema.metadata[b"passersby"])
    return "\n".join(card["outlook"]["told"])


def test_every_example_of_the_page_is_the_real_output(session: Session) -> None:
    assert len(EXAMPLES) == PAGE.count("```sql") >= 2
    for how, rho, text in EXAMPLES:
        sql, *lines = text.strip().split("\n-- ")
        assert lines
        found = response_text(session, how, rho, sql)
        assert not [line for line in lines if line not in found], found


def test_documented_epsilons_and_odds_follow_from_the_budget() -> None:
    assert len(MEANT) == 4
    for rho, epsilon, worst, sure, sure_of_two in MEANT:
        cap = Loss(int(Fraction(rho) * PICO), ATTO // 10**9)
        limit = EpsilonDelta.from_loss(chargeable(cap), cap)
        assert (epsilon_rounded_up(limit.epsilon), odds_text(limit.epsilon), limit.delta) == (epsilon, worst, 1e-9)
        replacement = epsilon_from_rho(4 * cap.rho, conversion_delta(cap))
        assert (chance_text(limit.epsilon), chance_text(replacement)) == (sure, sure_of_two)


def test_the_documented_year_has_the_documented_limit() -> None:
    cap = Loss(144 * PICO // 5, ATTO // 10**9)
    assert (
        f"144 × 0.2 = {float(cap.rho)}, epsilon {epsilon_rounded_up(epsilon_from_rho(cap.rho, conversion_delta(cap)))}"
        in PAGE
    )
