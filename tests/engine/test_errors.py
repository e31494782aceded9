"""Failures during a release: clients see the same text for every class."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pyarrow as pa
import pytest

from budgets import LedgerError, UnsafeStore
from dialect.diagnostics.kinds import Kind
from engine.api.session import Session
from engine.errors import CatalogError, DataError, ExecutionFailed, Refused, redact
from engine.mechanism.gaussian import NoiseRefused
from engine.pipeline.engine import Engine
from tests.support.ledger.blank_ledger import blank_ledger

SQL = "SELECT zone, COUNT(*) AS n FROM visit GROUP BY zone"
STAGES = ("read", "noise", "store")
FAILURES: tuple[Callable[[], Exception], ...] = (
    ExecutionFailed,
    lambda: ExecutionFailed("OutOfMemoryException"),
    lambda: OverflowError("Z-SECRET"),
    MemoryError,
    lambda: pa.ArrowInvalid("Z-SECRET"),
    lambda: NoiseRefused(1.0, 1),
    lambda: Kind.UNKNOWN_FUNCTION.at(name="Z-SECRET", hint="Z-SECRET"),
    lambda: DataError("visit", "Z-SECRET", "Z-SECRET"),
    lambda: CatalogError("Z-SECRET", "", "", ""),
)


def failing(engine: Engine, stage: str, error: BaseException, monkeypatch: pytest.MonkeyPatch) -> Session:
    """A session whose engine fails at the given stage."""

    def fail(*_: object) -> None:
        raise error

    if stage == "read":
        monkeypatch.setattr(type(engine.backend), "run", fail)
    if stage == "store":
        monkeypatch.setattr("engine.pipeline.engine.release_to_bytes", fail)
    return Session(replace(engine, add_noise=fail) if stage == "noise" else engine)


def reported_failures(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, object]]:
    """Plant every failure at every stage; what clients see, and the class that is logged."""
    found = list[tuple[str, object]]()
    for stage in STAGES:
        for make in FAILURES:
            with blank_ledger() as ledger, monkeypatch.context() as broken:
                session = failing(replace(engine, ledger=ledger), stage, make(), broken)
                try:
                    session.query(SQL, client="ann")
                except Refused as refused:
                    assert [entry.kind for entry in ledger.entries(kind="failed")] == ["failed"]
                    assert isinstance(refused.__cause__, ExecutionFailed)
                    assert refused.__cause__.__context__ is None, "where the values are"
                    found.append((refused.__cause__.kind, refused.problem))
    return found


def test_no_failure_class_is_shown_to_clients(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    found = reported_failures(engine, monkeypatch)
    assert len(found) == len(STAGES) * len(FAILURES)
    assert {str(problem) for _, problem in found} == {str(found[0][1])}, "one text, to the byte"
    kinds = ["", "OutOfMemoryException", "OverflowError", "MemoryError", "ArrowInvalid", "NoiseRefused"]
    assert [kind for kind, _ in found] == [*kinds, "Refusal", "DataError", "CatalogError"] * len(STAGES)


def test_leaked_failure_classes_are_found(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: the original exception of a failed release is raised."""
    monkeypatch.setattr("engine.pipeline.engine.redact", lambda error: error)
    with pytest.raises((AssertionError, OverflowError)):
        test_no_failure_class_is_shown_to_clients(engine, monkeypatch)


def test_ledger_errors_are_shown_unchanged() -> None:
    unsafe: LedgerError = UnsafeStore("The register is not whole.", "the right one")
    assert redact(unsafe) is unsafe


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), SystemExit(1)])
@pytest.mark.parametrize("stage", STAGES)
def test_stopping_the_process_is_no_failure(
    stage: str, stop: BaseException, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with blank_ledger() as ledger, monkeypatch.context() as broken:
        session = failing(replace(engine, ledger=ledger), stage, stop, broken)
        with pytest.raises(type(stop)):
            session.query(SQL, client="ann")
        assert ledger.entries(kind="failed") == ()
