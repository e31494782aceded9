"""Sessions of browsers: 256 random bits in a cookie, a keyed hash in the books; each ends, and ends with its key.

Each form of a session has a token of its own, which is taken once.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

from engine.server.auth.keys import Keys, Principal, new_id, new_session
from engine.server.books import Books, later_text, now_text

HOURS = 8.0
NONCE = 32  # characters of a token that differ from form to form


@dataclass(frozen=True)
class Sessions:
    """The sessions of a server."""

    books: Books
    keys: Keys
    hours: float = HOURS

    def begin(self, key_id: str) -> str:
        """Begin the session of a key, and give its id, which is kept nowhere."""
        session = new_session()
        self.books.add_session(self._digest("session", session), key_id, later_text(hours=self.hours), now_text())
        return session

    def principal(self, session: str) -> Principal | None:
        """Say whose session this is; None where it was never begun, has ended, or its key has."""
        key_id = self.books.session_key(self._digest("session", session), now_text())
        return None if key_id is None else self.keys.principal_of(key_id)

    def end(self, session: str) -> None:
        """End a session."""
        self.books.end_session(self._digest("session", session))

    def form_token(self, session: str) -> str:
        """Make what one form of a session carries: no other site can know it, and no other form has it."""
        nonce = new_id()
        return f"{nonce}{self._of_form(session, nonce)}"

    def is_form_token(self, session: str, token: str) -> bool:
        """Tell whether a form is of this session."""
        nonce, sent = token[:NONCE], token[NONCE:]
        return hmac.compare_digest(self._of_form(session, nonce).encode(), sent.encode())

    def take_form(self, session: str, token: str) -> bool:
        """Take a form that is sent; tell whether it is sent for the first time, to any server of these books."""
        return self.books.take_form(
            self._digest("sent", f"{session}\0{token}"), later_text(hours=self.hours), now_text()
        )

    def _of_form(self, session: str, nonce: str) -> str:
        return self._digest("form", f"{session}\0{nonce}").hex()

    def _digest(self, use: str, session: str) -> bytes:
        return hmac.digest(self.keys.pepper, f"{use}\0{session}".encode(), hashlib.sha256)
