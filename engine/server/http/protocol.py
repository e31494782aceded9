"""uvicorn's HTTP/1.1 protocol with time limits for receiving a request."""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

RECEIVE_SECONDS = {h11.IDLE: 20.0, h11.SEND_BODY: 60.0}  # to send a whole head, and then a whole body


class BoundedProtocol(H11Protocol):
    """Closes a connection whose client is too slow to send a head or a body. Idle time is left to uvicorn."""

    _timed_part: Any = None  # the part being received, as a state of h11
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Start the timer of the first head."""
        super().connection_made(transport)
        self._start_timer(h11.IDLE)

    def data_received(self, data: bytes) -> None:
        """Start the timer of the part that has begun."""
        super().data_received(data)
        self._start_timer(self.conn.their_state)

    def on_response_complete(self) -> None:
        """Start the timer of the rest of a body that was not read."""
        super().on_response_complete()
        if self.conn.their_state is not h11.IDLE:
            self._start_timer(self.conn.their_state)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timer."""
        self._start_timer(None)
        super().connection_lost(exc)

    def _start_timer(self, part: Any) -> None:  # noqa: ANN401  h11's states are classes of their own kind
        """Start the timer of a part of the request, unless it runs already."""
        if part is self._timed_part:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timed_part, seconds = part, RECEIVE_SECONDS.get(part)
        self._timer = None if seconds is None else self.loop.call_later(seconds, self._time_out)

    def _time_out(self) -> None:
        self._timer = None
        if not self.transport.is_closing():
            self.transport.close()
