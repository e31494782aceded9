"""A model of the account tree in fifty lines, without a database: the expected outcome of any history."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import accumulate

CEILING, RESERVE, OWN = 60, 12, 40  # units of 0.0001 rho; all releases of one window cost 78: each limit is met
LIFETIME, EACH, QUERY = "*lifetime", "*each", "*query"
Release = tuple[int, tuple[str, ...]]  # price and windows


def path(client: str) -> list[str]:
    """Groups of a client, then the client."""
    return list(accumulate(client.split("/"), "{}/{}".format))


@dataclass
class Tree:
    """Who has paid for what, which caps were set, who may ask."""

    releases: dict[str, Release]
    paid: dict[str, set[str]] = field(default_factory=dict)  # by holder; "" is everybody, "*" all clients
    caps: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)  # by holder and scope: when, what
    barred: set[str] = field(default_factory=set)  # removed or frozen
    now: int = 0

    def holders(self, client: str) -> list[str]:
        return [""] if client == "*owner" else ["", "*", *path(client)]

    def spent(self, holder: str, window: str) -> int:
        mine = [self.releases[key] for key in self.paid.get(holder, ())]
        return sum(price * (len(windows) if window == LIFETIME else window in windows) for price, windows in mine)

    def cap(self, holder: str, window: str, client: str) -> float:
        scopes = {window} if window == LIFETIME else {window, EACH}
        said = [cap for (who, scope), cap in self.caps.items() if who == holder and scope in scopes]
        default = {"*": CEILING - RESERVE, client: OWN}.get(holder, CEILING)
        return max(said)[1] if said else float("inf") if window == LIFETIME else default

    def charge(self, client: str, keys: set[str]) -> str:
        """Charge all or nothing; returns the outcome."""
        if not self.barred.isdisjoint(path(client)):
            return "forbidden"
        new = {holder: keys - self.paid.get(holder, set()) for holder in self.holders(client)}
        own = new["" if client == "*owner" else client]
        most = [self.caps[who, QUERY][1] for who in path(client) if (who, QUERY) in self.caps]
        after = Tree(self.releases, {holder: self.paid.get(holder, set()) | more for holder, more in new.items()})
        touched = {window for key in keys for window in self.releases[key][1]}
        over = any(
            after.spent(holder, window) > self.cap(holder, window, client)
            for holder, more in new.items()
            for window in {w for key in more for w in self.releases[key][1]}
            | ({LIFETIME} if more and holder not in ("", "*") else set())
        )
        if touched and (over or any(sum(self.releases[key][0] for key in own) > limit for limit in most)):
            return "over"
        self.paid |= after.paid
        return "charged"
