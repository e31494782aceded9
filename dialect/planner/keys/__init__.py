"""Group keys: which have a public key set, and which need partition selection.

The keys of a GROUP BY -> a KeySet, or private keys that must reach a threshold.

Modules, each before those that import it:

    public_domains, restrictions, key_set, private_keys.

Terms in all modules: a public list is a public relation that contains every value of one key, or of one part of it. It
is exhaustive (closed) if no row can have another value, and open if rows may violate it: these are not counted. Private
keys have no key set; a key is shown only if its noisy count of persons reaches a threshold.
"""

from __future__ import annotations

from dialect.planner.keys.key_set import MAX_KEYS
from dialect.planner.keys.public_domains import column_values
