"""The analyst's session: the engine in wire shapes, for HTTP and in-process use alike (docs/answers.md)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Required, Self, TypedDict, Unpack

import pyarrow as pa

from budgets import ParamError, check_client_name, check_name, parse_positive_amount
from dialect import Describe, ExplainPrivacy, Listing, Show, Statement, compile_query, parse_statement
from dialect.diagnostics import Kind
from engine.accounts.open_ledger import ledger_address, open_ledger
from engine.accounts.window_accounts import account_windows, check_window_lengths, least_remaining
from engine.api.wire import answer as wire_answer
from engine.api.wire import budget as wire_budget
from engine.api.wire import statements as wire_statements
from engine.api.wire import tables as wire_tables
from engine.catalog.bundled import find_catalog
from engine.catalog.folders import cache_folder
from engine.catalog.version import check_privacy_units
from engine.data.objections import CatalogObjections
from engine.data.open_data import open_data
from engine.errors import EngineKind, ExecutionFailed, TooLarge, refusals, refuse_before_charge
from engine.mechanism.gaussian import add_noise
from engine.pipeline.advice import find_advice
from engine.pipeline.engine import Engine
from engine.pipeline.explain import explain
from engine.pipeline.outlook import BudgetOutlook
from engine.pricing.clip_bounds.column_means import with_measured_columns
from engine.pricing.clip_bounds.histograms import ReloadedCalibrations
from engine.pricing.compile_release import CompiledRelease
from engine.pricing.query_terms import Request, caps, requested_error
from engine.progress import Progress, ignore_progress
from engine.reuse.sources import charged_releases

MAX_LEDGER_ROWS = 2**31 - 1  # rows


class RequestTerms(TypedDict, total=False):
    """Parameters of a request besides its SQL: client, and terms as text, so that decimals such as 0.1 stay exact."""

    client: Required[str]
    rho: str | None  # price
    target_error: str | None  # half-width of the intervals, instead of a price
    confidence: float | None
    request_id: str | None  # a request that is sent again under its id is charged once


def open_session(catalog_source: str, *, ledger: str | None = None, progress: Progress | None = None) -> Session:
    """Open a catalog by name or file, its data and its ledger.

    `ledger` is a file or a postgresql:// URL (created where missing), or ":memory:"; without it, the ledger in the
    user's data folder that belongs to this catalog file. Raises Refused with file, key and cure.
    """
    with refusals(), ExitStack() as resources:
        catalog = find_catalog(catalog_source, progress)
        backend = resources.enter_context(closing(open_data(catalog, cache_folder(), progress or ignore_progress)))
        address = ledger_address(catalog_source, ledger, catalog)
        opened_ledger = resources.enter_context(open_ledger(catalog_source, catalog, address))
        register = resources.enter_context(closing(CatalogObjections.open_with_ledger(catalog, address, opened_ledger)))
        calibrations = ReloadedCalibrations(opened_ledger, tuple(dataset.name for dataset in catalog.datasets))
        session = Session(
            Engine(catalog, backend, opened_ledger, add_noise, register.current_objectors, calibrations), register
        )
        session.check_caps()
        resources.pop_all()  # from here on the session closes them
    return session


@dataclass(frozen=True)
class Session:
    """An open engine with its register of objections: answers queries, and everything else analysts may request."""

    engine: Engine
    register: CatalogObjections | None = None  # register of objections; None in a rehearsal

    def query(self, sql: str, *, paid: tuple[CompiledRelease, ...] = (), **given: Unpack[RequestTerms]) -> pa.Table:
        """Answer a query; raises Refused.

        Returns the shown columns, one row per group, with the privacy card as JSON in the schema metadata
        (b"passersby").
        """
        terms = self.request_terms(sql, **given)
        with refusals(sql):
            if (parsed := parse_statement(sql)) is not None:
                return self._answer_statement(parsed, terms)
            answered = self.engine.answer(sql, terms, paid)
            get_advice = partial(find_advice, self.engine, answered.query, answered.reported)
            with self.engine.ledger.snapshot():
                outlook = self.engine.budget_outlook(answered.query, charged_releases(answered.sources))
                remaining = self._remaining_budget(terms, answered.prepared, outlook)
                return wire_answer.answer_table(answered, remaining, outlook, get_advice)

    def explain(self, sql: str, **given: Unpack[RequestTerms]) -> dict[str, Any]:
        """Price, expected errors, bounds and keys of a query. Reads no data, charges nothing; raises Refused."""
        terms = self.request_terms(sql, **given)
        with refusals(sql):
            if parse_statement(sql) is not None:
                raise EngineKind.FREE_STATEMENT.at()
            with self.engine.ledger.snapshot():
                explained = explain(self.engine, sql, terms)
                remaining = self._remaining_budget(terms, explained.prepared, explained.outlook)
                return wire_answer.explanation_shape(explained, remaining)

    @refusals()
    def budget(self, client: str | None = None) -> dict[str, Any]:
        """Accounts of every dataset: everybody's, those of this client's groups, its own; raises Refused."""
        return wire_budget.budget_shape(self.engine.ledger, self.engine.catalog, client, datetime.now(UTC))

    @refusals()
    def history(self, client: str) -> list[dict[str, Any]]:
        """List the releases that a client has paid for; raises Refused, also for a name that no client can have."""
        check_client_name(client)
        return [wire_budget.paid_release_shape(release) for release in self.engine.ledger.paid_releases(client)]

    @refusals()
    def ledger(self, client: str | None = None, limit: int | None = None) -> list[dict[str, Any]]:
        """List ledger rows, oldest first: all, or the last `limit`; raises Refused."""
        if limit is not None and not 0 < limit <= MAX_LEDGER_ROWS:
            raise ParamError(f"limit is {limit}.", f"a whole number from 1 to {MAX_LEDGER_ROWS}, or none.")
        return [wire_budget.entry_shape(entry) for entry in self.engine.ledger.entries(client=client, limit=limit)]

    @refusals()
    def tables(self, name: str | None = None) -> list[dict[str, Any]]:
        """Describe every table, or the one of that name; raises Refused where there is none."""
        catalog = with_measured_columns(self.engine.catalog, self.engine.calibrations)
        tables = catalog.tables
        found = [table for table in tables if name is None or table.name == name.strip().lower()]
        if not found:
            names = ", ".join(table.name for table in tables)
            raise Kind.UNKNOWN_TABLE.at(name=name, tables=names)
        return [wire_tables.table_shape(table, self.engine.catalog) for table in found]

    def rehearse(self, sql: str, **given: Unpack[RequestTerms]) -> pa.Table:
        """Answer a query for free on synthetic rows, generated from the catalog alone; raises Refused."""
        from engine.workflows.rehearsal import rehearsal  # late: rarely used

        terms = self.request_terms(sql, **given)
        with refusals(sql):
            catalog = with_measured_columns(self.engine.catalog, self.engine.calibrations)
            compile_query(sql, catalog)  # refuse before rows are generated
            with (
                refuse_before_charge(TooLarge.REHEARSAL),
                rehearsal(self.engine.catalog, self.engine.calibrations) as rehearsal_engine,
            ):
                answered = rehearsal_engine.answer(sql, terms)
                return wire_answer.answer_table(
                    answered, self._remaining_budget(terms, answered.prepared), None, rehearsal=True
                )

    def record_failure(self, sql: str, **given: Unpack[RequestTerms]) -> None:
        """Record a failure of a query that killed workers, unless it is answered by now; raises Refused (E_EXEC)."""
        terms = self.request_terms(sql, **given)
        with refusals(sql):
            query = self.engine.compile(self.engine.read(sql, terms.client), terms)
            sources = self.engine.release_sources(query)
            charge = self.engine.charge(sql, charged_releases(sources), terms)
            if charge is not None and charge.to_run:
                self.engine.ledger.record_failure(charge)
                raise ExecutionFailed

    def check_caps(self) -> None:
        """Refuse a catalog whose windows or privacy units differ from those charged, or whose ceilings were raised."""
        check_window_lengths(self.engine.ledger, self.engine.catalog)
        check_privacy_units(self.engine.ledger, self.engine.catalog)
        for dataset in self.engine.catalog.datasets:
            self.engine.ledger.check_caps(
                dataset.name, account_windows(self.engine.catalog, dataset), caps(dataset.budget)
            )

    def close(self) -> None:
        """Close the register, the ledger and the data."""
        if self.register is not None:
            self.register.close()
        self.engine.ledger.close()
        self.engine.backend.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()

    def request_terms(self, sql: str, **given: Unpack[RequestTerms]) -> Request:
        """Validate client, request id, price and target error of a query; raises Refused."""
        with refusals(sql):
            check_client_name(given["client"])
            request_id, rho = given.get("request_id"), given.get("rho")
            if request_id:
                check_name(request_id, "A request id")
            amount = None if rho is None else parse_positive_amount(rho, "rho")
            target = requested_error(given.get("target_error"), rho)
            return Request(given["client"], amount, given.get("confidence"), request_id, target)

    def _answer_statement(self, parsed: Statement, terms: Request) -> pa.Table:
        """Answer a statement other than SELECT: reads no data, costs nothing."""
        remaining = self._remaining_budget(terms, ())
        if isinstance(parsed, ExplainPrivacy):
            shape = wire_answer.explanation_shape(explain(self.engine, parsed.query, terms), remaining)
            return wire_statements.rows_table(
                wire_statements.explanation_rows(shape), wire_statements.EXPLANATION_COLUMNS, remaining
            )
        if isinstance(parsed, Describe):
            return wire_statements.describe_table(self.tables(parsed.table)[0], self.engine.catalog, remaining)
        return self._list_rows(parsed, terms.client, remaining)

    def _list_rows(self, show: Show, client: str, remaining: dict[str, Any]) -> pa.Table:
        """Answer a SHOW statement as a table: tables, budget, releases or functions."""
        list_rows: dict[Listing, Callable[[], list[dict[str, Any]]]] = {
            Listing.TABLES: self.tables,
            Listing.BUDGET: lambda: list(self.budget(client)["accounts"]),
            Listing.RELEASES: lambda: self.history(client),
            Listing.FUNCTIONS: wire_statements.function_rows,
        }
        rows = wire_statements.filter_like(list_rows[show.listing](), show.like)
        return wire_statements.rows_table(rows, wire_statements.LISTING_COLUMNS[show.listing], remaining)

    def _remaining_budget(
        self, terms: Request, prepared: tuple[CompiledRelease, ...], outlook: BudgetOutlook | None = None
    ) -> dict[str, Any]:
        """Least budget left to the client in the windows of a query; without one, of the first dataset.

        `outlook` = of the query, in the same snapshot.
        """
        name = prepared[0].plan.dataset if prepared else self.engine.catalog.datasets[0].name
        windows = {window for each in prepared for window in each.plan.charged_windows.windows}
        known = {} if outlook is None else outlook.outlook.views
        return least_remaining(self.engine.ledger, self.engine.catalog, name, terms.client, windows, known)
