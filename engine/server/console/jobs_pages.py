"""The pages of an analyst's own jobs: their states, their answers, and letting them go."""

from __future__ import annotations

import json

from fastapi import Response
from fastapi.responses import RedirectResponse

from engine.server.console.answer_pages import answer_page
from engine.server.console.visits import HEADERS, Visit
from engine.server.routes import analyst as asking

ROWS = 100  # jobs on the page, the newest


async def jobs(visit: Visit) -> Response:
    """List one's jobs, the newest first."""
    found = await asking.listed(visit.asker("GET", "/v1/jobs"), visit.request)
    return visit.page("jobs", jobs=found[::-1][:ROWS])


async def job(visit: Visit) -> Response:
    """Show how far a job is, and its answer where there is one."""
    job_id = visit.request.path_params["job_id"]
    told = await asking.job(job_id, visit.asker("GET", "/v1/jobs/{job_id}"), visit.request)
    row = await visit.request.app.state.jobs.find(visit.asker("GET", "/v1/jobs/{job_id}/result").name, job_id)
    asked = json.loads(row["body"])
    shown = {"job": told, "sql": asked["sql"], "rho": asked.get("rho") or "", "answer": None}
    if told["state"] != "done":
        return visit.page("job", **shown)
    return answer_page(visit, "job", bytes(row["rows"]), **shown)


async def cancel(visit: Visit) -> Response:
    """Let a job's answer go."""
    asker = visit.asker("DELETE", "/v1/jobs/{job_id}")
    await asking.cancel(visit.request.path_params["job_id"], asker, visit.request)
    return RedirectResponse("/console/jobs", 303, HEADERS)
