"""Admission control of jobs: few run at the worker at once, the others wait without a thread, fairly by client."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from engine.server.worker.admission import AdmissionControl


class Way:
    """Jobs that enter admission control, and stay inside until they are released."""

    def __init__(self, at_once: int) -> None:
        self.gate, self.inside = AdmissionControl(at_once), list[str]()
        self._leave: dict[str, asyncio.Event] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def comes(self, names: Sequence[str]) -> None:
        """Start jobs; the first letter of each is its client."""
        for name in names:
            self._leave[name] = asyncio.Event()
            self._tasks[name] = asyncio.create_task(self._pass(name))
        await self._settle()

    async def leaves(self, name: str) -> None:
        self._leave[name].set()
        await self._settle()

    async def goes_away(self, name: str) -> None:
        self._tasks[name].cancel()
        await self._settle()

    async def _pass(self, name: str) -> None:
        async with self.gate.admitted(name[0]):
            self.inside.append(name)
            await self._leave[name].wait()
            self.inside.remove(name)

    async def _settle(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)


def test_admission_limits_running_jobs_fairly_between_clients() -> None:
    async def seen() -> None:
        way = Way(2)
        await way.comes(["a1", "a2", "a3", "a4"])
        assert way.inside == ["a1", "a2"]
        await way.comes(["b1", "b2"])
        assert way.inside == ["a1", "a2", "b1"], "who has none inside does not wait"
        await way.leaves("a1")
        assert way.inside == ["a2", "b1"], "two are enough of those who have some"
        await way.leaves("b1")
        assert way.inside == ["a2", "b2"], "who has fewest is next"
        await way.leaves("a2")
        assert way.inside == ["b2", "a3"], "who came first is next of those who have as many"
        await way.leaves("b2")
        await way.leaves("a3")
        await way.leaves("a4")
        assert not way.inside and not way.gate._admitted and not way.gate._waiting

    asyncio.run(seen())


def test_a_withdrawn_job_frees_its_place() -> None:
    async def seen() -> None:
        way = Way(1)
        await way.comes(["a1", "a2", "a3"])
        await way.goes_away("a2")  # while it waits
        await way.leaves("a1")
        assert way.inside == ["a3"]
        await way.comes(["a4"])
        await way.goes_away("a3")  # while it is inside
        assert way.inside[-1] == "a4"

    asyncio.run(seen())
