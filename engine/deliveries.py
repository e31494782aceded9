"""Which deliveries are in: of each added file, the digests of the files that it was made of.

They stand in the added file itself, and come with it in one step; and beside the data, for a file that its owner wrote
anew, as who is erased must not come back with the delivery.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from engine.durable import write_durably
from engine.ingested import Place

NOTES = "deliveries.json"


def deliveries(place: Place, staging: Path, borne: Callable[[Path], Iterable[str]]) -> frozenset[str]:
    """Tell the digests of what is in, and note them beside the data; a file that is gone has none any more.

    `borne` reads those that an added file bears itself. Raises OSError where they can't be noted.
    """
    noted, found = _noted(staging / NOTES), dict[str, list[str]]()
    for file in place.added().values():
        found[file.name] = sorted({*borne(file), *noted.get(file.name, ())})
    if found != noted:
        write_durably(staging / NOTES, json.dumps(found, indent=1))
    return frozenset(digest for digests in found.values() for digest in digests)


def _noted(notes: Path) -> dict[str, list[str]]:
    """Read the notes; none where there are none, or none that can be read: added files bear their own."""
    with suppress(OSError, ValueError):
        read = json.loads(notes.read_text(encoding="utf-8"))
        return {str(name): [str(digest) for digest in digests] for name, digests in read.items()}
    return {}
