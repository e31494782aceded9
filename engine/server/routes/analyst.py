"""Endpoints of analysts: queries, jobs, prices, budgets, the catalog."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import JSONResponse

from engine.errors import Refused
from engine.server.auth.keys import new_id
from engine.server.http.problems import Problem
from engine.server.http.requests import Name, QueryRequest
from engine.server.http.responses import (
    ARROW,
    JSON,
    Answer,
    Budget,
    Explanation,
    Function,
    Job,
    KeyOwner,
    Outlines,
    PaidRelease,
    ScheduledQuery,
    Table,
    answer_body,
)
from engine.server.routes.access import AuthorizedRequest, Caller
from engine.server.routes.jobs import BucketClock, Jobs, ServerJobs, clock_callback
from engine.server.storage import Row
from engine.server.worker.frames import Json

router = APIRouter(prefix="/v1")


async def _answer_writer(request: Request) -> Callable[[bytes], Response]:
    """Writer of an answer's rows in the media type that the request accepts; raises Problem with E_ACCEPT."""
    accepted = request.headers.get("accept", "*/*").lower().split(",")
    for kind in (part.partition(";")[0].strip() for part in accepted):
        if media_type := MEDIA_TYPES.get(kind):
            return lambda rows: Response(answer_body(rows, media_type), media_type=media_type)
    raise Problem("E_ACCEPT", "An answer comes as JSON or as an Arrow stream.", f"Accept: {JSON}, or {ARROW}")


AnswerWriter = Annotated[Callable[[bytes], Response], Depends(_answer_writer)]
MEDIA_TYPES = {ARROW: ARROW, JSON: JSON, "*/*": JSON, "application/*": JSON}  # by what a request accepts
ANSWER_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"model": Answer, "content": {ARROW: {"schema": {"type": "string", "format": "binary"}}}}
}
JOB_RESPONSE: dict[int | str, dict[str, Any]] = {202: {"model": Job, "description": "It goes on as a job."}}
IdempotencyKey = Annotated[Name | None, Header(description="The same key is charged once, however often it is sent.")]
Preference = Annotated[
    Name | None,
    Header(description="RFC 7240. respond-async: do not wait, give a job. wait=3: wait so many seconds first."),
]
WAIT_PREFERENCE = re.compile(r"\bwait=(\d{1,6})\b")
Window = Annotated[Name | None, Query(description="Which; without, the last that is released.")]
Client = Annotated[Name | None, Query(description="Whose; an analyst sees its own alone.")]


@router.post("/queries", responses={**ANSWER_RESPONSES, **JOB_RESPONSE}, response_model=None, operation_id="query")
async def query(
    asked: QueryRequest,
    asker: Caller,
    jobs: ServerJobs,
    write: AnswerWriter,
    idempotency_key: IdempotencyKey = None,
    prefer: Preference = None,
    run_async: Annotated[bool, Query(alias="async", description="The same as Prefer: respond-async.")] = False,
) -> Response:
    """Submit a query and pay for it. A query that you submitted before is replayed, for free."""
    deadline = 0.0 if run_async else wait_seconds(prefer, asker.service.settings.deadline_seconds)
    outcome = await answer_or_job(asked, asker, jobs, idempotency_key, deadline)
    if isinstance(outcome, bytes):
        return write(outcome)
    return JSONResponse(jobs.wire_shape(outcome), 202, {"Location": f"/v1/jobs/{outcome['id']}"})


async def answer_or_job(
    body: QueryRequest, caller: AuthorizedRequest, jobs: Jobs, request_id: str | None, deadline: float
) -> bytes | Row:
    """Run a query; return its rows, or a job after `deadline` seconds; raises Refused, Problem."""
    arguments = {**session_arguments(body, caller), "request_id": request_id}
    caller.service.metrics.questions.labels("waiting" if deadline else "job").inc()
    if not deadline:
        return await jobs.submit(caller.name, request_id, arguments)
    clock: BucketClock = []
    name = request_id or f"job-{new_id()}"  # names the query in the queue, and the job it may become
    task = asyncio.create_task(caller.service.run_query(arguments, clock_callback(clock), name))
    done, _ = await asyncio.wait({task}, timeout=deadline)
    if not done:  # past the deadline: a job takes over the running query
        task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        return await jobs.continue_as_job(caller.name, name, arguments, (task, clock))
    return task.result()


@router.get("/jobs", response_model=list[Job], operation_id="jobs")
async def listed(asker: Caller, jobs: ServerJobs) -> list[dict[str, Any]]:
    """List your jobs, oldest first."""
    return await jobs.listed(asker.name)


@router.get("/jobs/{job_id}", response_model=Job, operation_id="job")
async def job(job_id: Name, asker: Caller, jobs: ServerJobs) -> dict[str, Any]:
    """Show the state and progress of a job. Progress is measured against its public time."""
    return jobs.wire_shape(await jobs.find(asker.name, job_id))


