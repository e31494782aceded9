"""The OpenAPI document against the server: any request, valid or not, gets a documented response; no 5xx."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import hypothesis
import pytest
import schemathesis
from schemathesis import checks
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from engine import Session
from engine.server.http.roles import OPEN, RULES, Role, Scope
from engine.server.worker.pacing import PacedEngine, ResponsePacing
from tests.conftest import NIGHTLY
from tests.engine.server.http.test_roles import SENT
from tests.support.ledger.blank_ledger import blank_ledger
from tests.support.server.serving import TestServer, bearer, inhabited

EXAMPLES = 300 if NIGHTLY else 4
CHECKS = [checks.not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
ENDPOINTS = [*RULES, *sorted(OPEN - {("GET", "/openapi.json")})]


@pytest.fixture(scope="module")
def shared(town_session: Session) -> Iterator[TestServer]:
    """One served session for all examples; the limit of jobs blocks none of them."""
    with blank_ledger() as ledger:
        engine = PacedEngine.of(replace(town_session.engine, ledger=ledger), ResponsePacing(least_seconds=0.001))
        with inhabited(replace(town_session, engine=engine), rate="1000000/second", jobs_per_client=10**6) as served:
            yield served


@pytest.fixture(scope="module")
def schema(shared: TestServer) -> Any:
    return schemathesis.openapi.from_dict(shared.client.app.openapi())  # type: ignore[attr-defined]


@pytest.mark.parametrize(("method", "path"), ENDPOINTS)
def test_every_response_conforms_to_the_openapi_document(
    schema: Any, shared: TestServer, method: str, path: str
) -> None:
    rule = RULES.get((method, path))
    role = next(role for role in Role if rule is None or rule.scope_of(role) is not Scope.NONE)

    operation = schema[path][method]
    fits, fits_not = (operation.as_strategy(generation_mode=mode) for mode in schemathesis.GenerationMode)

    @hypothesis.settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(hypothesis.HealthCheck))
    @hypothesis.given(case=fits | fits_not)
    def check(case: Any) -> None:
        sent = case.as_transport_kwargs(base_url="http://testserver")
        headers = {**dict(sent.pop("headers", {})), **bearer(shared.keys[role])}
        sent.pop("cookies", None)  # none is read
        case.validate_response(shared.client.request(**sent, headers=headers), checks=CHECKS)

    check()


def test_every_body_of_the_matrix_fits_the_document(schema: Any) -> None:
    for (method, path), sent in SENT.items():
        if sent.json is not None:
            operation = schema[path][method]
            assert operation.body, (method, path)


def test_the_document_names_roles_and_refusals(shared: TestServer) -> None:
    document = shared.client.get("/openapi.json").json()
    for (method, path), rule in RULES.items():
        operation = document["paths"][path][method.lower()]
        assert operation["security"] == [{"key": []}]
        named = {role for role in Role if f"{role} (" in operation["description"]}
        assert named == {role for role in Role if rule.scope_of(role) is not Scope.NONE}
        for code in ("401", "403", "429"):
            assert operation["responses"][code]["content"].keys() == {"application/problem+json"}
    ids = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
    assert len(ids) == len(set(ids))
