"""Budget accounts, one per dataset, privacy window and holder, and their policy: ceilings, caps, failures that freeze.

Holders are the path of payers from the whole dataset down to one analyst of a project of an organisation. A name in
another Unicode form, in other capitals or with an invisible character would open a new account with a fresh budget:
only the normal form is accepted, and the ledger has one client for each folded name.

A ceiling never rises; caps lie below it; a query has a minimum price. Terms:
    cap            most that an account may spend; of its delta a tenth pays for thresholds, the rest for conversion
    ceiling        cap of the dataset account of a window, fixed by its first charge
    grant          cap that an admin set for a client or group, instead of the catalog's
    effective cap  cap that applies: the latest grant for the account, otherwise the catalog's
    holder, path   who pays, and all who pay for a client's queries: dataset, all clients, groups, the client

Failed executions are counted: a client's failures freeze that client; those of a client tree freeze its outermost
group. A window freezes only after failures of several trees, because few failures of each are counted: no single party
can lock others out of a dataset.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache

from budgets.accounting.privacy_loss import ATTO, MAX_UNITS, ZERO_LOSS, EpsilonDelta, Loss, chargeable, sum_losses
from budgets.errors import BudgetRefused, CeilingRaised, Code, ParamError

# Printable but invisible characters: Unicode's Default_Ignorable_Code_Point, the blank Braille
# pattern, fillers, a number joiner, the null notehead and the object replacement. Controls, format characters
# and unusual spaces are not printable (str.isprintable)
INVISIBLE = re.compile(
    "[\\u034f\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180f\\u2800\\u3164\\ufe00-\\ufe0f\\uffa0\\ufffc"
    "\\U0001107f\\U00016fe4\\U0001d159\\U000e0100-\\U000e01ef]"
)
# Characters that look like the path separator and are not letters; NFKC folds U+FF0F
SLASH_LOOKALIKES = re.compile("[\\u1735\\u2041\\u2044\\u2215\\u2571\\u27cb\\u29f8\\u31d3]")
FORBIDDEN_PARTS = (".", "..")  # the current and the parent folder in file paths


def normal_name(name: str) -> str:
    """Normalize a path of names: NFKC, no invisible characters, one kind of slash, trimmed and single spaces."""
    visible = INVISIBLE.sub("", "".join(map(_visible_character, unicodedata.normalize("NFKC", name))))
    visible = SLASH_LOOKALIKES.sub("/", visible)
    return "/".join(" ".join(part.split()) for part in unicodedata.normalize("NFKC", visible).split("/"))


def _visible_character(character: str) -> str:
    """Keep a printable character, make controls and separators a space, and drop other invisible ones."""
    if character.isprintable():
        return character
    return " " if unicodedata.category(character) in ("Cc", "Zs", "Zl", "Zp") else ""


def folded_name(name: str) -> str:
    """Uniqueness key of a name: its normal form, case-folded.

    Claim: equal for names that differ only in capitals, compatibility forms, outer spaces or invisible characters.
    Symbols: a client or group, as a path. Formula: Unicode's toNFKC_Casefold, applied twice, which is idempotent.
    Source: proofs.md#one-client-for-each-name. Raises nothing.
    """
    folded = normal_name(name)
    for _ in range(2):
        folded = normal_name(unicodedata.normalize("NFKC", folded.casefold()))
    return folded


EVERYBODY = ""  # pays for every release of a dataset, the owner's included: its cap is the ceiling
ALL_CLIENTS = "*"  # all clients together, capped at the ceiling less the owner's reserve
OWNER = "*owner"  # pays from the dataset account only, as calibration does
RESERVED_PREFIX = "*"  # prefix of the ledger's internal names; no client or window name has it

_MAX_NAME_CHARACTERS = 200


@lru_cache(1024)
def path_prefixes(client: str) -> tuple[str, ...]:
    """Split a client's path into its groups, outermost first, and itself: `a/b/c` -> `a`, `a/b`, `a/b/c`."""
    parts = client.split("/")
    return tuple("/".join(parts[: depth + 1]) for depth in range(len(parts)))


def paying_holders(client: str) -> tuple[str, ...]:
    """List the holders that pay when a client receives a release for the first time, outermost first."""
    return (EVERYBODY,) if client == OWNER else (EVERYBODY, ALL_CLIENTS, *path_prefixes(client))


def own_holder(client: str) -> str:
    """Holder whose purchases are the client's own; for the owner that is the dataset account."""
    return EVERYBODY if client == OWNER else client


def is_client_or_group(holder: str) -> bool:
    """Return whether the holder is a client or a group of clients."""
    return holder not in (EVERYBODY, ALL_CLIENTS)


