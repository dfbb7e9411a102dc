"""Files that were fetched once, on local disk, up to a size."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import tempfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

_OURS = re.compile(r"[0-9a-f]{64}\.(content|address)|tmp\w+\.part")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_BLOCK = 4096  # What the smallest file takes on disk.

logger = logging.getLogger(__name__)


class FileCache:
    """Contents by address, least recently used out first.

    A content is kept once, under its digest, however many addresses lead to it; an address is a
    small file that names the digest. Processes may share a folder: files appear whole, and what is
    missing, torn or changed is a miss. A disk that fails costs the cache, not the caller.

    Parameters
    ----------
    folder : Path
        For this alone. Made on first use, for our user only.
    max_bytes : int
        Soft: each process may go a tenth beyond before it looks again.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._room = 0
        self._failed = False
        self._lock = threading.Lock()

    def get(self, address: str) -> bytes | None:
        """Return what was put for an address, if it is still there unharmed."""
        pointer = self._pointer(address)
        with suppress(OSError, UnicodeError):
            digest = pointer.read_text("ascii")
            if not _DIGEST.fullmatch(digest):
                return None
            path = self._content(digest)
            content = path.read_bytes()
            if hashlib.sha256(content).hexdigest() != digest:
                path.unlink()
                return None
            # Time of access is not kept on most disks.
            for used in (path, pointer):
                with suppress(FileNotFoundError):  # Thrown out since, by another process.
                    os.utime(used)
            return content
        return None

    def put(self, address: str, content: bytes) -> None:
        """Keep `content` for an address."""
        if len(content) > self._max_bytes // 2:
            return
        digest = hashlib.sha256(content).hexdigest()
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not self._content(digest).exists():
                self._write(self._content(digest), content)
            self._write(self._pointer(address), digest.encode("ascii"))
        except OSError as error:
            # Once: a full disk fails for every file.
            level = logging.DEBUG if self._failed else logging.WARNING
            logger.log(level, "Media files are not cached in %s: %s", self._folder, error)
            self._failed = True

    def _pointer(self, address: str) -> Path:
        key = hashlib.sha256(address.encode("utf-8", "surrogatepass")).hexdigest()
        return self._folder / f"{key}.address"

    def _content(self, digest: str) -> Path:
        return self._folder / f"{digest}.content"

    def _write(self, path: Path, content: bytes) -> None:
        self._make_room(max(len(content), _BLOCK))
        handle, name = tempfile.mkstemp(dir=self._folder, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            Path(name).replace(path)
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise

    def _make_room(self, size: int) -> None:
        with self._lock:
            self._room -= size
            if self._room >= 0:
                return
            entries = sorted(self._entries(), key=lambda entry: entry.used)
            surplus = sum(entry.size for entry in entries) + size - self._max_bytes * 9 // 10
            for entry in entries:
                if surplus <= 0:
                    break
                entry.path.unlink(missing_ok=True)
                surplus -= entry.size
            # Looking takes long when files are many: only every so often.
            self._room = self._max_bytes // 10

    def _entries(self) -> Iterator[_Entry]:
        with os.scandir(self._folder) as found:
            for item in found:
                if _OURS.fullmatch(item.name):
                    with suppress(FileNotFoundError):
                        stat = item.stat(follow_symlinks=False)
                        size = max(stat.st_size, _BLOCK)
                        yield _Entry(stat.st_mtime_ns, size, Path(item.path))


class _Entry(NamedTuple):
    used: int
    size: int
    path: Path
