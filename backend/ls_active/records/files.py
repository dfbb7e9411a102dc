"""Files that are written whole or not at all, on any file system that fsspec reaches."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Any, TypeAlias

import fsspec
from fsspec.implementations.local import LocalFileSystem

from ls_active.errors import StoreError

FORMAT = 1
"""Raised when a file changes its meaning; a file of another format counts as absent, and what it
held is fitted or published anew."""

UNFINISHED_SECONDS = 3600.0
"""Age at which nobody is writing a file any more."""

Document: TypeAlias = dict[str, Any]

_UNFINISHED = ".writing-"


class Files:
    """A folder and what is in it.

    Parameters
    ----------
    root : str
        A folder, ``file://…`` or another fsspec URL such as ``s3://bucket/prefix``.
    """

    def __init__(self, root: str) -> None:
        self._fs, path = fsspec.core.url_to_fs(root)
        self._root = PurePosixPath(path)
        self._local = isinstance(self._fs, LocalFileSystem)

    def _list(self, folder: PurePosixPath) -> list[str]:
        with errors(str(folder)):
            # An object store may answer from a listing it took before another worker wrote.
            self._fs.invalidate_cache(str(folder))
            return list(self._fs.ls(str(folder), detail=False)) if self._fs.exists(folder) else []

    def _read_bytes(self, path: PurePosixPath) -> bytes | None:
        with errors(str(path)):
            try:
                return bytes(self._fs.cat_file(str(path)))
            except FileNotFoundError:
                return None

    def _read_json(self, path: PurePosixPath) -> Document | None:
        raw = self._read_bytes(path)
        if raw is None:
            return None
        try:
            document = json.loads(raw)
        except ValueError:
            return None
        ours = isinstance(document, dict) and document.get("format") == FORMAT
        return document if ours else None

    def _create(self, path: PurePosixPath, data: bytes) -> None:
        """Write `path` whole or not at all; raise FileExistsError if somebody did."""
        with errors(str(path)):
            if not self._local:
                self._fs.pipe_file(str(path), data, mode="create")
                return
            temporary = _write_beside(Path(path), data)
            try:
                os.link(temporary, path)
            finally:
                temporary.unlink()

    def _replace(self, path: PurePosixPath, data: bytes) -> None:
        with errors(str(path)):
            if self._local:
                _write_beside(Path(path), data).replace(path)
            else:
                self._fs.pipe_file(str(path), data)

    def _sweep(self, folder: PurePosixPath) -> None:
        if not self._local:
            return
        with errors(str(folder)):
            for path in Path(folder).rglob(f"{_UNFINISHED}*"):
                with suppress(FileNotFoundError):  # Its writer has just finished it.
                    if time.time() - path.stat().st_mtime > UNFINISHED_SECONDS:
                        path.unlink()


@contextmanager
def errors(path: str) -> Iterator[None]:
    """Say what the system would not do with a path; raise StoreError."""
    try:
        yield
    except FileExistsError:
        raise
    except OSError as error:
        raise StoreError(f"cannot use {path}: {error.strerror or error}") from error


def _write_beside(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=_UNFINISHED)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
    except BaseException:
        Path(name).unlink()
        raise
    return Path(name)


def to_json(document: Mapping[str, Any]) -> bytes:
    """Return a document as it is written."""
    return json.dumps({"format": FORMAT, **document}, allow_nan=False).encode()
