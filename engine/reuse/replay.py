"""Replay: a repeated release key gets the stored release, or a new one if that is older than `replay_max_age`.

Age is counted in whole days since the charge, by the ledger's own clock, from timestamps written before data was read
(`proofs.md#replay`).

A charge records the versions of data, catalog, mechanism and code, for auditors.
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
from engine.pricing.prepare import Prepared
from engine.pricing.release_key import MECHANISM

_AT_ONCE = 16  # keys looked up at first; doubled each time


@dataclass(frozen=True)
class Repeats:
    """Generations of the stored releases of a dataset: the n-th renewal of a release has a key of its own."""

    ledger: Ledger
    dataset: Dataset

    def current(self, release_key: str) -> str:
        """Release key that applies now: the newest stored generation, or the next one if that is too old.

        Claim: neither the client nor any row influences it. Symbols: releases 0, 1, ... of one meaning, each charged
        only after the one before it was stored. Formula: the last that is stored, the next one where its age in days
        is `replay_max_age` or more. Raises: LedgerError. Proof: proofs.md#replay
        """
        last, following = self._last(release_key)
        most = self.dataset.replay_days
        return following if last is None or most is None or last.age_days >= most else last.release_key

    def latest(self, release_key: str) -> str:
        """Key of the newest stored generation, at any age; the first key if none is stored."""
        last, following = self._last(release_key)
        return following if last is None else last.release_key

    def young(self, release_keys: Sequence[str]) -> frozenset[str]:
        """Select the stored releases that are not too old to derive answers from."""
        most = self.dataset.replay_days
        if most is None:
            return frozenset(release_keys)
        made = self.ledger.made(self.dataset.name, release_keys)
        return frozenset(key for key, each in made.items() if each.age_days < most)

    def means(self, release_key: str, stored_key: str) -> bool:
        """Check whether a stored release is this one or a later generation of it."""
        return release_key == stored_key or stored_key in self._stored(release_key)

    def _stored(self, release_key: str) -> Iterator[str]:
        """Iterate over the keys of the stored generations of a release."""
        last, following = self._last(release_key)
        for number in count() if last is not None else ():
            name = _nth(release_key, number)
            if name == following:
                return
            yield name

    def _last(self, release_key: str) -> tuple[Made | None, str]:
        """Find the newest stored generation of a release, and the key of the next one."""
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
    """Set every release key of a query to the generation that applies now."""
    return tuple(
        replace(each, release_key=Repeats(ledger, catalog.dataset(each.plan.dataset)).current(each.release_key))
        for each in prepared
    )


def latest(prepared: Sequence[Prepared], ledger: Ledger, catalog: Catalog) -> tuple[Prepared, ...]:
    """Set every release key of a query to the newest stored generation."""
    return tuple(
        replace(each, release_key=Repeats(ledger, catalog.dataset(each.plan.dataset)).latest(each.release_key))
        for each in prepared
    )


def replayed(prepared: Sequence[Prepared], ledger: Ledger, client: str) -> Mapping[str, bytes] | None:
    """Load every release of a query from the client's paid ones, as payloads by key; None if any is missing."""
    if not prepared:
        return None
    wanted = {each.release_key for each in prepared}
    found = ledger.replay(client, prepared[0].plan.dataset, wanted)
    return {key: release.payload for key, release in found.items()} if wanted <= found.keys() else None


def versions(catalog: Catalog, dataset: Dataset) -> str:
    """Text of the current versions of data, catalog, mechanism and code, and of the privacy unit."""
    told = {"data": version_of(dataset), "catalog": catalog_version(catalog), "mechanism": MECHANISM, "code": code()}
    noted = ", ".join(f"{what} {version}" for what, version in told.items())
    return BETWEEN.join((noted, units_said(catalog, dataset.name)))


def data_of(noted: str) -> str:
    """Parse the data version from a versions text; empty if absent, as in old rows."""
    found = re.match(r"data ([^,]+), ", noted)
    return found[1] if found else ""


@cache
def code() -> str:
    """Version of the installed code; `unknown` without package metadata."""
    try:
        return metadata.version("passersby")
    except metadata.PackageNotFoundError:
        return "unknown"
