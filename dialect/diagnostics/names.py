"""Near names: which known names a written one may have been meant for, and lists of names shortened for a message."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

MAX_LISTED_NAMES = 12
MIN_SIMILARITY = 0.6  # from 0 to 1, as difflib measures it


def near_names(
    written: str, known: Iterable[str], *, count: int = 1, min_similarity: float = MIN_SIMILARITY
) -> list[str]:
    """Known names similar to a written one, the most similar first: at most `count`, none where none is similar."""
    return get_close_matches(written, list(known), n=count, cutoff=min_similarity)


def first_names(names: Sequence[str], count: int = MAX_LISTED_NAMES) -> str:
    """Join the first names by commas, with the number of the others."""
    more = f" and {len(names) - count} more" if len(names) > count else ""
    return f"{', '.join(names[:count])}{more}"
