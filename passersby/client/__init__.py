"""Connections to an in-process catalog or to a server over HTTP.

connect(...) -> Connection.

Modules, each before those that import it:

    address, progress, remote, connection, connect.
"""
