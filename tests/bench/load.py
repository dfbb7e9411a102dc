"""Clients that call a server as fast as it answers, and what they saw."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection
from itertools import cycle
from urllib.parse import urlsplit

import numpy as np

TIMEOUT = 120.0


@dataclass(frozen=True)
class Seen:
    """What some clients saw: seconds of every call, those refused with 503, and of the whole."""

    latencies: tuple[float, ...]
    seconds: float
    refused: int = 0

    def __add__(self, other: Seen) -> Seen:
        return Seen(
            self.latencies + other.latencies,
            self.seconds + other.seconds,
            self.refused + other.refused,
        )

    @property
    def calls_per_second(self) -> float:
        """Answers a second, over all clients; a refusal is none."""
        return (len(self.latencies) - self.refused) / self.seconds

    def percentile(self, share: float) -> float:
        """Return the latency that `share` per cent of the calls stayed below, in seconds."""
        return float(np.percentile(self.latencies, share))


class Client:
    """One connection that is kept, as far as the server keeps it."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        self._path = parts.path or "/"
        self._connection = HTTPConnection(parts.hostname, parts.port, timeout=TIMEOUT)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def call(self, body: bytes | None = None) -> tuple[int, bytes]:
        """POST a JSON body, or GET without one; return status and body of the answer."""
        method = "GET" if body is None else "POST"
        headers = {} if body is None else {"Content-Type": "application/json"}
        self._connection.request(method, self._path, body, headers)
        answer = self._connection.getresponse()
        return answer.status, answer.read()


def drive(
    url: str, bodies: Sequence[bytes | None], *, clients: int, seconds: float, pause: float = 0.0
) -> Seen:
    """Call a URL from `clients` threads for so long, each going through all bodies in turn.

    A call that is under way at the end counts, and so does its time. Refusals (503) are counted;
    anything else but 200 ends the run.
    """
    latencies: list[float] = []
    refused: list[int] = []
    broken: list[str] = []
    begin = time.perf_counter()

    def work(number: int) -> None:
        turn = _from(bodies, number * len(bodies) // clients)
        for status, spent, content in _calls(url, turn, begin + seconds):
            if status not in (200, 503):
                broken.append(f"{url}: {status} {content[:300]!r}")
                return
            latencies.append(spent)
            if status == 503:
                refused.append(status)
            time.sleep(pause)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not broken, broken[0]
    assert latencies, f"{url}: no answer within {seconds} s"
    return Seen(tuple(latencies), time.perf_counter() - begin, len(refused))


def _from(bodies: Sequence[bytes | None], start: int) -> Iterator[bytes | None]:
    return cycle([*bodies[start:], *bodies[:start]])


def _calls(
    url: str, bodies: Iterator[bytes | None], ends: float
) -> Iterator[tuple[int, float, bytes]]:
    with Client(url) as client:
        while time.perf_counter() < ends:
            body = next(bodies)
            began = time.perf_counter()
            status, content = client.call(body)
            yield status, time.perf_counter() - began, content
