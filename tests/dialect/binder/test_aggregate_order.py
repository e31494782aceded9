"""Orders, separators and levels of aggregates: what is read, and what is refused in words that help."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dialect import Question
from dialect.errors import Code, Refusal

PERSON = "SELECT COUNT(*) FROM (SELECT subscriber_id, {} AS v FROM events GROUP BY 1) AS p WHERE v IS NOT NULL"
FORMS = (
    "FIRST(cell_id ORDER BY ts)",
    "LAST(cell_id ORDER BY ts DESC NULLS FIRST, lon)",
    "LIST(cell_id)",
    "ARRAY_AGG(cell_id ORDER BY ts)",
    "LIST(DISTINCT cell_id)",
    "STRING_AGG(CAST(cell_id AS VARCHAR))",
    "STRING_AGG(CAST(cell_id AS VARCHAR), ' > ' ORDER BY ts)",
    "QUANTILE_DISC(dwell_s, 0.5)",
    "QUANTILE(dwell_s, 0.5)",
    "PERCENTILE_DISC(0.5) WITHIN GROUP (ORDER BY dwell_s)",
)
REFUSED = (
    ("FIRST(cell_id)", Code.AGG, "order"),
    ("LIST(lon)", Code.AGG, "text or integers"),
    ("STRING_AGG(cell_id)", Code.AGG, "text"),
    ("STRING_AGG(CAST(cell_id AS VARCHAR), CAST(cell_id AS VARCHAR))", Code.AGG, "constant"),
    ("LIST(DISTINCT cell_id ORDER BY ts)", Code.AGG, "DISTINCT"),
    ("QUANTILE_DISC(dwell_s, 1.5)", Code.PARAM, "level"),
    ("QUANTILE_DISC(dwell_s, [0.1, 0.9])", Code.AGG, "One call"),
    ("PERCENTILE_DISC(0.5) WITHIN GROUP (ORDER BY dwell_s DESC)", Code.AGG, "from below"),
    ("BIT_OR(lon)", Code.AGG, "integers"),
    ("FIRST(subscriber_id ORDER BY ts)", Code.PERSON_KEY, "counted"),
    ("MODE(cell_id, 3)", Code.AGG, ""),
)


@pytest.mark.parametrize("form", FORMS)
def test_a_form_is_read(form: str, ask: Callable[[str], Question]) -> None:
    assert ask(PERSON.format(form)).plans


@pytest.mark.parametrize(("form", "code", "why"), REFUSED)
def test_a_form_is_refused(form: str, code: Code, why: str, ask: Callable[[str], Question]) -> None:
    with pytest.raises(Refusal) as refused:
        ask(PERSON.format(form))
    assert refused.value.code is code
    assert why in refused.value.why


def test_an_order_is_part_of_the_canonical_text(ask: Callable[[str], Question]) -> None:
    orders = ("ts", "ts DESC", "ts NULLS FIRST", "lon", "ts, lon")
    texts = {ask(PERSON.format(f"FIRST(cell_id ORDER BY {order})")).plans[0].canonical_text for order in orders}
    assert len(texts) == len(orders)
    assert ask(PERSON.format("FIRST(cell_id ORDER BY ts ASC)")).plans[0].canonical_text in texts
