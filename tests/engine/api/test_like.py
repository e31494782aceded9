"""Name patterns match as SQL's LIKE does, and fast for any pattern."""

from __future__ import annotations

import pytest

from engine.api.wire.statements import is_like


@pytest.mark.parametrize(
    ("text", "pattern", "fits"),
    [
        ("trip", "%", True),
        ("trip", "t_ip", True),
        ("trip", "t.ip", False),
        ("trip", "tri", False),
        ("", "", True),
        ("subscribers", "%s%ri_e%", True),
        ("a%b", "a%%b", True),
        ("TRIP", "trip", False),
        ("trip\n", "trip_", True),
        ("a*[b]?", "a*[b]_", True),
        ("axbc", "a*[b]c", False),
        ("subscribers", "%" * 4_000 + "!", False),
        ("a" * 1_000, "%a" * 400 + "!", False),
    ],
)
def test_patterns_are_those_of_like(text: str, pattern: str, fits: bool) -> None:
    assert is_like(text, pattern) is fits
