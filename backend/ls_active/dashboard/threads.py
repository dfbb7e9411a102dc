"""Where what blocks runs, so that nothing that is slow holds up anything else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from ls_active.errors import Busy

PATIENCE = 20.0
"""Seconds that a page may take; a queue's tasks are read from Label Studio meanwhile."""

T = TypeVar("T")


class Threads:
    """A few threads for each thing that is waited for; webhooks have others.

    A slow host of pictures keeps its own threads busy, and no button waits for it. A call that
    nobody waits for any more has its thread until it returns, so there are never more.
    """

    def __init__(self) -> None:
        self._records = ThreadPoolExecutor(4, "records")
        self._label_studio = ThreadPoolExecutor(4, "label-studio")
        self._media = ThreadPoolExecutor(4, "media")
        # matplotlib draws one at a time anyway.
        self._drawing = ThreadPoolExecutor(1, "drawing")

    async def read(self, call: Callable[..., T], *arguments: object) -> T:
        """Run what needs the records and Redis alone."""
        return await _run(self._records, call, *arguments)

    async def ask(self, call: Callable[..., T], *arguments: object) -> T:
        """Run what asks Label Studio as well."""
        return await _run(self._label_studio, call, *arguments)

    async def fetch(self, call: Callable[..., T], *arguments: object) -> T:
        """Run what gets a file from wherever a task says it is."""
        return await _run(self._media, call, *arguments)

    async def draw(self, call: Callable[..., T], *arguments: object) -> T:
        """Run what draws."""
        return await _run(self._drawing, call, *arguments)


async def _run(pool: ThreadPoolExecutor, call: Callable[..., T], *arguments: object) -> T:
    future = asyncio.get_running_loop().run_in_executor(pool, partial(call, *arguments))
    try:
        # One that still waits for a thread is cancelled, and never runs.
        async with asyncio.timeout(PATIENCE):
            return await future
    except TimeoutError:
        raise Busy(f"no answer within {PATIENCE:g} s; load the page again") from None
