"""What `passersby plan` asks of the engine, in wire shapes: plan a file of questions, and buy what was planned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

from budgets import Charge, parse_amount
from dialect.parser.tokens import several
from engine.accounts.problems import Refused, problem
from engine.api.session import ASKED_IN_VAIN, Desk
from engine.errors import untold
from engine.pricing.terms import Asked
from engine.workflows.workload import Planned, plan_of


def plan_workload(
    desk: Desk, text: str, *, client: str, rho: str, confidence: float | None = None, apply: bool = False
) -> dict[str, Any]:
    """Plan the questions of a file for a total price; with `apply`, buy what was planned. Raises Refused.

    Afterwards each question is free for this client at the price that it has alone (`ask_at_rho`), or less. Where
    one can't be bought or answered, `charged_rho` of the refusal is what was charged until then, for this one too, and
    planning the same again goes on there.
    """
    try:
        amount = parse_amount(rho, "rho")
        planned = plan_of(desk.engine, several(text), amount, Asked(client, confidence=confidence))
    except ASKED_IN_VAIN as error:
        raise Refused(problem(error, None)) from error
    charged = _buy(desk, [each for each in planned if each.price], client) if apply else Fraction(0)
    alone = next(each.alone for each in planned if each.asked)
    return {
        "rho": float(amount),
        "ask_at_rho": float(alone),
        "applied": apply,
        "charged_rho": float(charged),
        "questions": [_told(each) for each in planned],
    }


def _buy(desk: Desk, planned: Sequence[Planned], client: str) -> Fraction:
    """Buy questions one after another, and give what was charged together, in rho; raises Refused, with what was."""
    charges = list[Charge]()
    engine = replace(desk.engine, heard=charges.append)
    for each in planned:
        try:
            engine.answer(each.sql, Asked(client, rho=each.price))
        except Exception as error:
            if not (charges or isinstance(error, ASKED_IN_VAIN)):
                raise  # a defect, and nothing to tell beside it
            told = error if isinstance(error, ASKED_IN_VAIN) else untold(error)
            raise Refused(problem(told, each.sql) | {"charged_rho": float(_rho(charges))}) from told
    return _rho(charges)


def _rho(charges: Sequence[Charge]) -> Fraction:
    return sum((charge.loss.rho for charge in charges if not charge.repeated), Fraction(0))


def _told(planned: Planned) -> dict[str, Any]:
    return {
        "sql": planned.sql,
        "asked": planned.asked,
        "alone_rho": float(planned.alone),
        "alone_error": planned.alone_error,
        "rho": float(planned.price),
        "error": planned.error if planned.asked else {},
        "made_of": [place + 1 for place in planned.made_of],
    }
