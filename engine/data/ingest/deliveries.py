"""The ingest register: of each added file, the digests of the files it was made of and the windows it was declared for.

Both stand in the added file itself, and come with it in one step. They stand beside the data as well, for a file that
its owner wrote anew: a person who was erased must not come back with the same delivery.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from engine.catalog.ingested import Place
from engine.data.files.durable import write_durably

STAGING = ".ingest"  # beside the data, for its owner alone; refused rows stay in it
NOTES = "deliveries.json"


@dataclass(frozen=True)
class Delivery:
    """What one ingest brought, as its steward declared it; nothing of it is read off rows."""

    digests: tuple[str, ...] = ()  # of the files
    windows: tuple[str, ...] = ()  # that `--window` named; () where none was


def deliveries(place: Place, borne: Callable[[Path], Delivery]) -> frozenset[str]:
    """Return the digests of what is in, and note all deliveries; a file that is gone has none any more.

    `borne` reads what an added file bears itself. Raises OSError where the note can't be written.
    """
    noted, found = _noted(place), dict[str, Delivery]()
    for file in place.added().values():
        own, before = borne(file), noted.get(file.name, Delivery())
        digests, windows = {*own.digests, *before.digests}, {*own.windows, *before.windows}
        found[file.name] = Delivery(tuple(sorted(digests)), tuple(sorted(windows)))
    if found != noted:
        write_durably(_notes(place), json.dumps({name: asdict(each) for name, each in found.items()}, indent=1))
    return frozenset(digest for each in found.values() for digest in each.digests)


def delivered(place: Place) -> frozenset[str]:
    """Return the windows that deliveries were declared for, of the files that are there now."""
    there = {file.name for file in place.added().values()}
    return frozenset(window for name, each in _noted(place).items() if name in there for window in each.windows)


def _notes(place: Place) -> Path:
    return place.folder / STAGING / NOTES


def _noted(place: Place) -> dict[str, Delivery]:
    """Read the notes; none where there are none, or none that can be read: added files bear their own."""
    with suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
        read = json.loads(_notes(place).read_text(encoding="utf-8"))
        return {str(name): _delivery(told) for name, told in read.items()}
    return {}


def _delivery(told: Any) -> Delivery:  # noqa: ANN401  JSON of this or an older version
    if isinstance(told, list):  # before windows could be declared
        return Delivery(tuple(map(str, told)))
    return Delivery(tuple(map(str, told["digests"])), tuple(map(str, told["windows"])))