def check_name(text: object, what: str) -> None:
    """Reject a name that is not 1 to 200 printable characters; raises ParamError."""
    if not isinstance(text, str) or not 1 <= len(text) <= _MAX_NAME_CHARACTERS or not text.isprintable():
        raise ParamError(f"{what} must be 1 to {_MAX_NAME_CHARACTERS} printable characters.", "a shorter, plain name.")


def check_window(window: object) -> None:
    """Reject an invalid window name, or one that begins with the reserved `*`; raises ParamError."""
    check_name(window, "A window")
    if str(window).startswith(RESERVED_PREFIX):
        raise ParamError("A window's name does not begin with '*'.", "the dataset's own windows.")


def check_client_or_owner(client: object) -> None:
    """Reject a name that is neither a valid client name nor the owner; raises ParamError."""
    if client != OWNER:
        check_client_name(client)


def check_client_name(client: object) -> None:
    """Reject a client name that is not a path of plain names in normal form; raises ParamError.

    The owner's name is rejected too: no client of a server is the owner.
    """
    check_name(client, "A client")
    for part in str(client).split("/"):
        if not part.strip() or part.startswith(RESERVED_PREFIX):
            raise ParamError("A client is a path of names, none empty and none begun by '*'.", "organisation/analyst.")
        if part in FORBIDDEN_PARTS:
            raise ParamError("No name of a client's path is '.' or '..'.", "organisation/analyst.")
    normal = normal_name(str(client))
    if client != normal:
        why = "A client's name has no spaces at its ends, no invisible signs, and one form of each letter and slash."
        raise ParamError(why, f"{normal}, which is the normal form of this name." if normal else "a plain name.")


LIFETIME = "*lifetime"  # pseudo-window of the account that is debited the sum over all windows
UNCAPPED = Loss(MAX_UNITS, ATTO - 1)  # cap of a lifetime account without a declared cap

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")  # NUL and lone surrogates


@dataclass(frozen=True)
class AccountName:
    """Key of one account; its holder is a client, a group of clients, all clients together, or the whole dataset."""

    dataset: str
    window: str  # privacy window; LIFETIME: over all windows
    holder: str = EVERYBODY

    @property
    def client(self) -> str | None:
        """The client or client group that holds the account; None for the two accounts that all clients share."""
        return self.holder if is_client_or_group(self.holder) else None

    def __str__(self) -> str:
        """Describe the account in words."""
        shared = {EVERYBODY: "the dataset", ALL_CLIENTS: "all clients together"}
        owner = shared.get(self.holder, f"client {self.holder!r}")
        time = "over all windows" if self.window == LIFETIME else f"for window {self.window!r}"
        return f"the budget of {owner} {time} of dataset {self.dataset!r}"


@dataclass(frozen=True)
class AccountView:
    """State of an account at one moment: cap and amount spent."""

    name: AccountName
    cap: Loss  # current cap; its delta covers conversion and thresholds
    spent: Loss  # sum of charges; its delta covers thresholds only

    @property
    def is_capped(self) -> bool:
        """Does the account limit anything? A lifetime account without a declared cap does not."""
        return self.cap != UNCAPPED

    @cached_property
    def remaining(self) -> Loss:
        """Loss that can still be charged: rho, and delta for partition-selection thresholds."""
        return chargeable(self.cap).excess_over(self.spent)

    @property
    def spent_epsilon_delta(self) -> EpsilonDelta:
        """Amount spent as (epsilon, delta), rounded up."""
        return EpsilonDelta.from_loss(self.spent, self.cap)

    @property
    def cap_epsilon_delta(self) -> EpsilonDelta:
        """The whole cap as (epsilon, delta), rounded up."""
        return EpsilonDelta.from_loss(chargeable(self.cap), self.cap)


def path_accounts(client: str, dataset: str, windows: Iterable[str]) -> tuple[AccountName, ...]:
    """List every account that pays when a client runs a query on a dataset.

    That is one account for each holder on the client's path in each privacy window, plus the lifetime accounts of the
    client and its groups.
    """
    each = tuple(windows)
    holders = paying_holders(client)
    in_windows = [AccountName(dataset, window, holder) for window in each for holder in holders]
    return (*in_windows, *(AccountName(dataset, LIFETIME, holder) for holder in holders if is_client_or_group(holder)))


def check_text(text: object, what: str) -> None:
    """Reject text that a database cannot store: NUL or lone surrogates; raises ParamError."""
    if not isinstance(text, str) or _UNSTORABLE.search(text):
        raise ParamError(f"{what} must be text.", "plain Unicode text without NUL.")


