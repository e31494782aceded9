"""An anchor: the last entry of a chain, exported to where nobody with write access to the ledger can write."""

from __future__ import annotations

import json
from dataclasses import dataclass

from budgets.errors import ParamError
from budgets.log.chain import canonical_json

ANCHOR_FORMAT = 1


@dataclass(frozen=True)
class Anchor:
    """State of a ledger at one moment; a later state must extend it."""

    ledger_id: str
    sequence: int
    row_hash: str  # hex
    datasets: tuple[str, ...]  # datasets with accounts in the ledger

    def to_json(self) -> str:
        """Serialize as one line of JSON."""
        fields = {"ledger": self.ledger_id, "sequence": self.sequence, "row_hash": self.row_hash}
        return canonical_json({"anchor_format": ANCHOR_FORMAT, **fields, "datasets": list(self.datasets)})

    @classmethod
    def from_json(cls, text: str) -> Anchor:
        """Anchor (ledger id, sequence, row hash) from its JSON line; raises ParamError."""
        try:
            fields = json.loads(text)
            anchor = cls(
                str(fields["ledger"]), int(fields["sequence"]), str(fields["row_hash"]), tuple(fields["datasets"])
            )
            if fields["anchor_format"] != ANCHOR_FORMAT:
                raise ValueError
        except (KeyError, TypeError, ValueError) as error:
            raise ParamError("This is no anchor of a ledger.", "the file that `ledger anchor` wrote.") from error
        return anchor
