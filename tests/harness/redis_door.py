"""A door in front of a Redis: answers come late through it, or the machine behind it vanishes."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class RedisDoor:
    """Hands bytes on between TCP and a Unix socket; a context manager.

    Attributes
    ----------
    url : str
        The ``REDIS_URL`` of the door.
    delay : float
        Seconds by which every answer comes late.
    """

    def __init__(self, socket: str) -> None:
        self.url = ""
        self.delay = 0.0
        self._socket = socket
        self._age = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self) -> RedisDoor:
        self._thread.start()
        listening = asyncio.start_server(self._connect, "127.0.0.1", 0)
        self._server = asyncio.run_coroutine_threadsafe(listening, self._loop).result()
        self.url = f"redis://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @contextmanager
    def late(self, seconds: float) -> Iterator[None]:
        """Have every answer come late for a while."""
        self.delay = seconds
        try:
            yield
        finally:
            self.delay = 0.0

    def vanish(self) -> None:
        """Let nothing more through the connections there are, and close none: half-open."""
        self._age += 1

    async def _close(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            inner, out = await asyncio.open_unix_connection(self._socket)
        except OSError:
            writer.close()  # It is killed.
            return
        age = self._age
        with contextlib.suppress(OSError):
            await asyncio.wait(
                [
                    asyncio.create_task(self._hand_on(reader, out, age, late=False)),
                    asyncio.create_task(self._hand_on(inner, writer, age, late=True)),
                ],
                return_when=asyncio.FIRST_COMPLETED,
            )
        writer.close()
        out.close()

    async def _hand_on(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, age: int, *, late: bool
    ) -> None:
        while data := await source.read(2**16):
            if late and self.delay:
                await asyncio.sleep(self.delay)
            if age == self._age:
                target.write(data)
                await target.drain()
