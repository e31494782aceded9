"""passersby serve: HTTP, console and Flight SQL in front of one worker that holds the data. Needs the extra [server].

Requests -> responses at public times. Proof: engine/server/proofs.md#server.

Modules, each before those that import it:

    http, telemetry, worker, settings, storage, auth, service, routes, console, flight, app, host.
"""
