"""The analyst's session: the engine in wire shapes, for HTTP and in-process use alike (docs/answers.md)."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from functools import partial
from types import TracebackType
from typing import Any, Self

import pyarrow as pa

from budgets import LedgerError, ParamError, check_asker, parse_amount
from dialect import Code, Describe, ExplainPrivacy, Listing, Refusal, Show, Statement, read, statement
from engine.accounts.open import held, ledger_place
from engine.accounts.window_accounts import check_lengths, least_left, windows_of
from engine.api.wire import answer as wire
from engine.api.wire import budget as wire_budget
from engine.api.wire import ledger as wire_ledger
from engine.api.wire import statements as told
from engine.api.wire import tables as wire_tables
from engine.catalog.bundled import find_catalog
from engine.catalog.folders import cache_folder
from engine.catalog.version import check_units
from engine.data.objections import Register
from engine.data.open import open_data
from engine.errors import DataError, ExecutionFailed, uncharged
from engine.mechanism.gaussian import add_noise
from engine.pipeline.advice import advice
from engine.pipeline.engine import Engine
from engine.pipeline.explain import explain
from engine.pricing.norms.stored import Following
from engine.pricing.prepare import Prepared
from engine.pricing.terms import Asked, asked_error, caps
from engine.problems import Refused, problem, refusals
from engine.progress import Progress, ignore_progress
from engine.reuse.sources import bought_of

ASKED_IN_VAIN = (Refusal, LedgerError, ExecutionFailed)

MOST_LISTED = 2**31 - 1  # rows


def open_desk(where: str, *, ledger: str | None = None, progress: Progress | None = None) -> Desk:
    """Open a catalog by name or file, its data and its ledger.

    `ledger` is a file or a postgresql:// URL (created where missing), or ":memory:"; without it, the ledger in the
    user's data folder that belongs to this catalog file. Raises Refused with file, key and cure.
    """
    with refusals(), ExitStack() as opened:
        catalog = find_catalog(where, progress)
        backend = opened.enter_context(closing(open_data(catalog, cache_folder(), progress or ignore_progress)))
        place = ledger_place(where, ledger, catalog)
        kept = opened.enter_context(held(where, catalog, place))
        register = opened.enter_context(closing(Register.beside(catalog, place, kept)))
        known = Following(kept, tuple(dataset.name for dataset in catalog.datasets))
        desk = Desk(Engine(catalog, backend, kept, add_noise, register.current, known), register)
        desk.check_caps()
        opened.pop_all()  # from here on the session closes them
    return desk


@dataclass(frozen=True)
class Desk:
    """An open engine with its register of objections: answers queries, and everything else analysts may request."""

    engine: Engine
    register: Register | None = None  # register of objections; None in a rehearsal

    def query(
        self,
        sql: str,
        *,
        client: str,
        rho: str | None = None,
        confidence: float | None = None,
        request_id: str | None = None,
        target_error: str | None = None,
        paid: tuple[Prepared, ...] = (),
    ) -> pa.Table:
        """Answer a query; raises Refused.

        Returns the shown columns, one row per group, with the privacy card as JSON in the schema metadata
        (b"passersby"). `rho` is the price, `target_error` a half-width instead of it; both are texts.
        """
        asked = self.asked(sql, client, rho, confidence, request_id, target_error)
        try:
            if (beside := statement(sql)) is not None:
                return self._told(beside, asked)
            answered = self.engine.answer(sql, asked, paid)
            advised = partial(advice, self.engine, sql, answered.question, answered.told, asked)
            with self.engine.ledger.one_moment():
                ahead = self.engine.ahead(sql, answered.question, answered.prepared, asked)
                return wire.answered(answered, self._remaining(asked, answered.prepared), ahead, advised)
        except ASKED_IN_VAIN as error:
            raise Refused(problem(error, sql)) from error

    def explain(
        self,
        sql: str,
        *,
        client: str,
        rho: str | None = None,
        confidence: float | None = None,
        target_error: str | None = None,
    ) -> dict[str, Any]:
        """Price, expected errors, bounds and keys of a query. Reads no data, charges nothing; raises Refused."""
        asked = self.asked(sql, client, rho, confidence, None, target_error)
        try:
            if statement(sql) is not None:
                raise Refusal(Code.STMT, "This costs nothing: a query answers it for free.", "ask it, as it is")
            with self.engine.ledger.one_moment():
                explained = explain(self.engine, sql, asked)
                return wire.explained(explained, self._remaining(asked, explained.prepared))
        except ASKED_IN_VAIN as error:
            raise Refused(problem(error, sql)) from error

    @refusals()
    def budget(self, client: str | None = None) -> dict[str, Any]:
        """Accounts of every dataset: everybody's, those of this client's groups, its own; raises Refused."""
        return wire_budget.budget(self.engine.ledger, self.engine.catalog, client, datetime.now(UTC))

    @refusals()
    def history(self, client: str) -> list[dict[str, Any]]:
        """List the releases that a client has paid for; raises Refused, also for a name that no client can have."""
        check_asker(client)
        return [wire_ledger.paid(release) for release in self.engine.ledger.releases(client)]

    @refusals()
    def ledger(self, client: str | None = None, limit: int | None = None) -> list[dict[str, Any]]:
        """List ledger rows, oldest first: all, or the last `limit`; raises Refused."""
        if limit is not None and not 0 < limit <= MOST_LISTED:
            raise ParamError(f"limit is {limit}.", f"a whole number from 1 to {MOST_LISTED}, or none.")
        return [wire_ledger.entry(entry) for entry in self.engine.ledger.entries(client=client, limit=limit)]

    def tables(self, name: str | None = None) -> list[dict[str, Any]]:
        """Describe every table, or the one of that name; raises Refused where there is none."""
        known = self.engine.catalog.tables
        found = [table for table in known if name is None or table.name == name.strip().lower()]
        if not found:
            names = ", ".join(table.name for table in known)
            raise Refused(problem(Refusal(Code.TABLE, f"There is no table {name}.", f"one of {names}"), None))
        return [wire_tables.table(table, self.engine.catalog) for table in found]

    def rehearse(
        self,
        sql: str,
        *,
        client: str,
        rho: str | None = None,
        confidence: float | None = None,
        target_error: str | None = None,
    ) -> pa.Table:
        """Answer a query for free on synthetic rows, generated from the catalog alone; raises Refused."""
        from engine.workflows.rehearsal.engine import rehearsal  # late: rarely used

        asked = self.asked(sql, client, rho, confidence, None, target_error)
        try:
            read(sql, self.engine.catalog)  # refuse before rows are generated
            known = self.engine.calibrations
            with uncharged("The rehearsal can't be run"), rehearsal(self.engine.catalog, known) as stage:
                answered = stage.answer(sql, asked)
                return wire.answered(answered, self._remaining(asked, answered.prepared), None, rehearsal=True)
        except (Refusal, LedgerError, DataError) as error:
            raise Refused(problem(error, sql)) from error

    def give_up(self, sql: str, asked: Mapping[str, Any]) -> None:
        """Record a failure of a query that killed workers, unless it is answered by now; raises Refused (E_EXEC)."""
        terms = self.asked(sql, **asked)
        try:
            question = self.engine.read(sql, terms.client)
            ways = self.engine.ways(question, self.engine.prepare(question, terms), terms)
            charge = self.engine.charge(sql, bought_of(ways), terms)
            if charge is not None and charge.to_run:
                self.engine.ledger.failed(charge)
                raise ExecutionFailed
        except ASKED_IN_VAIN as error:
            raise Refused(problem(error, sql)) from error

    def check_caps(self) -> None:
        """Refuse a catalog whose windows or privacy units differ from those charged, or whose ceilings were raised."""
        check_lengths(self.engine.ledger, self.engine.catalog)
        check_units(self.engine.ledger, self.engine.catalog)
        for dataset in self.engine.catalog.datasets:
            self.engine.ledger.check_caps(dataset.name, windows_of(self.engine.catalog, dataset), caps(dataset))

    def close(self) -> None:
        """Close the register, the ledger and the data."""
        if self.register is not None:
            self.register.close()
        self.engine.ledger.close()
        self.engine.backend.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def asked(
        self,
        sql: str,
        client: str,
        rho: str | None = None,
        confidence: float | None = None,
        request_id: str | None = None,
        target_error: str | None = None,
    ) -> Asked:
        """Validate client, price and confidence level of a query; raises Refused."""
        try:
            check_asker(client)
            amount: Fraction | None = None if rho is None else parse_amount(rho, "rho")
            return Asked(client, amount, confidence, request_id, asked_error(target_error, rho))
        except (LedgerError, Refusal) as error:
            raise Refused(problem(error, sql)) from error

    def _told(self, beside: Statement, asked: Asked) -> pa.Table:
        """Answer a statement other than SELECT: reads no data, costs nothing."""
        left = self._remaining(asked, ())
        if isinstance(beside, ExplainPrivacy):
            shape = wire.explained(explain(self.engine, beside.question, asked), left)
            return told.listed(told.explanation(shape), told.EXPLAINED, left)
        if isinstance(beside, Describe):
            return told.described(self.tables(beside.table)[0], self.engine.catalog, left)
        return self._listed(beside, asked.client, left)

    def _listed(self, shown: Show, client: str, left: dict[str, Any]) -> pa.Table:
        listing = shown.listing
        if listing is Listing.TABLES:
            return told.listed(told.named_like(self.tables(), shown.like), told.TABLES, left)
        if listing is Listing.BUDGET:
            return told.listed(self.budget(client)["accounts"], told.ACCOUNTS, left)
        if listing is Listing.RELEASES:
            return told.listed(self.history(client), told.RELEASES, left)
        return told.listed(told.named_like(told.functions_told(), shown.like), told.FUNCTIONS, left)

    def _remaining(self, asked: Asked, prepared: tuple[Prepared, ...]) -> dict[str, Any]:
        name = prepared[0].plan.dataset if prepared else self.engine.catalog.datasets[0].name
        windows = {window for each in prepared for window in each.plan.touched.windows}
        return least_left(self.engine.ledger, self.engine.catalog, name, asked.client, windows)
