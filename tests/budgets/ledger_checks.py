"""Queries to charge, and the checks that every ledger must pass."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import accumulate
from typing import Any

from budgets import (
    ALL_CLIENTS,
    EVERYBODY,
    LIFETIME,
    AccountName,
    Caps,
    Charge,
    ChargeRequest,
    Entry,
    EntryKind,
    Ledger,
    Loss,
    PricedRelease,
    chargeable,
    sum_losses,
)

CAPS = Caps(dataset=Loss.rounded_down("0.2", "1e-9"), client=Loss.rounded_down("0.1", "1e-9"))
SHARED = AccountName("operator", "forever")
ANN = AccountName("operator", "forever", "ann")
BEN = AccountName("operator", "forever", "ben")


def item(key: str = "aa", rho: str = "0.005", delta: str = "0", windows: Sequence[str] = ("forever",)) -> PricedRelease:
    return PricedRelease(key, Loss.rounded_up(rho, delta), f"question {key}", tuple(windows))


def ask(
    *items: PricedRelease,
    client: str = "ann",
    request: str = "r1",
    body: str | None = None,
    caps: Caps = CAPS,
    dataset: str = "operator",
    wording: str = "",
) -> ChargeRequest:
    body = body or f"body of {request}"
    return ChargeRequest(client, dataset, request, body, items or (item(),), caps, "versions 1", wording)


def answer(ledger: Ledger, charge: Charge, text: str = "answer") -> dict[str, bytes]:
    """Run the releases left by a charge, as an engine would."""
    return dict(ledger.settle(charge, {key: f"{text} {key}".encode() for key in charge.to_run}))


def check_books(ledger: Ledger) -> None:
    """Recompute everything: each account paid once for each release it has seen, and stayed under its cap."""
    charged = defaultdict(list)
    for entry in ledger.entries(kind=EntryKind.CHARGED):
        for release, holder, window in _paid(entry):
            charged[AccountName(entry.dataset, window, holder)].append((release["key"], Loss(*release["loss"])))
    for name, paid in tuple(charged.items()):
        if name.client is not None:
            charged[AccountName(name.dataset, LIFETIME, name.holder)] += paid
    views = {view.name: view for view in ledger.accounts()}
    assert set(charged) == set(views), "an account without a debit, or a debit without an account"
    for name, paid in charged.items():
        twice = [key for key, times in Counter(key for key, _ in paid).items() if times > 1]
        assert not twice or name.window == LIFETIME, f"{name} paid twice for {twice}"
        assert views[name].spent == sum_losses(loss for _, loss in paid), f"{name} does not add up"
        assert views[name].spent.fits_in(chargeable(views[name].cap)), f"{name} is over its cap"
    in_windows = {name: {key for key, _ in paid} for name, paid in charged.items() if name.window != LIFETIME}
    assert in_windows == _seen(ledger), "somebody saw a release without paying, or paid without seeing"
    assert ledger.verify() == ()


def _paid(entry: Entry) -> Iterator[tuple[dict[str, Any], str, str]]:
    """Payments of a charge: release, payer, window."""
    for release in entry.content["releases"]:
        for holder in release["payers"]:
            for window in entry.content["windows"][release["windows"]]:
                yield release, holder, window


def _seen(ledger: Ledger) -> dict[AccountName, set[str]]:
    """Releases that each account must have paid for, derived from the releases of the clients."""
    seen = defaultdict(set)
    for client in {entry.actor for entry in ledger.entries(kind=EntryKind.CHARGED)}:
        for paid in ledger.paid_releases(client):
            for window in paid.windows:
                for holder in (EVERYBODY, ALL_CLIENTS, *accumulate(client.split("/"), "{}/{}".format)):
                    seen[AccountName(paid.dataset, window, holder)].add(paid.release_key)
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
    assert (ann.release_keys, ben.release_keys) == (("aa",), ("bb",))


def check_repeats_are_free(ledger: Ledger, repeats: int = 20) -> None:
    """Replays return what their client has paid for, to nobody else, change nothing, and add no row of their own."""
    made = answer(ledger, ledger.charge(ask(item("aa"), request="bought")))
    assert ledger.is_charged("ann", "bought") and not ledger.is_charged("ann", "tile")
    assert not ledger.is_charged("ben", "bought"), "another client's id is another id"
    rows, accounts = ledger.anchor().sequence, ledger.accounts()
    for _ in range(repeats):
        found = ledger.replay("ann", "operator", made)
        assert {key: each.payload for key, each in found.items()} == dict(made)
        ledger.count_repeat("ann", "operator")
    assert not ledger.replay("ben", "operator", made), "it was given to who has not paid"
    assert (ledger.anchor().sequence, ledger.accounts()) == (rows, accounts), "a repeat wrote something"
    ledger.write_repeats(all_hours=True)
    (row,) = ledger.entries(kind=EntryKind.REPEATED)
    assert (row.holder, row.dataset, row.content["times"]) == ("ann", "operator", repeats)
    assert ledger.accounts() == accounts and ledger.verify() == ()


def check_rounding_up(rho: Fraction, delta: Fraction) -> None:
    """A charge is never less than the loss that it was made from."""
    loss = Loss.rounded_up(rho, delta)
    assert loss.rho >= rho and loss.delta >= delta
