"""Short form of answers, explanations and budgets: a few lines that fit 80 columns, chosen by codes and typed fields.

The long form has everything else: `--verbose` on the command line, `.details` in Python, a fold in HTML.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from passersby.result.card import Answer, Card, Explained
from passersby.text.numbers import (
    RELIABILITY,
    cell_texts,
    epsilon_rounded_up,
    half_width_text,
    narrowing_text,
    parts_text,
    percent,
    printable,
    privacy_loss_text,
    range_text,
    rho_text,
    value_text,
)

FOREVER = "forever"  # the one privacy window of a dataset without a time limit
WINDOW_NAMES = {"*lifetime": "all windows together", "static": "static (tables without time)"}  # accounts, not windows
NAMED_WINDOWS = 3  # more are written as the first and the last
SMALLEST_SHARE = 0.001  # of a number: a smaller bias is written as below it
# Codes of notes that typed fields show already, or that only the long form has
OMITTED = frozenset(
    {
        "clipped",
        "hidden_groups",
        "rehearsal",
        "reused",
        "windows",
        "stored",
        "whole_person",
        "derived_windows",
        "target",
    }
)
PHRASES = {
    "profile": "limited per person and corrected; intervals may miss a few very active people",
    "pairs": "bias unknown: rows of one person are joined with each other",
    "fan_out": "bias unknown: a row may match several rows of a public table",
    "crossing_windows": "more noise: rows of one privacy window decide what counts of another",
    "all_windows": "no condition on time: every declared privacy window is charged",
    "no_group": "no group has enough people to be shown",
    "no_row": "no row is left after the conditions on the numbers",
    "no_number": "only public keys are shown: the price buys nothing",
    "selected": "rows on top may have lucky noise: intervals are wider to allow for it",
    "ties": "a hash decides between rows of one person that tie",
    "consistent": "levels were made consistent: details add up to totals",
}
WIDTH_SOURCES = {  # of the half-widths of an explanation
    "profile": "as wide as your earlier answer to this question predicts",
    "calibration": "as wide as the owner's measurements predict",
    "magnitudes": "rough, from public sizes: asking once, also at a small rho, narrows it",
}
UNKNOWN_WIDTHS = "intervals come with the answer: asking once, also at a small rho, tells how wide they are"
GROUPED_MAGNITUDES = "rough, for usual groups (large ones are wider): asking at a small rho narrows it"
SIZED_MAGNITUDES = "rough, for about {} rows in each group: asking at a small rho narrows it"
CHANGES = {"coarser": "coarser groups", "fewer keys": "fewer keys", "longer": "a longer time", "people": "count people"}
BIAS_HEAD = "expected bias, not in the interval"
FREE_PUBLIC = "free: public tables, no noise"
SYNTHETIC = "free rehearsal on synthetic rows: the numbers mean nothing"


@dataclass(frozen=True)
class OutputHints:
    """How a reader of an output changes the price, and where the long form is."""

    rho: str  # how a price is chosen, with {} for the amount
    details: str  # how the long form is read; empty where a page unfolds it
    all_rows: str = ""  # how rows beyond the first are read


def python_hints(name: str) -> OutputHints:
    """Hints for Python; `name` stands for the object that is shown."""
    return OutputHints("rho={}", f"details: print({name}.details)", f"{name}.rows")


PYTHON_ANSWER, PYTHON_EXPLANATION = python_hints("answer"), python_hints("explanation")
PAGE = OutputHints("rho {}", "", PYTHON_ANSWER.all_rows)


def beyond_text(answer: Answer) -> str:
    """Note that data hold numbers beyond their own intervals, such as counts below 0; empty if there are none."""
    beyond = 0
    for name, ends in answer.intervals.items():
        values = (row[answer.columns.index(name)] for row in answer.rows)
        pairs = [(value, pair) for value, pair in zip(values, ends, strict=True) if pair is not None]
        beyond += sum(isinstance(value, int | float) and not low <= value <= high for value, (low, high) in pairs)
    if not beyond:
        return ""
    numbers = f"{beyond:,} number{' is' if beyond == 1 else 's are'}"
    return f"{numbers} beyond the interval, as counts below 0: read the nearer end, but add up the numbers as they are"


def hidden_rows_text(result: Answer, most: int, surface: OutputHints) -> str:
    """Name which rows of an answer are not shown, whether the largest number is among them, and how to see them."""
    if len(result) <= most:
        return ""
    text = f"{len(result) - most:,} more rows"
    if key := next((name for name in result.columns if name not in result.intervals), None):
        place = result.columns.index(key)
        texts = cell_texts([row[place] for row in result.rows], {})
        text += f", {printable(key)} {texts[most]} to {texts[-1]}"
    lines = [f"{text}: {surface.all_rows}" if surface.all_rows else text]
    if name := next(iter(result.intervals), None):
        place = result.columns.index(name)
        numbers = [row[place] if isinstance(row[place], int | float) else float("-inf") for row in result.rows]
        if max(numbers[most:]) > max(numbers[:most]):
            column = printable(name if name.isidentifier() else f'"{name}"')
            lines.append(f"the largest {printable(name)} is among them: ORDER BY {column} DESC has it first, for free")
    return "; ".join(lines)


def short_price(price: Mapping[str, Any]) -> str:
    """Price as rho, with the usually quoted epsilon; the delta is in the long form."""
    seen = price.get("epsilon_at_delta") or {}
    epsilon = f" (epsilon {epsilon_rounded_up(seen['epsilon'])})" if seen.get("epsilon") else ""
    return f"rho {rho_text(price['rho'])}{epsilon}"


def further_text(outlook: Mapping[str, Any]) -> str:
    """How many more questions like this one fit, with the account if it is not simply the client's."""
    if not outlook:
        return ""
    if outlook.get("stopped"):
        return "nothing is charged now"
    count = outlook["further"]
    where = "" if outlook.get("window") in (None, FOREVER) else f" in {window_text(outlook['window'])}"
    whose = " for all clients together" if outlook.get("account") and outlook.get("client") is None else ""
    if outlook.get("window") is None and not count:
        return "dearer than one question may be"
    return f"{count:,} more at this price{where}{whose}" if count else f"nothing left at this price{where}{whose}"


