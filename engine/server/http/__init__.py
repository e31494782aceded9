"""The HTTP edge: models of requests and responses, problems, roles, size classes, OpenAPI.

ASGI -> typed requests; results -> responses.

Modules, each before those that import it:

    roles, requests, problems, sizes, responses, openapi, protocol.
"""
