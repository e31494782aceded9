"""Lines below an answer in its long form, shared by terminal, notebook and CSV: level and price."""

from __future__ import annotations

from passersby.result.protocols import Answer
from passersby.text.numbers import free_text, level_text, privacy_loss_text

REHEARSAL_TEXT = "free: a rehearsal on synthetic rows"


def intervals_text(result: Answer) -> str:
    """Level of the intervals; without intervals, whether the numbers have noise."""
    if result.confidence and result.intervals:
        return level_text(result.confidence, result.card.get("simultaneous"))
    noised = result.card.get("release_id") or (result.rehearsal and result.price.get("rho"))
    return "no intervals" if noised else "no noise"


def price_text(result: Answer) -> str:
    """Price that was charged, or why it was free."""
    if result.rehearsal:
        return REHEARSAL_TEXT
    if result.replayed:
        return free_text(result.made_from)
    return f"price {privacy_loss_text(result.price)}" if result.price.get("rho") else "free"
