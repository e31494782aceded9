"""The endpoints, by who uses them.

Typed requests -> responses.

Modules, each before those that import it:

    access, admin, alerts, jobs, analyst, readiness, health, middleware, sharing.
"""
