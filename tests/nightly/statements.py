"""Statements without end: broken ones and any text are read or refused, questions over drawn databases read and written.

Of what is written, every fourth two parsers are held to read alike: that takes four times as long as all the rest.
"""

from __future__ import annotations

import atexit
from collections import Counter
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from dialect import Catalog, Refusal, Target, bound_contributions, compile_query, generate_sql
from engine.catalog.file import load_catalog
from tests.nightly.search import EXAMPLES, drawn
from tests.support.neighbours.attack_catalog import attack_catalog
from tests.support.sql.broken_sql import any_text, broken_statements
from tests.support.sql.sql_data import Database
from tests.support.sql.sql_grammar import Round, rounds
from tests.support.sql.statement_outcome import outcome
from tests.support.sql.two_parsers import difference

BROKEN, TEXTS, DATABASES = 300, 60, 4  # of a chunk; with a database come 25 questions
AGAIN = 8  # every so many texts are read twice
PARSED = 4  # and of every so many questions, what is written is read by two parsers
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
        if counted[EXAMPLES] % AGAIN == 0:
            assert told == outcome(sql, adversarial()), "the same text has one outcome"
        counted[EXAMPLES] += 1
        counted["refused"] += told.startswith("E_")

    def ask(one: Round) -> None:
        database, questions = one
        catalog = _catalog(database)
        for sql in dict.fromkeys(questions):
            counted[EXAMPLES] += 1
            texts = _written(sql, catalog)
            counted["written"] += len(texts)
            for text in texts if counted["questions"] % PARSED == 0 else ():
                found = difference(text)
                assert found is None, f"{found}\n{sql}\n{text}"
                counted["read by two parsers"] += 1
            counted["questions"] += 1

    drawn(broken_statements(), number, broken, look)
    drawn(any_text(), number, texts, look)
    drawn(rounds(), number, databases, ask, smaller=False)
    return counted


def _catalog(database: Database) -> Catalog:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "catalog.toml"
        file.write_text(database.catalog, encoding="utf-8")
        return load_catalog(file)


def _written(sql: str, catalog: Catalog) -> list[str]:
    """Write a question's releases, if it is accepted."""
    try:
        plans = compile_query(sql, catalog).plans
    except Refusal:
        return []
    target = Target({table.name: table.name for table in catalog.tables})
    bounded = [(plan, bound_contributions(plan, catalog, None if plan.key_set is None else KEYS)) for plan in plans]
    return [generate_sql(plan, bounds, target).text for plan, bounds in bounded]