MIN_QUERY_RHO = Fraction(1, 10_000)  # minimum price of one query; below it the noise hides everything
STATIC_WINDOW = "static"  # pseudo-window of tables without a time column
EACH_WINDOW = "*each"  # scope of a cap that applies in every window
PER_QUERY = "*query"  # scope of a cap on the price of one query


@dataclass(frozen=True)
class Caps:
    """Current caps of a dataset from its catalog, per privacy window; each delta covers conversion and thresholds."""

    dataset: Loss  # all queries together: the ceiling
    client: Loss  # one client, unless an admin granted another cap
    reserve: Loss = ZERO_LOSS  # part of the ceiling reserved for the owner, not for clients
    static: Loss | None = None  # ceiling of the static window; None: as in any other window
    query: Loss | None = None  # limit on one query; its delta covers thresholds only
    lifetime: Loss | None = None  # one client over all windows; None: no lifetime cap

    def __post_init__(self) -> None:
        """Reject a cap without rho, or with a delta outside (0, 1); raises ParamError."""
        check_cap("the dataset", self.dataset)
        check_cap("a client", self.client)
        check_cap("the static window", self.ceiling(STATIC_WINDOW))
        check_cap("a client's lifetime", self.lifetime or self.client)
        for window in (STATIC_WINDOW, ""):
            check_cap("all clients beside the owner's reserve", self.ceiling(window).excess_over(self.reserve))

    def ceiling(self, window: str) -> Loss:
        """Ceiling of a window: the cap of all queries together, the owner's included."""
        return self.static if window == STATIC_WINDOW and self.static is not None else self.dataset

    def cap_of(self, account: AccountName, client: str) -> Loss:
        """Catalog cap of an account on a client's path; it applies unless an admin granted another.

        Claim: everybody's cap alone carries the guarantee. Symbols: a window's ceiling, owner's reserve, client's cap.
        Formula: everybody ceiling, all clients ceiling - reserve, a group ceiling, the client its own.
        Source: proofs.md#the-tree-of-accounts. Raises nothing.
        """
        if account.window == LIFETIME:
            return self.lifetime if account.holder == client and self.lifetime is not None else UNCAPPED
        ceiling = self.ceiling(account.window)
        if account.holder == ALL_CLIENTS:
            return ceiling.excess_over(self.reserve)
        if account.holder == client:
            return self.client.componentwise_min(ceiling) if account.window == STATIC_WINDOW else self.client
        return ceiling


@dataclass(frozen=True)
class Grant:
    """A cap that an admin has set for a client or a group of clients."""

    dataset: str
    holder: str
    scope: str  # EACH_WINDOW, LIFETIME, PER_QUERY, or the name of one window
    cap: Loss
    sequence: int  # of the ledger entry of the grant; the latest grant applies


@dataclass(frozen=True)
class Debit:
    """The same loss, debited from some holders in some windows."""

    holders: tuple[str, ...]
    windows: tuple[str, ...]
    loss: Loss

    @property
    def accounts(self) -> int:
        """Number of accounts debited."""
        return len(self.holders) * len(self.windows)


def check_cap(owner: str, cap: Loss) -> None:
    """Reject a cap without rho, or with a delta outside (0, 1); raises ParamError."""
    if cap.pico_rho == 0:
        raise ParamError(f"The cap of {owner} must have rho above 0.", "rho = 0.2.")
    if not 0 < cap.atto_delta < ATTO:
        raise ParamError(f"The cap of {owner} must have delta above 0 and below 1.", "delta = 1e-9.")


def effective_cap(default: Loss, grants: Iterable[Grant], account: AccountName) -> Loss:
    """Cap of an account: the latest grant for its window or for every window, otherwise the catalog's.

    A grant for every window does not include the lifetime account, which is no window. A limit per query is no cap of
    an account (see `query_limits`).
    """
    scopes = {account.window} if account.window == LIFETIME else {account.window, EACH_WINDOW}
    fitting = [grant for grant in grants if grant.holder == account.holder and grant.scope in scopes]
    return max(fitting, key=lambda grant: grant.sequence).cap if fitting else default


def effective_caps(
    names: Iterable[AccountName], caps: Caps, grants: Sequence[Grant], client: str
) -> dict[AccountName, Loss]:
    """Effective cap of each account on a client's path."""
    return {name: effective_cap(caps.cap_of(name, client), grants, name) for name in names}


def query_limits(caps: Caps, grants: Iterable[Grant]) -> tuple[Loss, ...]:
    """Limits on the price of one query: the catalog's, and those that admins set for holders on the path."""
    return tuple(grant.cap for grant in grants if grant.scope == PER_QUERY) + ((caps.query,) if caps.query else ())


