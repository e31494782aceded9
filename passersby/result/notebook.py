"""HTML of answers, explanations and budgets for notebooks, in light and dark themes; nothing is fetched.

Every name, value and note is escaped: text from a catalog or an alias never becomes markup.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

from passersby.result.bars import is_clear
from passersby.result.card import Accounts, Answer, Explained, Interval
from passersby.result.summary import (
    BIAS_HEAD,
    FOREVER,
    PAGE,
    answer_columns,
    answer_head,
    answer_lines,
    explanation_columns,
    explanation_head,
    explanation_lines,
    hidden_rows_text,
    intervals_text,
    level_of,
    long_price_text,
    part_lines,
    price_text,
    spent_share,
    whose_text,
    width_text,
)
from passersby.result.terminal_lists import (
    HISTORY_TITLE,
    paid_questions,
    table_about,
    table_columns,
    table_lines,
    tables_lines,
    tables_overview,
)
from passersby.text.numbers import (
    RELIABILITY,
    UNRELIABLE,
    cell_texts,
    epsilon_text,
    half_width_text,
    left_text,
    noisy_text,
    outlook_lines,
    percent,
    proposal_text,
    questions_text,
    readable_bound,
    reliability_text,
    rho_text,
    value_text,
)

if TYPE_CHECKING:
    from passersby.errors import PassersbyError

MOST_ROWS = 100
SHORT_TEXT = 20  # characters
BAR = 120  # width of a drawing, in its own units
# currentColor follows the notebook's theme; the accent is readable on white and on black
STYLE = f"<style>\n{Path(__file__).with_name('notebook.css').read_text('utf-8')}</style>"


def result_html(result: Answer) -> str:
    """Show the rows with their intervals drawn, and below them a few lines; the rest is folded."""
    rows, reliability = result.rows[:MOST_ROWS], result.reliability
    columns = [
        _column(name, [row[i] for row in rows], result, reliability.get(name, []))
        for i, name in enumerate(result.columns)
    ]
    if any(marks := result.may_be_nothing[:MOST_ROWS]):
        columns.append(("<th></th>", [f"<td class='faint'>{'may be nothing' if mark else ''}</td>" for mark in marks]))
    heads = "".join(head for head, _ in columns)
    body = ["".join(cells) for cells in zip(*(cells for _, cells in columns), strict=True)]
    hidden = hidden_rows_text(result, MOST_ROWS, PAGE)
    more = f"<p class='faint'>{escape(hidden)}</p>" if hidden else ""
    short = [f"{name}: {'; '.join(filter(None, parts))}" for name, *parts in answer_columns(result)]
    short = [answer_head(result), *short, *answer_lines(result, PAGE)]
    details = [*map(_line, _card(result)), *_notes(result.notes), *_advice(result.advice)]
    return _page(_table(heads, body), more, *map(_line, short), _fold("Details", details))


def explanation_html(explanation: Explained) -> str:
    """Show what is left, the price and each column's expected error; keys, bounds, advice and SQL are folded."""
    errors = explanation.expected_error
    columns = [
        {
            "column": column["name"],
            "type": column["type"],
            "expected error": width_text(explanation, column["name"], half_width_text(None))
            if column["name"] in errors
            else "exact",
        }
        for column in explanation.card["columns"]
    ]
    level = level_of(explanation)
    short = [
        {"column": name, level: width, **({BIAS_HEAD: bias} if bias else {})}
        for name, width, bias in explanation_columns(explanation)
    ]
    details = [
        _line(f"price: {long_price_text(explanation)}"),
        _line(f"left: {left_text(explanation.remaining)}"),
        *map(_line, outlook_lines(explanation.outlook)),
        _table_of_dicts("Columns", columns),
        *(_line(f"half-widths of {line}") for line in part_lines(explanation)),
        _table_of_dicts("Keys", explanation.keys),
        _table_of_dicts("Contribution bounds", [readable_bound(bound) for bound in explanation.bounds]),
        _table_of_dicts("Thresholds of private keys", explanation.thresholds),
        *_notes(explanation.notes),
        *_advice(explanation.advice),
        _fold("SQL over the data", [f"<pre>{escape(explanation.sql)}</pre>"] if explanation.sql else []),
    ]
    return _page(
        f"<p>{escape(explanation_head(explanation))}</p>",
        _table_of_dicts("", short),
        *map(_line, explanation_lines(explanation, PAGE)),
        _fold("Details", details),
    )


def _fold(summary: str, parts: Sequence[str]) -> str:
    """Fold parts of a page behind a summary; nothing where there are none."""
    return f"<details><summary>{summary}</summary>{''.join(parts)}</details>" if any(parts) else ""


