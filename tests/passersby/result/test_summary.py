"""What stands under an answer: one wording for a terminal and for a notebook."""

from __future__ import annotations

from typing import Any

import pytest

from passersby.result.summary import intervals_text, price_text
from tests.passersby.cards import result

NOTHING = {"rho": 0.0, "delta": 0.0, "epsilon_at_delta": None}
INTERVALS = {"n": [[-5, 15]]}
SAID = {
    "bought": ({}, INTERVALS, "95% intervals", "price rho 0.005 (epsilon 0.57 at delta 1e-9)"),
    "bought, without intervals": ({}, {}, "no intervals", "price rho 0.005 (epsilon 0.57 at delta 1e-9)"),
    "of public tables": ({"price": NOTHING, "release_id": None}, {}, "no noise", "free"),
    "a rehearsal": ({"rehearsal": True, "release_id": None}, {}, "no intervals", "free: a rehearsal on synthetic rows"),
    "a rehearsal of public tables": (
        {"rehearsal": True, "release_id": None, "price": NOTHING}, {}, "no noise", "free: a rehearsal on synthetic rows",
    ),
    "a repeat": ({"replayed": True, "price": NOTHING}, INTERVALS, "95% intervals", "free: asked before, answered from store"),
}  # fmt: skip


@pytest.mark.parametrize(("card", "intervals", "noise", "paid"), SAID.values(), ids=SAID.keys())
def test_terminal_and_notebook_describe_noise_and_price_equally(
    card: dict[str, Any], intervals: dict[str, Any], noise: str, paid: str
) -> None:
    shown = result({"n": [5]}, intervals, **card)
    assert intervals_text(shown) == noise
    assert price_text(shown) == paid
    told = f"{intervals_text(shown)} · {price_text(shown)}"
    assert told in shown.details
    assert told in shown._repr_html_()
