"""Shared numbers: a client shows an answer it has stored to another client, who pays for it on its own account.

Everybody's account is not charged again. The release keys decide what may be shown (proofs.md#sharing).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

import pyarrow as pa

from budgets import Loss
from engine.api.session import RequestTerms, Session
from engine.api.wire.answer import price
from engine.errors import EngineKind, refusals
from engine.pipeline.engine import Engine
from engine.pricing.compile_release import CompiledRelease
from engine.pricing.query_terms import Request, resolve_terms

NOTE_TOPIC = "shared"


def share(session: Session, sql: str, **given: Unpack[RequestTerms]) -> dict[str, Any]:
    """Return the release keys of an answer the client has stored, and record that they are shared; raises Refused."""
    query_terms, engine, client = session.request_terms(sql, **given), session.engine, given["client"]
    with refusals(sql):
        prepared = _compile_shareable(engine, sql, query_terms)
        if engine.replay(prepared, query_terms) is None:
            raise EngineKind.NOT_HELD.at()
        keys = sorted({each.release_key for each in prepared})
        dataset = prepared[0].plan.dataset
        engine.ledger.note(NOTE_TOPIC, {"keys": keys}, actor=client, holder=client, dataset=dataset)
        return {"dataset": dataset, "keys": keys}


def offer(session: Session, sql: str, *, keys: Sequence[str], **given: Unpack[RequestTerms]) -> dict[str, Any]:
    """Price of shared numbers for a client who has not paid yet. Reads no data, charges nothing; raises Refused."""
    query_terms, engine = session.request_terms(sql, **given), session.engine
    with refusals(sql):
        shared = _shared_releases(engine, sql, query_terms, keys)
        loss = engine.ledger.preview(engine.charge_request(sql, shared, query_terms))
        return {"price": price(loss), "paid": loss == Loss(0, 0)}


def take(session: Session, sql: str, *, keys: Sequence[str], **given: Unpack[RequestTerms]) -> pa.Table:
    """Charge a client for shared numbers, unless it has paid for them, and return them with their card; raises Refused.

    Claim: no data are read, and no account that all clients share is charged. Symbols: `keys` of stored releases.
    Formula: the client's path pays each once, as for a first repeat. Source: proofs.md#sharing.
    """
    query_terms, engine = session.request_terms(sql, **given), session.engine
    with refusals(sql):
        shared = _shared_releases(engine, sql, query_terms, keys)
        if engine.replay(shared, query_terms) is None:
            engine.charge(sql, shared, query_terms)
    return session.query(sql, paid=shared, **given | {"request_id": None})  # valid even past the replay age


def _shared_releases(engine: Engine, sql: str, terms: Request, keys: Sequence[str]) -> tuple[CompiledRelease, ...]:
    """Compiled releases of a query, if exactly those stored under `keys`. Refuses others: they would be made anew."""
    prepared = _compile_shareable(engine, sql, terms)
    release_keys = {each.release_key for each in prepared}
    if (
        release_keys != set(keys)
        or not release_keys <= engine.ledger.release_ages(prepared[0].plan.dataset, release_keys).keys()
    ):
        raise EngineKind.REPEATED_NO_MORE.at()
    return prepared


def _compile_shareable(engine: Engine, sql: str, terms: Request) -> tuple[CompiledRelease, ...]:
    """Compile a query for sharing. Raises Refusal for one over public tables only, or with a target error.

    The price of a target error depends on the client's own stored answers, so two clients would have other releases.
    """
    question = engine.read(sql, terms.client)
    if not question.plans:
        raise EngineKind.ONLY_PUBLIC_TABLES.at()
    if resolve_terms(question, terms, engine.catalog).target is not None:
        raise EngineKind.SHARED_TARGET.at()
    return engine.compile(question, terms).releases
