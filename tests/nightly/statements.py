"""Statements without end: broken ones and any text are read or refused; what is written for a question, two parsers read alike."""

from __future__ import annotations

import atexit
from collections import Counter
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from dialect import Catalog, Refusal, Target, bound, read, write
from engine.catalog_file import load_catalog
from tests.nightly.search import EXAMPLES, drawn
from tests.support.attack_catalog import attack_catalog
from tests.support.broken_sql import any_text, broken_statements
from tests.support.sql_data import Database
from tests.support.sql_grammar import Round, rounds
from tests.support.statement_outcome import outcome
from tests.support.two_parsers import difference

BROKEN, TEXTS, DATABASES = 300, 60, 4  # of a chunk; with a database come 25 questions
KEYS = 6  # as many groups as any of the generated lists may have


@cache
def adversarial() -> Catalog:
    """Load the adversarial catalog once for this process."""
    folder = TemporaryDirectory()
    atexit.register(folder.cleanup)
    return attack_catalog(Path(folder.name))


def chunk(number: int, broken: int = BROKEN, texts: int = TEXTS, databases: int = DATABASES) -> Counter[str]:
    """Read statements of all three kinds."""
    counted: Counter[str] = Counter()

    def look(sql: str) -> None:
        told = outcome(sql, adversarial())
        assert told == outcome(sql, adversarial()), "the same text has one outcome"
        counted[EXAMPLES] += 1
        counted["refused"] += told.startswith("E_")

    def ask(one: Round) -> None:
        database, questions = one
        catalog = _catalog(database)
        for sql in dict.fromkeys(questions):
            counted[EXAMPLES] += 1
            counted["written and read by two parsers"] += _written(sql, catalog)

    drawn(broken_statements(), number, broken, look)
    drawn(any_text(), number, texts, look)
    drawn(rounds(), number, databases, ask, smaller=False)
    return counted


def _catalog(database: Database) -> Catalog:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "catalog.toml"
        file.write_text(database.catalog, encoding="utf-8")
        return load_catalog(file)


def _written(sql: str, catalog: Catalog) -> int:
    """Write a question's releases, if it is accepted, and hold two parsers against each other; gives their number."""
    try:
        plans = read(sql, catalog).plans
    except Refusal:
        return 0
    target = Target({table.name: table.name for table in catalog.tables})
    for plan in plans:
        text = write(plan, bound(plan, catalog, None if plan.key_set is None else KEYS), target).text
        found = difference(text)
        assert found is None, f"{found}\n{sql}\n{text}"
    return len(plans)
