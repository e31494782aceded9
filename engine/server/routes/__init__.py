"""Endpoints of the HTTP server by role, their middleware, and background tasks.

Typed requests -> responses. Four modules have a router: admin, analyst, health, sharing. The others have none:
`access` authenticates and authorises a request and checks its rate; `middleware` limits bodies, sets headers, logs and
counts around every request; `jobs` runs queries that outlive their request; `alerts` and `readiness` run in the
background, watching budgets and the server's own parts.

Modules, each before those that import it:

    access, admin, alerts, jobs, analyst, health, middleware, sharing.
"""
