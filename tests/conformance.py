"""How many expressions give DuckDB's own values, and which differ on purpose: `make conformance`."""

from __future__ import annotations

import sys
from collections import Counter

from tests.support.conformance import Conformance, cases


def main() -> int:
    """Compare every expression of the list, and say what was found."""
    conformance, counted = Conformance(), Counter[str]()
    for case in cases():
        found = conformance.compare(case.sql)
        counted["values"] += found.compared
        counted["raised"] += found.raised
        kind = "on purpose" if case.because else "wrong" if found.different else "equal"
        counted[kind] += 1
        if found.different:
            print(f"{case.sql}: {case.because or found.different[0]}")
    print(
        f"{counted['equal']} expressions equal DuckDB's in {counted['values']:,} values; DuckDB raises in"
        f" {counted['raised']:,} more rows, the dialect in none; {counted['on purpose']} differ on purpose,"
        f" {counted['wrong']} else."
    )
    return int(counted["wrong"] > 0)


if __name__ == "__main__":
    sys.exit(main())
