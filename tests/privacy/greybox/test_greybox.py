"""One person moves no exact vector by more than was declared, in whole numbers, on generated data and questions."""

from __future__ import annotations

import os
import random
from dataclasses import replace

import duckdb
import pytest

from dialect.catalog.model import Catalog
from tests.support.greybox.greybox import check_drawn
from tests.support.greybox.greybox_questions import CHOSEN, EVENTS, MARKS, OTHERS, Source, questions
from tests.support.greybox.norms_pressed import pressing_vectors, scaled

NIGHTLY = bool(os.environ.get("PASSERSBY_NIGHTLY"))
EXAMPLES = 24  # of each half: databases, each with a question, in four worlds; without end: tests/nightly/greybox.py
VECTORS = 100_000 if NIGHTLY else 2_000
NORMS = (2**27, 2**27 - 1, 134_217_689, 100_003, 3)


@pytest.mark.parametrize(
    ("sources", "examples"),
    [(EVENTS, EXAMPLES), (OTHERS, EXAMPLES), (MARKS, EXAMPLES // 5), (CHOSEN, EXAMPLES // 3)],
    ids=["questions of events", "other questions", "of marks", "of rows chosen"],
)
def test_one_person_moves_no_vector_further_than_declared(
    connection: duckdb.DuckDBPyConnection, catalog: Catalog, sources: tuple[Source, ...], examples: int
) -> None:
    check_drawn(connection, catalog, questions(sources), examples)


@pytest.mark.parametrize("sources", [EVENTS, OTHERS], ids=["questions of events", "other questions"])
def test_without_norms_one_person_moves_no_vector_further_than_the_fallback_bound(
    connection: duckdb.DuckDBPyConnection, catalog: Catalog, sources: tuple[Source, ...]
) -> None:
    check_drawn(connection, undeclared(catalog), questions(sources), EXAMPLES // 3)


def undeclared(catalog: Catalog) -> Catalog:
    """Catalog of the grey box without clip bounds and centres; few rows a person, so that fallback bounds bind."""
    columns = {
        table.name: tuple(
            replace(c, sum_clip_bound=None, centred_sum_clip_bound=None, centre=None) for c in table.columns
        )
        for table in catalog.tables
    }
    tables = (
        replace(t, clip_bounds=None, columns=columns[t.name], mean_rows_per_person=0.5) if t.private else t
        for t in catalog.tables
    )
    return replace(catalog, tables=tuple(tables))


@pytest.mark.parametrize("norm", NORMS)
def test_no_vector_exceeds_its_clip_bound(connection: duckdb.DuckDBPyConnection, catalog: Catalog, norm: int) -> None:
    vectors = pressing_vectors(norm, VECTORS)
    assert max(abs(entry) for vector in vectors for entry in vector) == 2**31 - 1
    assert max(scaled(connection, catalog, norm, vectors)) <= 0


def test_vectors_within_their_clip_bound_are_unchanged(connection: duckdb.DuckDBPyConnection, catalog: Catalog) -> None:
    draw = random.Random(5)
    vectors = [[draw.randint(-1_000, 1_000) or 1 for _ in range(9)] for _ in range(200)]
    over = scaled(connection, catalog, 3_000, vectors)
    step = 2**10  # 3,000 grains are cut finer until there are 2^20 of them
    assert over == [(sum(v * v for v in vector) - 3_000**2) * (step // 2) ** 2 for vector in vectors]
