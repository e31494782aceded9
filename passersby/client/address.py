"""A server's address and API key, validated before anything is sent."""

from __future__ import annotations

import ipaddress
import os
from urllib.parse import SplitResult, urlsplit

from passersby.errors import AccessError, RefusedError

API_KEY_VARIABLE = "PASSERSBY_API_KEY"
SCHEMES = ("http://", "https://")


def is_address(where: str) -> bool:
    """Return whether this is a server's URL, rather than a catalog's name or file."""
    return where.lower().startswith(SCHEMES)


def server_url(where: str) -> str:
    """Validate a server's URL and strip trailing slashes; raise RefusedError if the key would be sent in plain text."""
    parts = urlsplit(where)
    try:
        is_valid = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        is_valid = False
    if not is_valid or parts.query or parts.fragment:
        raise _refusal("This is no address of a server.", "passersby.connect('https://passersby.example.org')")
    if parts.username is not None or parts.password is not None:
        raise _refusal(
            "A key stands in the address, where logs and histories keep it.",
            f"give api_key=..., or set {API_KEY_VARIABLE}",
        )
    if parts.scheme.lower() == "http" and not is_loopback(parts):
        why = f"http:// to {parts.hostname} would send your key and your answers in the open."
        raise _refusal(why, f"https://{parts.netloc}, or a tunnel that ends on this machine: http://127.0.0.1:8021")
    return where.rstrip("/")


def is_loopback(parts: SplitResult) -> bool:
    """Return whether a URL's host is this machine. No name is resolved, so the only name that counts is localhost."""
    host = (parts.hostname or "").lower()
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def resolve_api_key(argument: str | None) -> str:
    """Return the API key from the argument or the environment; raise AccessError if it is missing or malformed."""
    key = (argument if argument is not None else os.environ.get(API_KEY_VARIABLE, "")).strip()
    if not key:
        raise AccessError("E_AUTH", "A server wants a key.", f"give api_key=..., or set {API_KEY_VARIABLE}")
    if not key.isascii() or not key.isprintable() or " " in key:
        raise AccessError("E_AUTH", "This is no key: it has characters that no key has.", "copy it again, whole")
    return key


def _refusal(why: str, hint: str) -> RefusedError:
    return RefusedError("E_PARAM", why, hint)
