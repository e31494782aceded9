"""How many keys an answer may have is known, and refused, before anything is charged or made."""

from __future__ import annotations

import pytest

from dialect import Refusal
from engine.errors import ExecutionFailed
from engine.pipeline.engine import Engine
from engine.pricing.query_terms import Request


@pytest.mark.parametrize("most", ["2000000", "9000000000000000000"])
def test_an_unbounded_key_set_is_refused_without_counting_it(engine: Engine, most: str) -> None:
    with pytest.raises(Refusal, match="more than 1,000,000 keys; the widest list is a range in the question with"):
        engine.answer(
            f"SELECT coins, COUNT(*) FROM visit WHERE coins BETWEEN 0 AND {most} GROUP BY coins", Request("ann")
        )


def test_an_uncountable_key_set_is_refused_without_a_charge(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(engine.backend), "_table", lambda *_: (_ for _ in ()).throw(ExecutionFailed()))
    monkeypatch.setattr(engine.backend, "_row_counts", {})
    for sql in ("SELECT zone, COUNT(*) FROM visit GROUP BY zone", "SELECT * FROM zone"):
        with pytest.raises(Refusal, match="nothing was charged"):
            engine.answer(sql, Request("ann"))
    assert engine.ledger.entries() == ()
