"""Client names: one normal form, and a folded key that is equal for all spellings of one name.

A name in another Unicode form, in other capitals or with an invisible character would open a new account with a fresh
budget. Therefore only the normal form is accepted, and the ledger has one client for each folded name.
"""

from __future__ import annotations

import re
import unicodedata

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
