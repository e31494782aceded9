"""Commands that ask: query, explain, rehearse."""

from __future__ import annotations

from typing import Annotated

import typer

from passersby.cli.cli_options import (
    Catalog,
    Client,
    Confidence,
    Form,
    Ledger,
    Rho,
    Sql,
    SqlFile,
    TargetError,
    Written,
    opened,
    question,
)
from passersby.cli.output import Document, Format, console, write_json, write_result
from passersby.client.waiting import shown_waiting

RequestId = Annotated[
    str | None,
    typer.Option("--request-id", metavar="ID", help="Of this request: the same one is never charged twice."),
]

Generated = Annotated[bool, typer.Option("--sql", help="Show the SQL over the data too.")]


def query(
    sql: Sql = None,
    file: SqlFile = None,
    rho: Rho = None,
    target_error: TargetError = None,
    confidence: Confidence = None,
    request_id: RequestId = None,
    catalog: Catalog = "operator",
    client: Client = None,
    ledger: Ledger = None,
    form: Form = Format.TABLE,
) -> None:
    """Ask a question and pay for it; what was asked before is answered from store, for free.

    passersby query "SELECT mode, count(*) AS trips FROM trip GROUP BY mode"
    """
    text = question(sql, file)
    with opened(catalog, client, ledger, form) as connection:
        with shown_waiting():
            answer = connection.query(
                text, rho=rho, target_error=target_error, confidence=confidence, request_id=request_id
            )
        write_result(answer, form)


def explain(
    sql: Sql = None,
    file: SqlFile = None,
    generated: Generated = False,
    rho: Rho = None,
    target_error: TargetError = None,
    confidence: Confidence = None,
    catalog: Catalog = "operator",
    client: Client = None,
    ledger: Ledger = None,
    form: Written = Document.TABLE,
) -> None:
    """See a question's price, expected error, keys and bounds: no data is read, nothing is charged."""
    from passersby.result.display import show_explanation

    text = question(sql, file)
    with opened(catalog, client, ledger, form) as connection:
        explanation = connection.explain(text, rho=rho, target_error=target_error, confidence=confidence)
        if form is Document.JSON:
            write_json(explanation.to_wire())
        else:
            console().print(show_explanation(explanation, sql=generated))


def rehearse(
    sql: Sql = None,
    file: SqlFile = None,
    rho: Rho = None,
    target_error: TargetError = None,
    confidence: Confidence = None,
    catalog: Catalog = "operator",
    client: Client = None,
    ledger: Ledger = None,
    form: Form = Format.TABLE,
) -> None:
    """Run a question for free on made-up rows: the shape of the answer is real, its numbers mean nothing."""
    text = question(sql, file)
    with opened(catalog, client, ledger, form) as connection:
        with shown_waiting("Rehearsing: making up rows, and answering over them"):
            answer = connection.rehearse(text, rho=rho, target_error=target_error, confidence=confidence)
        write_result(answer, form)
