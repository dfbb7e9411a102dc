"""Project folders on an fsspec path: versions, publications, and what we know of a connection.

Immutable things (claims, manifests, records) are created exclusively and never change; a version
or publication exists when its manifest or record does, and that is written last. Mutable documents
(`connection`, `state`, `pin`) are replaced whole. Everything can be deleted: Label Studio is the
source of truth and one full sync rebuilds the rest.

::

    <root>/projects/<uid>/connection.json  state.json  pin.json
                         /versions/000007.claim  .json  .evaluation.json
                         /models/000007.npz
                         /publications/000031.claim  .json
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from ls_active.errors import BadRequest, NotFound, StoreError
from ls_active.records.files import Document, Files, errors, to_json

_UID = re.compile(r"[0-9]{1,18}\.[0-9]{1,18}")
_NUMBERED = re.compile(r"(\d{6,})\.(claim|npz|json|evaluation\.json)")


def check_uid(uid: str) -> str:
    """Return `uid` if it may name a folder, else raise BadRequest."""
    if not _UID.fullmatch(uid):
        raise BadRequest(f"a project must look like '12.1795351743' (id.created), got {uid[:40]!r}")
    return uid


class Store(Files):
    """What this service keeps, on any file system that fsspec reaches.

    Parameters
    ----------
    root : str
        A folder, ``file://…`` or another fsspec URL such as ``s3://bucket/prefix``.
    """

    def projects(self) -> list[str]:
        """Return the uids of all projects that were ever connected."""
        names = (PurePosixPath(path).name for path in self._list(self._root / "projects"))
        return sorted(name for name in names if _UID.fullmatch(name))

    # Mutable documents

    def read(self, uid: str, name: str) -> Document | None:
        """Return the document `name` of a project, or None if there is none."""
        return self._read_json(self._folder(uid) / f"{name}.json")

    def write(self, uid: str, name: str, document: Mapping[str, Any]) -> None:
        """Replace the document `name` of a project."""
        self._replace(self._folder(uid) / f"{name}.json", to_json(document))

    def delete(self, uid: str, name: str) -> None:
        """Forget the document `name` of a project, if it is there."""
        path = str(self._folder(uid) / f"{name}.json")
        with errors(path):
            if self._fs.exists(path):
                self._fs.rm_file(path)

    # Versions

    def claim_version(self, uid: str) -> int:
        """Reserve the next version number for ever."""
        return self._claim(self._folder(uid) / "versions", above=0)

    def save_version(
        self, uid: str, number: int, arrays: Mapping[str, NDArray[Any]], manifest: Document
    ) -> None:
        """Write a version: its arrays, then the manifest that makes it exist."""
        folder = self._folder(uid) / "versions"
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **arrays)
        self._replace(self._model(uid, number), buffer.getvalue())
        digest = hashlib.sha256(buffer.getvalue()).hexdigest()
        self._create(
            folder / f"{number:06d}.json",
            to_json({**manifest, "version": number, "sha256": digest}),
        )

    def save_evaluation(self, uid: str, number: int, evaluation: Document) -> None:
        """Write the second file of a version; an evaluation that is there already stays."""
        path = self._folder(uid) / "versions" / f"{number:06d}.evaluation.json"
        try:
            self._create(path, to_json(evaluation))
        except FileExistsError:
            return

    def versions(self, uid: str) -> list[int]:
        """Return the numbers of all versions that exist, ascending."""
        return self._numbers(self._folder(uid) / "versions", "json")

    def manifest(self, uid: str, number: int) -> Document:
        """Return what a version says of itself; raise NotFound if it does not exist."""
        document = self._read_json(self._folder(uid) / "versions" / f"{number:06d}.json")
        if document is None:
            raise NotFound(f"project {uid} has no version {number}; it has {self.versions(uid)}")
        return document

    def evaluation(self, uid: str, number: int) -> Document | None:
        """Return the figures of a version, or None while they are not there."""
        return self._read_json(self._folder(uid) / "versions" / f"{number:06d}.evaluation.json")

    def arrays(self, uid: str, number: int) -> dict[str, NDArray[Any]]:
        """Return the arrays of a version after checking them against its manifest.

        Raises
        ------
        NotFound
            If the version does not exist or its file was pruned.
        StoreError
            If the file is not the one that the manifest describes, or holds no arrays.
        """
        manifest = self.manifest(uid, number)
        path = self._model(uid, number)
        raw = self._read_bytes(path)
        if raw is None:
            raise NotFound(f"the model file of version {number} was pruned; its record remains")
        if hashlib.sha256(raw).hexdigest() != manifest["sha256"]:
            raise StoreError(f"{path} is not the file its manifest describes: refusing to load it")
        try:
            with np.load(io.BytesIO(raw), allow_pickle=False) as archive:
                return {name: archive[name] for name in archive.files}
        except (ValueError, EOFError, BadZipFile) as error:
            raise StoreError(f"{path} holds no arrays: {error}") from error

    def loadable(self, uid: str) -> list[int]:
        """Return the numbers of versions whose model file is still there, ascending.

        Only the few kept model files are listed: records stay for ever, and this is asked often.
        """
        folder = self._folder(uid)
        files = self._numbers(folder / "models", "npz")
        with errors(str(folder)):
            manifest = {n: str(folder / "versions" / f"{n:06d}.json") for n in files}
            return [number for number in files if self._fs.exists(manifest[number])]

    def prune_versions(self, uid: str, keep: int, spare: int | None) -> list[int]:
        """Delete all but the newest `keep` model files and `spare`; records stay for ever."""
        old = [number for number in self.loadable(uid)[:-keep] if number != spare]
        for number in old:
            path = str(self._model(uid, number))
            with errors(path):
                self._fs.rm_file(path)
        return old

    # Publications

    def claim_publication(self, uid: str, *, above: int = 0) -> int:
        """Reserve the next publication number, higher than `above`, for ever."""
        return self._claim(self._folder(uid) / "publications", above)

    def record_publication(self, uid: str, number: int, record: Document) -> None:
        """Write the record that makes a publication exist; one that is there already stays."""
        path = self._folder(uid) / "publications" / f"{number:06d}.json"
        try:
            self._create(path, to_json(record))
        except FileExistsError:
            return

    def publications(self, uid: str) -> list[int]:
        """Return the numbers of all recorded publications, ascending."""
        return self._numbers(self._folder(uid) / "publications", "json")

    def claimed_publications(self, uid: str) -> list[int]:
        """Return every publication number that was ever reserved, ascending."""
        return self._numbers(self._folder(uid) / "publications", "claim")

    def publication(self, uid: str, number: int) -> Document | None:
        """Return the record of a publication, or None if it was never completed."""
        return self._read_json(self._folder(uid) / "publications" / f"{number:06d}.json")

    def forget_publications(self, uid: str, below: int) -> None:
        """Delete the records of publications numbered lower than `below`; their names stay ours."""
        for number in self.publications(uid):
            if number < below:
                path = str(self._folder(uid) / "publications" / f"{number:06d}.json")
                with errors(path):
                    self._fs.rm_file(path)

    def sweep(self, uid: str) -> None:
        """Delete what writers that were killed left half-written in a project, an hour later."""
        self._sweep(self._folder(uid))

    # Where it lies

    def _folder(self, uid: str) -> PurePosixPath:
        return self._root / "projects" / check_uid(uid)

    def _model(self, uid: str, number: int) -> PurePosixPath:
        return self._folder(uid) / "models" / f"{number:06d}.npz"

    def _claim(self, folder: PurePosixPath, above: int) -> int:
        number = max(self._numbers(folder, "claim"), default=0)
        number = max(number, above) + 1
        while True:
            try:
                self._create(folder / f"{number:06d}.claim", b"{}")
            except FileExistsError:
                number += 1
            else:
                return number

    def _numbers(self, folder: PurePosixPath, kind: str) -> list[int]:
        found = (_NUMBERED.fullmatch(PurePosixPath(path).name) for path in self._list(folder))
        return sorted(int(match[1]) for match in found if match and match[2] == kind)
