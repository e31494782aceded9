"""Questions to charge, and the checks that every ledger must pass."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from fractions import Fraction

from budgets import (
    AccountName,
    Caps,
    Charge,
    ChargeRequest,
    EntryKind,
    Item,
    Ledger,
    Loss,
    chargeable,
    total,
)

CAPS = Caps(dataset=Loss.within("0.2", "1e-9"), client=Loss.within("0.1", "1e-9"))
SHARED = AccountName("operator", "forever")
ANN = AccountName("operator", "forever", "ann")
BEN = AccountName("operator", "forever", "ben")


def item(key: str = "aa", rho: str = "0.005", delta: str = "0", windows: Sequence[str] = ("forever",)) -> Item:
    return Item(key, Loss.of(rho, delta), f"question {key}", tuple(windows))


def ask(
    *items: Item,
    client: str = "ann",
    request: str = "r1",
    body: str | None = None,
    caps: Caps = CAPS,
    dataset: str = "operator",
) -> ChargeRequest:
    body = body or f"body of {request}"
    return ChargeRequest(client, dataset, request, body, items or (item(),), caps, "versions 1")


def answer(ledger: Ledger, charge: Charge, text: str = "answer") -> dict[str, bytes]:
    """Run what a charge left to run, as an engine would."""
    return dict(ledger.settle(charge, {key: f"{text} {key}".encode() for key in charge.to_run}))


def check_books(ledger: Ledger) -> None:
    """Add everything up anew: each account paid once for each release it has seen, and stayed under its cap."""
    charged = defaultdict(list)
    for entry in ledger.entries():
        if entry.kind is EntryKind.CHARGED:
            charged[AccountName(entry.dataset, entry.window or "", entry.client)].append(entry)
    views = {view.name: view for view in ledger.accounts()}
    assert set(charged) == set(views), "an account without a debit, or a debit without an account"
    for name, entries in charged.items():
        twice = [key for key, times in Counter(entry.release_key for entry in entries).items() if times > 1]
        assert not twice, f"{name} paid twice for {twice}"
        assert views[name].spent == total(entry.loss for entry in entries), f"{name} does not add up"
        assert views[name].spent.fits_in(chargeable(views[name].cap)), f"{name} is over its cap"
    assert {name: {entry.release_key for entry in entries} for name, entries in charged.items()} == _seen(ledger), (
        "somebody saw a release without paying, or paid without seeing"
    )


def _seen(ledger: Ledger) -> dict[AccountName, set[str]]:
    """Give the releases that each account must have paid for, from what clients hold."""
    seen = defaultdict(set)
    for client in {entry.asked_by for entry in ledger.entries()}:
        for paid in ledger.releases(client):
            for window in paid.windows:
                seen[AccountName(paid.dataset, window, client)].add(paid.release_key)
                seen[AccountName(paid.dataset, window)].add(paid.release_key)
    return seen


def check_one_result(ledger: Ledger) -> None:
    """Two clients run the same release at once; both must get what was stored first, then and later."""
    first, second = ledger.charge(ask()), ledger.charge(ask(client="ben"))
    assert first.to_run == second.to_run == ("aa",)
    assert answer(ledger, first, "first") == {"aa": b"first aa"}
    assert answer(ledger, second, "second") == {"aa": b"first aa"}
    assert ledger.replay("ben", "operator", ["aa"])["aa"].payload == b"first aa"


def check_request_ids_are_the_clients(ledger: Ledger) -> None:
    """The same request id of another client is another request."""
    ann = ledger.charge(ask(item("aa"), request="same", body="one"))
    ben = ledger.charge(ask(item("bb"), client="ben", request="same", body="two"))
    assert (ann.keys, ben.keys) == (("aa",), ("bb",))


def check_rounding_up(rho: Fraction, delta: Fraction) -> None:
    """A charge stands for no less than what it was made from."""
    loss = Loss.of(rho, delta)
    assert loss.rho >= rho and loss.delta >= delta
