"""Stored numbers, shown to another client: it pays for them on its own account, everybody's pays nothing.

What is shared is a question whose releases a client holds as they are; their keys say which (proofs.md#sharing).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa

from budgets import Loss
from dialect import Code, Refusal
from engine.accounts.problems import Refused, problem
from engine.api.session import ASKED_IN_VAIN, Desk
from engine.api.wire.answer import price
from engine.pipeline.engine import Engine
from engine.pricing.prepare import Prepared
from engine.pricing.terms import Asked

TOPIC = "shared"


def share(desk: Desk, sql: str, *, client: str, **terms: Any) -> dict[str, Any]:  # noqa: ANN401  the desk's own terms
    """Name the releases of an answer that a client holds, and note that they are shared; raises Refused."""
    asked, engine = desk.asked(sql, client, **terms), desk.engine
    try:
        prepared = _prepared(engine, sql, asked)
        if engine.replay(prepared, asked) is None:
            why = "You do not hold the numbers of this question as they are."
            raise Refusal(Code.PARAM, why, "ask it first; if it was made of other answers of yours, share those")
        keys = sorted({each.release_key for each in prepared})
        dataset = prepared[0].plan.dataset
        engine.ledger.note(TOPIC, {"keys": keys}, actor=client, holder=client, dataset=dataset)
        return {"dataset": dataset, "keys": keys}
    except ASKED_IN_VAIN as error:
        raise Refused(problem(error, sql)) from error


def offer(desk: Desk, sql: str, *, keys: Sequence[str], client: str, **terms: Any) -> dict[str, Any]:  # noqa: ANN401
    """Say what shared numbers cost a client who has not paid for them: no data, no charge; raises Refused."""
    asked, engine = desk.asked(sql, client, **terms), desk.engine
    try:
        shared = _shared(engine, sql, asked, keys)
        loss = engine.ledger.preview(engine.request(sql, shared, asked))
        return {"price": price(loss), "paid": loss == Loss(0, 0)}
    except ASKED_IN_VAIN as error:
        raise Refused(problem(error, sql)) from error


def take(desk: Desk, sql: str, *, keys: Sequence[str], client: str, request_id: str, **terms: Any) -> pa.Table:  # noqa: ANN401
    """Charge a client for shared numbers, unless it has paid for them, and give them with their card; raises Refused.

    Claim: no data are read, and no account that all clients share is charged. Symbols: `keys` of releases that are
    stored. Formula: the client's path pays each once, as for a first repeat. Source: proofs.md#sharing.
    """
    asked, engine = desk.asked(sql, client, **terms), desk.engine
    try:
        shared = _shared(engine, sql, asked, keys)
        if engine.replay(shared, asked) is None:
            engine.charge(sql, shared, replace(asked, request_id=request_id))
    except ASKED_IN_VAIN as error:
        raise Refused(problem(error, sql)) from error
    return desk.query(sql, client=client, paid=shared, **terms)  # also where these grew too old since they were found


def _shared(engine: Engine, sql: str, asked: Asked, keys: Sequence[str]) -> tuple[Prepared, ...]:
    """Find the releases of a question that are stored under some keys; never others, which would be made anew."""
    prepared = _prepared(engine, sql, asked)
    wanted = {each.release_key for each in prepared}
    if wanted != set(keys) or not wanted <= engine.ledger.made(prepared[0].plan.dataset, wanted).keys():
        why = "These numbers are repeated no more: they are too old, or data or rules have changed since."
        raise Refusal(Code.PARAM, why, "the question itself, as a new one")
    return prepared


def _prepared(engine: Engine, sql: str, asked: Asked) -> tuple[Prepared, ...]:
    question = engine.read(sql, asked.client)
    if not question.plans:
        raise Refusal(Code.PARAM, "This question looks at public tables alone.", "anybody may ask it, for free")
    if engine.target(question, asked) is not None:
        why = "What a question for an error costs depends on who asks."
        raise Refusal(Code.PARAM, why, "the same question with the rho that it cost")
    return engine.prepare(question, asked)
