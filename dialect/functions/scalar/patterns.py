"""Pattern matching with constant patterns: LIKE, GLOB and regular expressions, validated at binding.

An accepted pattern surely compiles in the engine. Regular expressions are RE2's, which match in time linear in the
text, without named classes, inline flags after the start, and octal or hexadecimal escapes.

For Spark, LIKE and GLOB become Java patterns that never backtrack: linear in the text for each character of the
pattern. Between two wildcards the first match of a run is as good as any later one, so each run is an atomic group
(https://docs.oracle.com/en/java/javase/17/docs/api/java.base/java/util/regex/Pattern.html).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from dialect.functions.signature import quoted

MOST_PARTS = 1_000  # states of a pattern, with repetitions expanded
_MOST_NESTED = 20
_FLAGS = re.compile(r"\(\?[is]+\)")
_REPEAT = re.compile(r"(?:[*+?]|\{(\d{1,4})(?:(,)(\d{1,4})?)?\})\??", re.ASCII)
_BARE = re.compile(r"[^\\.^$|()\[\]{}*+?]")  # ordinary characters
_ESCAPED = re.compile(r"\\[dDwWsSntrf!-/:-@\[-`{-~]")  # classes, white space and punctuation
_PLACE = re.compile(r"[\^$]|\\[bBAz]")  # anchors, which cannot be repeated
_ITEM = re.compile(r"\\[dDwWsS]|(\\[ntr!-/:-@\[-`{-~]|[^\\\[\]^-])(?:-(\\[!-/:-@\[-`{-~]|[^\\\[\]^-]))?")
_REFERENCE = re.compile(r"\\(.?)", re.DOTALL)


class _Broken(Exception):
    """A pattern is not accepted; the text is the reason."""


@dataclass
class _Text:
    """Parser state: a pattern, the position in it, and the number of groups so far."""

    pattern: str
    place: int = 0
    groups: int = 0

    def take(self, what: re.Pattern[str]) -> re.Match[str] | None:
        found = what.match(self.pattern, self.place)
        if found is not None:
            self.place = found.end()
        return found

    def sign(self, wanted: str) -> bool:
        found = self.pattern.startswith(wanted, self.place)
        self.place += len(wanted) if found else 0
        return found


def bad_pattern(pattern: str) -> str | None:
    """Return why a regular expression is not accepted; None if it is."""
    try:
        _read(pattern)
    except _Broken as broken:
        return str(broken)
    return None


def parts_of(pattern: str) -> int:
    """Count the states of an automaton that matches an accepted pattern, with repetitions expanded."""
    text = _Text(pattern)
    text.take(_FLAGS)
    return max(1, _alternatives(text, 0))


def never_tries_again(pattern: str) -> bool:
    """Return whether a search for every match reads each character a bounded number of times.

    This holds for patterns without repetition, and for one repeated character or class: after a match, no character
    before its end is read again.
    """
    repeated = re.compile(r"[*+?]|\{\d")
    bare = re.sub(r"\\.|\[(?:\\.|[^\]])*\]", "x", pattern)
    return repeated.search(bare) is None or re.fullmatch(r"[^()|](?:[*+?]|\{[\d,]+\})", bare) is not None


def bad_rewrite(pattern: str, rewrite: str, *_: object) -> str | None:
    """Return why a replacement text is not accepted; None if it refers to existing groups only."""
    wrong = bad_pattern(pattern)
    if wrong is not None:
        return wrong
    groups = _read(pattern)
    for found in _REFERENCE.finditer(rewrite):
        sign = found[1]
        if sign != "\\" and not (sign.isascii() and sign.isdigit() and int(sign) <= groups):
            return f"The replacement names a group that is not there: {found[0]}."
    return None


def bad_escape(pattern: str, escape: str) -> str | None:
    """Return why a LIKE pattern is invalid with its ESCAPE character; None if it is valid."""
    if len(escape) != 1 or not escape.isascii():
        return "The escape is one sign of ASCII."
    signs = iter(pattern)
    broken = any(sign == escape and next(signs, None) is None for sign in signs)
    return "The pattern ends in its escape sign." if broken else None


def bad_fill(_: int, fill: str) -> str | None:
    """Return why text cannot be padded with `fill`; None if it can."""
    return None if fill else "There is nothing to fill up with."


def _read(pattern: str) -> int:
    """Parse a pattern and return its number of groups."""
    text = _Text(pattern)
    text.take(_FLAGS)
    _alternatives(text, 0)
    if text.place < len(pattern):
        raise _Broken(f"The pattern can't be read from {pattern[text.place :][:20]} on.")
    return text.groups


def _alternatives(text: _Text, depth: int) -> int:
    if depth > _MOST_NESTED:
        raise _Broken("The pattern is nested too deeply.")
    size = _sequence(text, depth)
    while text.sign("|"):
        size += 1 + _sequence(text, depth)
    return size


def _sequence(text: _Text, depth: int) -> int:
    size = 0
    while True:
        if text.take(_PLACE):
            size += 1
            continue
        part = _part(text, depth)
        if part is None:
            return size
        size += part * _times(text)
        if size > MOST_PARTS:
            raise _Broken(f"The pattern has more than {MOST_PARTS:,} parts.")


def _part(text: _Text, depth: int) -> int | None:
    """Parse one repeatable item and return its number of states; None where there is none."""
    if text.take(_BARE) or text.take(_ESCAPED) or text.sign("."):
        return 1
    if text.sign("["):
        return _class(text)
    if not text.sign("("):
        return None
    if not text.sign("?:"):
        text.groups += 1
    size = _alternatives(text, depth + 1)
    if not text.sign(")"):
        raise _Broken("A parenthesis of the pattern is not closed.")
    return size + 1


def _class(text: _Text) -> int:
    text.sign("^")
    size = 1
    while found := text.take(_ITEM):
        first, last = (sign[-1:] if sign else None for sign in (found[1], found[2]))
        if last is not None and (first is None or len(found[1]) > 1 or first > last):
            raise _Broken(f"The range {found[0]} of the pattern is empty.")
        size += 1
    if size == 1 or not text.sign("]"):
        raise _Broken("A bracket of the pattern can't be read: write \\ before a sign that means itself.")
    return size


def _times(text: _Text) -> int:
    """Parse a quantifier and return how often it repeats its item when expanded."""
    found = text.take(_REPEAT)
    if found is None:
        return 1
    least, most = int(found[1] or 1), int(found[3] or found[1] or 1)
    if most < least or max(least, most) > MOST_PARTS:
        raise _Broken(f"The repetition {found[0]} of the pattern has no meaning.")
    return max(1, least, most)


_MANY, _ONE = "*", "."  # any characters, and any single character
_NO_SIGN = "(?!)"


def like(pattern: str, escape: str = "") -> str:
    """Write LIKE with a constant pattern as a Java pattern."""
    signs = iter(pattern)
    wild = {"%": _MANY, "_": _ONE}
    return _matched([literal(next(signs)) if sign == escape else wild.get(sign) or literal(sign) for sign in signs])


def glob(pattern: str) -> str:
    """Write GLOB with a constant pattern as a Java pattern; an unclosed bracket matches nothing."""
    parts = list(_glob_parts(pattern))
    return _matched(parts) if None not in parts else "CASE WHEN {0} IS NOT NULL THEN FALSE END"


def literal(sign: str) -> str:
    """Escape one character of a Java pattern."""
    return f"\\{sign}" if sign.isascii() and not sign.isalnum() else sign


def _matched(parts: list[str | None]) -> str:
    """Write the match of a Java pattern in which every run but the last takes its first occurrence."""
    runs: list[str] = [""]
    for part in parts:
        runs = [*runs, ""] if part == _MANY else [*runs[:-1], runs[-1] + (part or "")]
    first, *middle, last = (*runs, "") if len(runs) == 1 else runs
    found = "".join(f"(?>.*?{run})" for run in middle if run)
    java = rf"(?s)\A{first}{found}{'.*' if len(runs) > 1 else ''}{last}\z"
    return f"({{0}} RLIKE {quoted(java)})"


def _glob_parts(pattern: str) -> Iterator[str | None]:
    place = 0
    while place < len(pattern):
        sign, place = pattern[place], place + 1
        if sign == "[":
            made, place = _glob_class(pattern, place)
            yield made
        elif sign == "\\":
            yield literal(pattern[place]) if place < len(pattern) else None
            place += 1
        else:
            yield {"*": _MANY, "?": _ONE}.get(sign) or literal(sign)


def _glob_class(pattern: str, place: int) -> tuple[str | None, int]:
    """Parse a GLOB class after its bracket; an initial `]` is an ordinary character. None where it is not closed."""
    other = pattern.startswith("!", place)
    place += other
    end = pattern.find("]", place + 1)
    if end < 0:
        return None, len(pattern)
    items = "".join(_items(pattern[place:end]))
    if not items:
        return (_ONE if other else _NO_SIGN), end + 1
    return f"[{'^' if other else ''}{items}]", end + 1


def _items(signs: str) -> Iterator[str]:
    place = 0
    while place < len(signs):
        first = last = signs[place]
        if signs[place + 1 : place + 2] == "-" and place + 2 < len(signs):
            last, place = signs[place + 2], place + 2
        place += 1
        if first <= last:
            yield f"{literal(first)}-{literal(last)}"
