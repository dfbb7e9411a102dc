"""Request bodies: each within a limit, all together within another, and none for ever."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from io import BytesIO

import anyio
from starlette.requests import Request

from ls_active.errors import Busy, PayloadTooLarge, RequestTooSlow

BODY_SECONDS = 120.0
"""For a body to arrive; Label Studio waits less than that for its answer."""

SMALL = 2**16
"""Bytes of each body that count for nothing: hints come through whatever else is on its way."""


class Bodies:
    """Reads bodies, and knows how much of them is held.

    Parameters
    ----------
    most : int
        Bytes held at once; each from when it arrives until its request is answered.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._held = 0

    @asynccontextmanager
    async def read(self, request: Request, limit: int) -> AsyncIterator[bytes]:
        """Hold a request's body while its answer is made.

        Raises
        ------
        PayloadTooLarge
            It is longer than `limit` bytes, by what the header says or by what arrives.
        Busy
            Too much is held already.
        RequestTooSlow
            Not all of it came in time.
        """
        too_large = PayloadTooLarge(
            f"the body is longer than {limit // 2**20} MiB: MAX_BODY_MB, or 16 for a webhook"
        )
        told = request.headers.get("content-length", "")
        if told.isdecimal() and (len(told) > 18 or int(told) > limit):
            raise too_large
        body = BytesIO()
        try:
            with _in_time():
                async for chunk in request.stream():
                    if body.tell() + len(chunk) > limit:
                        raise too_large
                    self._take(body, chunk)
            yield body.getvalue()
        finally:
            self._held -= _counted(body.tell())

    def _take(self, body: BytesIO, chunk: bytes) -> None:
        more = _counted(body.tell() + len(chunk)) - _counted(body.tell())
        if self._held + more > self._most:
            raise Busy("too many long requests at once; ask again in a moment")
        body.write(chunk)  # Before it counts: for this there may be no memory.
        self._held += more


def _counted(length: int) -> int:
    return max(length - SMALL, 0)


@contextmanager
def _in_time() -> Iterator[None]:
    try:
        with anyio.fail_after(BODY_SECONDS):
            yield
    except TimeoutError:
        raise RequestTooSlow(f"the body did not arrive within {BODY_SECONDS:g} s") from None
