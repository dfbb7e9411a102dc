"""Where what blocks runs, so that nothing that is slow holds up anything else."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

import anyio
import anyio.to_thread

from ls_active.errors import Busy

PATIENCE = 20.0
"""Seconds that a page may take; a queue's tasks are read from Label Studio meanwhile."""

T = TypeVar("T")


class Threads:
    """A few threads for each thing that is waited for; webhooks have others.

    A slow host of pictures keeps its own threads busy, and no button waits for it.
    """

    def __init__(self) -> None:
        self._records = anyio.CapacityLimiter(4)
        self._label_studio = anyio.CapacityLimiter(4)
        self._media = anyio.CapacityLimiter(4)
        # matplotlib draws one at a time anyway.
        self._drawing = anyio.CapacityLimiter(1)

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


async def _run(limiter: anyio.CapacityLimiter, call: Callable[..., T], *arguments: object) -> T:
    try:
        with anyio.fail_after(PATIENCE):
            return await anyio.to_thread.run_sync(
                partial(call, *arguments), limiter=limiter, abandon_on_cancel=True
            )
    except TimeoutError:
        raise Busy(f"no answer within {PATIENCE:g} s; load the page again") from None
