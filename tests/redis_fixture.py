"""A fresh, real Valkey for tests, and waiting for what other processes do with it."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

from ls_active.engine.valkey import EmbeddedValkey


@contextmanager
def fresh_valkey() -> Iterator[str]:
    """An empty server on a Unix socket, gone with its data afterwards; yields its URL.

    Enter it in the main thread: the server dies with the thread that started it.
    """
    # Not pytest's tmp_path, which is too long for a socket in it.
    folder = tempfile.TemporaryDirectory(prefix="valkey-")
    with folder, EmbeddedValkey(Path(folder.name)) as server:
        yield server.url


def wait_until(true: Callable[[], object], seconds: float = 60.0) -> None:
    """Return once the condition holds; fail when it does not in so many seconds."""
    ends = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < ends, "it did not happen in time"
        time.sleep(0.01)


def pop(connection: redis.Redis, key: str) -> bytes:
    """Wait for a value in a list and take it; BLPOP would end with the socket's timeout."""
    wait_until(lambda: connection.exists(key))
    return connection.lpop(key)
