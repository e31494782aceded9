"""The audit log follows from the rows alone: who, when, what was decided, at which price."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest

from budgets import OWNER, EntryKind, ParamError
from engine.accounts import audit_log as key_acts
from engine.accounts.audit_log import KIND_DESCRIPTIONS, audit_log
from engine.api import objection_counts, sharing
from engine.api.wire import budget as wire_budget
from engine.data import objections
from engine.errors import ExecutionFailed
from engine.pipeline.engine import Engine
from engine.pricing.clip_bounds import histograms
from engine.pricing.query_terms import Request
from engine.workflows import scheduled_queries
from engine.workflows.calibrate import calibrate, plan_calibration
from tests.support.tree import ROOT

COUNT = "SELECT COUNT(*) AS n FROM visit"


def test_a_failed_charge_is_logged_as_failed_until_it_is_answered(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(self: object, prepared: object, objected: object = None, meaning: object = None) -> None:
        raise ExecutionFailed

    with monkeypatch.context() as broken, pytest.raises(ExecutionFailed):
        broken.setattr(Engine, "measure_release", fails)
        engine.answer(COUNT, Request("ann"))
    (charged,) = audit_log(engine.ledger.entries(), kind="charged")
    assert (charged["decision"], charged["client"], charged["rho"]) == ("failed", "ann", 0.005)
    engine.answer(COUNT, Request("ben"))
    assert [row["decision"] for row in audit_log(engine.ledger.entries(), kind="charged")] == ["answered", "answered"]


def test_filtering_by_group_includes_its_members(engine: Engine) -> None:
    for client in ("shops/ann", "shopsmith", "shops/ben"):
        engine.answer(COUNT, Request(client))
    clients = {row["client"] for row in audit_log(engine.ledger.entries(), client="shops")}
    assert clients == {"shops/ann", "shops/ben"}


def test_owner_queries_are_logged_with_their_price(engine: Engine) -> None:
    planned = plan_calibration(engine, engine.catalog.datasets[0], rho=Fraction(1, 50))
    calibrate(engine, planned, lambda stage, share: None, "steward")
    (charged,) = audit_log(engine.ledger.entries(), kind="charged")
    assert (charged["client"], charged["rho"]) == (OWNER, float(planned.loss.rho))
    shown = [wire_budget.entry_shape(row) for row in engine.ledger.entries()]
    assert [row["rho"] for row in shown if row["kind"] == "charged"] == [float(planned.loss.rho)]


def test_every_row_kind_can_be_filtered_and_has_a_description(engine: Engine) -> None:
    topics = (
        *(histograms.CALIBRATION_TOPIC, key_acts.KEY_TOPIC, objection_counts.NOTE_TOPIC),
        *(objections.TOPIC, sharing.NOTE_TOPIC, scheduled_queries.TOPIC),
    )
    noted = {f"note_{topic}" for topic in topics}
    assert set(KIND_DESCRIPTIONS) == {*EntryKind, *noted}
    page = (ROOT / "docs" / "ledger.md").read_text(encoding="utf-8")
    for kind in KIND_DESCRIPTIONS:
        assert audit_log(engine.ledger.entries(), kind=kind) is not None
        assert re.search(rf"\b{kind}\b", page), f"docs/ledger.md does not name {kind}"
    engine.answer(COUNT, Request("ann"))
    told = [row["told"] for row in audit_log(engine.ledger.entries())]
    assert {"account opened", "question answered", "numbers stored"} <= set(told)


def test_moments_are_taken_in_utc(engine: Engine) -> None:
    engine.answer(COUNT, Request("ann"))
    rows = engine.ledger.entries()
    last = rows[-1].at
    assert [row["sequence"] for row in audit_log(rows, since=last)] == [row.sequence for row in rows if row.at >= last]
    assert audit_log(rows, since=f"{last[:10]}T00:00:00+00:00") == audit_log(rows, since=last[:10]) != []
    with pytest.raises(ParamError, match="no day and no moment"):
        audit_log(rows, since="2026-13-01")
