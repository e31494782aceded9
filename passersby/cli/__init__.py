"""The command line.

Arguments -> output and an exit code.

Modules, each before those that import it:

    output, options, admin, analyst, demo, ledger, serve, steward, app.
"""
