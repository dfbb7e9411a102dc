"""One project under the loop in this process: simulated Label Studio, real store and mirror."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any, cast

from pydantic import SecretStr

from ls_active.label_studio.client import LabelStudioClient
from ls_active.loop.adoption import Adoption
from ls_active.loop.converge import Result, converge
from ls_active.loop.workshop import Workshop
from ls_active.records.project import Connection, ProjectStatus
from ls_active.records.store import Store
from ls_active.settings import Settings
from tests.harness.effects import Effects
from tests.harness.simulated import SimulatedLabelStudio
from tests.harness.simulated_project import UID

OWN_URL = "http://loop.example:9090"

TEXTS = [
    f"{animal} number {number} {said} all day"
    for number in range(20)
    for animal, said in (("my cat", "purrs and meows"), ("our dog", "barks and growls"))
]
"""Forty short texts, cats and dogs in turn."""


def settings_in(folder: Path, **fields: Any) -> Settings:
    """Return settings that keep everything in a folder."""
    return Settings(
        label_studio_url="http://studio.example:8080",
        label_studio_api_key=SecretStr("a-key"),
        server_secret=SecretStr("a secret"),
        data_dir=str(folder),
        **fields,
    )


class WatchedStore(Store):
    """A store whose every write is an effect."""

    def __init__(self, root: str, effect: Effects) -> None:
        super().__init__(root)
        self.effect = effect

    def _create(self, path: PurePosixPath, data: bytes) -> None:
        with self.effect(f"create {path.name}"):
            super()._create(path, data)

    def _replace(self, path: PurePosixPath, data: bytes) -> None:
        with self.effect(f"write {path.name}"):
            super()._replace(path, data)


class Rig:
    """What a worker has, and what it did.

    Parameters
    ----------
    folder : Path
        Store and mirror.
    studio : SimulatedLabelStudio
    **options
        Of the connection; no pause between publications unless given.
    """

    def __init__(self, folder: Path, studio: SimulatedLabelStudio, **options: Any) -> None:
        self.settings = settings_in(folder)
        self.studio = studio
        self.options: dict[str, Any] = {"min_interval": 0, "busy_share": 1, "head_size": 10}
        self.options |= options

    @property
    def store(self) -> Store:
        return WatchedStore(self.settings.data_dir, self.studio.effect)

    @property
    def connection(self) -> Connection:
        found = Connection.load(self.store, UID)
        assert found is not None
        return found

    @property
    def status(self) -> ProjectStatus:
        return ProjectStatus.load(self.store, UID)

    @property
    def record(self) -> Mapping[str, Any]:
        """The last publication."""
        record = self.store.publication(UID, self.store.publications(UID)[-1])
        assert record is not None
        return record

    def change(self, **changes: Any) -> None:
        """Edit what is remembered of the connection."""
        known = Connection.load(self.store, UID) or Connection(UID)
        known.but(**changes).save(self.store)

    def connect(self, title: str = "our model") -> Result:
        """Press "Connect Model" and let the job of /setup run."""
        self.studio.connect(OWN_URL, title, self.options)
        Connection(UID, own_url=OWN_URL).save(self.store)
        return self.run(look=True)

    @property
    def labelled(self) -> set[int]:
        """The tasks that somebody answered or skipped."""
        return {row.id for row in self.studio.rows.values() if row.annotations}

    def label(self, n: int) -> list[int]:
        """Label the next `n` tasks as they are served, rightly; return the annotations."""
        made = []
        for _ in range(n):
            task = self.studio.next_task()
            assert task is not None
            made.append(self.studio.annotate(task, self.answer(task)))
        return made

    def answer(self, task: int) -> str:
        """Return the right choice for a task."""
        return "cat" if "cat" in self.studio.rows[task].data["text"] else "dog"

    def shop(self, check: Callable[[], None] = lambda: None, *, idle: bool = True) -> Workshop:
        """Return what a job works with."""
        client = cast("LabelStudioClient", self.studio)
        return Workshop(UID, self.settings, self.store, client, check, idle=lambda: idle)

    def run(
        self,
        *,
        check: Callable[[], None] = lambda: None,
        idle: bool = True,
        force: bool = False,
        look: bool = False,
    ) -> Result:
        """Run one job, the pause since the last publication over."""
        plain = Store(self.settings.data_dir)
        replace(ProjectStatus.load(plain, UID), timings={}).save(plain)
        return converge(self.shop(check, idle=idle), force=force, look=look)

    def adoption(self) -> Adoption:
        """Return what adopts and lets go."""
        return Adoption(self.shop(), self.connection)

    def disconnect(self) -> None:
        """Run the job of `disconnect`."""
        adoption = self.adoption()
        adoption.disconnect(self.studio.project(1))
