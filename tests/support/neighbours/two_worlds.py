"""Neighbouring databases D and D': everything a request reveals, split into what noise may change and the rest.

The rest must be equal in both worlds: status, code and text of a refusal, schema, public keys and their order, charge
and remaining budget, notes, explanation, ledger entries, logs.
"""

from __future__ import annotations

import io
import json
import logging
import os
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from engine import Refused, Session, open_session
from tests.support.cached_in import cached_in
from tests.support.ledger.blank_ledger import blank_ledger
from tests.support.neighbours.attack_catalog import CANARIES, WORLDS, attack_catalog
from tests.support.tree import ROOT

CLIENT = "mallory"
ANSWERED = "A"
READING = (ANSWERED, "E_EXEC")  # outcomes for which data were read
NIGHTLY = bool(os.environ.get("PASSERSBY_NIGHTLY"))
_HEADER = re.compile(r"# (?P<number>\d+) (?P<outcome>\w+)(?: (?P<rows>private|noisy))?: (?P<why>.*)")
# Codes of notes that noise may add, by what noise decides of the rows. The product's own list is not used here, so that
# an error in it is found. A number can be NULL in every answer. Private keys can leave no group; a condition on noisy
# numbers (HAVING) can leave no row, of private or public keys. In all other answers the number of rows is equal in both
# worlds, so these two notes must be equal too.
_NOISY_NOTES = {
    None: ("null_ratio", "null_quantile", "may_be_nothing", "shrunk"),
    "private": ("null_ratio", "null_quantile", "may_be_nothing", "shrunk", "no_group"),
    "noisy": ("null_ratio", "null_quantile", "may_be_nothing", "shrunk", "no_group", "no_row"),
}
_NOTED = ("at", "request_id", "body", "row_hash")  # fields of a ledger entry that depend on the run
_HASHED = ("ledger_id", "digest")  # fields of its body that depend on the run


@dataclass(frozen=True)
class Attack:
    """One adversarial case."""

    number: str
    outcome: str  # A, or the code of the refusal
    rows: str | None  # part of the rows that may differ: None, private or noisy
    why: str
    sql: str


@dataclass(frozen=True)
class Seen:
    """Everything that one request revealed."""

    outcome: str
    static: dict[str, Any]  # what must be the same in both worlds
    noisy: dict[str, Any]  # released numbers, and with private keys or a noisy order all rows
    logged: str = ""  # logged, printed, or in chained exceptions
    is_repeatable: bool = True  # did the repeated query return the same numbers?

    def traces(self, attack: Attack) -> set[str]:
        """Find the victim's values in everything revealed, except those in the query's own text and noisy numbers."""
        shown = [v for values in self.noisy.get("values", {}).values() for v in values if isinstance(v, str)]
        text = json.dumps([self.static, shown, self.logged], default=str, ensure_ascii=False)
        text = text.replace(json.dumps(attack.sql, ensure_ascii=False)[1:-1], "").replace("9999-12-31", "")
        return {c for c in CANARIES if c not in attack.sql and re.search(rf"(?<![\w.]){c}(?![\w.])", text)}


def attacks() -> list[Attack]:
    """Read the cases of tests/sql/attacks.sql."""
    blocks = (ROOT / "tests" / "sql" / "attacks.sql").read_text(encoding="utf-8").strip("\n").split("\n\n")[1:]
    found = []
    for block in blocks:
        header, _, sql = block.partition("\n")
        parts = _HEADER.fullmatch(header)
        assert parts is not None and sql, f"no case: {block}"
        found.append(Attack(**parts.groupdict(), sql=sql))
    return found


COUNT = Attack("61", ANSWERED, None, "however many rows somebody has", "SELECT COUNT(*) FROM events")
BY_HOUR = replace(COUNT, sql="SELECT hour(ts), COUNT(*) FROM events GROUP BY 1")
BY_ZONE = replace(COUNT, sql="SELECT zone, COUNT(*) FROM events JOIN cells USING (cell_id) GROUP BY 1")


@contextmanager
def open_worlds(
    folder: Path, names: tuple[str, ...] = WORLDS, declared: Callable[[str], str] = str
) -> Iterator[dict[str, Session]]:
    """Open a session over each world's data; every request gets its own ledger. `declared` rewrites the catalog."""
    with ExitStack() as opened:
        paths = {world: attack_catalog(folder, world).path for world in names}
        for path in paths.values():
            Path(path).write_text(declared(Path(path).read_text(encoding="utf-8")), encoding="utf-8")
        with cached_in(folder / "cache"):
            worlds = {
                world: opened.enter_context(open_session(path, ledger=":memory:")) for world, path in paths.items()
            }
        yield worlds


@contextmanager
def with_empty_ledger(session: Session) -> Iterator[Session]:
    """Copy of a session with an empty ledger."""
    with blank_ledger() as ledger:
        yield replace(session, engine=replace(session.engine, ledger=ledger))


def _static_row(row: dict[str, Any]) -> dict[str, Any]:
    """Remove from a ledger entry what is specific to this run."""
    body = {name: value for name, value in json.loads(row["body"]).items() if name not in _HASHED}
    return {name: value for name, value in row.items() if name not in _NOTED} | {"said": body}


