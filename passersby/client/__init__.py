"""Connections: to a catalog in process or to a server.

connect(...) -> Connection.

Modules, each before those that import it:

    address, progress, remote, connection, connect.
"""