@router.get("/jobs/{job_id}/result", responses=ANSWER_RESPONSES, response_model=None, operation_id="result")
async def result(job_id: Name, asker: Caller, jobs: ServerJobs, write: AnswerWriter) -> Response:
    """Return a job's answer; refused as its query was, or while there is none.

    A client that was removed, or frozen in all datasets, gets none.
    """
    row = await jobs.find(asker.name, job_id)
    await asker.call("check_standing", client=asker.name)
    if row["state"] == "done":
        return write(bytes(row["rows"]))
    if row["state"] == "refused":
        added = ("type", "title", "status", "detail")  # by problem_body
        raise Refused({name: value for name, value in jobs.wire_shape(row)["problem"].items() if name not in added})
    after = {"Retry-After": "1"} if row["state"] != "cancelled" else None
    raise Problem("E_STATE", f"This job is {row['state']}.", "GET /v1/jobs/ID until its state is done", headers=after)


@router.delete("/jobs/{job_id}", response_model=Job, operation_id="cancel")
async def cancel(job_id: Name, asker: Caller, jobs: ServerJobs) -> dict[str, Any]:
    """Cancel a job. What was charged stays charged, and submitting the same query again is free."""
    return jobs.wire_shape(await jobs.cancel(asker.name, job_id))


@router.post("/explain", responses={200: {"model": Explanation}}, operation_id="explain")
async def explain(asked: QueryRequest, asker: Caller) -> Json:
    """Price, expected error, keys, contribution bounds and generated SQL of a query, without data or charge."""
    return await asker.call("explain", **session_arguments(asked, asker))


@router.post("/rehearse", responses=ANSWER_RESPONSES, response_model=None, operation_id="rehearse")
async def rehearse(asked: QueryRequest, asker: Caller, write: AnswerWriter) -> Response:
    """Answer for free on synthetic rows, generated from the catalog alone. The numbers mean nothing."""
    with asker.service.limits.long_call(asker.name):
        return write(await asker.call("rehearse", **session_arguments(asked, asker)))


@router.get("/standing", response_model=list[ScheduledQuery], operation_id="standings")
async def standings(asker: Caller) -> Json:
    """List the scheduled queries that you are entitled to see."""
    return await asker.call("standings", client=asker.name)


@router.get("/standing/{name}", responses=ANSWER_RESPONSES, response_model=None, operation_id="standing")
async def standing(name: Name, asker: Caller, write: AnswerWriter, window: Window = None) -> Response:
    """Return a scheduled query's answer, for free: of a window, or of the latest that is released."""
    return write(await asker.call("standing", name=name, window=window, client=asker.name))


@router.get("/budget", response_model=Budget, operation_id="budget")
async def budget(asker: Caller, client: Client = None) -> Json:
    """Show what is spent and left: of a client and all clients, or of every client without a name."""
    return await asker.call("budget", client=asker.visible_client(client))


@router.get("/history", response_model=list[PaidRelease], operation_id="history")
async def history(asker: Caller, client: Client = None) -> Json:
    """List the releases that a client has paid for, oldest first."""
    whose = asker.visible_client(client)
    if whose is None:
        raise Problem("E_PARAM", "Whose history?", "?client=NAME")
    return await asker.call("history", client=whose)


@router.get("/tables", response_model=list[Table], operation_id="tables")
async def tables(asker: Caller) -> Json:
    """List the tables and columns that can be queried."""
    return await asker.call("tables")


@router.get("/tables/{name}", response_model=Table, operation_id="table")
async def table(name: Name, asker: Caller) -> Json:
    """Describe one table."""
    async with asker.as_not_found("tables", "name", name.strip().lower()):
        return (await asker.call("tables", name=name))[0]


@router.get("/tables/{name}/outlines", response_model=Outlines, operation_id="outlines")
async def outlines(name: Name, asker: Caller) -> Json:
    """GeoJSON polygons of a public table, for maps."""
    async with asker.as_not_found("tables", "name", name.strip().lower()):
        return await asker.call("outlines", name=name)


@router.get("/functions", response_model=list[Function], operation_id="functions")
async def functions(asker: Caller) -> Json:
    """List functions, aggregates and table functions."""
    return await asker.call("functions")


@router.get("/me", response_model=KeyOwner, operation_id="me")
async def me(asker: Caller) -> Json:
    """Show the name and role of your key."""
    return {"name": asker.name, "role": asker.principal.role, "key_id": asker.principal.key_id}


def wait_seconds(prefer: str | None, deadline_seconds: float) -> float:
    """Seconds to wait for an answer: the deadline, or less if the Prefer header says so."""
    wanted_wait = WAIT_PREFERENCE.search(prefer or "")
    if wanted_wait:
        return min(float(wanted_wait[1]), deadline_seconds)
    return 0.0 if "respond-async" in (prefer or "") else deadline_seconds


def session_arguments(body: QueryRequest, caller: AuthorizedRequest) -> dict[str, Any]:
    """Arguments of a query for the session; raises Problem with E_SIZE."""
    caller.check_length(body.sql)
    return {**body.model_dump(), "client": caller.name}
