"""Engine dialects: everything that one engine's SQL says differently, in one class an engine.

The same nodes -> an engine's text. `engine` declares what differs and writes what does not; what a function or an
aggregate says in an engine is a form in its row of the allow-list (`dialect.functions`), which the dialect's emitter
reads.

Modules, each before those that import it:

    engine, duckdb, spark, dialects.
"""
