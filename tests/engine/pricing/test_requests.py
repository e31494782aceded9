"""A request has an id of its own, and a body with everything that it requested."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from dialect.parser.privacy_clause import parse_target_error
from engine.pricing.query_terms import Request, ledger_text, new_request_id, request_digest


def test_ids_are_never_the_same() -> None:
    assert len({new_request_id() for _ in range(1000)}) == 1000


def test_a_body_is_the_question_and_its_terms() -> None:
    ann = Request("ann")
    variants = [ann, replace(ann, rho=Fraction(1, 100)), replace(ann, confidence=0.9)]
    variants.append(replace(ann, target_error=parse_target_error("5%")))
    digests = {request_digest("SELECT 1", asked) for asked in variants} | {request_digest("SELECT 2", ann)}
    assert len(digests) == 5
    assert request_digest("SELECT 1", replace(ann, request_id="r1")) == request_digest("SELECT 1", ann)


def test_a_client_knows_its_question_again_by_its_beginning_and_no_comment_is_kept() -> None:
    assert ledger_text("SELECT 1 -- for Mrs. Jones, 0170 555\n;") == "SELECT 1"
    longest = ledger_text(f"SELECT '{'x' * 5_000}'")
    assert len(longest) == 2_000 and longest.startswith("SELECT 'xxx") and longest.endswith("xxx ...")
    assert ledger_text(f"SELECT '{'x' * 1_991}'") == f"SELECT '{'x' * 1_991}'"
