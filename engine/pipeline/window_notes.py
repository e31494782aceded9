"""What a reader should know of the windows that a question is charged to (`proofs.md#windows`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dialect.algebra.touched import Touched
from dialect.catalog.privacy_windows import Window
from engine.pricing.prepare import Prepared

_MOST_NAMED = 12  # windows that are listed by name


def windows_told(prepared: Sequence[Prepared]) -> list[str]:
    """List the windows that any release of a question touches, many of them as the first and the last."""
    found = dict.fromkeys(window for each in prepared for window in each.plan.touched.windows)
    names = sorted(found)
    if len(names) <= _MOST_NAMED:
        return names
    return [f"{names[0]} to {names[-1]}, {len(names)} windows"]


def window_notes(prepared: Sequence[Prepared], *, free: bool = False) -> tuple[str, ...]:
    """Say which windows are charged, or were, why so many, and what that is for a person's whole history."""
    return tuple(dict.fromkeys(note for each in prepared for note in _notes(each, free)))


def _notes(prepared: Prepared, free: bool) -> Iterator[str]:
    touched = prepared.plan.touched
    if touched.windows == (str(Window.FOREVER),):
        return
    yield f"{'Paid for already' if free else 'Charged in full'}: {_listed(touched.windows)}"
    if touched.every and not free:
        yield "No condition on time names fewer windows, so all declared ones are charged"
    if touched.derived:
        yield f"Something here was computed from {_listed(touched.derived)}{'' if free else ', charged too'}"
    if touched.crossing:
        yield (
            "Windows cross: rows of one window may decide what counts of another, so a person is bounded over all of"
            " them, with more noise. A join or GROUP BY on the date as well keeps them apart"
        )
    if len(touched.windows) > 1:
        yield _whole_person(touched, float(prepared.cost.loss.rho))


def _whole_person(touched: Touched, rho: float) -> str:
    windows = len(touched.windows)
    times = 1 if touched.crossing else windows if touched.keyed else windows * windows
    return f"For one person's {windows} windows together this release is at most rho {times * rho:.4g}"


def _listed(names: Sequence[str]) -> str:
    if len(names) <= _MOST_NAMED:
        return ", ".join(names)
    return f"{names[0]} to {names[-1]}, {len(names)} windows"
