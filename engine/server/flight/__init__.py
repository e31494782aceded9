"""Flight SQL for BI tools. Needs the extra [flight].

Flight calls -> Arrow.

Modules, each before those that import it:

    commands, metadata, server.
"""
