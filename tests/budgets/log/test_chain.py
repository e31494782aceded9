"""Canonical bytes and links."""

from __future__ import annotations

import json
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgets.errors import ParamError
from budgets.log.events import GENESIS, Anchor, Entry, broken_links, canonical_json, canonical_row, chained_entry

TEXT = st.text(st.characters(codec="utf-8"), max_size=8)
BODIES = st.recursive(
    st.none() | st.integers(-(2**70), 2**70) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
TOLD = (1, "2026-10-17T00:00:00.000+00:00", "noted", "town", "ann", "eve", "r1", '{"format":1}')


@given(BODIES, BODIES)
def test_distinct_bodies_have_distinct_canonical_texts(first: object, second: object) -> None:
    assert json.loads(canonical_json(first)) == first
    assert (canonical_json(first) == canonical_json(second)) == (first == second)


@pytest.mark.parametrize("body", [0.5, True, {"a": 1.0}, [b"x"], {1: 2}, (1, {"b": [False]})])
def test_values_without_an_exact_text_are_refused(body: object) -> None:
    with pytest.raises(ParamError):
        canonical_json(body)


def test_the_canonical_row_is_as_documented() -> None:
    assert canonical_row(TOLD).decode() == (
        '[1,1,"2026-10-17T00:00:00.000+00:00","noted","town","ann","eve","r1","{\\"format\\":1}"]'
    )
    assert (
        chained_entry(TOLD, GENESIS).row_hash.hex()
        == "2a6d206179eded3fc22ecd3fb2ff3ac7a8d7619c33ccdab6a76a3e6c17403684"
    )


def test_every_column_is_hashed() -> None:
    row = chained_entry(TOLD, GENESIS)
    for field in fields(Entry):
        value = getattr(row, field.name)
        other = replace(
            row,
            **{
                field.name: value
                + (1 if isinstance(value, int) else type(value)(b"x") if isinstance(value, bytes) else "x")
            },
        )
        assert list(broken_links([row])) == []
        assert list(broken_links([other])), field.name


def test_an_anchor_is_written_and_read() -> None:
    anchor = Anchor("ab12", 7, "ff", ("mibici", "town"))
    assert Anchor.from_json(anchor.to_json()) == anchor
    for text in (
        "",
        "[]",
        "{}",
        anchor.to_json().replace('"anchor_format":1', '"anchor_format":2'),
        "null",
        '{"ledger":1}',
    ):
        with pytest.raises(ParamError, match="no anchor"):
            Anchor.from_json(text)
