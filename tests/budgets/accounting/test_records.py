"""Records of the ledger: requests, items, and their validation."""

from __future__ import annotations

from typing import Any

import pytest

from budgets.accounting.privacy_loss import ZERO_LOSS
from budgets.accounting.records import PricedRelease
from budgets.errors import ParamError
from tests.budgets.ledger_checks import ask, item


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"client": ""}, "A client must be"),  # the empty name is the dataset's own
        ({"dataset": ""}, "A dataset must be"),
        ({"request": "line\nbreak"}, "A request id must be"),
        ({"body": "x" * 201}, "A body digest must be"),
        ({"wording": "x" * 2_001}, "A wording has at most 2,000 characters"),
        ({"wording": "\0"}, "A wording must be text"),
    ],
)
def test_invalid_requests_are_refused(wrong: dict[str, Any], why: str) -> None:
    with pytest.raises(ParamError, match=why):
        ask(**wrong)


def test_a_release_has_a_key_a_price_and_a_text() -> None:
    with pytest.raises(ParamError, match="A release costs rho above 0"):
        PricedRelease("aa", ZERO_LOSS, "question", ("forever",))
    with pytest.raises(ParamError, match="A release key must be"):
        item("")
    with pytest.raises(ParamError, match="A question must be text"):
        PricedRelease("aa", item().loss, "\ud800", ("forever",))


@pytest.mark.parametrize(
    ("windows", "why"),
    [((), "at least one window"), (("2026-01", "2026-01"), "each named once"), (("",), "A window must be")],
)
def test_a_release_without_privacy_windows_is_refused(windows: tuple[str, ...], why: str) -> None:
    with pytest.raises(ParamError, match=why):
        item(windows=windows)


def test_one_release_asked_for_twice_is_one_release_of_one_price() -> None:
    assert [each.release_key for each in ask(item("bb"), item("aa"), item("bb")).distinct_releases] == ["bb", "aa"]
    with pytest.raises(ParamError, match="two prices"):
        ask(item("aa", "0.01"), item("aa", "0.02"))
    with pytest.raises(ParamError, match="two prices"):
        ask(item("aa", windows=("2026-01",)), item("aa", windows=("2026-02",)))