def _advice(advice: dict[str, Any]) -> list[str]:
    """Why intervals are wide, and the SQL of questions with narrower ones."""
    if not advice:
        return []
    proposals = [f"<p>{escape(proposal_text(each))}</p><pre>{escape(each['sql'])}</pre>" for each in advice["instead"]]
    return [*(_line(f"why so wide: {line}") for line in advice["why"]), *proposals]


def budget_html(budget: Accounts) -> str:
    """Show each account with a bar of what is spent."""
    shown = (_account(account, budget.query_rho(account)) for account in budget.own_first)
    ahead = dict.fromkeys(line for lines in budget.ahead.values() for line in lines)
    epsilons = [_line(f"{_owner_text(each)}: {text}") for each in budget.own_first if (text := epsilon_text(each))]
    return _page(*shown, *map(_line, ahead), _fold("Details", epsilons))


def tables_html(tables: Sequence[dict[str, Any]], details: str) -> str:
    """Show the tables, one row each, or the columns of a single one; `details`, the long form as text, is folded."""
    if len(tables) == 1:
        (table,) = tables
        about = "".join(f" · {text}" for text in (table["kind"], *table_about(table)))
        head, shown, lines = f"<b>{escape(table['name'])}</b>{escape(about)}", table_columns(table), table_lines(table)
    else:
        head, shown = "", tables_overview(tables)
        lines = [*tables_lines(tables), 'one table: tables("NAME")']
    return _page(
        f"<p>{head}</p>" if head else "", _table_of_dicts("", shown), *map(_line, lines), _folded_text(details)
    )


def history_html(releases: Sequence[dict[str, Any]], details: str) -> str:
    """Show the newest questions with time, price and SQL; `details`, the long form as text, is folded."""
    shown, earlier = paid_questions(releases)
    if not shown:
        return _page(_line(details))
    has_windows = any(question["windows"] for question in shown)
    shown = [{name: text for name, text in each.items() if has_windows or name != "windows"} for each in shown]
    return _page(_table_of_dicts(HISTORY_TITLE, shown), _line(earlier) if earlier else "", _folded_text(details))


def _folded_text(details: str) -> str:
    """Fold a text behind the summary Details."""
    return _fold("Details", [f"<pre>{escape(details)}</pre>"])


def _owner_text(account: dict[str, Any]) -> str:
    """Return the name of an account: dataset, client, and privacy window if the dataset has several."""
    window = "" if account["window"] == FOREVER else f", {account['window']}"
    return f"{account['dataset']}, {whose_text(account)}{window}"


def refusal_html(error: PassersbyError) -> str:
    """HTML of a refusal: code, reason, caret and suggestion."""
    caret = "\n".join(line for line in error.caret_lines() if line)
    return _page(
        f"<p class='no'><b>{escape(error.code)}</b> {escape(error.message)}</p>",
        f"<pre>{escape(caret)}</pre>" if caret else "",
        f"<p><i>Try:</i> <code>{escape(error.hint)}</code></p>" if error.hint else "",
    )


class Refusal:
    """A refusal in its notebook form."""

    def __init__(self, error: PassersbyError) -> None:
        """Take the error to show."""
        self._error = error

    def __repr__(self) -> str:
        return str(self._error)

    def _repr_html_(self) -> str:
        return refusal_html(self._error)


def _page(*parts: str) -> str:
    """HTML fragment of parts, with its styles."""
    return f"{STYLE}<div class='passersby'>{''.join(parts)}</div>"


def _column(
    name: str, values: Sequence[Any], result: Answer, reliability: Sequence[str | None]
) -> tuple[str, list[str]]:
    """Header and cells of a column; behind a noisy one stand its intervals, their drawings and words of doubt."""
    intervals = result.intervals
    if name not in intervals:
        texts = cell_texts(values, intervals)
        if not any(_is_number(value) for value in values):
            return f"<th>{escape(name)}</th>", [*map(_text_cell, texts)]
        return f"<th class='number'>{escape(name)}</th>", [f"<td class='number'>{escape(text)}</td>" for text in texts]
    ends = intervals[name][: len(values)]
    scale = _scale(ends)
    words = [*reliability[: len(values)], *[None] * (len(values) - len(reliability))]
    has_words = any(word in UNRELIABLE for word in words)
    cells = [
        f"<td class='number'>{escape(number)}</td><td class='ends'>{escape(behind)}</td>"
        f"<td>{_interval_svg(value, pair, scale)}</td>{_word_cell(word) if has_words else ''}"
        for value, pair, word, (number, behind) in zip(values, ends, words, map(noisy_text, values, ends), strict=True)
    ]
    level = percent(result.confidence or 0.0)
    heads = f"<th class='number'>{escape(name)}</th><th class='ends' colspan='2'>{level} interval</th>"
    return heads + ("<th></th>" if has_words else ""), cells


