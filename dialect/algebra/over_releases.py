"""Rows over releases, and what the noise in them is followed by: of a whole question, or of what is planned so far."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from dialect.algebra.formulas import Gathered, ReleasedSum
from dialect.algebra.private_plan import PrivatePlan, ReleaseColumns
from dialect.algebra.relations import Public, Released


class OverReleases(Protocol):
    """What noise is followed through; a Question is one."""

    @property
    def plans(self) -> tuple[PrivatePlan, ...]:
        """Say how each release is made."""

    @property
    def releases(self) -> tuple[ReleaseColumns, ...]:
        """Name the fields of each release's numbers."""

    @property
    def outer(self) -> Released | Public:
        """Give the rows."""

    @property
    def sums(self) -> tuple[ReleasedSum, ...]:
        """List the sums over released rows whose noise is summed beside them."""

    @property
    def gathered(self) -> tuple[Gathered, ...]:
        """List the columns of unions whose rows bring their noise along."""


@dataclass(frozen=True)
class SoFar:
    """Rows of a question that is being planned."""

    plans: tuple[PrivatePlan, ...]
    releases: tuple[ReleaseColumns, ...]
    outer: Released | Public
    sums: tuple[ReleasedSum, ...] = ()
    gathered: tuple[Gathered, ...] = ()