def whose_text(account: Mapping[str, Any]) -> str:
    """Holder of an account."""
    return "all clients" if account["client"] is None else f"client {account['client']}"


def spent_share(account: Mapping[str, Any]) -> float:
    """Share of an account's cap that is spent."""
    return account["spent_rho"] / account["cap_rho"] if account["cap_rho"] else 1.0


def window_text(window: str) -> str:
    """Name of a privacy window, or of an account that is none."""
    return WINDOW_NAMES.get(window, printable(window))


def fitting_text(outlook: Mapping[str, Any], surface: OutputHints) -> str:
    """Return what fits where this question does not: a lower price, other windows, a stored answer."""
    if not outlook or outlook.get("stopped") or outlook.get("further"):
        return ""
    parts = []
    if outlook.get("would_fit_rho"):
        errors = ", ".join(
            f"{printable(name)} {half_width_text(width)}"
            for name, width in (outlook.get("would_fit_error") or {}).items()
        )
        parts.append(surface.rho.format(rho_text(outlook["would_fit_rho"])) + (f" -> {errors}" if errors else ""))
    for key, only in (("would_fit_windows", " alone"), ("other_windows", "")):
        if windows := outlook.get(key):
            parts.append(f"{windows_text(windows)}{only}")
    if outlook.get("free_at_rho"):
        parts.append(f"free with {surface.rho.format(rho_text(outlook['free_at_rho']))}")
    if not parts and outlook.get("next_window"):
        parts.append(f"new budget comes with {window_text(outlook['next_window'])}")
    return f"fits: {' · '.join(parts)}" if parts else "no new budget comes for it"


def windows_text(windows: Sequence[str]) -> str:
    """Names of privacy windows; many of them as the first, the last and their number."""
    if len(windows) <= NAMED_WINDOWS:
        return ", ".join(map(window_text, windows))
    return f"{window_text(windows[0])} to {window_text(windows[-1])} ({len(windows)} windows)"


@dataclass(frozen=True)
class Bias:
    """The expected clipping bias of a column, in words."""

    size: str
    is_known: bool = True
    is_zero: bool = False


def bias_of(card: Card, name: str) -> Bias:
    """Return the expected clipping bias of a column: a share of its numbers, or an amount of an average."""
    within = card.bias_within.get(name) or {}
    if within.get("amount"):
        return Bias(f"up to about {within['amount']:.2g}")
    if within.get("share", 0.0) >= SMALLEST_SHARE:
        return Bias(f"corrected, off by up to {_share(within['share'])}")
    bias = card.predicted_bias.get(name, 0.0)
    if bias is None:
        return Bias("unknown", is_known=False)
    return Bias(f"about {_share(bias)}") if -bias >= SMALLEST_SHARE else Bias("none", is_zero=True)


def clip_text(card: Card, name: str) -> str:
    """Clip bound of a column, in parentheses; empty without clipping."""
    if name not in card.clip_bounds:
        return ""
    bound = card.clip_bounds[name]
    return "(clipped)" if bound is None else f"(clipped at {bound:,.6g} per person)"


