"""docs/server.md says what the code says."""

from __future__ import annotations

from tests.server_page import PATH, document


def test_the_tables_are_those_of_the_code() -> None:
    text = PATH.read_text(encoding="utf-8")
    assert text == document(text), "run make docs"
