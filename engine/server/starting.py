"""Settings -> what a server reads when it is asked: files and extras are looked at before anything starts.

Behind this, the first alert, or every token, would fail.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

from budgets import ParamError
from engine.accounts.problems import Refused, problem
from engine.server.auth.tokens import read_key_set
from engine.server.settings import Settings


def check_starting(settings: Settings) -> None:
    """Raise Refused where the mail's password, or an identity provider's keys, can't be read."""
    if settings.alert_smtp_password_file is not None:
        _check_password(settings.alert_smtp_password_file)
    if settings.oidc_keys is not None:
        _check_keys(settings.oidc_keys)


def _check_password(file: Path) -> None:
    try:
        found = file.read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        found = ""
    if not found:
        raise _refused(f"No password can be read from {file}.", "alert_smtp_password_file with a file that has it")


def _check_keys(file: Path) -> None:
    if importlib.util.find_spec("jwt") is None:
        raise _refused(
            "Tokens of an identity provider need an extra.", "pip install '.[oidc]', in the clone of passersby"
        )
    try:
        found = read_key_set(file)
    except (OSError, ValueError):
        found = {}
    if not found:
        raise _refused(f"No public key can be read from {file}.", "oidc_keys with the provider's JWKS, as a file")


def _refused(why: str, cure: str) -> Refused:
    return Refused(problem(ParamError(why, cure), None))