def _share(share: float) -> str:
    """Share as a whole percentage, a small one with one decimal."""
    return f"{share:.0%}" if abs(share) >= 0.01 else f"{share:.1%}"


def groups_text(
    keys: Sequence[Mapping[str, Any]], thresholds: Sequence[Mapping[str, Any]], *, is_selected: bool = False
) -> str:
    """Return the number of groups, if it is public; all are shown unless noise selects some of them."""
    counts = {str(key["release"]): key["count"] for key in keys if key["kind"] == "public"}
    known = [count for count in counts.values() if count is not None]
    if not known or thresholds:
        return ""
    shown = " + ".join(f"{count:,}" for count in known)
    return f"{shown} group{'' if known == [1] else 's'}{'' if is_selected else ', all shown'}"


def hidden_text(thresholds: Sequence[Mapping[str, Any]]) -> str:
    """Return the number of people from which on a group is shown."""
    least = dict.fromkeys(value_text(each["threshold"]) for each in thresholds)
    return f"groups with fewer than about {' or '.join(least)} people are hidden" if least else ""


def charged_text(windows: Sequence[str] | None, *, free: bool) -> str:
    """Charged privacy windows; empty for a dataset with a single window."""
    if not windows or list(windows) == [FOREVER] or free:
        return ""
    each = ", each in full" if len(windows) > 1 else ""
    return f"charged to {windows_text(windows)}{each}"


def note_lines(notes: Sequence[str], codes: Sequence[str]) -> Iterator[str]:
    """Return the notes of the short form, each as one phrase; a note with an unknown code appears in full."""
    known = [*codes, *[""] * (len(notes) - len(codes))]  # an older server sends no codes
    for note, code in zip(notes, known, strict=True):
        if code not in OMITTED:
            yield printable(PHRASES.get(code, note))


def narrower_text(advice: Mapping[str, Any], surface: OutputHints) -> str:
    """Return the changes that make intervals narrower, each with the half-width it buys."""
    changes = [each for each in (_change(each, surface) for each in advice.get("instead") or ()) if each]
    return f"narrower: {' · '.join(changes)}" if changes else ""


def _change(proposal: Mapping[str, Any], surface: OutputHints) -> str:
    """One change that makes intervals narrower, with its half-width or its relative error."""
    change, relative = str(proposal["change"]), proposal.get("relative_width")
    pays = change == "more"
    name = surface.rho.format(rho_text(proposal["price"]["rho"])) if pays else CHANGES.get(change, printable(change))
    known = [(column, width) for column, width in proposal["expected_error"].items() if width is not None]
    if known and (pays or change == "people"):
        column, width = known[0]
        is_first = column == next(iter(proposal["expected_error"]))
        return f"{name} -> {'' if is_first else f'{printable(column)} '}{half_width_text(width)}"
    return name if relative is None else f"{name} -> {narrowing_text(relative, is_relative=not pays)}"


def answer_head(answer: Answer) -> str:
    """First line below an answer: what is left, the price, and the level of the intervals."""
    if answer.rehearsal:
        return " · ".join(filter(None, (SYNTHETIC, _level(answer))))
    day = answer.card.get("numbers_of")
    price = _free_text(answer.made_from, day) if answer.replayed else _price_text(answer.price)
    return " · ".join(filter(None, (further_text(answer.outlook), price, _level(answer))))


def _price_text(price: Mapping[str, Any]) -> str:
    """Price of an answer that is not from store."""
    return short_price(price) if price.get("rho") else FREE_PUBLIC


def _free_text(made_from: Sequence[object], day: str | None = None) -> str:
    """Why a stored answer is free, and the day of its numbers."""
    why = "from answers you hold" if made_from else "asked before"
    return f"free ({why}, {day})" if day else f"free ({why})"


def _level(answer: Answer) -> str:
    """Level of an answer's intervals; empty for public numbers."""
    if answer.confidence and answer.intervals:
        return level_of(answer)
    return "no intervals" if answer.release_id or (answer.rehearsal and answer.price.get("rho")) else ""


def level_of(card: Card) -> str:
    """Level of the intervals: each by itself, or all of an answer simultaneously."""
    level = f"{percent(card.confidence or 0.0)} intervals"
    all_of = card.card.get("simultaneous")
    return f"{percent(all_of['confidence'])} intervals, all {all_of['numbers']:,} together" if all_of else level


def intervals_text(answer: Answer) -> str:
    """Long form of an answer's level; without intervals, whether its numbers have noise."""
    return _level(answer) or "no noise"


def price_text(answer: Answer) -> str:
    """Long form of an answer's price, or why it was free."""
    if answer.rehearsal:
        return "free: a rehearsal on synthetic rows"
    if answer.replayed:
        if answer.made_from:
            return "free: derived from answers that you hold"
        return "free: asked before, answered from store"
    return f"price {privacy_loss_text(answer.price)}" if answer.price.get("rho") else "free"