def observe(session: Session, attack: Attack, **options: Any) -> Seen:
    """Query with a new ledger, explain, query again, and read every list that a client can see."""
    with with_empty_ledger(session) as own, captured_output() as log:
        first = _query(own, attack, log, **options)
        again = _query(own, attack, log, **options)
        explained = _explained(own, attack.sql)
        lists = {
            "ledger": [_static_row(row) for row in own.ledger()],
            "history": [{k: v for k, v in row.items() if k != "settled_at"} for row in own.history(CLIENT)],
            "budget": own.budget(CLIENT),
        }
        static = {"first": first.static, "again": again.static, "explained": explained, **lists}
        return Seen(first.outcome, static, first.noisy, log.getvalue(), first.noisy == again.noisy)


def _query(session: Session, attack: Attack, log: io.StringIO, **options: Any) -> Seen:
    try:
        answer = session.query(attack.sql, client=CLIENT, **options)
    except Refused as refused:
        log.write("".join(_chain(refused)))
        return Seen(str(refused.problem["code"]), refused.problem, {})
    return Seen(ANSWERED, *split_answer(answer, attack.rows))


def _chain(error: BaseException | None) -> Iterator[str]:
    """Texts of an exception and its causes."""
    while error is not None:
        yield f"{error!r} {error.args!r}\n"
        error = error.__cause__ or error.__context__


def split_answer(answer: pa.Table, rows: str | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split an answer into what is equal in both worlds and what is noisy."""
    card = json.loads(answer.schema.metadata[b"passersby"])
    intervals = card.pop("intervals")
    judged = {"reliability": card.pop("reliability"), "advised": card.pop("advice") is not None}  # by noisy numbers
    judged["may_be_nothing"] = card.pop("may_be_nothing")
    if rows is not None:  # noise decides how many rows there are
        judged["selection"] = card.pop("selection")
    card["notes"] = notes_without_noise(card["notes"], card.pop("note_codes"), rows)
    shape = [(field.name, str(field.type)) for field in answer.schema]
    values = {name: answer.column(name).to_pylist() for name in answer.column_names}
    noise = {name for name in values if rows is not None or name in intervals}
    static = {"card": card, "columns": shape, "keys": {k: v for k, v in values.items() if k not in noise}}
    if rows is None:
        static["rows"] = answer.num_rows
    return static, {"values": {name: values[name] for name in noise}, "intervals": intervals, **judged}


def notes_without_noise(notes: list[str], codes: list[str], rows: str | None) -> list[tuple[str, str]]:
    """Pairs of a note and its code that must be equal in both worlds."""
    return [(note, code) for note, code in zip(notes, codes, strict=True) if code not in _NOISY_NOTES[rows]]


def _explained(session: Session, sql: str) -> dict[str, Any]:
    try:
        explanation = session.explain(sql, client=CLIENT)
        return explanation | {"made_from": [{**each, "settled_at": None} for each in explanation["made_from"]]}
    except Refused as refused:
        return refused.problem


@contextmanager
def captured_output() -> Iterator[io.StringIO]:
    """Capture everything that is logged or printed."""
    log = io.StringIO()
    handler = logging.StreamHandler(log)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        with redirect_stdout(log), redirect_stderr(log):
            yield log
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


@cache
def _first_of_each() -> frozenset[Attack]:
    """The first case of each code; all in nightly runs."""
    every = attacks()
    return frozenset(every if NIGHTLY else {attack.outcome: attack for attack in reversed(every)}.values())


def check_attack(
    attack: Attack, worlds: dict[str, Session], others: tuple[str, ...] | None = None, **options: Any
) -> None:
    """Run a case in every world; raises AssertionError if anything but noise differs.

    Cases refused before data are read run in two worlds only, except the first case of each code, and in nightly runs.
    """
    if others is None:
        others = ("D", "heavy", "refused") if attack.outcome in READING or attack in _first_of_each() else ("D",)
    without = observe(worlds["D'"], attack, **options)
    assert without.outcome == attack.outcome, without.static["first"]
    priced = attack.outcome == ANSWERED and without.static["first"]["card"]["price"]["rho"] > 0  # not only public rows
    assert bool(without.static["ledger"]) == priced, "a refusal is free, and so is what looks at nobody"
    assert without.is_repeatable, "the same question has one answer"
    for world in others:
        other = observe(worlds[world], attack, **options)
        assert other.outcome == without.outcome
        assert other.static == without.static
        assert other.traces(attack) <= without.traces(attack)  # a value in both worlds is not the victim's


def query_as_two_clients(session: Session) -> tuple[dict[str, Any], dict[str, Any]]:
    """Run the same query as two clients; returns both privacy cards."""
    with with_empty_ledger(session) as own:
        answers = [own.query(BY_ZONE.sql, client=client) for client in ("ann", "bob")]
    cards = [json.loads(answer.schema.metadata[b"passersby"]) for answer in answers]
    assert answers[0].column(1).to_pylist() == answers[1].column(1).to_pylist(), "one release, one result"
    return cards[0], cards[1]


def check_second_client(session: Session) -> None:
    ann, bob = query_as_two_clients(session)
    assert ann["price"] == bob["price"] != 0 and not bob["replayed"], (
        "who sees a release for the first time pays for it"
    )
    assert ann["remaining"]["dataset"] == bob["remaining"]["dataset"], "the dataset pays once"
    assert bob["remaining"]["client"] == ann["remaining"]["client"]
