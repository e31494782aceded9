"""Pattern matching with constant patterns: LIKE, GLOB and regular expressions, validated at binding.

An accepted pattern surely compiles in the engine. Regular expressions are RE2's, which match in time linear in the
text, without named classes, inline flags after the start, and octal or hexadecimal escapes.

For Spark, LIKE and GLOB become Java patterns that never backtrack: linear in the text for each character of the
pattern. Between two wildcards the first match of a run is as good as any later one, so each run is an atomic group
(https://docs.oracle.com/en/java/javase/17/docs/api/java.base/java/util/regex/Pattern.html).

The size of a pattern is its number of automaton states with repetitions expanded; it limits the engine's memory.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from dialect.diagnostics.kinds import Kind
from dialect.errors import Refusal
from dialect.functions.signatures import quote_spark_text

MAX_STATES = 1_000  # states of a pattern, with repetitions expanded
_MAX_NESTING = 20
_FLAGS = re.compile(r"\(\?[is]+\)")
_QUANTIFIER = re.compile(r"(?:[*+?]|\{(\d{1,4})(?:(,)(\d{1,4})?)?\})\??", re.ASCII)
_ORDINARY = re.compile(r"[^\\.^$|()\[\]{}*+?]")  # ordinary characters
_ESCAPED = re.compile(r"\\[dDwWsSntrf!-/:-@\[-`{-~]")  # classes, white space and punctuation
_ANCHOR = re.compile(r"[\^$]|\\[bBAz]")  # anchors, which cannot be repeated
_CLASS_ITEM = re.compile(r"\\[dDwWsS]|(\\[ntr!-/:-@\[-`{-~]|[^\\\[\]^-])(?:-(\\[!-/:-@\[-`{-~]|[^\\\[\]^-]))?")
_REFERENCE = re.compile(r"\\(.?)", re.DOTALL)


@dataclass
class _PatternParser:
    """Parser state: a pattern, the position in it, and the number of groups so far."""

    pattern: str
    position: int = 0
    group_count: int = 0

    def match(self, what: re.Pattern[str]) -> re.Match[str] | None:
        """Match an expression at the position and move behind it; None if it does not match there."""
        found = what.match(self.pattern, self.position)
        if found is not None:
            self.position = found.end()
        return found

    def accept(self, expected: str) -> bool:
        """Move behind an expected text; False if it does not stand at the position."""
        found = self.pattern.startswith(expected, self.position)
        self.position += len(expected) if found else 0
        return found


def pattern_mistake(pattern: str) -> Refusal | None:
    """Refusal of a regular expression: unsupported syntax or too large; None: accepted."""
    try:
        _group_count(pattern)
    except Refusal as refused:
        return refused
    return None


def state_count(pattern: str) -> int:
    """Count the states of an automaton that matches an accepted pattern, with repetitions expanded."""
    text = _PatternParser(pattern)
    text.match(_FLAGS)
    return max(1, _parse_alternatives(text, 0))


def is_linear_search(pattern: str) -> bool:
    """Return whether matching takes linear time: a search for all matches never restarts far back.

    This holds for patterns without repetition, and for one repeated character or class: after a match, no character
    before its end is read again.
    """
    repeated = re.compile(r"[*+?]|\{\d")
    simplified = re.sub(r"\\.|\[(?:\\.|[^\]])*\]", "x", pattern)
    return repeated.search(simplified) is None or re.fullmatch(r"[^()|](?:[*+?]|\{[\d,]+\})", simplified) is not None


def replacement_mistake(pattern: str, replacement: str, *_: object) -> Refusal | None:
    """Return why a replacement text is not accepted; None if it refers to existing groups only.

    A reference is a backslash with the number of a group, or a doubled backslash. Further constants are ignored.
    """
    mistake = pattern_mistake(pattern)
    if mistake is not None:
        return mistake
    groups = _group_count(pattern)
    for found in _REFERENCE.finditer(replacement):
        reference = found[1]
        if reference != "\\" and not (reference.isascii() and reference.isdigit() and int(reference) <= groups):
            return Kind.PATTERN_GROUP.at(reference=found[0])
    return None


def escape_mistake(pattern: str, escape: str) -> Refusal | None:
    """Return why a LIKE pattern is invalid with its ESCAPE character; None if it is valid."""
    if len(escape) != 1 or not escape.isascii():
        return Kind.ESCAPE_SIGN.at()
    characters = iter(pattern)
    broken = any(sign == escape and next(characters, None) is None for sign in characters)
    return Kind.PATTERN_ENDS_IN_ESCAPE.at() if broken else None


def fill_mistake(_: int, fill: str) -> Refusal | None:
    """Return why text cannot be padded with `fill`; None if it can. The width, a constant too, is ignored."""
    return None if fill else Kind.NOTHING_TO_FILL.at()


def _group_count(pattern: str) -> int:
    """Parse a pattern and return its number of groups."""
    text = _PatternParser(pattern)
    text.match(_FLAGS)
    _parse_alternatives(text, 0)
    if text.position < len(pattern):
        raise Kind.PATTERN_UNREADABLE.at(rest=pattern[text.position :][:20])
    return text.group_count


def _parse_alternatives(text: _PatternParser, depth: int) -> int:
    """Parse sequences separated by |, up to a closing parenthesis or the end; returns their size."""
    if depth > _MAX_NESTING:
        raise Kind.PATTERN_NESTED.at()
    size = _parse_sequence(text, depth)
    while text.accept("|"):
        size += 1 + _parse_sequence(text, depth)
    return size


def _parse_sequence(text: _PatternParser, depth: int) -> int:
    """Parse items with quantifiers and anchors; returns their size, which is limited to MAX_STATES."""
    size = 0
    while True:
        if text.match(_ANCHOR):
            size += 1
            continue
        item_size = _parse_item(text, depth)
        if item_size is None:
            return size
        size += item_size * _parse_quantifier(text)
        if size > MAX_STATES:
            raise Kind.PATTERN_TOO_LARGE.at(limit=MAX_STATES)


def _parse_item(text: _PatternParser, depth: int) -> int | None:
    """Parse one repeatable item and return its number of states; None where there is none.

    A group starting with (?: is not counted, so that replacements cannot refer to it; a group has one state more.
    """
    if text.match(_ORDINARY) or text.match(_ESCAPED) or text.accept("."):
        return 1
    if text.accept("["):
        return _parse_class(text)
    if not text.accept("("):
        return None
    if not text.accept("?:"):
        text.group_count += 1
    size = _parse_alternatives(text, depth + 1)
    if not text.accept(")"):
        raise Kind.PATTERN_PARENTHESIS.at()
    return size + 1


def _parse_class(text: _PatternParser) -> int:
    """Parse a character class after its opening bracket; returns its size.

    A range starts with a single character: neither a class (no group matches) nor an escape (`len(found[1]) > 1`),
    whose last sign need not be the character itself. Its ends are in ascending order.
    """
    text.accept("^")
    size = 1
    while found := text.match(_CLASS_ITEM):
        first, last = (sign[-1:] if sign else None for sign in (found[1], found[2]))
        if last is not None and (first is None or len(found[1]) > 1 or first > last):
            raise Kind.PATTERN_RANGE.at(range=found[0])
        size += 1
    if size == 1 or not text.accept("]"):
        raise Kind.PATTERN_BRACKET.at()
    return size


def _parse_quantifier(text: _PatternParser) -> int:
    """Parse a quantifier and return how often it repeats its item when expanded.

    Groups of the match: the least and the greatest number; * and + count as 1.
    """
    found = text.match(_QUANTIFIER)
    if found is None:
        return 1
    least, greatest = int(found[1] or 1), int(found[3] or found[1] or 1)
    if greatest < least or max(least, greatest) > MAX_STATES:
        raise Kind.PATTERN_REPETITION.at(repetition=found[0])
    return max(1, least, greatest)


_ANY_CHARACTERS, _ANY_CHARACTER = "*", "."  # any characters, and any single character
_NO_CHARACTER = "(?!)"


def spark_like(pattern: str, escape: str = "") -> str:
    """Write LIKE with a constant pattern as a Java pattern.

    % is any text, _ any character; the escape character makes the next one ordinary.
    """
    signs = iter(pattern)
    wild = {"%": _ANY_CHARACTERS, "_": _ANY_CHARACTER}
    return _match_form(
        [
            escape_character(next(signs)) if sign == escape else wild.get(sign) or escape_character(sign)
            for sign in signs
        ]
    )


def spark_glob(pattern: str) -> str:
    """Write GLOB with a constant pattern as a Java pattern; an unclosed bracket matches nothing."""
    parts = list(_parse_glob(pattern))
    return _match_form(parts) if None not in parts else "CASE WHEN {0} IS NOT NULL THEN FALSE END"


def escape_character(character: str) -> str:
    """Escape one character of a Java pattern."""
    return f"\\{character}" if character.isascii() and not character.isalnum() else character


def _match_form(parts: list[str | None]) -> str:
    """Write the match of a Java pattern in which every run but the last takes its first occurrence.

    A run is a sequence of parts without the wildcard for any text. The first is anchored at the start, the last at the
    end, each one between them is an atomic group. Without a wildcard, there is one run, anchored at both ends.
    """
    runs: list[str] = [""]
    for part in parts:
        runs = [*runs, ""] if part == _ANY_CHARACTERS else [*runs[:-1], runs[-1] + (part or "")]
    first, *middle, last = (*runs, "") if len(runs) == 1 else runs
    found = "".join(f"(?>.*?{run})" for run in middle if run)
    java = rf"(?s)\A{first}{found}{'.*' if len(runs) > 1 else ''}{last}\z"
    return f"({{0}} RLIKE {quote_spark_text(java)})"


def _parse_glob(pattern: str) -> Iterator[str | None]:
    """Split a GLOB pattern into parts of a Java pattern; None for an unclosed bracket or a trailing escape."""
    position = 0
    while position < len(pattern):
        sign, position = pattern[position], position + 1
        if sign == "[":
            item, position = _parse_glob_class(pattern, position)
            yield item
        elif sign == "\\":
            yield escape_character(pattern[position]) if position < len(pattern) else None
            position += 1
        else:
            yield {"*": _ANY_CHARACTERS, "?": _ANY_CHARACTER}.get(sign) or escape_character(sign)


def _parse_glob_class(pattern: str, position: int) -> tuple[str | None, int]:
    """Parse a GLOB class after its bracket; an initial `]` is an ordinary character.

    Returns the part of a Java pattern, or None if the class is not closed, and the position after it. A class of empty
    ranges alone matches no character, negated any.
    """
    is_negated = pattern.startswith("!", position)
    position += is_negated
    end = pattern.find("]", position + 1)
    if end < 0:
        return None, len(pattern)
    items = "".join(_class_items(pattern[position:end]))
    if not items:
        return (_ANY_CHARACTER if is_negated else _NO_CHARACTER), end + 1
    return f"[{'^' if is_negated else ''}{items}]", end + 1


def _class_items(characters: str) -> Iterator[str]:
    """Split a GLOB class into ranges of a Java class; a single character is a range, empty ranges are left out."""
    position = 0
    while position < len(characters):
        first = last = characters[position]
        if characters[position + 1 : position + 2] == "-" and position + 2 < len(characters):
            last, position = characters[position + 2], position + 2
        position += 1
        if first <= last:
            yield f"{escape_character(first)}-{escape_character(last)}"
