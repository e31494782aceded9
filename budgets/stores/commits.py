"""One commit for all who write at once: threads take turns in one transaction, and each returns when it is durable.

Whoever finds nobody waiting behind it commits for all before it. So one writer alone commits at once, and many share
the disk's flushes. The first works in the transaction itself, each other in a savepoint: one that fails takes its own
part back, and no other's.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

WHOLE = "whole_transaction"  # a savepoint that lives as long as the transaction in which the first part wrote
MOST_TOGETHER = 64  # parts of one transaction: other processes wait no longer than these take
TURN_SECONDS = 20.0


@dataclass(eq=False)
class Together:
    """One open transaction and what became of it."""

    connection: Connection
    parts: int = 1
    over: bool = False
    failure: BaseException | None = None


class SharedCommits:
    """The turns of one process's writers."""

    def __init__(self) -> None:
        """Begin with nobody writing."""
        mutex = threading.Lock()
        self._turn, self._over = threading.Condition(mutex), threading.Condition(mutex)
        self._busy = False  # somebody works in the transaction, or commits it
        self._waiting = 0
        self._open: Together | None = None

    @contextmanager
    def part(self, begin: Callable[[], Connection]) -> Iterator[Connection]:
        """Write a part of a transaction, begun where none is open; durable when this returns.

        Claim: what a part wrote is committed before its writer goes on, and a part that raises leaves nothing behind.
        Symbols: parts of one transaction, one at a time. Formula: who finds nobody waiting commits, all others wait for
        it. Source: proofs.md#one-commit-for-many. Raises what the part raises, and SQLAlchemyError.
        """
        self._take_turn()
        try:
            with self._first_part(begin) if self._open is None else self._next_part(self._open) as connection:
                yield connection
            mine = self._open
        finally:
            self._give_turn()
        if mine is not None:
            self._wait_for(mine)

    @contextmanager
    def _first_part(self, begin: Callable[[], Connection]) -> Iterator[Connection]:
        connection = begin()
        try:
            connection.exec_driver_sql(f"SAVEPOINT {WHOLE}")
            yield connection
        except BaseException:
            _abandon(connection)
            raise
        self._open = Together(connection)

    @contextmanager
    def _next_part(self, together: Together) -> Iterator[Connection]:
        """Work in a savepoint; one that can't be ended is gone, with all that was written before it."""
        nested = together.connection.begin_nested()
        try:
            yield together.connection
        except BaseException:
            _end(nested.rollback, together)
            raise
        if not _end(nested.commit, together):
            raise SQLAlchemyError("the part was lost") from together.failure
        together.parts += 1

    def _take_turn(self) -> None:
        with self._turn:
            self._waiting += 1
            given = False
            try:
                given = self._turn.wait_for(lambda: not self._busy, TURN_SECONDS)
            finally:
                self._waiting -= 1
                if not given:  # whoever relied on this one to commit, or to go on, must do it now
                    self._turn.notify()
                    self._over.notify_all()
            if not given:
                raise SQLAlchemyError("no turn to write")
            self._busy = True

    def _give_turn(self) -> None:
        """Commit if nobody waits who could, else let the next one write."""
        with self._turn:
            together = self._open
            ends = self._waiting == 0 or (together is not None and together.parts >= MOST_TOGETHER)
            last = together is not None and (ends or together.failure is not None)
            if not last:
                self._busy = False
                self._turn.notify()
        if last and together is not None:
            self._commit(together)

    def _commit(self, together: Together) -> None:
        """Commit what all wrote, if it is there: a store may undo a whole transaction by itself, and begin another.

        SQLite does so where the disk is full or can't be read, and then a commit of nothing succeeds.
        """
        try:
            if together.failure is None:
                _is_there(together.connection)
                together.connection.commit()
            else:
                together.connection.invalidate()
        except BaseException as failure:
            together.failure = failure
            together.connection.invalidate()  # what it holds open can't be told
            if not isinstance(failure, SQLAlchemyError):
                raise
        finally:
            _abandon(together.connection)
            with self._turn:
                together.over, self._open, self._busy = True, None, False
                self._turn.notify()
                self._over.notify_all()

    def _wait_for(self, together: Together) -> None:
        with self._over:
            self._over.wait_for(lambda: together.over or self._forsaken())
            forsaken = not together.over
            self._busy = self._busy or forsaken
        if forsaken:
            self._commit(together)
        if together.failure is not None:
            raise SQLAlchemyError("the shared commit failed") from together.failure

    def _forsaken(self) -> bool:
        """Tell whether everybody who could have committed gave up waiting for a turn."""
        return not self._busy and self._waiting == 0


def _is_there(connection: Connection) -> None:
    """Raise where the transaction is not the one that was begun."""
    connection.exec_driver_sql(f"RELEASE SAVEPOINT {WHOLE}")


def _end(how: Callable[[], None], together: Together) -> bool:
    """End a savepoint; where it is not there, nobody's part is."""
    try:
        how()
    except BaseException as failure:
        together.failure = failure
    return together.failure is None


def _abandon(connection: Connection) -> None:
    """Give a connection back; what was not committed is undone."""
    with suppress(SQLAlchemyError):
        connection.close()
