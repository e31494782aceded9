"""Budget accounts: one per dataset, privacy window and account holder, with a cap and the amount spent.

Holders are the path of payers from the whole dataset down to one analyst of a project of an organisation. A name in
another Unicode form, in other capitals or with an invisible character would open a new account with a fresh budget:
only the normal form is accepted, and the ledger has one client for each folded name.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache

from budgets.accounting.privacy_loss import ATTO, MAX_UNITS, EpsilonDelta, Loss, chargeable
from budgets.errors import ParamError

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
