"""Replay: a repeated release key gets the stored release, or a new one if that is older than `replay_max_age`.

Age is counted in whole days since the charge, by the ledger's own clock, from timestamps written before data was read
(`proofs.md#replay`). A generation is one renewal of a release: generation 0 has the release key itself, generation n a
digest of key and n. Generations are stored without gaps.

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

from budgets import Ledger, ReleaseAge
from dialect import Catalog
from dialect.catalog import Dataset
from engine.catalog.version import UNIT_SEPARATOR, catalog_version, format_units
from engine.pricing.compile_release import CompiledRelease
from engine.pricing.release_key import MECHANISM_VERSION

_FIRST_BATCH = 16  # keys looked up at first; doubled each time


@dataclass(frozen=True)
class ReplayGenerations:
    """Generations of the stored releases of a dataset: the n-th renewal of a release has a key of its own."""

    ledger: Ledger
    dataset: Dataset

    def current_key(self, release_key: str) -> str:
        """Release key that applies now: the newest stored generation, or the next one if that is too old.

        Claim: neither the client nor any row influences it. Symbols: releases 0, 1, ... of one meaning, each charged
        only after the one before it was stored. Formula: the last that is stored, the next one where its age in days
        is `replay_max_age` or more. Raises: LedgerError. Proof: proofs.md#replay
        """
        last, next_key = self._last_and_next(release_key)
        max_days = self.dataset.replay_days
        return next_key if last is None or max_days is None or last.age_days >= max_days else last.release_key

    def latest_key(self, release_key: str) -> str:
        """Key of the newest stored generation, at any age; the first key if none is stored."""
        last, next_key = self._last_and_next(release_key)
        return next_key if last is None else last.release_key

    def fresh_keys(self, release_keys: Sequence[str]) -> frozenset[str]:
        """Select the stored releases that are not too old to derive answers from."""
        max_days = self.dataset.replay_days
        if max_days is None:
            return frozenset(release_keys)
        ages = self.ledger.release_ages(self.dataset.name, release_keys)
        return frozenset(key for key, each in ages.items() if each.age_days < max_days)

    def is_generation_of(self, release_key: str, stored_key: str) -> bool:
        """Check whether a stored release is this one or a later generation of it."""
        return release_key == stored_key or stored_key in self._stored_keys(release_key)

    def _stored_keys(self, release_key: str) -> Iterator[str]:
        """Iterate over the keys of the stored generations of a release."""
        last, next_key = self._last_and_next(release_key)
        for number in count() if last is not None else ():
            name = _generation_key(release_key, number)
            if name == next_key:
                return
            yield name

    def _last_and_next(self, release_key: str) -> tuple[ReleaseAge | None, str]:
        """Newest stored generation of a release (None: none is stored), and the key of the next one.

        Without a maximum age there is one generation, and its key is the next one whether or not it is stored. Keys are
        looked up in batches of doubling size until one is missing.
        """
        last: ReleaseAge | None = None
        if self.dataset.replay_days is None:
            return last, release_key
        first, batch_size = 0, _FIRST_BATCH
        while True:
            names = [_generation_key(release_key, number) for number in range(first, first + batch_size)]
            stored = self.ledger.release_ages(self.dataset.name, names)
            for each in names:
                if each not in stored:
                    return last, each
                last = stored[each]
            first, batch_size = first + batch_size, 2 * batch_size


def _generation_key(release_key: str, generation: int) -> str:
    """Release key of the n-th renewal of a release; that of generation 0 is the key itself."""
    return release_key if generation == 0 else sha256(f"{release_key}\n{generation}".encode()).hexdigest()


def with_current_keys(
    compiled: Sequence[CompiledRelease], ledger: Ledger, catalog: Catalog, *, any_age: bool = False
) -> tuple[CompiledRelease, ...]:
    """Set every release key of a query to the generation that applies now; `any_age`: to the newest stored one."""
    if not compiled:
        return ()
    generations = ReplayGenerations(ledger, catalog.datasets_by_name[compiled[0].plan.dataset])
    key = generations.latest_key if any_age else generations.current_key
    return tuple(
        replace(
            each,
            release_key=key(each.release_key),
            profile=each.profile and replace(each.profile, release_key=key(each.profile.release_key)),
        )
        for each in compiled
    )


def load_paid_releases(compiled: Sequence[CompiledRelease], ledger: Ledger, client: str) -> Mapping[str, bytes] | None:
    """Load every release of a query from the client's paid ones, as payloads by key; None if any is missing."""
    if not compiled:
        return None
    wanted = {each.release_key for each in compiled}
    releases = ledger.replay(client, compiled[0].plan.dataset, wanted)
    return {key: release.payload for key, release in releases.items()} if wanted <= releases.keys() else None


def version_text(catalog: Catalog, dataset: Dataset) -> str:
    """Text of the current versions of data, catalog, mechanism and code, and of the privacy unit."""
    versions_by_name = {
        "data": dataset.full_data_version,
        "catalog": catalog_version(catalog),
        "mechanism": MECHANISM_VERSION,
        "code": code_version(),
    }
    noted = ", ".join(f"{what} {version}" for what, version in versions_by_name.items())
    return UNIT_SEPARATOR.join((noted, format_units(catalog, dataset.name)))


def data_version_of(version_text: str) -> str:
    """Parse the data version from a versions text; empty if absent, as in old rows."""
    match = re.match(r"data ([^,]+), ", version_text)
    return match[1] if match else ""


@cache
def code_version() -> str:
    """Version of the installed code; `unknown` without package metadata."""
    try:
        return metadata.version("passersby")
    except metadata.PackageNotFoundError:
        return "unknown"
