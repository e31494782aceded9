"""Power failure at any write: acknowledged charges are there afterwards, once."""

from __future__ import annotations

from apsw import Error

from budgets import LedgerError
from tests.support.ledger.power import LOST, cut_power, without_durability


def test_no_acknowledged_charge_is_lost_by_a_power_failure() -> None:
    """Twenty of the cuts of `python -m tests.nightly power`."""
    counted = cut_power(1, 20)
    assert counted[LOST] == 0
    assert counted["charges acknowledged"] > 50 and counted["results acknowledged"] > 50


def test_a_ledger_that_flushes_too_seldom_loses_what_it_acknowledged() -> None:
    """The control: synchronous = NORMAL, which the ledger refuses to run at."""
    with without_durability():
        assert cut_power(1, 20)[LOST] > 10


def test_a_disk_that_lies_about_its_flushes_is_found() -> None:
    """No software survives it; the check sees it."""
    try:
        lost = cut_power(1, 20, flushes=False)[LOST]
    except (AssertionError, Error, LedgerError):
        return  # the file was torn beyond reading
    assert lost > 10
