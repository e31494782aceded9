"""The edge of HTTP: shapes of requests and responses, problems, roles, sizes, OpenAPI.

ASGI -> typed requests; results -> responses.

Modules, each before those that import it:

    texts, problems, roles, sizes, responses, openapi, protocol, requests.
"""