def check_query_limits(loss: Loss, limits: Iterable[Loss], client: str, largest_price: Callable[[], Loss]) -> None:
    """Reject a query that costs its client more than the limit of one query; raises BudgetRefused."""
    for limit in limits:
        if not loss.fits_in(limit):
            raise BudgetRefused(
                Code.BUDGET,
                account=f"one question of client {client!r}",
                requested=loss,
                remaining=limit,
                short_by=loss.excess_over(limit),
                would_fit=largest_price(),
            )


def check_minimum_price(losses: Iterable[Loss]) -> None:
    """Reject a query below the minimum price; raises ParamError."""
    price = sum_losses(losses)
    if price.rho < MIN_QUERY_RHO:
        least = f"{float(MIN_QUERY_RHO):g}"
        raise ParamError(f"A question costs at least rho {least}, this one {price}.", f"rho = {least} or more.")


def check_ceiling(name: AccountName, cap: Loss, ceiling: Loss) -> None:
    """Check that no cap exceeds the permanent ceiling, which the first charge of the dataset recorded.

    Claim: the ceiling of (dataset, window) is the loss promised to data subjects before the first query; it never
    rises. Symbols: current cap, ceiling of the first charge. Formula: cap <= ceiling, component by component.
    Source: proofs.md#the-filter. Raises CeilingRaised.
    """
    if name.holder == EVERYBODY and not cap.fits_in(ceiling):
        raise CeilingRaised(
            f"The catalog now caps {name} at {cap}, and its first charge fixed the ceiling at {ceiling} for good.",
            f"{ceiling} or less in the catalog.",
        )


def budget_refusal(debits: Iterable[tuple[AccountView, Loss]], largest_price: Loss) -> BudgetRefused:
    """Build the refusal for the account that is short and closest to the client; at least one of the accounts is short.

    Of several equally close ones, that with the least rho left.
    """
    short = [(view, loss) for view, loss in debits if not loss.fits_in(view.remaining)]
    view, loss = min(short, key=lambda pair: (holder_rank(pair[0].name), pair[0].remaining.pico_rho))
    return BudgetRefused(
        Code.BUDGET_DATASET if view.name.client is None else Code.BUDGET,
        account=str(view.name),
        requested=loss,
        remaining=view.remaining,
        short_by=loss.excess_over(view.remaining),
        would_fit=largest_price,
        window=view.name.window,
    )


def holder_rank(name: AccountName) -> int:
    """Sort key of holders: the client first, because an admin can raise its cap; the dataset last.

    Clients and groups come by depth of their path, the deepest first; then all clients together, then the dataset.
    """
    shared = {ALL_CLIENTS: 1, EVERYBODY: 2}
    return shared.get(name.holder, -name.holder.count("/"))


MAX_FAILURES_PER_CLIENT = 3  # failed executions before a client is frozen, over all datasets
MAX_FAILURES_PER_CLIENT_TREE = 10  # likewise for all clients of an outermost group together
MAX_FAILURES_PER_WINDOW = 10  # counted failures before a dataset's window is frozen, over all trees
MAX_COUNTED_PER_CLIENT_TREE = 3  # per dataset and window: it takes at least four trees to freeze a window

CounterKey = tuple[str, str, str]  # dataset, holder, window; an empty field matches all


def client_tree(client: str) -> str:
    """Outermost group of a client, or the client itself. All clients of one tree count as one party."""
    return client if client == OWNER else path_prefixes(client)[0]


def counter_keys(client: str, dataset: str, windows: Iterable[str]) -> tuple[CounterKey, ...]:
    """List the counters that one failure increments."""
    tree, sorted_windows = client_tree(client), sorted(windows)
    own = () if client == OWNER else tuple(("", holder, "") for holder in dict.fromkeys((client, tree)))
    return (
        *own,
        *((dataset, EVERYBODY, window) for window in sorted_windows),
        *((dataset, tree, window) for window in sorted_windows),
    )


def failure_limits(client: str) -> dict[str, int]:
    """Failure limits of a client and of its tree, by holder; the owner has none."""
    if client == OWNER:
        return {}
    return {client_tree(client): MAX_FAILURES_PER_CLIENT_TREE} | {client: MAX_FAILURES_PER_CLIENT}


def count_window_failures(by_tree: Mapping[str, int]) -> int:
    """Count the failures of one dataset and window, with a maximum per client tree.

    The owner's failures count in full: the owner is no party that could lock out others.

    Claim: a window that clients freeze saw failures of at least four trees. Symbols: failures n_t of tree t since the
    last thaw. Formula: sum of min(n_t, 3), frozen at 10. Source: proofs.md#failures. Raises nothing.
    """
    return sum(
        n if tree == OWNER else min(n, MAX_COUNTED_PER_CLIENT_TREE) for tree, n in by_tree.items() if tree != EVERYBODY
    )
