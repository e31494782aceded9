"""The audit log follows from the rows alone: who, when, what was decided, at which price."""

from __future__ import annotations

import pytest

from budgets import ParamError
from engine.audit_log import audit_log
from engine.errors import ExecutionFailed
from engine.pipeline import Engine
from engine.terms import Asked

COUNT = "SELECT COUNT(*) AS n FROM visit"


def test_a_charge_that_failed_says_so_until_it_is_answered(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(self: object, prepared: object, objected: object = None, meaning: object = None) -> None:
        raise ExecutionFailed

    with monkeypatch.context() as broken, pytest.raises(ExecutionFailed):
        broken.setattr(Engine, "release", fails)
        engine.answer(COUNT, Asked("ann"))
    (charged,) = audit_log(engine.ledger.entries(), kind="charged")
    assert (charged["decision"], charged["client"], charged["rho"]) == ("failed", "ann", 0.005)
    engine.answer(COUNT, Asked("ben"))
    assert [row["decision"] for row in audit_log(engine.ledger.entries(), kind="charged")] == ["answered", "answered"]


def test_a_group_is_followed_with_all_in_it(engine: Engine) -> None:
    for client in ("shops/ann", "shopsmith", "shops/ben"):
        engine.answer(COUNT, Asked(client))
    clients = {row["client"] for row in audit_log(engine.ledger.entries(), client="shops")}
    assert clients == {"shops/ann", "shops/ben"}


def test_moments_are_taken_in_utc(engine: Engine) -> None:
    engine.answer(COUNT, Asked("ann"))
    rows = engine.ledger.entries()
    last = rows[-1].at
    assert [row["sequence"] for row in audit_log(rows, since=last)] == [row.sequence for row in rows if row.at >= last]
    assert audit_log(rows, since=f"{last[:10]}T00:00:00+00:00") == audit_log(rows, since=last[:10]) != []
    with pytest.raises(ParamError, match="no day and no moment"):
        audit_log(rows, since="2026-13-01")
