"""Holders: whose account it is, from everybody down to one analyst in a project of an organisation."""

from __future__ import annotations

from functools import lru_cache

from budgets.accounting.names import NO_NAMES, normal_name
from budgets.errors import ParamError

EVERYBODY = ""  # every release of a dataset, the owner's own too: its cap is the ceiling
ALL_CLIENTS = "*"  # all clients together: the ceiling less the owner's reserve
OWNER = "*owner"  # who asks on everybody's account alone, as calibration does
RESERVED = "*"  # what names of the ledger's own begin with, and no client's, no window's

_MAX_NAME_CHARACTERS = 200


@lru_cache(1024)
def prefixes(client: str) -> tuple[str, ...]:
    """Give the path of a client from its outermost group down to itself: `a/b/c` has `a`, `a/b`, `a/b/c`."""
    parts = client.split("/")
    return tuple("/".join(parts[: depth + 1]) for depth in range(len(parts)))


def payers(client: str) -> tuple[str, ...]:
    """Give every holder that pays for what a client sees for the first time, outermost first."""
    return (EVERYBODY,) if client == OWNER else (EVERYBODY, ALL_CLIENTS, *prefixes(client))


def own_holder(client: str) -> str:
    """Give the holder whose purchases say what a client has seen; the owner sees whatever is released."""
    return EVERYBODY if client == OWNER else client


def is_client(holder: str) -> bool:
    """Tell whether a holder is a client, or a group of clients."""
    return holder not in (EVERYBODY, ALL_CLIENTS)


def check_name(text: object, what: str) -> None:
    """Refuse a name that is not 1 to 200 printable characters of text; raises ParamError."""
    if not isinstance(text, str) or not 1 <= len(text) <= _MAX_NAME_CHARACTERS or not text.isprintable():
        raise ParamError(f"{what} must be 1 to {_MAX_NAME_CHARACTERS} printable characters.", "a shorter, plain name.")


def check_window(window: object) -> None:
    """Refuse a name that no window can have; raises ParamError."""
    check_name(window, "A window")
    if str(window).startswith(RESERVED):
        raise ParamError("A window's name does not begin with '*'.", "the dataset's own windows.")


def check_client(client: object) -> None:
    """Refuse who can pay for nothing: neither a client nor the owner; raises ParamError."""
    if client != OWNER:
        check_asker(client)


def check_asker(client: object) -> None:
    """Refuse what is no path of plain names in normal form, and the owner's name; raises ParamError.

    Nobody who asks at a door is the owner.
    """
    check_name(client, "A client")
    for part in str(client).split("/"):
        if not part.strip() or part.startswith(RESERVED):
            raise ParamError("A client is a path of names, none empty and none begun by '*'.", "organisation/analyst.")
        if part in NO_NAMES:
            raise ParamError("No name of a client's path is '.' or '..'.", "organisation/analyst.")
    normal = normal_name(str(client))
    if client != normal:
        why = "A client's name has no spaces at its ends, no invisible signs, and one form of each letter and slash."
        raise ParamError(why, f"{normal}, which is the normal form of this name." if normal else "a plain name.")
