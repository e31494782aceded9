"""A client at a catalog: what can be asked, what it costs, and what was answered."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from passersby.errors import RefusedError, error_of
from passersby.result.explanation import Explanation
from passersby.result.listing import Budget, Functions, History, LedgerRows, Tables
from passersby.result.result import Result

if TYPE_CHECKING:
    from engine import Desk
    from passersby.client.remote import Remote

Amount = str | int | float | Decimal


class Connection:
    """What `passersby.connect` gives; close it, or use it as a context manager.

    What it refuses is an error of `passersby.errors`; at a server each method may raise AccessError or ServerError too.
    """

    def __init__(self, client: str, *, near: Desk | None = None, far: Remote | None = None) -> None:
        """Speak on behalf of one client to the engine's face, which is near, or to a server, which is far."""
        self.client = client
        self._near, self._far = near, far

    def query(
        self,
        sql: str,
        *,
        rho: Amount | None = None,
        confidence: float | None = None,
        request_id: str | None = None,
        target_error: Amount | None = None,
    ) -> Result:
        """Ask a question and pay for it; a question that this client asked before is answered from store, for free.

        `rho` is the privacy loss to spend, `confidence` the share of intervals that hold the bounded value; the catalog
        has defaults. `target_error`, instead of `rho`, buys the least that makes half-widths at most so large: 50, or
        "5%" of an answer that this client holds. The same `request_id` is never charged twice. Raise RefusedError or
        BudgetError, which cost nothing, or ExecutionError, after which the charge stays.
        """
        with as_errors():
            return Result(
                self._open().query(
                    _text(sql),
                    client=self.client,
                    rho=_decimal(rho),
                    confidence=confidence,
                    request_id=request_id,
                    target_error=_decimal(target_error),
                )
            )

    def explain(
        self,
        sql: str,
        *,
        rho: Amount | None = None,
        confidence: float | None = None,
        target_error: Amount | None = None,
    ) -> Explanation:
        """Tell the price, the expected error, keys, bounds and generated SQL of a question: no data, no charge.

        Raise RefusedError.
        """
        with as_errors():
            given = {"rho": _decimal(rho), "target_error": _decimal(target_error)}
            return Explanation(self._open().explain(_text(sql), client=self.client, confidence=confidence, **given))

    def rehearse(
        self,
        sql: str,
        *,
        rho: Amount | None = None,
        confidence: float | None = None,
        target_error: Amount | None = None,
    ) -> Result:
        """Answer a question for free on synthetic rows, made from the catalog alone; the numbers mean nothing.

        Raise RefusedError.
        """
        with as_errors():
            given = {"rho": _decimal(rho), "target_error": _decimal(target_error)}
            return Result(self._open().rehearse(_text(sql), client=self.client, confidence=confidence, **given))

    def plan(self, text: str, *, rho: Amount, confidence: float | None = None, apply: bool = False) -> dict[str, Any]:
        """Plan questions, with ; between them, for a total price; with `apply`, buy what was planned.

        Give `ask_at_rho`, at which each is free, and of each question its price and half-widths alone and as planned.
        Raise RefusedError, BudgetError or ExecutionError. With `apply` their `details["charged_rho"]` is what was
        charged until then, also for a question that was not answered: it is paid, and the same plan goes on there.
        """
        text = _text(text)
        with as_errors():
            if self._far is not None:
                return self._far.plan(text, client=self.client, rho=str(rho), confidence=confidence, apply=apply)
            import engine

            here = self._here("plans")
            return engine.plan_workload(
                here, text, client=self.client, rho=str(rho), confidence=confidence, apply=apply
            )

    def run_standing(self, file: str | os.PathLike[str], *, early: bool = False) -> list[dict[str, Any]]:
        """Release each standing question of a file in each window that is over and in which it is not; `early`, in all.

        Raise RefusedError or ExecutionError, whose `details["outcomes"]` are those until then.
        """
        import engine

        with as_errors():
            return engine.run_standing(self._here("standing questions"), os.fspath(file), early=early)

    def standing(self, name: str, *, file: str | os.PathLike[str] | None = None, window: str | None = None) -> Result:
        """See a standing question that this client is entitled to: of a window, or of the last one released.

        `file` has the standing questions, in process; a server has one of its own. Raise RefusedError.
        """
        with as_errors():
            if (far := self._server_of_standing(file)) is not None:
                return Result(far.standing(name, window))
            import engine

            here = self._here("standing questions")
            return Result(engine.show_standing(here, _path(file), name, client=self.client, window=window))

    def standings(self, *, file: str | os.PathLike[str] | None = None) -> list[dict[str, Any]]:
        """List the standing questions that this client is entitled to: name, dataset and windows of each.

        `file` has them, in process; a server has one of its own. Raise RefusedError.
        """
        with as_errors():
            if (far := self._server_of_standing(file)) is not None:
                return far.standings()
            import engine

            return engine.list_standing(self._here("standing questions"), _path(file), client=self.client)

    def budget(self) -> Budget:
        """Tell what is spent and left, of this client's accounts and of the datasets'; raise RefusedError."""
        with as_errors():
            return Budget(self._open().budget(self.client))

    def history(self) -> History:
        """List the releases that this client has paid for, oldest first, free to ask again; raise RefusedError."""
        with as_errors():
            return History(self._open().history(self.client))

    def ledger(self, *, client: str | None = None, limit: int | None = None) -> LedgerRows:
        """List the last rows of the ledger, oldest first: everybody's, or one client's; raise RefusedError."""
        with as_errors():
            return LedgerRows(self._open().ledger(client, limit))

    def tables(self, name: str | None = None) -> Tables:
        """List the tables and columns that may be asked about: all, or all about the one named; raise RefusedError."""
        with as_errors():
            return Tables(self._open().tables(name))

    def outlines(self, name: str) -> dict[str, Any]:
        """Give the polygons of a public table as GeoJSON, for maps; raise RefusedError."""
        with as_errors():
            if self._far is not None:
                return self._far.outlines(name)
            import engine

            return engine.outlines(self._here("outlines"), name)

    def functions(self) -> Functions:
        """List the functions, aggregates and table functions that a question may use; raise RefusedError."""
        if self._far is not None:  # to stewards too, who ask nothing
            with as_errors():
                return Functions(self._far.functions())
        return Functions(self.query("SHOW FUNCTIONS").arrow().to_pylist())

    def close(self) -> None:
        """Close the engine and its ledger, or the line to the server; closing twice is no error."""
        desk, self._near, self._far = self._near or self._far, None, None
        if desk is not None:
            desk.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<passersby connection of {self.client!r}{'' if self._near or self._far else ', closed'}>"

    def _open(self) -> Desk | Remote:
        desk = self._near or self._far
        if desk is None:
            raise RefusedError("E_PARAM", "This connection is closed.", "open another one with passersby.connect")
        return desk

    def _here(self, what: str) -> Desk:
        """Give the engine's face; raise RefusedError where it is far away, or closed."""
        self._open()
        if self._near is None:
            why = f"A server does not offer {what} yet."
            raise RefusedError("E_PARAM", why, "ask where the catalog is: passersby.connect('catalog.toml')")
        return self._near

    def _server_of_standing(self, file: object) -> Remote | None:
        """Give the server, where this speaks to one; raise RefusedError for a file that it has, or that is missing."""
        if self._far is not None and file is not None:
            raise RefusedError("E_PARAM", "A server has its own file of standing questions.", "leave file out")
        if self._near is not None and file is None:
            raise RefusedError("E_PARAM", "Nothing says which file has the standing questions.", "file='standing.toml'")
        return self._far


@contextmanager
def as_errors() -> Iterator[None]:
    """Turn what the engine refuses into the door's own errors; where it was never loaded, it refuses nothing."""
    try:
        yield
    except Exception as raised:
        engine = sys.modules.get("engine")
        if engine is not None and isinstance(raised, engine.Refused):
            raise error_of(raised.problem) from None
        raise


def _decimal(amount: Amount | None) -> str | None:
    """Give an amount as its decimal text, so that 0.1 is a tenth; the engine reads it exactly."""
    return None if amount is None else str(amount)


def _text(sql: object) -> str:
    if not isinstance(sql, str):
        raise RefusedError("E_PARAM", f"A question is text, and no {type(sql).__name__}.", "'SELECT ...'")
    return sql


def _path(file: str | os.PathLike[str] | None) -> str | None:
    return None if file is None else os.fspath(file)
