"""Names of clients and groups: one normal form, and one key under which two spellings of a name are the same.

A name in another form, in other capitals or with a sign that nobody sees would open an account of its own with a fresh
budget. So a name is accepted in its normal form alone, and the ledger keeps one client for each folded name.
"""

from __future__ import annotations

import re
import unicodedata

# Signs that print and show nothing, or stand for no sign: Unicode's Default_Ignorable_Code_Point, the blank Braille
# pattern, fillers, a joiner of numbers, the null notehead and the object replacement. Controls, format signs and
# other spaces than the ordinary one do not print (str.isprintable)
INVISIBLE = re.compile(
    "[\\u034f\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180f\\u2800\\u3164\\ufe00-\\ufe0f\\uffa0\\ufffc"
    "\\U0001107f\\U00016fe4\\U0001d159\\U000e0100-\\U000e01ef]"
)
# Strokes that look like the sign between the names of a path, and are no letters; NFKC folds U+FF0F
SLASHES = re.compile("[\\u1735\\u2041\\u2044\\u2215\\u2571\\u27cb\\u29f8\\u31d3]")
NO_NAMES = (".", "..")  # what names the place itself, or the one above it, in other paths


def normal_name(name: str) -> str:
    """Give the normal form of a path of names: NFKC, no invisible sign, one slash, single spaces, none at part ends."""
    seen = INVISIBLE.sub("", "".join(map(_seen, unicodedata.normalize("NFKC", name))))
    seen = SLASHES.sub("/", seen)
    return "/".join(" ".join(part.split()) for part in unicodedata.normalize("NFKC", seen).split("/"))


def _seen(sign: str) -> str:
    if sign.isprintable():
        return sign
    return " " if unicodedata.category(sign) in ("Cc", "Zs", "Zl", "Zp") else ""


def folded_name(name: str) -> str:
    """Give what two spellings of one name have in common: the normal form, case-folded.

    Claim: equal for names that differ in capitals, compatibility forms, spaces at the ends or invisible signs alone.
    Symbols: a client or group, as a path. Formula: Unicode's toNFKC_Casefold, twice, which is its own image. Source:
    proofs.md#one-client-for-each-name. Raises nothing.
    """
    folded = normal_name(name)
    for _ in range(2):
        folded = normal_name(unicodedata.normalize("NFKC", folded.casefold()))
    return folded
