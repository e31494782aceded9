"""Account holders: the path of payers from the whole dataset down to one analyst of a project of an organisation."""

from __future__ import annotations

from functools import lru_cache

from budgets.accounting.names import FORBIDDEN_PARTS, normal_name
from budgets.errors import ParamError

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
