"""Group keys: which have a public key set, and which need partition selection.

The keys of a GROUP BY -> a KeySet, or private keys that must reach a threshold.

Modules, each before those that import it:

    public_domains, dependent_keys, key_set, private_keys.
"""

from __future__ import annotations

from dialect.planner.keys.key_set import MAX_KEYS
from dialect.planner.keys.public_domains import column_values

__all__ = [
    "MAX_KEYS",
    "column_values",
]
