"""Alerts of budgets that are spent to 50, 80 or 100%: looked for beside the questions, written down, sent until taken.

What is sent is a client's name, a window and a share, and nothing else. No answer waits for it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.concurrency import run_in_threadpool

from engine.server.books import Row, later_text, now_text
from engine.server.logs import log
from engine.server.routes.delivery import channels_of
from engine.server.service import House

FIRST_PAUSE, LONGEST_PAUSE = 30.0, 3600.0  # seconds between two tries
MOST_TRIES = 30  # about a day
ALL = "all clients"

Channel = Callable[[Mapping[str, Any]], Awaitable[None]]


@dataclass
class Alerts:
    """The alerts of one server; servers that share a ledger send each alert once between them, where none dies."""

    house: House
    channels: Mapping[str, Channel]
    trouble: str | None = None  # the kind of what kept them from being looked for, or sent, last time

    @classmethod
    def of(cls, house: House) -> Alerts:
        """Send them where the settings say."""
        return cls(house, channels_of(house.settings))

    async def run(self) -> None:
        """Look and send, again and again, until cancelled."""
        while self.channels:
            try:
                await self.look()
                await self.send()
                self.trouble = None
            except Exception as failure:  # whatever it is, the next budget that is spent is told of
                self.trouble = type(failure).__name__
                log.warning("alerts wait", kind=self.trouble)
            await asyncio.sleep(self.house.settings.alert_seconds)

    async def look(self) -> None:
        """Write down what has passed a mark, once for each mark of each cap."""
        rows: list[Row] = []
        for passed in await self.house.do("marks"):
            said = {"client": passed["client"] or ALL, "window": passed["window"], "share": passed["mark"] / 100}
            row = {"about": json.dumps(passed, sort_keys=True), "said": json.dumps(said), "tries": 0}
            at = {"made_at": now_text(), "due_at": now_text()}
            rows += [{**row, **at, "channel": channel} for channel in self.channels]
        await run_in_threadpool(self.house.books.add_alerts, rows)

    async def send(self) -> None:
        """Send what is due, all at once; what is not taken is sent again later."""
        due = await run_in_threadpool(self.house.books.due_alerts, now_text(), MOST_TRIES)
        await asyncio.gather(*(self._send(row) for row in due if row["channel"] in self.channels))

    async def _send(self, row: Row) -> None:
        tries = row["tries"] + 1
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** row["tries"])
        change = self.house.books.change_alert
        if not await run_in_threadpool(change, row, tries=tries, due_at=later_text(seconds=pause)):
            return  # another server has it
        mine = {**row, "tries": tries}
        try:
            await self.channels[row["channel"]](json.loads(row["said"]))
        except Exception as failure:
            log.warning("alert not taken", channel=row["channel"], kind=type(failure).__name__)
            await run_in_threadpool(change, mine, problem=type(failure).__name__)
        else:
            await run_in_threadpool(change, mine, sent_at=now_text(), problem=None)


def is_open(row: Row) -> bool:
    """Tell whether an alert is still to be sent."""
    return row["sent_at"] is None and row["tries"] < MOST_TRIES
