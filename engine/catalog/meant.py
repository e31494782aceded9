"""A word that is not known -> the one that was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Find the known word that was probably meant."""
    return next(iter(difflib.get_close_matches(word.lower(), sorted(known), n=1)), None)


def meant(word: str, known: Collection[str], nothing: str) -> str:
    """Say which known word was probably meant, or which there are."""
    if close := nearest(word, known):
        return f"write {close}."
    return f"use one of {', '.join(sorted(known))}." if known else nothing
