"""Killed before and after every effect of a run, the next run makes it whole.

Only effects outlive a process: after one is before the next. So a run is killed before each of its
effects, and after the last.
"""

from __future__ import annotations

import copy
import gc
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ls_active.sync import database, features
from tests.harness.effects import Effects, Killed
from tests.harness.quick import quick
from tests.harness.rig import OWN_URL, TEXTS, Rig
from tests.harness.simulated import SimulatedLabelStudio
from tests.harness.simulated_project import UID

LABELS = 20

# A process that is killed closes nothing either.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")


@pytest.fixture(scope="module", autouse=True)
def effects() -> Iterator[Callable[[Effects], None]]:
    """Make every commit of a mirror and every write of features an effect; return what counts."""
    counted = [Effects()]
    write_features = features.write

    class Watched(sqlite3.Connection):
        def execute(self, sql, *values):  # type: ignore[override]
            word = sql.split()[0]
            writes = word in ("INSERT", "UPDATE", "DELETE") and not self.in_transaction
            if word != "COMMIT" and not writes:
                return super().execute(sql, *values)
            with counted[0](f"mirror {sql[:40]} {values}"):
                return super().execute(sql, *values)

    def connect(folder: Path) -> sqlite3.Connection:
        path = folder / "mirror.sqlite3"
        return sqlite3.connect(path, isolation_level=None, factory=Watched)

    def write(path, values, position):
        with counted[0](f"features {path.name}"):
            write_features(path, values, position)

    def count_with(effects: Effects) -> None:
        counted[0] = effects

    with quick(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "_connect", connect)
        patch.setattr(features, "write", write)
        gc.freeze()  # What is there already need not be looked through at every death.
        yield count_with
        gc.unfreeze()


class Scene:
    """A project at some moment, to be run any number of times from there."""

    def __init__(self, rig: Rig, count_with: Callable[[Effects], None]) -> None:
        self._start = Path(rig.settings.data_dir)
        self._studio = rig.studio
        self._count_with = count_with
        self._turn = 0

    def at(self, end_at: int | None) -> Rig:
        """Return a copy in which the process will end at a moment."""
        self._turn += 1
        folder = self._start.with_name(f"{self._start.name}-{self._turn}")
        if self._start.exists():
            shutil.copytree(self._start, folder)
        studio = copy.deepcopy(self._studio)
        return self.revive(Rig(folder, studio), end_at)

    def revive(self, rig: Rig, end_at: int | None = None) -> Rig:
        """Give a project a new process, which checks what annotators get at every moment."""
        studio = rig.studio
        once = studio.serves_whole()

        def watch() -> None:
            nonlocal once
            once = once or studio.serves_whole()
            assert studio.serves_whole() or not once, f"serves {studio.fields['model_version']!r}"

        studio.effect = Effects(end_at=end_at, watch=watch)
        self._count_with(studio.effect)
        return rig

    def moments(self) -> Iterator[tuple[int, str]]:
        """Yield every moment of a whole run, with what comes next."""
        whole = self.at(None)
        whole.run(look=True)
        names = [*whole.studio.effect.names, "the end"]
        assert len(names) > 10
        yield from ((2 * number, name) for number, name in enumerate(names[:-1]))
        yield 2 * len(names) - 3, names[-1]

    def crashes(self) -> Iterator[tuple[Rig, str]]:
        """Yield a project for every moment at which its run was killed, with a new process."""
        for moment, name in self.moments():
            rig = self.at(moment)
            try:
                rig.run(look=True)
            except Killed:
                pass
            else:
                pytest.fail(f"not killed before {name}")
            gc.collect()  # The dead hold no locks.
            yield self.revive(rig), name


def assert_whole(rig: Rig, where: str) -> None:
    studio, store = rig.studio, rig.store
    assert rig.record["name"] == studio.fields["model_version"] == rig.status.publication, where
    assert studio.serves_whole(), where
    assert rig.record["tasks"][0] == studio.next_task(user=9), where
    studio.locks.clear()
    assert rig.connection.adopted, where
    assert studio.fields["sampling"] == "Uncertainty sampling", where
    [hook] = studio.hooks
    assert hook["headers"], where
    current = f"al-{(store.loadable(UID) or [0])[-1]}."
    assert studio.fields["model_version"].startswith(current), where


def assert_pruned(rig: Rig, where: str) -> None:
    rig.run()
    if len(rig.studio.version_counts()) > 1:
        rig.run()
    assert set(rig.studio.version_counts()) == {rig.studio.fields["model_version"]}, where


class TestConnecting:
    def test_killed_anywhere(self, tmp_path, effects):
        rig = Rig(tmp_path / "start", SimulatedLabelStudio(TEXTS[:16]))
        rig.studio.connect(OWN_URL, "our model", rig.options)
        rig.change(own_url=OWN_URL, active=True)
        for crashed, where in Scene(rig, effects).crashes():
            crashed.run(look=True)
            assert_whole(crashed, where)
            assert not crashed.record["provisional"], where
            original = {"sampling": "Sequential sampling", "model_version": "our model"}
            assert crashed.connection.original == original, where
            assert_pruned(crashed, where)


class TestLearning:
    @pytest.fixture
    def scene(self, tmp_path, effects):
        """Connected a while ago, with labels nobody has learned, and a deleted task."""
        rig = Rig(tmp_path / "start", SimulatedLabelStudio(TEXTS[:30]))
        rig.connect()
        rig.change(adopted_at=rig.connection.adopted_at - 3600)
        rig.label(LABELS)
        rig.studio.delete_task(max(rig.studio.rows.keys() - rig.labelled))
        rig.studio.faults.drop = [2]
        return Scene(rig, effects)

    def test_killed_anywhere(self, scene):
        whole = scene.at(None)
        whole.run()
        digest = whole.store.manifest(UID, 1)["labels_digest"]
        for crashed, where in scene.crashes():
            crashed.run()
            assert_whole(crashed, where)
            newest = crashed.store.manifest(UID, crashed.store.versions(UID)[-1])
            assert newest["labels"] == LABELS, where
            assert newest["labels_digest"] == digest, where
            evaluation = crashed.store.evaluation(UID, newest["version"])
            assert evaluation is not None, where
            assert_pruned(crashed, where)