def long_price_text(explanation: Explained) -> str:
    """Long form of an explanation's price."""
    return (
        "free: you have paid for this answer already" if explanation.replayed else privacy_loss_text(explanation.price)
    )


def answer_columns(answer: Answer) -> list[tuple[str, str, str]]:
    """Name, reliability and bias of each noisy column."""
    rows = []
    for name in answer.intervals if len(answer) else ():
        words = answer.reliability.get(name) or []
        counts = ", ".join(f"{words.count(word):,} {text}" for word, text in RELIABILITY.items() if word in words)
        bias = bias_of(answer, name)
        about = "" if bias.is_zero else f"bias {bias.size}{', not in ±' if bias.is_known else ''}"
        if counts or about:
            rows.append((printable(name), counts, about))
    return rows


def part_lines(card: Card) -> list[str]:
    """Parts of the half-widths of each column that is corrected for clipping: medians over its rows."""
    return [f"{printable(name)}: {parts_text(parts)}" for name, parts in card.interval_parts.items()]


def answer_lines(answer: Answer, surface: OutputHints) -> list[str]:
    """Lines below an answer's columns: hidden groups, charged windows, notes, narrower questions, details."""
    free = answer.replayed or answer.rehearsal
    outlook = {} if free else answer.outlook
    lines = [
        _sentence(outlook.get("stopped")),
        hidden_text(answer.thresholds),
        charged_text(answer.card.get("windows"), free=free),
        *note_lines(answer.notes, answer.note_codes),
        narrower_text(answer.advice, surface),
        surface.details if answer.intervals or answer.notes or answer.release_id else "",
    ]
    return [line for line in dict.fromkeys(lines) if line]


def explanation_head(explanation: Explained) -> str:
    """First line of an explanation: how many more fit, the price, the groups."""
    price = _free_text(explanation.made_from) if explanation.replayed else _price_text(explanation.price)
    is_selected = "selected" in explanation.note_codes
    groups = groups_text(explanation.keys, explanation.thresholds, is_selected=is_selected)
    return " · ".join(filter(None, (further_text(explanation.outlook), price, groups)))


def explanation_columns(explanation: Explained) -> list[tuple[str, str, str]]:
    """Name, half-width and expected bias of each noisy column; no bias is shown where no column has one."""
    biases = {name: bias_of(explanation, name) for name in explanation.expected_error}
    has_bias = any(not bias.is_zero for bias in biases.values())
    return [
        (
            printable(name),
            width_text(explanation, name, "with the answer"),
            " ".join(filter(None, (bias.size, clip_text(explanation, name)))) if has_bias else "",
        )
        for name, bias in biases.items()
    ]


def width_text(explanation: Explained, name: str, unknown: str) -> str:
    """Return the expected half-width of a column, or its range; `unknown` = text where neither is known."""
    width, ends = explanation.expected_error[name], explanation.expected_range.get(name)
    if ends is not None:
        return range_text(*ends)
    return unknown if width is None else half_width_text(width)


def _width_source_text(explanation: Explained) -> str:
    """Source of the half-widths; those of public sizes are of a group of usual size where there are groups."""
    source = explanation.expected_from
    if source == "magnitudes" and not explanation.expected_range:
        return UNKNOWN_WIDTHS
    if source == "magnitudes" and "selected" in explanation.note_codes:
        return WIDTH_SOURCES[source]  # of the groups that are shown, which are the largest
    if source != "magnitudes" or not explanation.keys:
        return WIDTH_SOURCES.get(source, "")
    rows = explanation.usual_rows
    return GROUPED_MAGNITUDES if rows is None else SIZED_MAGNITUDES.format(f"{float(f'{rows:.2g}'):,.0f}")


def explanation_lines(explanation: Explained, surface: OutputHints) -> list[str]:
    """Lines below an explanation's columns: what fits, hidden groups, windows, notes, narrower questions, details."""
    lines = [
        _sentence(explanation.outlook.get("stopped")),
        "" if explanation.replayed else fitting_text(explanation.outlook, surface),
        hidden_text(explanation.thresholds),
        charged_text(explanation.card.get("windows"), free=explanation.replayed),
        _width_source_text(explanation),
        *note_lines(explanation.notes, explanation.note_codes),
        narrower_text(explanation.advice, surface),
        surface.details,
    ]
    return [line for line in dict.fromkeys(lines) if line]


def _sentence(text: object) -> str:
    """Text made printable; empty if there is none."""
    return printable(str(text)) if text else ""
