"""A client's connection: run queries, explain their price, inspect budget and history."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Self

from passersby.errors import RefusedError, error_from_problem
from passersby.result.result import Budget, Explanation, Functions, History, LedgerRows, Result, Tables

if TYPE_CHECKING:
    from engine import Session
    from passersby.client.remote import RemoteSession

Amount = str | int | float | Decimal


class Connection:
    """A client's connection to an in-process engine or a server. Close it, or use it as a context manager.

    Refusals are errors of `passersby.errors`; at a server each method may also raise AccessError or ServerError.
    """

    def __init__(self, client: str, *, session: Session | None = None, remote: RemoteSession | None = None) -> None:
        """Connect a client to an engine session in this process, or to a server."""
        self.client = client
        self._session, self._remote = session, remote

    def query(
        self,
        sql: str,
        *,
        rho: Amount | None = None,
        confidence: float | None = None,
        request_id: str | None = None,
        target_error: Amount | None = None,
    ) -> Result:
        """Run a query and pay for it; a query that this client ran before is answered from store, for free.

        `rho` is the privacy loss to spend, and `confidence` the coverage of the intervals for the clipped value; the
        catalog has defaults. `target_error`, instead of `rho`, spends the least that makes half-widths at most this
        large: 50, or "5%" of a stored answer of this client. The same `request_id` is charged only once. Raise
        RefusedError or BudgetError, which cost nothing, or ExecutionError, after which the charge stays.
        """
        with translate_errors():
            terms = _terms(rho, confidence, target_error)
            return Result(self._target().query(_text(sql), client=self.client, request_id=request_id, **terms))

    def explain(
        self,
        sql: str,
        *,
        rho: Amount | None = None,
        confidence: float | None = None,
        target_error: Amount | None = None,
    ) -> Explanation:
        """Return price, expected error, group keys, clip bounds and generated SQL of a query: no data, no charge.

        Raise RefusedError.
        """
        with translate_errors():
            terms = _terms(rho, confidence, target_error)
            return Explanation(self._target().explain(_text(sql), client=self.client, **terms))

    def rehearse(
        self,
        sql: str,
        *,
        rho: Amount | None = None,
        confidence: float | None = None,
        target_error: Amount | None = None,
    ) -> Result:
        """Run a query for free on synthetic rows made from the catalog alone; the numbers have no meaning.

        Raise RefusedError.
        """
        with translate_errors():
            terms = _terms(rho, confidence, target_error)
            return Result(self._target().rehearse(_text(sql), client=self.client, **terms))

    def run_standing(self, file: str | os.PathLike[str], *, early: bool = False) -> list[dict[str, Any]]:
        """Run each scheduled query of a file for every completed window not released yet; with `early`, for all.

        Raise RefusedError or ExecutionError, whose `details["outcomes"]` are the outcomes so far.
        """
        import engine

        with translate_errors():
            return engine.run_scheduled(self._in_process("standing questions"), os.fspath(file), early=early)

    def standing(self, name: str, *, file: str | os.PathLike[str] | None = None, window: str | None = None) -> Result:
        """Fetch the result of a scheduled query that this client may see: of a window, or the latest one.

        `file` has the scheduled queries, in process; a server has its own. Raise RefusedError.
        """
        with translate_errors():
            if (remote := self._scheduled_query_server(file)) is not None:
                return Result(remote.standing(name, window))
            import engine

            session = self._in_process("standing questions")
            return Result(engine.show_scheduled(session, _path(file), name, client=self.client, window=window))

    def standings(self, *, file: str | os.PathLike[str] | None = None) -> list[dict[str, Any]]:
        """List the scheduled queries that this client may see, with name, dataset and windows.

        `file` has them, in process; a server has its own. Raise RefusedError.
        """
        with translate_errors():
            if (remote := self._scheduled_query_server(file)) is not None:
                return remote.standings()
            import engine

            return engine.list_scheduled(self._in_process("standing questions"), _path(file), client=self.client)

    def budget(self) -> Budget:
        """Return what this client and the datasets have spent and have left; raise RefusedError."""
        with translate_errors():
            return Budget(self._target().budget(self.client))

    def history(self) -> History:
        """List the releases that this client has paid for, oldest first; repeating them is free. Raise RefusedError."""
        with translate_errors():
            return History(self._target().history(self.client))

    def ledger(self, *, client: str | None = None, limit: int | None = None) -> LedgerRows:
        """List the newest ledger entries, oldest first: all, or those of one client; raise RefusedError."""
        with translate_errors():
            return LedgerRows(self._target().ledger(client, limit))

    def tables(self, name: str | None = None) -> Tables:
        """List the tables and columns available to queries, or describe one table; raise RefusedError."""
        with translate_errors():
            return Tables(self._target().tables(name))

    def outlines(self, name: str) -> dict[str, Any]:
        """GeoJSON polygons of a public table, for maps; raise RefusedError."""
        with translate_errors():
            if self._remote is not None:
                return self._remote.outlines(name)
            import engine

            return engine.outlines(self._in_process("outlines"), name)

    def functions(self) -> Functions:
        """List the functions, aggregates and table functions that queries may use; raise RefusedError."""
        if self._remote is not None:  # stewards may list functions but not run queries
            with translate_errors():
                return Functions(self._remote.functions())
        return Functions(self.query("SHOW FUNCTIONS").arrow().to_pylist())

    def close(self) -> None:
        """Close the engine with its ledger, or the HTTP connection; closing twice is allowed."""
        opened, self._session, self._remote = self._session or self._remote, None, None
        if opened is not None:
            opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<passersby connection of {self.client!r}{'' if self._session or self._remote else ', closed'}>"

    def _target(self) -> Session | RemoteSession:
        target = self._session or self._remote
        if target is None:
            raise RefusedError("E_PARAM", "This connection is closed.", "open another one with passersby.connect")
        return target

    def _in_process(self, what: str) -> Session:
        """Return the in-process session; raise RefusedError for a server or a closed connection."""
        self._target()
        if self._session is None:
            why = f"A server does not offer {what} yet."
            raise RefusedError("E_PARAM", why, "ask where the catalog is: passersby.connect('catalog.toml')")
        return self._session

    def _scheduled_query_server(self, file: object) -> RemoteSession | None:
        """Return the server, if any; raise RefusedError if `file` is given to a server or missing in process."""
        if self._remote is not None and file is not None:
            raise RefusedError("E_PARAM", "A server has its own file of standing questions.", "leave file out")
        if self._session is not None and file is None:
            raise RefusedError("E_PARAM", "Nothing says which file has the standing questions.", "file='standing.toml'")
        return self._remote


@contextmanager
def translate_errors() -> Iterator[None]:
    """Translate the engine's refusals to errors of passersby.errors; a no-op if the engine is not loaded."""
    try:
        yield
    except Exception as raised:
        engine = sys.modules.get("engine")
        if engine is not None and isinstance(raised, engine.Refused):
            raise error_from_problem(raised.problem) from None
        raise


def _terms(rho: Amount | None, confidence: float | None, target_error: Amount | None) -> dict[str, Any]:
    """Terms of a query, with amounts as decimal text, so that 0.1 is exactly a tenth to the engine."""
    amounts = {"rho": rho, "target_error": target_error}
    return {"confidence": confidence} | {name: None if each is None else str(each) for name, each in amounts.items()}


def _text(sql: object) -> str:
    if not isinstance(sql, str):
        raise RefusedError("E_PARAM", f"A question is text, and no {type(sql).__name__}.", "'SELECT ...'")
    return sql


def _path(file: str | os.PathLike[str] | None) -> str | None:
    return None if file is None else os.fspath(file)
