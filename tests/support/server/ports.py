"""A free port for servers that need one before they listen."""

from __future__ import annotations

import contextlib
import random
import socket

BELOW = 32_768  # ephemeral ports begin here


def free_port() -> int:
    """Find a port that is not in use, and that the system gives to no outgoing connection meanwhile."""
    while True:
        port = random.SystemRandom().randrange(15_000, BELOW)
        with contextlib.suppress(OSError), socket.socket() as found:
            found.bind(("127.0.0.1", port))
            return port
