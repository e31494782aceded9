"""How many expressions have DuckDB's own values, and which differ on purpose: `make conformance`.

`python -m tests.conformance --spark` asks the same of Spark's forms, on a real session: `make conformance-spark`.
"""

from __future__ import annotations

import sys
from collections import Counter

from dialect.functions.registry import all_overloads
from dialect.functions.signatures import NoForm
from tests.support.sql.conformance import Conformance, cases


def main() -> int:
    """Compare every expression of the list, and print the results."""
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


def on_spark() -> int:
    """Compare Spark's forms with DuckDB's: every expression of the list, then every row with every choice of constants."""
    from tests.support.spark.on_spark import of_conformance, of_forms, session

    started, wrong = session(), 0
    rows = all_overloads()
    there = sum(not isinstance(row.spark, NoForm) for row in rows)
    print(f"{there} of {len(rows)} rows have a form in Spark; {len(rows) - there} say why they have none.")
    for what, given in (("expressions", of_conformance(started)), ("forms with constants", of_forms(started))):
        counted = Counter[str]()
        for each in given:
            counted["asked"] += 1
            counted["values"] += len(each.values)
            counted["raised"] += bool(each.raised)
            counted["different"] += bool(each.different)
            if each.wrong:
                print(f"{each.case.row} {each.case.shown}: {each.raised[:200] or each.different[:2]}", flush=True)
        wrong += counted["raised"] + counted["different"]
        print(
            f"{counted['asked']:,} {what} asked in {counted['values']:,} values: {counted['raised']} raise in Spark,"
            f" {counted['different']} differ from DuckDB's form.",
            flush=True,
        )
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(on_spark() if sys.argv[1:] == ["--spark"] else main())