def _word_cell(word: str | None) -> str:
    """Cell with the word of an unreliable number; empty for others."""
    return f"<td class='{word}'>{escape(RELIABILITY[word])}</td>" if word in UNRELIABLE else "<td></td>"


def _is_number(value: object) -> TypeGuard[int | float]:
    """Return whether a value is a number, and no boolean."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _scale(ends: Iterable[Interval | None]) -> tuple[float, float]:
    """Range that holds 0 and every interval of a column."""
    known = [end for pair in ends if pair is not None for end in pair]
    low, high = min([0.0, *known]), max([0.0, *known])
    return low, (high - low) or 1.0


def _interval_svg(value: object, pair: Interval | None, scale: tuple[float, float]) -> str:
    """SVG of one number: a line at 0, a bar from it unless the number may be noise, a whisker over its interval."""
    if pair is None or not _is_number(value):
        return ""
    zero, x, low, high = ((end - scale[0]) / scale[1] * BAR for end in (0.0, min(max(value, pair[0]), pair[1]), *pair))
    label = escape(f"between {value_text(pair[0])} and {value_text(pair[1])}", quote=True)
    bar = f'<rect class="bar" x="{min(zero, x):.1f}" y="3" width="{abs(x - zero):.1f}" height="8"/>'
    return (
        f'<svg width="{BAR}" height="14" viewBox="0 0 {BAR} 14" role="img" aria-label="{label}"><title>{label}</title>'
        f'<path class="zero" d="M{zero:.1f} 0V14"/>{bar if is_clear(value, pair) else ""}'
        f'<path class="whisker" d="M{low:.1f} 7H{high:.1f}M{low:.1f} 3.5v7M{high:.1f} 3.5v7"/></svg>'
    )


def _card(result: Answer) -> list[str]:
    """Long form of an answer's price, reliability and remaining budget, as lines."""
    head = f"{intervals_text(result)} · {price_text(result)}"
    if result.rehearsal:
        return [head]
    left, trusted = left_text(result.remaining), [f"reliability of {line}" for line in reliability_text(result.card)]
    ahead = outlook_lines(result.outlook)[:1]
    return [head, *trusted, *([f"left: {left}"] if left else []), *ahead]


def _account(account: dict[str, Any], price: float | None) -> str:
    """HTML of one account: questions left, rho left, share spent."""
    share = min(1.0, spent_share(account))
    left = f"rho {rho_text(account['remaining_rho'])} of {rho_text(account['cap_rho'])} left"
    parts = [questions_text(account["remaining_rho"], price), left, f"{share:.1%} spent"]
    bar = (
        f'<svg width="320" height="10" role="img" aria-label="{share:.1%} spent">'
        f'<rect class="track" width="320" height="10"/><rect class="bar" width="{320 * share:.1f}" height="10"/></svg>'
    )
    title = f"<p><b>{escape(_owner_text(account))}</b></p>"
    return title + bar + _line(" · ".join(filter(None, parts)))


def _table_of_dicts(title: str, rows: Sequence[dict[str, Any]]) -> str:
    """HTML table of dicts with the same keys; empty without rows."""
    if not rows:
        return ""
    heads = "".join(f"<th>{escape(name.replace('_', ' '))}</th>" for name in rows[0])
    body = ["".join(map(_text_cell, map(value_text, row.values()))) for row in rows]
    return _table(heads, body, f"<caption>{escape(title)}</caption>" if title else "")


def _text_cell(text: str) -> str:
    """HTML cell of a text; a short one stays on its line."""
    look = " class='short'" if len(text) <= SHORT_TEXT else ""
    return f"<td{look}>{escape(text)}</td>"


def _table(heads: str, rows: Iterable[str], caption: str = "") -> str:
    """HTML table of a header and rows of cells."""
    body = "".join(f"<tr>{cells}</tr>" for cells in rows)
    return f"<table>{caption}<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"


def _line(text: str) -> str:
    """Paragraph in faint type."""
    return f"<p class='faint'>{escape(text)}</p>"


def _notes(notes: list[str]) -> list[str]:
    """Return the notes as paragraphs."""
    return [_line(f"note: {note}") for note in notes]
