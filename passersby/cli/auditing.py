"""A ledger, as an auditor asks of it: here, or at a server by the key of an admin or auditor."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any

from passersby.cli.cli_options import ledger_of
from passersby.client.address import is_address
from passersby.client.opening import engine_face

if TYPE_CHECKING:
    from passersby.client.remote import Remote


@dataclass(frozen=True)
class LedgerHere:
    """The ledger of a catalog on this machine."""

    engine: ModuleType
    where: str
    ledger: str | None

    def verify(self, anchor: str | None) -> dict[str, Any]:
        """Say where it ends, and what of it is not as it was written."""
        told: dict[str, Any] = self.engine.verify_ledger(self.where, ledger=self.ledger, anchor=anchor)
        return told

    def audit(self, **chosen: str | None) -> list[dict[str, Any]]:
        """Tell who asked what when, and what admins did."""
        told: list[dict[str, Any]] = self.engine.audit_ledger(self.where, ledger=self.ledger, **chosen)
        return told

    def report(self, *, html: bool) -> str:
        """Write the page for a regulator."""
        return str(self.engine.report_ledger(self.where, ledger=self.ledger, html=html))

    def anchor(self) -> str:
        """Give where it ends now, as one line of JSON."""
        return str(self.engine.anchor_ledger(self.where, ledger=self.ledger))


@contextmanager
def audited(where: str, ledger: str | None) -> Iterator[LedgerHere | Remote]:
    """Open a ledger for an auditor: the one that is named, else a server's, else the catalog's; raise PassersbyError.

    At a server no engine is loaded.
    """
    named = ledger_of(where, ledger)
    if named is not None or not is_address(where):
        with engine_face() as engine:
            yield LedgerHere(engine, where, named)
        return
    from passersby.client.remote import reach

    far, _ = reach(where, client=None, api_key=None)
    try:
        yield far
    finally:
        far.close()
