"""Replay: a repeated release key gets the stored release, or a new one where that is too old.

A release is too old where so many whole days have passed since its charge as `replay_max_age` states: by the ledger's
own clock, and by moments that were written before data was read (`proofs.md#repeats`).

Versions of data, catalog, mechanism and code stand in a charge's row for auditors.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from importlib import metadata
from itertools import count

from budgets import Ledger, Made
from dialect import Catalog
from dialect.catalog import Dataset
from engine.catalog.sources import version_of
from engine.catalog.version import BETWEEN, catalog_version, units_said
from engine.pricing.prepare import MECHANISM, Prepared

_AT_ONCE = 16  # names that are looked up first; then twice as many


@dataclass(frozen=True)
class Repeats:
    """What of a dataset's releases is stored, and how old it may be."""

    ledger: Ledger
    dataset: Dataset

    def current(self, release_key: str) -> str:
        """Name the release that is given now.

        Claim: who asks, and what any row holds, does not move it. Symbols: releases 0, 1, ... of one meaning, of which
        each is charged only after the one before it was stored. Formula: the last that is stored, the next one where
        its age in days is `replay_max_age` or more. Raises: LedgerError. Proof: proofs.md#repeats
        """
        last, following = self._last(release_key)
        most = self.dataset.replay_days
        return following if last is None or most is None or last.age_days >= most else last.release_key

    def latest(self, release_key: str) -> str:
        """Name the last release that is stored, however old."""
        last, following = self._last(release_key)
        return following if last is None else last.release_key

    def young(self, release_keys: Sequence[str]) -> frozenset[str]:
        """Name those of some stored releases from which numbers may still be made."""
        most = self.dataset.replay_days
        if most is None:
            return frozenset(release_keys)
        made = self.ledger.made(self.dataset.name, release_keys)
        return frozenset(key for key, each in made.items() if each.age_days < most)

    def means(self, release_key: str, stored_key: str) -> bool:
        """Tell whether a stored release has this name, or is one that followed it."""
        return release_key == stored_key or stored_key in self._stored(release_key)

    def _stored(self, release_key: str) -> Iterator[str]:
        """Walk the stored releases of a meaning."""
        last, following = self._last(release_key)
        for number in count() if last is not None else ():
            name = _nth(release_key, number)
            if name == following:
                return
            yield name

    def _last(self, release_key: str) -> tuple[Made | None, str]:
        """Find the last stored release of a meaning, and the name of the next."""
        last: Made | None = None
        if self.dataset.replay_days is None:
            return last, release_key
        first, many = 0, _AT_ONCE
        while True:
            names = [_nth(release_key, number) for number in range(first, first + many)]
            stored = self.ledger.made(self.dataset.name, names)
            for each in names:
                if each not in stored:
                    return last, each
                last = stored[each]
            first, many = first + many, 2 * many


def _nth(release_key: str, number: int) -> str:
    return release_key if number == 0 else sha256(f"{release_key}\n{number}".encode()).hexdigest()


def current(prepared: Sequence[Prepared], ledger: Ledger, catalog: Catalog) -> tuple[Prepared, ...]:
    """Name every release of a question as it is given now."""
    return tuple(
        replace(each, release_key=Repeats(ledger, catalog.dataset(each.plan.dataset)).current(each.release_key))
        for each in prepared
    )


def latest(prepared: Sequence[Prepared], ledger: Ledger, catalog: Catalog) -> tuple[Prepared, ...]:
    """Name every release of a question as it was stored last."""
    return tuple(
        replace(each, release_key=Repeats(ledger, catalog.dataset(each.plan.dataset)).latest(each.release_key))
        for each in prepared
    )


def replayed(prepared: Sequence[Prepared], ledger: Ledger, client: str) -> Mapping[str, bytes] | None:
    """Find every release of a question among those that a client has paid for; None if any is missing."""
    if not prepared:
        return None
    wanted = {each.release_key for each in prepared}
    found = ledger.replay(client, prepared[0].plan.dataset, wanted)
    return {key: release.payload for key, release in found.items()} if wanted <= found.keys() else None


def versions(catalog: Catalog, dataset: Dataset) -> str:
    """Tell the versions of one moment, and what one person in one window is."""
    told = {"data": version_of(dataset), "catalog": catalog_version(catalog), "mechanism": MECHANISM, "code": code()}
    noted = ", ".join(f"{what} {version}" for what, version in told.items())
    return BETWEEN.join((noted, units_said(catalog, dataset.name)))


def data_of(noted: str) -> str:
    """Read the version of the data out of what was told; '' where nothing was, as in rows of old."""
    found = re.match(r"data ([^,]+), ", noted)
    return found[1] if found else ""


@cache
def code() -> str:
    """Tell the version of the code that is installed; `unknown` where it was put there by hand."""
    try:
        return metadata.version("passersby")
    except metadata.PackageNotFoundError:
        return "unknown"
