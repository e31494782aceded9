"""The dialect's adversarial cases as cases for two neighbouring databases, and the numbers without a case."""

from __future__ import annotations

import re
from pathlib import Path
from tempfile import TemporaryDirectory

from dialect import Catalog
from tests.dialect.test_attacks import CASES
from tests.support.neighbours.attack_catalog import attack_catalog
from tests.support.neighbours.drawn_worlds import rows_of
from tests.support.neighbours.two_worlds import ANSWERED, Attack, attacks
from tests.support.tree import ROOT

# numbers of the adversarial cases on errors, numbers, rows, sensitivity and parsing
NUMBERS = (
    *(1, 2, 4, 5, 7, 8, 10, 11, 13, 14, 16, 17, 19, 20),
    *(22, 23, 25, 26, 28, 29, 31, 32, 34, 35, 37, 38),
    *(40, 41, 43, 44, 46, 47, 49, 50, 52, 53, 55, 56, 58, 59),
    *(61, 62, 64, 65, 67, 68, 70, 71, 73, 74, 76, 77, 79, 80, 82, 83, 85),
    *(86, 88, 89, 91, 92, 94, 95, 97, 98, 100, 101, 103, 104, 106, 135, 136, 137),
)
# cases that are no single query -> their test
ELSEWHERE = {
    "20": "tests/privacy/worlds/test_two_worlds.py: test_20_running_out_of_memory_keeps_the_charge_and_reveals_nothing",
    "28": "tests/privacy/exactness/test_determinism.py: SHUFFLES",
    "83": "tests/privacy/worlds/test_two_worlds.py: test_83_one_question_per_zone_is_charged_as_often",
    "85": "tests/privacy/worlds/test_two_worlds.py: test_85_three_numbers_are_noised_together_for_one_price",
    "106": "tests/dialect/functions/test_functions.py: test_",
}
_APART = ("WITH x AS (DELETE", "DESCRIBE", "SHOW")  # refused in one of two ways, or answered without a query


def neighbours() -> list[Attack]:
    """The dialect's cases, except those that tests/sql/attacks.sql has already."""
    known = {attack.sql for attack in attacks()}
    with TemporaryDirectory() as folder:
        catalog = attack_catalog(Path(folder))
        return [
            Attack(number, code, _rows(sql, code, catalog), "read", sql)
            for number, code, sql in CASES
            if sql not in known and not sql.startswith(_APART)
        ]


def _rows(sql: str, code: str, catalog: Catalog) -> str | None:
    if code != ANSWERED:
        return None
    return "noisy" if re.search(r"\b(LIMIT|HAVING)\b", sql) else rows_of(sql, catalog)


def uncovered() -> set[str]:
    """Numbers without a case, or whose test elsewhere is gone."""
    covered = {attack.number for attack in attacks()} | {number for number, _, _ in CASES}
    for number, where in ELSEWHERE.items():
        file, _, name = where.partition(": ")
        if name in (ROOT / file).read_text(encoding="utf-8"):
            covered.add(number)
    return {str(number) for number in NUMBERS} - covered
