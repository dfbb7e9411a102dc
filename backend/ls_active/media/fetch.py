"""From the values of tasks to the bytes of their files."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Self

from ls_active.media import inline
from ls_active.media.address import LabelStudioAddress
from ls_active.media.cache import FileCache
from ls_active.media.download import Downloader
from ls_active.media.errors import MediaError, MediaProblem
from ls_active.media.network import Network
from ls_active.media.policy import MediaPolicy


class Media:
    """Fetches files. Threads may share an instance; a forked process needs its own.

    Parameters
    ----------
    base_url : str
        Where Label Studio answers.
    headers : callable
        Returns the headers that authorise us there. What it raises is passed on: a key that fails
        says nothing about a file.
    policy : MediaPolicy
    folder : Path, optional
        Where files are kept (see `FileCache`). An address that was read is not read again while its
        file is there, also if the file behind it has changed since.
    network : Network, optional
        In place of the real one, for tests.

    Raises
    ------
    ValueError
        If `base_url` or an alias of the policy is no address.
    """

    def __init__(
        self,
        base_url: str,
        headers: Callable[[], Mapping[str, str]],
        policy: MediaPolicy,
        folder: Path | None,
        network: Network | None = None,
    ) -> None:
        self._policy = policy
        self._label_studio = LabelStudioAddress(base_url, policy.aliases)
        self._cache = FileCache(folder, policy.cache_bytes) if folder is not None else None
        self._downloader = Downloader(self._label_studio, headers, policy, network or Network())
        self._threads = ThreadPoolExecutor(policy.concurrency, thread_name_prefix="media")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Wait for what is under way, and close the connections."""
        self._threads.shutdown(cancel_futures=True)
        self._downloader.close()

    def fetch(self, value: str) -> bytes:
        """Return the bytes of the file that a value names, one at least.

        Raises
        ------
        MediaError
            If it cannot be read; the message may be shown.
        """
        value = value.strip()
        if inline.is_data_url(value):
            content = inline.decode(value, self._policy.max_bytes)
        else:
            content = self._read(value)
        if not content:
            raise MediaError(MediaProblem.EMPTY, "the file has no bytes")
        return content

    def fetch_all(self, values: Sequence[str]) -> list[bytes | MediaError]:
        """Return for each value its file, or why it could not be read; each file is read once."""
        unique = list(dict.fromkeys(values))
        found = dict(zip(unique, self.stream(unique), strict=True))
        return [found[value] for value in values]

    def stream(self, values: Iterable[str]) -> Generator[bytes | MediaError, None, None]:
        """Yield what `fetch_all` returns, while only twice `concurrency` files are in memory."""
        ahead: deque[Future[bytes | MediaError]] = deque()
        under_way: dict[str, Future[bytes | MediaError]] = {}
        try:
            for value in values:
                if value not in under_way:
                    under_way[value] = self._threads.submit(self._attempt, value)
                ahead.append(under_way[value])
                if len(ahead) >= 2 * self._policy.concurrency:
                    yield ahead.popleft().result()
                    under_way = {key: item for key, item in under_way.items() if item in ahead}
            while ahead:
                yield ahead.popleft().result()
        finally:
            for future in ahead:
                future.cancel()

    def _attempt(self, value: str) -> bytes | MediaError:
        try:
            return self.fetch(value)
        except MediaError as error:
            return error

    def _read(self, value: str) -> bytes:
        url = self._label_studio.locate(value)
        # Before the cache: what was allowed once may not be any more.
        self._downloader.check(url)
        address = str(url)
        kept = self._cache.get(address) if self._cache else None
        if kept is not None:
            return kept
        content = self._downloader.read(url)
        if self._cache and content:
            self._cache.put(address, content)
        return content
